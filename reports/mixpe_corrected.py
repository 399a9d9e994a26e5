"""MixPE's comparison by simhw's own model of array, buffers and dequantizers, under a convention that is named.

Each departure from the published convention is a field of ``Convention``, so that the waterfall takes them one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from simhw.arrays import Gemm, Overlap, array_area
from simhw.arrays.sizing import largest_array
from simhw.cost_table import energy_pj
from simhw.costs import load_table
from simhw.costs.published_loader import load_published_model
from simhw.layer_plan import ArraySettings, LayerPlan, plan_layer
from simhw.memory import Dram, Memory, Precision
from simhw.pes import Dequantization, ProcessingElement
from simhw.pes.price import price
from simhw.reports.mixpe_designs import CACHE_BITS, DESIGNS, GROUP, ComparedDesign
from simhw.reports.mixpe_published import PRESET
from simhw.workloads import Work, WorkKind

ROWS, COLUMNS = 32, 32
"""Of every array where the number of PEs is equal, and of the INT8 array that sets the area where that is equal."""
ROWS_TO_CHOOSE = (16, 32, 64)
"""Rows of an array of equal area; more than the batch of 64 would stand idle."""
DRAM_BITS_PER_CYCLE = 1024
"""The published interface: 64 GB/s at 500 MHz."""
MOST_LOSS = 0.01
"""Share of the cycles of a layer that may be lost for less traffic."""
PARTS = ("pe", "dequantize", "sram", "dram")


@dataclass(frozen=True, kw_only=True)
class Convention:
    """What the comparison counts.

    Attributes:
        own_pes: whether each design has its own PE: its rate, and its price in gates. Else a PE is the published one,
            which multiplies 4-bit weights at twice the rate of wider ones and takes the published power.
        overlap: what of filling and draining the array is hidden.
        dequantizers: whether the work of dequantization takes cycles, energy and area.
        equal_area: arrays of the area of the INT8 array, instead of its number of PEs.
        technology: entry name of the table that prices PEs, dequantizers and SRAM.
        dram_read_pj_per_bit, dram_write_pj_per_bit: energy of DRAM.
    """

    own_pes: bool
    overlap: Overlap
    dequantizers: bool
    equal_area: bool
    technology: str
    dram_read_pj_per_bit: float
    dram_write_pj_per_bit: float


@dataclass(frozen=True, kw_only=True)
class CorrectedCost:
    """What a network takes on a design.

    Attributes:
        rows, columns: of the array.
        area_um2: of the array with its dequantizers.
        cycles, compute_cycles: of all layers, with and without waiting.
        macs: multiply-accumulates.
        parts_pj: dynamic energy by ``PARTS``.
    """

    rows: int
    columns: int
    area_um2: float
    cycles: int
    compute_cycles: int
    macs: int
    parts_pj: dict[str, float]

    @property
    def total_pj(self) -> float:
        """Sum of the parts."""
        return sum(self.parts_pj.values())

    @property
    def utilization(self) -> float:
        """Multiply-accumulates per PE and cycle."""
        return self.macs / (self.cycles * self.rows * self.columns)


def corrected_cost(design: ComparedDesign, products: Sequence[Work], convention: Convention) -> CorrectedCost:
    """Return what ``products`` take on ``design``."""
    element = _element(design, convention)
    shape = array_shape(design, convention)
    cycles = compute = macs = 0
    parts = dict.fromkeys(PARTS, 0.0)
    for product in products:
        layer = _layer_cost(design, element, product, convention, shape)
        cycles += product.count * layer.cycles
        compute += product.count * layer.compute_cycles
        macs += product.macs
        for part in PARTS:
            parts[part] += product.count * layer.parts_pj[part]
    return CorrectedCost(
        rows=shape[0],
        columns=shape[1],
        area_um2=area_um2(design, convention, *shape),
        cycles=cycles,
        compute_cycles=compute,
        macs=macs,
        parts_pj=parts,
    )


def array_shape(design: ComparedDesign, convention: Convention) -> tuple[int, int]:
    """Return rows and columns: the published ones, or of the array of most PEs within the area of the INT8 array."""
    if not convention.equal_area:
        return ROWS, COLUMNS
    reference = next(each for each in DESIGNS if each.name == "int8")
    found = largest_array(
        _element(design, convention),
        load_table(convention.technology),
        area_mm2=area_um2(reference, convention, ROWS, COLUMNS) * 1e-6,
        rows=ROWS_TO_CHOOSE,
        accumulator_bits=design.accumulator_bits,
        group_size=GROUP,
    )
    return found.rows, found.columns


@lru_cache
def area_um2(design: ComparedDesign, convention: Convention, rows: int, columns: int) -> float:
    """Return the area of an array with its dequantizers, in square micrometres."""
    return array_area(
        _element(design, convention),
        load_table(convention.technology),
        dataflow="output_stationary",
        rows=rows,
        columns=columns,
        accumulator_bits=design.accumulator_bits,
        group_size=GROUP,
    ).total_um2


def _element(design: ComparedDesign, convention: Convention) -> ProcessingElement:
    """Return the PE; without its dequantization where that is not counted."""
    element = design.element
    return element if convention.dequantizers else replace(element, dequantization=Dequantization.NONE)


@dataclass(frozen=True, kw_only=True)
class _LayerCost:
    cycles: int
    compute_cycles: int
    parts_pj: dict[str, float]


def _layer_cost(
    design: ComparedDesign, element: ProcessingElement, product: Work, convention: Convention, shape: tuple[int, int]
) -> _LayerCost:
    plans = [_planned(design, element, each, convention, shape) for each in _orientations(product)]
    plan, array, precision, memory = min(plans, key=lambda found: (found[0].total_cycles, found[0].tiling.dram_bits))
    table = load_table(convention.technology)
    energy = energy_pj(plan, array, precision, memory, element, table)
    tiling = plan.tiling
    read = tiling.activation_bits + tiling.weight_bits + tiling.partial_read_bits
    write = tiling.partial_write_bits + tiling.output_bits
    return _LayerCost(
        cycles=plan.total_cycles,
        compute_cycles=plan.schedule.compute_cycles,
        parts_pj={
            "pe": product.macs
            / product.count
            * float(_pace(design, product, convention))
            * _pe_pj(design, element, convention),
            "dequantize": energy["dequantize"],
            "sram": sum(value for part, value in energy.items() if "_sram_" in part),
            "dram": read * convention.dram_read_pj_per_bit + write * convention.dram_write_pj_per_bit,
        },
    )


def _pace(design: ComparedDesign, product: Work, convention: Convention) -> Fraction:
    """Return the cycles of one product."""
    if product.kind is WorkKind.ATTENTION:
        return design.attention_cycles
    return design.cycles if convention.own_pes else Fraction(1, 2 if design.multiplies_codes else 1)


def _pe_pj(design: ComparedDesign, element: ProcessingElement, convention: Convention) -> float:
    """Return the energy of a PE in one cycle."""
    if convention.own_pes:
        return price(element, load_table(convention.technology), design.accumulator_bits).energy_pj
    preset = load_published_model(PRESET)
    published = preset.design(design.name)
    return (published.dynamic_uw + published.leakage_uw) / preset.clock_mhz


def _orientations(product: Work) -> list[tuple[Work, bool]]:
    """Return the product, and of attention also the transposed one: whichever fills the array better is taken."""
    found = [(product, False)]
    gemm = product.layer
    if product.kind is WorkKind.ATTENTION and isinstance(gemm, Gemm) and gemm.m != gemm.n:
        found.append((replace(product, layer=replace(gemm, m=gemm.n, n=gemm.m)), True))
    return found


def _planned(
    design: ComparedDesign,
    element: ProcessingElement,
    oriented: tuple[Work, bool],
    convention: Convention,
    shape: tuple[int, int],
) -> tuple[LayerPlan, ArraySettings, Precision, Memory]:
    """Return the plan of least traffic among those of (nearly) the fewest cycles, with what it was planned for.

    The search of tilings takes the fewest cycles, and traffic that hides behind them costs none: it would carry up to
    a hundred times the words of the operands to save some hundred cycles of the first load. So the layer is planned for
    ever narrower ways to DRAM, and the narrowest that loses no more than ``MOST_LOSS`` of the cycles is taken.
    """
    product, transposed = oriented
    assert product.layer is not None
    pace = _pace(design, product, convention)
    precision = _precision(design, product, transposed)
    where = element.dequantization
    if product.kind is WorkKind.ATTENTION and where is not Dequantization.NONE:
        where = Dequantization.AFTER_ACCUMULATION
    array = ArraySettings(
        dataflow="output_stationary",
        rows=shape[0],
        columns=shape[1],
        overlap=convention.overlap,
        passes=pace.numerator,
        lanes=pace.denominator,
        dequantization=where,
        dequantizers=element.dequantizers,
        group_size=precision.group_size,
    )
    memory = Memory(dram=Dram(bits_per_cycle=DRAM_BITS_PER_CYCLE))
    best = plan_layer(product.layer, array, precision, memory)
    most, width = (1 + MOST_LOSS) * best.total_cycles, DRAM_BITS_PER_CYCLE // 2
    while width:
        narrower = Memory(dram=Dram(bits_per_cycle=width))
        plan = plan_layer(product.layer, array, precision, narrower)
        if plan.total_cycles > most:
            break
        best, memory, width = plan, narrower, width // 2
    return best, array, precision, memory


def _precision(design: ComparedDesign, product: Work, transposed: bool) -> Precision:
    activation = design.activation_bits
    if product.kind is WorkKind.ATTENTION:
        first, second = (CACHE_BITS, activation) if transposed else (activation, CACHE_BITS)
        return Precision(activation_bits=first, weight_bits=second, output_bits=activation)
    return Precision(
        activation_bits=activation,
        weight_bits=4,
        output_bits=activation,
        group_size=GROUP,
        scale_bits=design.scale_bits,
        zero_point_bits=design.zero_point_bits,
    )
