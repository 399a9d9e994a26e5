"""What a run becomes as a row: errors as they were measured, cycles and energy as the machine prices them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simhw.execution import Execution, Step
from simhw.formats import get_element_format
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import BASELINE, get_datapath
from simhw.gemm.operand import Storage
from simhw.graph.network import Dataset, Network
from simhw.layer_cost import Cost, accumulator_bits, area_um2, step_costs
from simhw.machine import Machine
from simhw.quantize import Scheme
from simhw.rows import ENERGY_PARTS, LayerRow, Row


def measured_row(
    network: Network,
    dataset: Dataset,
    machine: Machine,
    datapath: Datapath,
    scheme: Scheme,
    result: Execution,
    seconds: float,
) -> Row:
    """Return the row of one run: metric, noise, cycles and energy by layer, each beside the baseline's.

    Args:
        network: that ran.
        dataset: on what.
        machine: array and technology.
        datapath: what was emulated.
        scheme: how tensors became codes.
        result: of the run.
        seconds: that it took.
    """
    assert result.reference is not None
    bits = accumulator_bits(datapath, result.steps)
    costs = step_costs(result.steps, datapath, machine, bits)
    layers = tuple(_layer(step, cost) for step, cost in zip(result.steps, costs, strict=True))
    energy = {part: sum(layer.energy_pj[part] for layer in layers) for part in ENERGY_PARTS}
    cycles = sum(layer.cycles for layer in layers)
    baseline_cycles, baseline_pj = _baseline(result.steps, machine)
    metrics = network.metric.evaluate(result.outputs, dataset)
    return Row(
        model=network.name,
        datapath=datapath.name,
        scheme=scheme.name,
        pe=datapath.pe,
        accumulator=datapath.accumulator.name,
        accumulator_bits=bits,
        samples=len(dataset.inputs),
        unit=dataset.unit,
        units=dataset.units,
        rows=machine.rows,
        columns=machine.columns,
        dataflow=machine.dataflow,
        overlap=machine.overlap_name,
        technology=machine.technology,
        dram=machine.dram or machine.table.dram_default,
        dram_static_source=machine.table.dram_static(machine.dram).source,
        clock_mhz=machine.clock_mhz,
        metric_name=network.metric.name,
        metric=metrics[network.metric.name],
        metric_float=network.metric.evaluate(result.reference, dataset)[network.metric.name],
        metric_higher_is_better=network.metric.higher_is_better,
        metrics=metrics,
        sqnr_db=result.noise.sqnr_db,
        cycles=cycles,
        speedup=baseline_cycles / cycles,
        energy_pj=energy,
        energy_ratio=baseline_pj / sum(energy.values()),
        area_um2=area_um2(datapath, machine, result.steps, bits),
        saturations=sum(step.saturations for step in result.steps),
        seconds=seconds,
        layers=layers,
    )


def _layer(step: Step, cost: Cost) -> LayerRow:
    return LayerRow(
        name=step.label,
        operator=step.operator.name,
        m=step.m,
        n=step.n,
        k=step.k,
        batch=step.batch,
        sqnr_db=step.noise.sqnr_db,
        max_error=step.noise.largest,
        max_error_index=step.noise.where,
        cycles=cost.cycles,
        utilization=cost.utilization,
        words=cost.words,
        energy_pj=cost.energy_pj,
        kernel=step.kernel + _slow_steps(step) if step.unit is None else step.unit.name,
        overflows=step.tally.overflows,
    )


def _slow_steps(step: Step) -> str:
    """Return how often the kernel had to do without a bound, where it decides step by step."""
    tally = step.tally
    return f" ({tally.slow_steps:,} of {tally.steps:,} steps without a bound)" if tally.steps else ""


def _baseline(steps: Sequence[Step], machine: Machine) -> tuple[int, float]:
    """Return cycles and energy of the same steps on the baseline datapath, whose operands need no scales."""
    datapath = get_datapath(BASELINE)
    plain = [
        replace(
            step,
            activation=_cast(datapath.activation) if step.k else None,
            weight=_cast(datapath.weight) if step.k else None,
            weight_cycles=None,
        )
        for step in steps
    ]
    bits = accumulator_bits(datapath, plain)
    costs = step_costs(plain, datapath, machine, bits)
    return sum(cost.cycles for cost in costs), sum(sum(cost.energy_pj.values()) for cost in costs)


def _cast(name: str) -> Storage:
    return Storage(format=name, bits=get_element_format(name).bits)
