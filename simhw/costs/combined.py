"""A technology of several sources: whole PEs from synthesis, other logic in gates, memories from a third table.

Synthesis knows PEs and some dequantizers, but no vector unit, SRAM or DRAM. One rule for what it does not know:

* **Logic without an entry** (some dequantizers, vector unit, running sums, PEs that were not synthesised) is counted in
  gates, and every gate's price is scaled by two factors, one for area and one for energy, such that the reference PE
  costs in gates what its synthesised entry says.
* **An accumulator of another width** than the nearest entry of a PE has costs one full adder and one flip-flop of that
  same gate model more or less per bit. (A unit of several lanes is taken as it is: its register is the fp32 sum.)
* **SRAM and DRAM** are those of a table of the same node.

Where a PE has several structures of one width, the first in the table stands for it, which is the structure that its
circuit has by default. Circuits beside a PE (its dequantizer) and circuits of other sizes than the PE's first entry (a
signed weight) never do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from simhw.costs.base import CostTable
from simhw.costs.gate_library import GateLibrary
from simhw.costs.gates import GATE_KINDS, GateCounts
from simhw.costs.synthesised import SynthesisedPE, SynthesisTable
from simhw.errors import InputError

BESIDE_A_PE = "dequantizer"
"""Variants so named are circuits that an array has beside its PEs."""
_FREE_PARAMETERS = ("accumulator_bits", "group_size")
_SPEC_KEYS = ("synthesis", "gates", "memory", "reference")
_REFERENCE_KEYS = ("pe", "accumulator_bits", *GATE_KINDS)


@dataclass(frozen=True, kw_only=True)
class Combination:
    """Which tables a technology is made of.

    Attributes:
        description: one sentence.
        synthesis, gates, memory: names of the tables.
        reference_pe, reference_bits: the synthesised PE that the gates are scaled to, and its accumulator's width.
        reference_gates: that PE in gates.
    """

    description: str
    synthesis: str
    gates: str
    memory: str
    reference_pe: str
    reference_bits: int
    reference_gates: GateCounts


@dataclass(frozen=True, kw_only=True)
class WholePE:
    """A PE as synthesised, at one accumulator width.

    Attributes:
        entry: what was synthesised.
        extra_bits: bits by which the accumulator asked for is wider than the entry's (negative: narrower).
        area_um2: of the unit, with all its lanes.
        energy_pj: of one multiply-accumulate.
    """

    entry: SynthesisedPE
    extra_bits: int
    area_um2: float
    energy_pj: float


@dataclass(frozen=True, kw_only=True)
class CombinedTable(CostTable):
    """A cost table whose PEs come from synthesis; see the module for what comes from where.

    Attributes:
        synthesis: the synthesised PEs.
        area_factor, energy_factor: of the gate model, by which the reference PE equals its entry.
        sources: what comes from which table: (what, table or rule).
    """

    synthesis: SynthesisTable
    area_factor: float
    energy_factor: float
    sources: tuple[tuple[str, str], ...]

    def whole_pe(self, pe: str, accumulator_bits: int) -> WholePE | None:
        """Return ``pe`` as synthesised with an accumulator of that width; None where it has no entry."""
        entry = default_structure(self.synthesis, pe, accumulator_bits)
        if entry is None:
            return None
        extra = accumulator_bits - entry.accumulator_bits if entry.lanes == 1 else 0
        assert self.gates is not None
        bit = GateCounts(full_adders=1, flip_flops=1)
        return WholePE(
            entry=entry,
            extra_bits=extra,
            area_um2=entry.area_um2 + extra * self.gates.area_um2(bit),
            energy_pj=entry.energy_pj_per_mac + extra * self.gates.energy_pj(bit),
        )


def default_structure(synthesis: SynthesisTable, pe: str, accumulator_bits: int) -> SynthesisedPE | None:
    """Return the first structure of the PE at the nearest width, None where it was not synthesised."""
    return min(
        structures(synthesis, pe), key=lambda entry: abs(entry.accumulator_bits - accumulator_bits), default=None
    )


def structures(synthesis: SynthesisTable, pe: str) -> tuple[SynthesisedPE, ...]:
    """Return the entries that are the PE itself: they differ in structure and accumulator alone."""
    entries = [entry for entry in synthesis.entries(pe) if BESIDE_A_PE not in entry.variant]
    return tuple(entry for entry in entries if _sizes(entry) == _sizes(entries[0]))


def _sizes(entry: SynthesisedPE) -> dict[str, int | str]:
    return {name: size for name, size in entry.parameters.items() if name not in _FREE_PARAMETERS}


def parse_combination(data: Mapping[str, Any], name: str) -> Combination:
    """Return the combination that a table's ``description`` and ``[combined]`` state.

    Raises:
        InputError: a key is missing or unknown, or a value is of another kind.
    """
    where = f"cost table {name!r}"
    _keys(data, ("description", "combined"), where)
    spec = data["combined"]
    _keys(spec, _SPEC_KEYS, f"[combined] of {where}")
    reference = spec["reference"]
    _keys(reference, _REFERENCE_KEYS, f"reference of {where}")
    for key in ("accumulator_bits", *GATE_KINDS):
        count = reference[key]
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InputError(f"{key} of reference of {where} is {count!r}, must be an integer from 0; correct it")
    return Combination(
        description=str(data["description"]),
        synthesis=str(spec["synthesis"]),
        gates=str(spec["gates"]),
        memory=str(spec["memory"]),
        reference_pe=str(reference["pe"]),
        reference_bits=reference["accumulator_bits"],
        reference_gates=GateCounts(**{kind: reference[kind] for kind in GATE_KINDS}),
    )


def combine(
    name: str, spec: Combination, *, synthesis: SynthesisTable, gates: CostTable, memory: CostTable
) -> CombinedTable:
    """Return the technology that ``spec`` describes.

    Raises:
        InputError: the synthesis table lacks the reference PE, ``gates`` prices no gates, or ``memory`` is of another
            node.
    """
    if gates.gates is None:
        raise InputError(f"cost table {name!r} takes gates from {gates.name!r}, which prices none; take gates_28nm")
    if memory.node_nm != synthesis.node_nm:
        raise InputError(
            f"cost table {name!r} combines PEs of {synthesis.node_nm:g} nm with memories of {memory.node_nm:g} nm, "
            "must be of one node; choose another memory table"
        )
    synthesis.find(spec.reference_pe, accumulator_bits=spec.reference_bits)  # refuses what is not there
    reference = default_structure(synthesis, spec.reference_pe, spec.reference_bits)
    assert reference is not None
    area_factor = reference.area_um2 / reference.lanes / gates.gates.area_um2(spec.reference_gates)
    energy_factor = reference.energy_pj_per_mac / gates.gates.energy_pj(spec.reference_gates)
    rule = (
        f"vector unit, running sums, PEs and dequantizers without an entry: gates of {gates.name}, areas times "
        f"{area_factor:.4g} and energies times {energy_factor:.4g}, by which "
        f"{spec.reference_pe} ({reference.variant}, {spec.reference_bits} accumulator bits) equals its synthesis"
    )
    origins = (
        ("PEs with an entry", f"synthesis {synthesis.name}: {', '.join(dict.fromkeys(e.pe for e in synthesis.pes))}"),
        ("all other logic", rule),
        ("SRAM and DRAM", memory.name),
    )
    return CombinedTable(
        name=name,
        description=spec.description,
        node_nm=synthesis.node_nm,
        voltage_v=synthesis.voltage_v,
        source="; ".join(f"{what}: {origin}" for what, origin in origins),
        dram_default=memory.dram_default,
        entries=tuple(e for e in memory.entries if e.part.startswith("sram") or e.part == "dram"),
        gates=_scaled(gates.gates, area_factor, energy_factor, rule),
        synthesis=synthesis,
        area_factor=area_factor,
        energy_factor=energy_factor,
        sources=origins,
    )


def _scaled(gates: GateLibrary, area: float, energy: float, rule: str) -> GateLibrary:
    prices = tuple(
        replace(p, area_um2=p.area_um2 * area, energy_pj=p.energy_pj * energy, source=f"{p.source}; {rule}")
        for p in gates.prices
    )
    return replace(gates, nand2_area_um2=gates.nand2_area_um2 * area, prices=prices)


def _keys(raw: object, keys: tuple[str, ...], where: str) -> None:
    given = raw if isinstance(raw, Mapping) else {}
    wrong = sorted(set(given) ^ set(keys))
    if wrong:
        raise InputError(f"{where} misses or does not know {wrong[0]!r}, its keys are {', '.join(keys)}; correct it")
