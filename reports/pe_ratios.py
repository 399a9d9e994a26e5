"""Gate model beside synthesis: area and energy of each PE over the int8 PE, ratio by ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simhw.costs import CostTable
from simhw.costs.combined import structures
from simhw.costs.synthesised import SynthesisTable
from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.pes import Dequantizers, ProcessingElement
from simhw.pes.price import price
from simhw.reports.pe_variants import against, reference_of


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One PE at one accumulator width over the int8 PE with 32 bits.

    Attributes:
        pe, accumulator_bits: which.
        gate_area, gate_energy: in the gate model.
        areas, energies: by synthesis table, of the default structure, per product.
        variants: that structure.
    """

    pe: str
    accumulator_bits: int
    gate_area: float
    gate_energy: float
    areas: dict[str, float]
    energies: dict[str, float]
    variants: dict[str, str]


def ratios(pes: Sequence[ProcessingElement], gates: CostTable, tables: Sequence[SynthesisTable]) -> list[Ratio]:
    """Return the ratios of every PE and width that a table has; the gate model takes the same widths."""
    int8 = next((pe for pe in pes if pe.name == "int8_mac"), None)
    if int8 is None:
        return []
    base = price(int8, gates, 32)
    found = []
    for pe in pes:
        widths = {e.accumulator_bits for table in tables for e in structures(table, pe.name)}
        for bits in sorted(widths):
            block = pe.dequantizers is Dequantizers.PER_BLOCK  # its entry's register is the fp32 sum, its scale inside
            try:
                own = price(pe, gates, pe.group_accumulator_bits(pe.block_size or 1) if block else bits)
            except InputError:  # the circuit's accumulator is another kind than the PE's parts have
                continue
            inside = pe.dequantize_parts(1).weight  # a circuit of its own has its dequantizer inside
            parts = pe.dequantize_parts(pe.block_size or 1).scale if block else ()
            scale_pj = gates.total_energy_pj(parts) / (pe.block_size or 1)
            cycles = float(pe.cycles_per_product(get_element_format(pe.weight_format).bits))
            areas, energies, variants = {}, {}, {}
            for table in tables:
                reference = reference_of(table)
                entry = next((e for e in structures(table, pe.name) if e.accumulator_bits == bits), None)
                if reference is not None and entry is not None:
                    found_here = against(entry, reference)
                    areas[table.name], energies[table.name] = found_here.area, found_here.energy
                    variants[table.name] = entry.variant
            found.append(
                Ratio(
                    pe=pe.name,
                    accumulator_bits=bits,
                    gate_area=(cycles * own.area_um2 + gates.total_area_um2(inside)) / base.area_um2,
                    gate_energy=(cycles * own.energy_pj + gates.total_energy_pj(inside) + scale_pj) / base.energy_pj,
                    areas=areas,
                    energies=energies,
                    variants=variants,
                )
            )
    return found
