"""What one PE costs in a technology: from its parts, or from synthesis where the technology has it.

Synthesis gives one energy for a whole PE. It is divided into operand registers, multiplier and accumulation in the
proportion of the parts' prices in the same table. A block dot product unit is synthesised with its scale unit, which
the dequantization of a block pays for again: the price of a lane is what remains of it after that.
"""

from __future__ import annotations

from dataclasses import dataclass

from simhw.costs import CombinedTable, CostTable, Register
from simhw.formats import get_element_format
from simhw.pes.base import Dequantizers, ProcessingElement


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
    whole = table.whole_pe(pe.name, accumulator_bits) if isinstance(table, CombinedTable) else None
    if whole is None:
        return counted
    native = get_element_format(pe.weight_format).bits
    energy_pj = whole.energy_pj / float(pe.cycles_per_product(native))
    if pe.dequantizers is Dequantizers.PER_BLOCK:
        lanes = pe.block_size or 1
        energy_pj -= table.total_energy_pj(pe.dequantize_parts(lanes).scale) / lanes
    factor = max(0.0, energy_pj) / counted.energy_pj
    entry = whole.entry
    source = f"synthesised, {entry.variant}, {entry.accumulator_bits} accumulator bits"
    if whole.extra_bits:
        source += f" and {whole.extra_bits:+d} bits in gates"
    return Price(
        multiply_pj=factor * counted.multiply_pj,
        registers_pj=factor * counted.registers_pj,
        accumulate_pj=factor * counted.accumulate_pj,
        area_um2=whole.area_um2,
        source=source,
    )
