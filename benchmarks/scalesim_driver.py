"""Runs scalesim 3.0.0 in an environment of its own: jobs come as JSON on stdin, results go to stdout as JSON.

Each job has the fields of a recorded table (``dataflow``, ``array_rows``, ``M`` ...). CPU time is that of the run,
without trace files and start-up.
"""

import json
import sys
import time


def run(job):
    """Return what the tool reports for one layer, and the CPU seconds it took."""
    from scalesim.layout_utils import layouts
    from scalesim.scale_config import scale_config
    from scalesim.single_layer_sim import single_layer_sim
    from scalesim.topology_utils import topologies

    config = scale_config()
    config.array_rows, config.array_cols = job["array_rows"], job["array_cols"]
    config.ifmap_sz_kb, config.filter_sz_kb = job["ifmap_sram_kB"], job["filter_sram_kB"]
    config.ofmap_sz_kb, config.df = job["ofmap_sram_kB"], job["dataflow"]
    config.valid_conf_flag = True
    sizes = ("ifmap_h", "ifmap_w", "filt_h", "filt_w", "channels", "num_filters", "stride_h", "stride_w")
    topology = topologies()
    topology.append_topo_arrays("L", ["L", *(job[size] for size in sizes), 1, 1])
    topology.num_layers, topology.topo_load_flag = 1, True
    topology.topo_calc_hyperparams()
    start = time.process_time()
    simulation = single_layer_sim()
    simulation.set_params(layer_id=0, config_obj=config, topology_obj=topology, layout_obj=layouts(), verbose=False)
    simulation.run()
    compute = simulation.get_compute_report_items()
    detail = simulation.get_detail_report_items()
    seconds = time.process_time() - start
    found = {
        "stall_cycles": compute[2],
        "total_cycles": compute[1],
        "total_cycles_incl_prefetch": compute[0],
        "overall_util_pct": compute[3],
        "mapping_eff_pct": compute[4],
        "compute_util_pct": compute[5],
    }
    names = ("sram_ifmap", "sram_filter", "sram_ofmap", "dram_ifmap", "dram_filter", "dram_ofmap")
    for place, name in enumerate(names):
        start_cycle, stop_cycle, words = detail[3 * place : 3 * place + 3]
        if name.startswith("dram"):
            found[f"{name}_start"], found[f"{name}_stop"] = start_cycle, stop_cycle
        found[f"{name}_{'writes' if name.endswith('ofmap') else 'reads'}"] = words
    return {**{name: float(value) for name, value in found.items()}, "cpu_seconds": seconds}


if __name__ == "__main__":
    json.dump([run(job) for job in json.load(sys.stdin)], sys.stdout)
