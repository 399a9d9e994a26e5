"""What layers cost on an array with memories: cycles, words and energy by part, one row per layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from simhw.arrays import Grouping, Overlap, dequantization_energy_pj, dequantization_work, get_dataflow
from simhw.arrays.base import check_positive
from simhw.costs import CostTable, load_table
from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.layer_files import NamedLayer
from simhw.layer_plan import ArraySettings, LayerPlan, plan_layer
from simhw.memory import Dram, Memory, Precision, Sram
from simhw.pes import ProcessingElement, get_pe
from simhw.pes.price import price

ENERGY_PARTS = (
    "multiply",
    "registers",
    "accumulate",
    "dequantize",
    "activation_sram_read",
    "activation_sram_write",
    "weight_sram_read",
    "weight_sram_write",
    "output_sram_read",
    "output_sram_write",
    "dram_read",
    "dram_write",
)
"""Where energy goes; the total is their sum."""
BLOCK_SCALE_BITS = 8
"""Of an MX or NVFP4 block: E8M0 or E4M3."""

CostRow = Mapping[str, str | int | float]
"""Column -> value."""


@dataclass(frozen=True, kw_only=True)
class CostSettings:
    """The machine and its conventions.

    Attributes:
        dataflow, rows, columns, overlap: the array.
        pe: entry name of the processing element.
        technology: entry name of the energy table.
        ifmap_kb, filter_kb, ofmap_kb: buffers of activations, weights and outputs, in KiB.
        bandwidth: words per cycle between DRAM and the buffers, a word as wide as an activation; None: unlimited.
        latency: cycles before the first word of a transfer.
        group_size: of weights along k; None: the PE's own block, or none.
        scale_bits, zero_point_bits: of each group of weights.
    """

    dataflow: str = "output_stationary"
    rows: int = 32
    columns: int = 32
    overlap: Overlap = Overlap.PER_FOLD
    pe: str = "int8_mac"
    technology: str = "horowitz_45nm"
    ifmap_kb: int = 256
    filter_kb: int = 128
    ofmap_kb: int = 128
    bandwidth: float | None = None
    latency: int = 0
    group_size: int | None = None
    scale_bits: int = 0
    zero_point_bits: int = 0


def cost_rows(layers: Iterable[NamedLayer], settings: CostSettings) -> list[CostRow]:
    """Return one row per layer; equal layers are planned once.

    Raises:
        InputError: unknown names, impossible sizes, buffers that do not hold a tile, or counts beyond int64.
    """
    check_positive("rows", settings.rows)
    check_positive("columns", settings.columns)
    get_dataflow(settings.dataflow)
    pe, table = get_pe(settings.pe), load_table(settings.technology)
    precision = _precision(pe, settings)
    array = ArraySettings(
        dataflow=settings.dataflow,
        rows=settings.rows,
        columns=settings.columns,
        overlap=settings.overlap,
        passes=pe.cycles_per_product(get_element_format(pe.weight_format).bits).numerator,
        dequantization=pe.dequantization,
        dequantizers=pe.dequantizers,
        group_size=precision.group_size,
    )
    memory = _memory(settings, precision)
    rows = []
    for named in layers:
        try:
            plan = plan_layer(named.layer, array, precision, memory)
        except InputError as error:
            raise InputError(f"layer {named.name!r}: {error}") from error
        rows.append(_row(named.name, plan, array, precision, memory, pe, table, settings))
    return rows


def _precision(pe: ProcessingElement, settings: CostSettings) -> Precision:
    if pe.block_size is not None and settings.group_size not in (None, pe.block_size):
        raise InputError(
            f"group size is {settings.group_size}, the blocks of {pe.name} have {pe.block_size}; leave it out"
        )
    activation = get_element_format(pe.activation_format).bits
    block = pe.block_size is not None
    group = pe.block_size if block else settings.group_size
    return Precision(
        activation_bits=activation,
        weight_bits=get_element_format(pe.stored_weight_format or pe.weight_format).bits,
        output_bits=activation,
        accumulator_bits=32,
        group_size=group,
        scale_bits=settings.scale_bits or (BLOCK_SCALE_BITS if block else 0),
        zero_point_bits=settings.zero_point_bits,
        activation_scale_bits=BLOCK_SCALE_BITS if block else 0,
    )


def _memory(settings: CostSettings, precision: Precision) -> Memory:
    words = settings.bandwidth
    if words is not None and not 0 < words < math.inf:
        raise InputError(f"bandwidth is {words!r} words per cycle, must be greater than 0; leave it out for unlimited")
    return Memory(
        activation=Sram(kib=settings.ifmap_kb),
        weight=Sram(kib=settings.filter_kb),
        output=Sram(kib=settings.ofmap_kb),
        dram=Dram(
            bits_per_cycle=None if words is None else words * precision.activation_bits,
            latency_cycles=settings.latency,
        ),
    )


def _row(
    name: str,
    plan: LayerPlan,
    array: ArraySettings,
    precision: Precision,
    memory: Memory,
    pe: ProcessingElement,
    table: CostTable,
    settings: CostSettings,
) -> CostRow:
    gemm, found = plan.gemm, plan.schedule
    energy = energy_pj(plan, array, precision, memory, pe, table)
    parts = {f"energy_{part}_pj": energy[part] for part in ENERGY_PARTS}
    return {
        "name": name,
        "m": gemm.m,
        "n": gemm.n,
        "k": gemm.k,
        "compute_cycles": found.compute_cycles,
        "stall_cycles": plan.stall_cycles,
        "total_cycles": plan.total_cycles,
        "utilization": plan.utilization,
        "sram_reads": found.sram_activation_reads + found.sram_weight_reads + found.sram_output_reads,
        "sram_writes": found.sram_output_writes,
        "dram_reads": plan.tiling.dram_reads,
        "dram_writes": plan.tiling.dram_writes,
        **parts,
        "energy_total_pj": sum(energy[part] for part in ENERGY_PARTS),
        "batch": gemm.batch,
        "dataflow": array.dataflow,
        "rows": array.rows,
        "columns": array.columns,
        "overlap": array.overlap.value,
        "pe": pe.name,
        "technology": table.name,
        "bandwidth_words": "unlimited" if settings.bandwidth is None else settings.bandwidth,
        "ifmap_kb": settings.ifmap_kb,
        "filter_kb": settings.filter_kb,
        "ofmap_kb": settings.ofmap_kb,
        "tile": "x".join(map(str, plan.tiling.tile)),
        "tile_order": plan.tiling.order,
    }


def energy_pj(
    plan: LayerPlan,
    array: ArraySettings,
    precision: Precision,
    memory: Memory,
    pe: ProcessingElement,
    table: CostTable,
) -> dict[str, float]:
    """Return the energy of a layer by part, in picojoules.

    Buffers are read and written by the array (every word that enters or leaves it) and by DRAM (every word that
    crosses); scales and zero points add their share to each word of their operand.
    """
    gemm, found, tiling = plan.gemm, plan.schedule, plan.tiling
    macs = gemm.macs * array.passes
    group = precision.group_size
    width = pe.fixed_accumulator_bits or max(32, pe.least_accumulator_bits)
    work = dequantization_work(
        gemm,
        grouping=Grouping(
            dequantization=array.dequantization,
            dequantizers=array.dequantizers,
            group_size=None if group is None else min(group, gemm.k),
        ),
        weight_streams=found.weight_streams,
        columns=array.columns,
        zero_points=precision.zero_point_bits > 0,
        activation_streams=found.activation_streams,
    )
    cost = price(pe, table, width)
    activation = precision.activation_tile_bits(gemm.m * gemm.k, gemm.m, gemm.k) / (gemm.m * gemm.k)
    weight = precision.weight_tile_bits(gemm.n, gemm.k) / (gemm.n * gemm.k)
    outputs = gemm.batch * gemm.m * gemm.n
    partial_writes = (found.sram_output_writes - outputs) * precision.accumulator_bits
    partial_reads = found.sram_output_reads * precision.accumulator_bits

    def read(kib: int, bits: float) -> float:
        return bits * table.sram_pj_per_bit(kib, False)

    def write(kib: int, bits: float) -> float:
        return bits * table.sram_pj_per_bit(kib, True)

    dram = table.dram_pj_per_bit()
    ifmap, filters, ofmap = memory.activation.kib, memory.weight.kib, memory.output.kib
    return {
        "multiply": macs * (cost.multiply_pj - cost.registers_pj),
        "registers": macs * cost.registers_pj,
        "accumulate": macs * cost.accumulate_pj,
        "dequantize": dequantization_energy_pj(work, pe, group or gemm.k, table),
        "activation_sram_read": read(ifmap, found.sram_activation_reads * activation),
        "activation_sram_write": write(ifmap, tiling.activation_bits),
        "weight_sram_read": read(filters, found.sram_weight_reads * weight),
        "weight_sram_write": write(filters, tiling.weight_bits),
        "output_sram_read": read(ofmap, partial_reads + tiling.partial_write_bits + tiling.output_bits),
        "output_sram_write": write(ofmap, outputs * precision.output_bits + partial_writes + tiling.partial_read_bits),
        "dram_read": (tiling.activation_bits + tiling.weight_bits + tiling.partial_read_bits) * dram,
        "dram_write": (tiling.partial_write_bits + tiling.output_bits) * dram,
    }
