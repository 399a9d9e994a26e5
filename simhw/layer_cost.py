"""What one step of a network costs on the machine: cycles, words moved, energy by part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from simhw.accumulators import Aligned
from simhw.accumulators.families import register_bits
from simhw.accumulators.scaled import ScaledAligned
from simhw.arrays import (
    Gemm,
    Grouping,
    Schedule,
    array_area,
    dequantization_energy_pj,
    dequantization_work,
    schedule,
)
from simhw.arrays.hand_over import HandOver, hand_over
from simhw.arrays.serial import schedule_serial
from simhw.costs import REQUANTIZATION
from simhw.execution import Step
from simhw.formats import get_element_format
from simhw.gemm.datapath import Datapath
from simhw.machine import Machine, Quantizers
from simhw.pes import Dequantization, ProcessingElement, get_pe
from simhw.pes.price import price

NOTHING = HandOver()
"""No GEMM to run beside."""
PARTIAL_SUM_BITS = 32
ALIGNED_CARRY_BITS = 9
"""Sign, two integer bits of a product and the carries of up to 33 terms above the fraction bits."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of one step, for one sample.

    Attributes:
        cycles: that the step adds to the network.
        array_cycles: of the PE array.
        vector_cycles: of the vector unit, those that the array hides too.
        utilization: share of PE cycles that do work (of a vector step: of the lanes, hidden or not), 0..1.
        words: moved, by kind.
        energy_pj: by part.
        behind: what a following vector step may run beside.
    """

    cycles: int
    array_cycles: int = 0
    vector_cycles: int
    utilization: float
    words: Mapping[str, int]
    energy_pj: Mapping[str, float]
    behind: HandOver = NOTHING


def accumulator_bits(datapath: Datapath, steps: Iterable[Step]) -> int:
    """Return the width of the PE's accumulator: fixed, chosen, or what the widest sum of these steps needs."""
    pe = get_pe(datapath.pe)
    if pe.fixed_accumulator_bits is not None:
        return pe.fixed_accumulator_bits
    width = register_bits(datapath.accumulator)
    if width is not None:
        return width
    if isinstance(datapath.accumulator, Aligned | ScaledAligned):
        return datapath.accumulator.fraction_bits + ALIGNED_CARRY_BITS
    needed = [_bits_of(pe, step) for step in steps if step.k]
    return max(needed, default=pe.group_accumulator_bits(1))


def _bits_of(pe: ProcessingElement, step: Step) -> int:
    assert step.weight is not None
    group = min(step.weight.group_size or step.k, step.k)
    return pe.group_accumulator_bits(group, step.weight.format)


def step_costs(steps: Iterable[Step], datapath: Datapath, machine: Machine, bits: int) -> list[Cost]:
    """Return the costs of steps that follow each other: vector steps run beside the GEMM before them where the
    machine overlaps them."""
    costs: list[Cost] = []
    behind = NOTHING
    for step in steps:
        cost = step_cost(step, datapath, machine, bits, behind)
        costs.append(cost)
        behind = cost.behind
    return costs


def step_cost(step: Step, datapath: Datapath, machine: Machine, bits: int, behind: HandOver = NOTHING) -> Cost:
    """Return the cost of one step whose PE has an accumulator of ``bits``, after the GEMM that it is ``behind``.

    The machine leaks and its DRAM stands by for the cycles that the step adds.
    """
    cost = _vector_cost(step, machine, behind) if step.k == 0 else _gemm_cost(step, datapath, machine, bits, behind)
    power = machine.static_power(get_pe(datapath.pe), bits)
    static = {
        "leakage": power.leakage_pj(cost.cycles, machine.clock_mhz),
        "static": power.dram_pj(cost.cycles, machine.clock_mhz),
    }
    return replace(cost, energy_pj={**cost.energy_pj, **static})


def area_um2(datapath: Datapath, machine: Machine, steps: Iterable[Step], bits: int) -> float:
    """Return the area of the PE array with its dequantizers, in square micrometres."""
    group = max((min(s.weight.group_size or s.k, s.k) for s in steps if s.weight is not None), default=1)
    return array_area(
        get_pe(datapath.pe),
        machine.table,
        dataflow=machine.dataflow,
        rows=machine.rows,
        columns=machine.columns,
        accumulator_bits=bits,
        group_size=group,
    ).total_um2


def _gemm_cost(step: Step, datapath: Datapath, machine: Machine, bits: int, behind: HandOver) -> Cost:
    assert step.activation is not None
    assert step.weight is not None
    pe, table = get_pe(datapath.pe), machine.table
    gemm = Gemm(m=step.m, n=step.n, k=step.k, batch=step.batch)
    where = _dequantization(pe, step)
    group = step.weight.group_size or step.activation.group_size
    plan, pe_cycles = _plan(gemm, step, datapath, machine, where, group)
    cost = price(pe, table, bits)
    work = dequantization_work(
        gemm,
        grouping=Grouping(dequantization=where, dequantizers=pe.dequantizers, group_size=group),
        weight_streams=plan.weight_streams,
        activation_streams=plan.activation_streams,
        columns=machine.columns,
        zero_points=step.weight.zero_points,
    )
    output_bits = get_element_format(datapath.output).bits
    traffic = _dram_traffic(step, machine, output_bits)
    energy = {
        "multiply": pe_cycles * cost.multiply_pj,
        "accumulate": pe_cycles * cost.accumulate_pj,
        "dequantize": dequantization_energy_pj(work, pe, group or step.k, table),
        "vector": step.elements * REQUANTIZATION.energy_pj(table) if step.activation.has_scales else 0.0,
        "sram": _sram_pj(step, plan, machine, output_bits),
        "dram": traffic.total_bits * table.dram_pj_per_bit(machine.dram),
    }
    words = {
        "sram_activation_reads": plan.sram_activation_reads,
        "sram_weight_reads": plan.sram_weight_reads,
        "sram_output_writes": plan.sram_output_writes,
        "sram_output_reads": plan.sram_output_reads,
        "dram_activation_bits": traffic.activation_bits,
        "dram_weight_bits": traffic.weight_bits,
        "dram_output_bits": traffic.output_bits,
    }
    quantize, exposed = 0, 0
    if step.activation.has_scales and machine.quantizers is Quantizers.VECTOR_UNIT:
        quantize = machine.vector_unit.cycles(step.elements, REQUANTIZATION)
        exposed = behind.exposed_cycles(machine.vector_unit, step.elements, REQUANTIZATION)
    cycles = plan.cycles + exposed
    return Cost(
        cycles=cycles,
        array_cycles=plan.cycles,
        vector_cycles=quantize,
        utilization=plan.utilization * plan.cycles / cycles,
        words=words,
        energy_pj=energy,
        behind=hand_over(gemm, plan),
    )


def _plan(
    gemm: Gemm, step: Step, datapath: Datapath, machine: Machine, where: Dequantization, group: int | None
) -> tuple[Schedule, float]:
    """Return the schedule of a GEMM and the cycles that its PEs work, all together.

    Weights that decide the cycles of their products are counted one by one. Keys and values, which change with every
    token, take the worst case.
    """
    assert step.activation is not None
    pe = get_pe(datapath.pe)
    if step.weight_cycles is not None:
        exact = schedule_serial(
            gemm,
            step.weight_cycles,
            dataflow=machine.dataflow,
            rows=machine.rows,
            columns=machine.columns,
            overlap=machine.overlap,
            dequantization=where,
        )
        return exact, float(gemm.m * int(step.weight_cycles.sum(dtype="int64")))
    passes, lanes = pe.word(_multiplier_bits(step, datapath), step.activation.bits)
    plan = schedule(
        gemm,
        dataflow=machine.dataflow,
        rows=machine.rows,
        columns=machine.columns,
        overlap=machine.overlap,
        passes=passes,
        lanes=lanes,
        activation_stays=pe.activation_stays,
        dequantization=where,
        dequantizers=pe.dequantizers,
        group_size=group,
    )
    return plan, gemm.macs * passes / lanes


@dataclass(frozen=True, kw_only=True)
class _Traffic:
    """Bits that a GEMM moves from and to DRAM."""

    activation_bits: int
    weight_bits: int
    output_bits: int

    @property
    def total_bits(self) -> int:
        """Sum over the operands."""
        return self.activation_bits + self.weight_bits + self.output_bits


def _dram_traffic(step: Step, machine: Machine, output_bits: int) -> _Traffic:
    """Return the DRAM traffic of one GEMM: weights come in once, with their scales and zero points.

    Activations, keys, values and results cross only where the tensor does not fit into its buffer.
    """
    assert step.activation is not None
    assert step.weight is not None

    def beyond(bits: int, kib: int) -> int:
        return bits if bits > kib * 8192 else 0

    weight = step.batch * step.weight.total_bits(step.n, step.k)
    return _Traffic(
        activation_bits=beyond(step.batch * step.activation.total_bits(step.m, step.k), machine.activation_kib),
        weight_bits=beyond(weight, machine.weight_kib) if step.attention else weight,
        output_bits=beyond(step.batch * step.m * step.n * output_bits, machine.output_kib),
    )


def _sram_pj(step: Step, plan: Schedule, machine: Machine, output_bits: int) -> float:
    """Return the SRAM energy: every word with its share of scales and zero points, partial sums in 32 bits."""
    assert step.activation is not None
    assert step.weight is not None
    table = machine.table
    activation_bits = step.activation.total_bits(step.m, step.k) / (step.m * step.k)
    weight_bits = step.weight.total_bits(step.n, step.k) / (step.n * step.k)
    results = step.batch * step.m * step.n
    partial = plan.sram_output_writes - results
    return (
        plan.sram_activation_reads * activation_bits * table.sram_pj_per_bit(machine.activation_kib, False)
        + plan.sram_weight_reads * weight_bits * table.sram_pj_per_bit(machine.weight_kib, False)
        + (results * output_bits + partial * PARTIAL_SUM_BITS) * table.sram_pj_per_bit(machine.output_kib, True)
        + plan.sram_output_reads * PARTIAL_SUM_BITS * table.sram_pj_per_bit(machine.output_kib, False)
    )


def _multiplier_bits(step: Step, datapath: Datapath) -> int:
    """Return the width of the second operand as the multiplier sees it."""
    assert step.weight is not None
    if datapath.multiplier_weight is not None and not step.attention:
        return get_element_format(datapath.multiplier_weight).bits
    return step.weight.bits


def _dequantization(pe: ProcessingElement, step: Step) -> Dequantization:
    """Return where scales meet this step's numbers: attention has no weights to dequantize beforehand."""
    if pe.dequantization is Dequantization.BEFORE_MULTIPLY and step.attention:
        return Dequantization.AFTER_ACCUMULATION
    return pe.dequantization


def _vector_cost(step: Step, machine: Machine, behind: HandOver) -> Cost:
    work, unit = step.work, machine.vector_unit
    energy = {"multiply": 0.0, "accumulate": 0.0, "dequantize": 0.0, "sram": 0.0, "dram": 0.0}
    energy["vector"] = step.elements * work.energy_pj(machine.table)
    own, exposed = unit.cycles(step.elements, work), behind.exposed_cycles(unit, step.elements, work)
    busy = step.elements * unit.cycles_per_element(work)
    return Cost(
        cycles=exposed,
        vector_cycles=own,
        utilization=busy / (own * unit.lanes),
        words={},
        energy_pj=energy,
        behind=behind.after(own - exposed),
    )
