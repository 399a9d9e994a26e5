"""Whole networks on datapaths, bit for bit, against torch in fp32 (eager) on the same threads and samples.

Run with ``python -m benchmarks.networks [--model smollm2] [--tokens 512]``. Weights are prepared before the clock
starts, as torch has loaded its own; the float reference does not run. Each figure is the median ratio of CPU times
measured in turn in one process, on one thread; beside it stands by how much the first run raised the process's peak
memory above that of torch, which ran before it. ``--sequence 4096`` joins SmolLM2's sequences to long ones.
"""

from __future__ import annotations

import argparse
import resource
import statistics
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.measure import cpu_seconds, machine  # isort: skip  (before NumPy)

import torch

from simhw.catalog import get_method, get_network, get_scheme
from simhw.execution import Arithmetic
from simhw.executor import Executor
from simhw.gemm.datapaths import get_datapath
from simhw.graph.frontends.torch_export import import_module
from simhw.models.llama import Llama
from simhw.models.smollm2 import SHAPE

GOALS = {
    ("smollm2", "w8a8_int8"): 1.0,
    ("smollm2", "w4a8_mixpe"): 1.5,
    ("smollm2", "mxfp4"): 1.5,
    ("smollm2", "hopper_e4m3_fp32"): 4.0,
    ("minilm", "w8a8_int8"): 1.5,
    ("efficientnet_lite0", "w8a8_int8"): 2.5,
}
"""Time over that of torch, at most."""
MEMORY_GOAL = 1.5e9 / 2**20
"""MiB above the float model's peak, at most (1.5 GB)."""
DATAPATHS = ("w8a8_int8", "w4a8_mixpe", "mxfp4", "nvfp4", "fp16", "hopper_e4m3_fp32")
ROUNDS = 3


def measure(
    name: str,
    datapaths: Sequence[str],
    samples: int | None,
    tokens: int | None,
    rounds: int,
    sequence: int | None = None,
) -> list[str]:
    """Return a line for each datapath."""
    torch.set_num_threads(1)
    network = get_network(name)
    values = network.dataset(samples, tokens).inputs
    if sequence is not None:
        values = values.reshape(-1)[: values.size // sequence * sequence].reshape(-1, sequence)
    module = network.load() if sequence is None else long_smollm2(sequence)
    graph = import_module(module, values)
    inputs = torch.from_numpy(values)

    def reference() -> None:
        with torch.no_grad():
            for start in range(0, len(inputs), network.batch):
                module(inputs[start : start + network.batch])

    reference()
    lines = []
    for path in datapaths:
        datapath = get_datapath(path)
        arithmetic = Arithmetic(datapath=datapath, scheme=get_scheme(datapath.scheme), method=get_method())
        executor = Executor(graph, arithmetic, compare=False)
        before = peak_mib()

        def run(executor: Executor = executor) -> None:
            executor.run(values, batch=network.batch)

        run()
        grown = peak_mib() - before
        ratios = []
        for _ in range(rounds):
            yardstick = cpu_seconds(reference)
            ratios.append(cpu_seconds(run) / yardstick)
        goal = GOALS.get((name, path))
        stated = "" if goal is None else f"<= {goal:g}"
        lines.append(
            f"| {name} | {path} | {statistics.median(ratios):.2f} | {stated} | {grown:,.0f} | <= {MEMORY_GOAL:,.0f} |"
        )
        print(lines[-1], flush=True)
    return lines


def long_smollm2(sequence: int) -> torch.nn.Module:
    """Return SmolLM2 with rotary positions for sequences of that length (it was trained for 8192)."""
    module = Llama(replace(SHAPE, context=sequence))
    module.load_state_dict(get_network("smollm2").load().state_dict())
    return module.eval()


def peak_mib() -> float:
    """Return the largest resident memory that the process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2", help="network (smollm2 must have been fetched)")
    parser.add_argument("--datapath", action="append", help="repeatable")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--sequence", type=int, help="tokens in a sequence of smollm2, 512 if left out")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    tokens = 512 if given.model == "smollm2" and given.tokens is None and given.samples is None else given.tokens
    print(f"Measured on {machine()}, one thread, CPU time over that of torch fp32 eager.\n")
    print("| network | datapath | of torch | goal | peak memory + MiB | goal |\n|---|---|---|---|---|---|")
    measure(given.model, given.datapath or DATAPATHS, given.samples, tokens, given.rounds, given.sequence)


if __name__ == "__main__":
    main()
