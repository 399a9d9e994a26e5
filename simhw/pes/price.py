"""What one PE costs in a technology: from its parts, or from synthesis where the technology has it.

Synthesis gives one energy for a whole PE. It is divided into operand registers, multiplier and accumulation in the
proportion of the parts' prices in the same table. A block dot product unit is synthesised with its scale unit, which
the dequantization of a block pays for again: the price of a lane is what remains of it after that.

PEs that differ only in what stands around them are one circuit: ``mixpe_w4a8`` and its all-integer form, ``int8_mac``
and the int8 PE behind a dequantizer at the edge of the array. An entry that holds such a dequantizer in every PE is
another design and does not stand for it. Where the cycles of a product depend on the data, an entry's energy is that of
its own operand stream: such a PE is priced by its parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from simhw.costs import CombinedTable, CostTable, Register, WholePE
from simhw.costs.synthesised import SynthesisedPE
from simhw.formats import get_element_format
from simhw.pes.base import Dequantization, Dequantizers, ProcessingElement


@dataclass(frozen=True, kw_only=True)
class Price:
    """One PE (one lane of a block) in one technology.

    Attributes:
        multiply_pj: energy of one cycle of the multiplier with its operand registers.
        registers_pj: the operand registers' part of it.
        accumulate_pj: energy of one accumulation, once per cycle.
        area_um2: of the PE.
        source: where the figures come from.
    """

    multiply_pj: float
    registers_pj: float
    accumulate_pj: float
    area_um2: float
    source: str

    @property
    def energy_pj(self) -> float:
        """Energy of one cycle, in which most PEs finish a multiply-accumulate."""
        return self.multiply_pj + self.accumulate_pj


def price(pe: ProcessingElement, table: CostTable, accumulator_bits: int) -> Price:
    """Return the price of ``pe`` with an accumulator of that width.

    Raises:
        InputError: as ``ProcessingElement.check_accumulator_bits``.
    """
    counted = Price(
        multiply_pj=pe.multiply_energy_pj(table),
        registers_pj=table.energy_pj(Register(bits=pe.register_bits)),
        accumulate_pj=pe.accumulate_energy_pj(table, accumulator_bits),
        area_um2=pe.area_um2(table, accumulator_bits),
        source=f"parts of {table.name}",
    )
    whole = whole_pe(pe, table, accumulator_bits)
    if whole is None:
        return counted
    native = get_element_format(pe.weight_format).bits
    energy_pj, area_um2 = whole.energy_pj / float(pe.cycles_per_product(native)), whole.area_um2
    if pe.dequantizers is Dequantizers.PER_BLOCK:
        lanes = whole.entry.lanes
        area_um2 /= lanes
        energy_pj -= table.total_energy_pj(pe.dequantize_parts(pe.block_size or lanes).scale) / lanes
    factor = max(0.0, energy_pj) / counted.energy_pj
    entry = whole.entry
    source = f"synthesised, {entry.pe} {entry.variant}, {entry.accumulator_bits} accumulator bits"
    if whole.extra_bits:
        source += f" and {whole.extra_bits:+d} bits in gates"
    return Price(
        multiply_pj=factor * counted.multiply_pj,
        registers_pj=factor * counted.registers_pj,
        accumulate_pj=factor * counted.accumulate_pj,
        area_um2=area_um2,
        source=source,
    )


def whole_pe(pe: ProcessingElement, table: CostTable, accumulator_bits: int) -> WholePE | None:
    """Return what stands for ``pe`` in a technology with synthesised PEs; None where nothing does."""
    return None if pe.weight_cycles is not None else _synthesised(pe, table, accumulator_bits)


def leakage_nw(pe: ProcessingElement, table: CostTable, accumulator_bits: int) -> float:
    """Return the leakage of one PE (one lane of a block) in nanowatts: 0 where nothing synthesised stands for it."""
    whole = _synthesised(pe, table, accumulator_bits)
    return 0.0 if whole is None else whole.entry.leakage_nw / whole.entry.lanes


def _synthesised(pe: ProcessingElement, table: CostTable, accumulator_bits: int) -> WholePE | None:
    if not isinstance(table, CombinedTable):
        return None
    found = (table.whole_pe(name, accumulator_bits) for name in _circuits(pe))
    return next((whole for whole in found if whole is not None), None)


GROUP_DEQUANTIZERS: Final = MappingProxyType(
    {
        "mixpe_w4a8": ("mixpe_w4a8", "float_dequantizer"),
        "mixpe_w4a8_progressive": ("mixpe_w4a8", "integer_dequantizer"),
    }
)
"""Circuits that scale a group's sum and correct it by its zero point: PE -> (PE of the entry, variant)."""


def group_dequantizer(pe: ProcessingElement, table: CostTable) -> SynthesisedPE | None:
    """Return the synthesised dequantizer behind the groups of ``pe``; None where its parts are counted."""
    if not isinstance(table, CombinedTable) or pe.name not in GROUP_DEQUANTIZERS:
        return None
    name, variant = GROUP_DEQUANTIZERS[pe.name]
    return next((entry for entry in table.synthesis.entries(name) if entry.variant == variant), None)


def group_sum_pj(pe: ProcessingElement, table: CostTable, group_size: int) -> float:
    """Return the energy in picojoules of one group sum: its scale and its zero point."""
    entry, parts = group_dequantizer(pe, table), pe.dequantize_parts(group_size)
    return table.total_energy_pj((*parts.scale, *parts.zero_point)) if entry is None else entry.energy_pj_per_mac


def group_dequantizer_um2(pe: ProcessingElement, table: CostTable, group_size: int) -> float:
    """Return the area in square micrometres of one dequantizer of group sums."""
    entry, parts = group_dequantizer(pe, table), pe.dequantize_parts(group_size)
    return table.total_area_um2((*parts.scale, *parts.zero_point)) if entry is None else entry.area_um2


def _circuits(pe: ProcessingElement) -> list[str]:
    """Return the PEs whose circuit is that of ``pe``, itself among them, in the order of preference."""
    from simhw.pes import get_pe, pe_names

    others = [name for name in pe_names() if name != pe.name and _same_circuit(get_pe(name), pe)]
    alone = [name for name in others if get_pe(name).dequantization is not Dequantization.BEFORE_MULTIPLY]
    return [*alone, pe.name] if pe.dequantization is Dequantization.BEFORE_MULTIPLY else [pe.name, *alone]


def _same_circuit(one: ProcessingElement, other: ProcessingElement) -> bool:
    return (
        one.products == other.products
        and one.multiplier == other.multiplier
        and one.accumulation is other.accumulation
        and one.register_bits == other.register_bits
        and one.block_size == other.block_size
    )
