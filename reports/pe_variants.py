"""Structures of one function, synthesised beside each other: does shift-and-add beat a narrow multiplier?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simhw.costs.combined import BESIDE_A_PE, default_structure, structures
from simhw.costs.synthesised import SynthesisedPE, SynthesisTable, load_synthesis, synthesis_names
from simhw.formats import get_element_format
from simhw.pes import Dequantizers, get_pe
from simhw.reports.numbers import significant

SHIFT_AND_ADD = "mixpe_w4a8"
LETTER, FUSED, BOOTH, TOOL = "adders", "carry_save", "booth", "multiplier"
"""Variants: shift-and-add to the letter; its rows in one carry-save tree; a multiplier with recoded rows; ``a * w``."""
INT8, INT8_BITS = "int8_mac", 32
TOOL_NAMES = (TOOL, "naive")
"""Names of variants that are left to the synthesis tool."""
EQUAL = 0.02
"""Two figures closer than this are called equal: synthesis itself scatters by about as much."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One synthesised structure beside the reference of its table.

    Attributes:
        entry: what was synthesised.
        area, delay, energy: ratios to the reference, in the same table.
    """

    entry: SynthesisedPE
    area: float
    delay: float
    energy: float


@dataclass(frozen=True, kw_only=True)
class VariantGroup:
    """The structures of one PE at one accumulator width.

    Attributes:
        table: name of the synthesis table.
        pe, accumulator_bits: of which function.
        reference: variant that the ratios are against.
        variants: in the table's order.
    """

    table: str
    pe: str
    accumulator_bits: int
    reference: str
    variants: tuple[Variant, ...]

    def get(self, variant: str) -> Variant | None:
        """Return one of the variants, None where it was not synthesised."""
        return next((v for v in self.variants if v.entry.variant == variant), None)


def tables() -> list[SynthesisTable]:
    """Return the synthesis tables that ship."""
    return [load_synthesis(name) for name in synthesis_names()]


def reference_of(table: SynthesisTable) -> SynthesisedPE | None:
    """Return the int8 PE that a table's ratios are against: 32 bits, its default structure."""
    found = default_structure(table, INT8, INT8_BITS)
    return None if found is None or found.accumulator_bits != INT8_BITS else found


def area_per_rate(entry: SynthesisedPE) -> float:
    """Return the area in square micrometres for one product per cycle, in the worst case of the data."""
    pe = get_pe(entry.pe)
    lanes = entry.lanes if pe.dequantizers is Dequantizers.PER_BLOCK else 1
    return entry.area_um2 / lanes * float(pe.cycles_per_product(get_element_format(pe.weight_format).bits))


def shift_and_add_groups(table: SynthesisTable) -> list[VariantGroup]:
    """Return the structures of the shift-and-add PE, one group for each accumulator width, against ``a * w``."""
    entries = structures(table, SHIFT_AND_ADD)
    groups = []
    for bits in dict.fromkeys(entry.accumulator_bits for entry in entries):
        here = [entry for entry in entries if entry.accumulator_bits == bits]
        reference = next((entry for entry in here if entry.variant == TOOL), here[0])
        if len(here) > 1:
            groups.append(
                VariantGroup(
                    table=table.name,
                    pe=SHIFT_AND_ADD,
                    accumulator_bits=bits,
                    reference=reference.variant,
                    variants=tuple(against(entry, reference) for entry in here),
                )
            )
    return groups


def against(entry: SynthesisedPE, reference: SynthesisedPE) -> Variant:
    """Return an entry with its ratios to a reference, per product; the delay is that of the netlist sized for speed."""
    return Variant(
        entry=entry,
        area=area_per_rate(entry) / area_per_rate(reference),
        delay=entry.fast_delay_ps / reference.fast_delay_ps,
        energy=entry.energy_pj_per_mac / reference.energy_pj_per_mac,
    )


def dequantizers(table: SynthesisTable) -> list[SynthesisedPE]:
    """Return the synthesised circuits that stand beside PEs."""
    return [entry for entry in table.pes if BESIDE_A_PE in entry.variant]


def verdict(group: VariantGroup) -> list[str]:
    """Return what the group says about shift-and-add against multipliers, in sentences made from its figures."""
    where = f"In {group.table}, {group.accumulator_bits} accumulator bits"
    tool, sentences = group.get(TOOL), []
    if tool is None:
        return [f"{where}: no plain multiplier was synthesised, so nothing is said about it."]
    for name, words in (
        (LETTER, "shift-and-add to the letter, with an adder for each row"),
        (FUSED, "its rows fused with the accumulator into one carry-save tree"),
    ):
        found = group.get(name)
        if found is not None:
            sentences.append(f"{where}: {words} ({name}) takes {_times(found)} the plain a * w of the synthesis tool.")
    shift = _best([group.get(LETTER), group.get(FUSED)])
    booth = group.get(BOOTH)
    if shift is None:
        return sentences
    best = _best([booth, tool])
    assert best is not None
    product, multiplier = shift.area * shift.energy, best.area * best.energy
    names = f"the best multiplier ({best.entry.variant}, {_figures(best.entry)}) against the best shift-and-add "
    names += f"({shift.entry.variant}, {_figures(shift.entry)})"
    if product < multiplier * (1 - EQUAL):
        answer = f"shift-and-add wins by {significant(multiplier / product, 3)}x in area times energy"
    elif product > multiplier * (1 + EQUAL):
        answer = f"the multiplier wins by {significant(product / multiplier, 3)}x in area times energy"
    else:
        answer = f"they are equal within {EQUAL:.0%} in area times energy"
    same = ""
    if shift.entry.variant == FUSED:
        same = (
            " An array multiplier that is built with equal care, one row per weight bit and all rows in one carry-save "
            "tree, is this very circuit: over that one, shift-and-add gains nothing."
        )
    sentences.append(f"{where}: {names}: {answer}.{same}")
    return sentences


def structure_gain(table: SynthesisTable) -> float | None:
    """Return the area of the int8 PE as the tool builds it from ``a * w`` over its best structure."""
    best = reference_of(table)
    plain = [e for e in structures(table, INT8) if e.accumulator_bits == INT8_BITS and e.variant in TOOL_NAMES]
    return None if best is None or not plain else plain[0].area_um2 / best.area_um2


def _best(variants: Sequence[Variant | None]) -> Variant | None:
    return min((v for v in variants if v is not None), key=lambda v: v.area * v.energy, default=None)


def _times(variant: Variant) -> str:
    return f"{variant.area:.2f} of the area, {variant.energy:.2f} of the energy and {variant.delay:.2f} of the delay of"


def _figures(entry: SynthesisedPE) -> str:
    return f"{significant(entry.area_um2, 3)} µm², {significant(1000 * entry.energy_pj_per_mac, 3)} fJ"
