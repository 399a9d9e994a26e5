"""What layers cost on an array with memories: cycles, words and energy by part, one row per layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from simhw.arrays import (
    DequantizationWork,
    Grouping,
    VectorUnit,
    dequantization_energy_pj,
    dequantization_work,
    get_dataflow,
)
from simhw.arrays.base import check_positive
from simhw.arrays.hand_over import hand_over
from simhw.arrays.static_power import Standing
from simhw.cost_settings import CostSettings
from simhw.costs import REQUANTIZATION, CostTable, load_table
from simhw.errors import InputError
from simhw.layer_files import NamedLayer
from simhw.layer_plan import ArraySettings, LayerPlan, plan_layer
from simhw.memory import TRAFFIC_PARTS, BufferPrice, Memory, Precision, buffer_price, traffic_bits
from simhw.pes import Dequantization, Dequantizers, ProcessingElement, get_pe
from simhw.pes.price import price

ENERGY_PARTS = (
    "multiply",
    "registers",
    "accumulate",
    "dequantize",
    "vector",
    "activation_sram_read",
    "activation_sram_write",
    "weight_sram_read",
    "weight_sram_write",
    "output_sram_read",
    "output_sram_write",
    "dram_read",
    "dram_write",
    "leakage",
    "dram_static",
)
"""Where energy goes; the total is their sum."""
CostRow = Mapping[str, str | int | float]
"""Column -> value."""


def cost_rows(layers: Iterable[NamedLayer], settings: CostSettings) -> list[CostRow]:
    """Return one row per layer; equal layers are planned once.

    Raises:
        InputError: unknown names, impossible sizes, buffers that do not hold a tile, or counts beyond int64.
    """
    check_positive("rows", settings.rows)
    check_positive("columns", settings.columns)
    get_dataflow(settings.dataflow)
    pe, table = get_pe(settings.pe), load_table(settings.technology)
    precision, array = settings.precision_of(pe), settings.array_of(pe)
    memory = settings.memory_of(precision)
    settings.vector_unit()
    settings.check_prices(table)
    standing = settings.standing(pe, table)
    rows = []
    for named in layers:
        try:
            plan = plan_layer(named.layer, array, precision, memory)
        except InputError as error:
            raise InputError(f"layer {named.name!r}: {error}") from error
        rows.append(layer_row(named.name, plan, array, precision, memory, pe, table, settings, standing))
    return rows


def layer_row(
    name: str,
    plan: LayerPlan,
    array: ArraySettings,
    precision: Precision,
    memory: Memory,
    pe: ProcessingElement,
    table: CostTable,
    settings: CostSettings,
    standing: Standing,
) -> CostRow:
    """Return the row of a layer that was planned with this array, precision and memory."""
    gemm, found = plan.gemm, plan.schedule
    buffers = settings.buffer_prices(table, array, precision, memory)
    energy = energy_pj(plan, array, precision, memory, pe, table, settings.dram, buffers)
    unit = settings.vector_unit()
    vector_cycles = 0 if unit is None else requantization_cycles(plan, unit)
    if unit is not None:
        energy["vector"] = gemm.batch * gemm.m * gemm.n * REQUANTIZATION.energy_pj(table)
    static, area, cycles = standing.power, standing.buffers_um2, plan.total_cycles + vector_cycles
    energy["leakage"] = static.leakage_pj(cycles, settings.clock_mhz)
    energy["dram_static"] = static.dram_pj(cycles, settings.clock_mhz)
    bits = traffic_bits(plan.tiling, precision)
    parts = {f"energy_{part}_pj": energy[part] for part in ENERGY_PARTS}
    return {
        "name": name,
        "m": gemm.m,
        "n": gemm.n,
        "k": gemm.k,
        "compute_cycles": found.compute_cycles,
        "stall_cycles": plan.stall_cycles,
        "total_cycles": cycles,
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
        "activation_bits": precision.activation_bits,
        "weight_bits": precision.weight_bits,
        "output_bits": precision.output_bits,
        "accumulator_bits": precision.accumulator_bits,
        "products_per_cycle": array.lanes / array.passes,
        "dequantization": array.dequantization.value,
        "dequantizers": _dequantizers(array),
        "dequantize_operations": layer_dequantization(plan, array, precision).operations,
        "dequantize_stall_cycles": found.dequantize_stall_cycles,
        "vector_cycles": vector_cycles,
        "vector_lanes": "none" if unit is None else unit.lanes,
        "vector_overlap": settings.vector_overlap.value,
        "technology": table.name,
        "dram": settings.dram or table.dram_default,
        "dram_static_source": static.dram_source,
        "clock_mhz": settings.clock_mhz,
        "bandwidth_words": "unlimited" if settings.bandwidth is None else settings.bandwidth,
        "ifmap_kb": settings.ifmap_kb,
        "filter_kb": settings.filter_kb,
        "ofmap_kb": settings.ofmap_kb,
        "sram": settings.sram or table.name,
        "sram_banks": settings.sram_banks,
        "sram_ports": settings.sram_ports,
        "sram_width": "array" if settings.sram_width is None else settings.sram_width,
        "sram_area_mm2": "not stated" if area is None else area * 1e-6,
        **{f"dram_{part}_bits": bits[part] for part in TRAFFIC_PARTS},
        "tile": "x".join(map(str, plan.tiling.tile)),
        "tile_order": plan.tiling.order,
    }


def requantization_cycles(plan: LayerPlan, unit: VectorUnit) -> int:
    """Return the cycles that requantizing the outputs of a layer adds to it."""
    results = replace(hand_over(plan.gemm, plan.schedule), cycles=plan.total_cycles)
    return results.exposed_cycles(unit, plan.schedule.dram_output_words, REQUANTIZATION)


def _dequantizers(array: ArraySettings) -> str | int:
    """Return how many dequantizers the array has, "none" where nothing is dequantized on its lanes."""
    match array.dequantization:
        case Dequantization.NONE | Dequantization.AFTER_ACCUMULATION:
            return "none"
        case Dequantization.IN_PE:
            return "per_pe"
    given = array.dequantizers
    return given.value if isinstance(given, Dequantizers) else given


def layer_dequantization(plan: LayerPlan, array: ArraySettings, precision: Precision) -> DequantizationWork:
    """Return the dequantization operations of a layer, by the rule of ``simhw.arrays.dequantize``."""
    group = precision.group_size
    return dequantization_work(
        plan.gemm,
        grouping=Grouping(
            dequantization=array.dequantization,
            dequantizers=array.dequantizers,
            group_size=None if group is None else min(group, plan.gemm.k),
        ),
        weight_streams=plan.schedule.weight_streams,
        columns=array.columns,
        zero_points=precision.zero_point_bits > 0,
        activation_streams=plan.schedule.activation_streams,
        held_weights=array.dataflow == "weight_stationary",
    )


def energy_pj(
    plan: LayerPlan,
    array: ArraySettings,
    precision: Precision,
    memory: Memory,
    pe: ProcessingElement,
    table: CostTable,
    dram_kind: str | None = None,
    buffers: Sequence[BufferPrice] | None = None,
) -> dict[str, float]:
    """Return the energy of a layer by part, in picojoules.

    Buffers are read and written by the array (every word that enters or leaves it) and by DRAM (every word that
    crosses); scales and zero points add their share to each word of their operand. ``buffers`` are the prices of those
    of activations, weights and outputs; None: by the technology's own figures. Vector work, leakage and DRAM's standby,
    which take the whole layer's time, are 0 here.
    """
    gemm, found, tiling = plan.gemm, plan.schedule, plan.tiling
    macs = gemm.macs * array.passes / array.lanes  # cycles of the PEs
    group = precision.group_size
    width = pe.fixed_accumulator_bits or max(precision.accumulator_bits, pe.least_accumulator_bits)
    work = layer_dequantization(plan, array, precision)
    cost = price(pe, table, width)
    activation = precision.activation_tile_bits(gemm.m * gemm.k, gemm.m, gemm.k) / (gemm.m * gemm.k)
    weight = precision.weight_tile_bits(gemm.n, gemm.k) / (gemm.n * gemm.k)
    outputs = gemm.batch * gemm.m * gemm.n
    partial_writes = (found.sram_output_writes - outputs) * precision.accumulator_bits
    partial_reads = found.sram_output_reads * precision.accumulator_bits

    dram = table.dram_pj_per_bit(dram_kind)
    if buffers is None:
        buffers = [buffer_price(each, 1, table) for each in (memory.activation, memory.weight, memory.output)]
    ifmap, filters, ofmap = buffers
    output_read_bits = partial_reads + tiling.partial_write_bits + tiling.output_bits
    output_write_bits = outputs * precision.output_bits + partial_writes + tiling.partial_read_bits
    return {
        "multiply": macs * (cost.multiply_pj - cost.registers_pj),
        "registers": macs * cost.registers_pj,
        "accumulate": macs * cost.accumulate_pj,
        "dequantize": dequantization_energy_pj(work, pe, group or gemm.k, table),
        "vector": 0.0,
        "activation_sram_read": found.sram_activation_reads * activation * ifmap.read_pj_per_bit,
        "activation_sram_write": tiling.activation_bits * ifmap.write_pj_per_bit,
        "weight_sram_read": found.sram_weight_reads * weight * filters.read_pj_per_bit,
        "weight_sram_write": tiling.weight_bits * filters.write_pj_per_bit,
        "output_sram_read": output_read_bits * ofmap.read_pj_per_bit,
        "output_sram_write": output_write_bits * ofmap.write_pj_per_bit,
        "dram_read": (tiling.activation_bits + tiling.weight_bits + tiling.partial_read_bits) * dram,
        "dram_write": (tiling.partial_write_bits + tiling.output_bits) * dram,
        "leakage": 0.0,
        "dram_static": 0.0,
    }
