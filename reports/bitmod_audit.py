"""BitMoD's published comparison on Llama-2-7B: its cycles reproduced, and what its inputs are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from simhw.reports import bitmod_model
from simhw.reports.bitmod_model import DESIGNS, BitmodCost, BitmodDesign, bitmod_cost

STAGES = ("prefill", "decode")
LPDDR4_PJ_PER_BIT = 8.0
"""The sourced DRAM energy that the audit of MixPE's table uses as well."""


@dataclass(frozen=True, kw_only=True)
class BitmodRow:
    """One design in one stage: a run of the published simulator beside the same here.

    Attributes:
        label, stage: which.
        cost: here.
        cycles, energy_mj: recorded; energy with that of SRAM.
    """

    label: str
    stage: str
    cost: BitmodCost
    cycles: float
    energy_mj: float

    @property
    def missing(self) -> float:
        """Share of the recorded energy that PEs and DRAM do not explain: SRAM's."""
        return 1 - (self.cost.pe_mj + self.cost.dram_mj) / self.energy_mj


@dataclass(frozen=True, kw_only=True)
class BitmodStep:
    """One assumption less: what BitMoD (lossy) gains over ANT, in prefill and decode."""

    name: str
    what: str
    speedup: tuple[float, float]
    energy_gain: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class BitmodAudit:
    """The reproduced rows, and the steps."""

    rows: Sequence[BitmodRow]
    steps: Sequence[BitmodStep]


def bitmod_audit() -> BitmodAudit:
    """Return BitMoD's comparison, reproduced and changed."""
    rows = [
        BitmodRow(
            label=design.label,
            stage=stage,
            cost=bitmod_cost(design, decode=stage == "decode"),
            cycles=design.recorded[at][0],
            energy_mj=design.recorded[at][1],
        )
        for design in DESIGNS
        for at, stage in enumerate(STAGES)
    ]
    by_label = {design.label: design for design in DESIGNS}
    ours, other = by_label["BitMoD lossy"], by_label["ANT"]
    steps = [_step("as published", "PEs and DRAM; weights of 4.06 (decode 3.06) against 5 bits.", ours, other)]
    other = replace(other, cache_bits=8)
    steps.append(_step("one cache", "Keys and values of 8 bits in both; published were 16 for ANT.", ours, other))
    ours = replace(ours, decode_bits=ours.prefill_bits)
    other = replace(other, prefill_bits=ours.prefill_bits, decode_bits=ours.prefill_bits)
    steps.append(
        _step(
            "one precision",
            "Weights of 4.06 bits in both: what the PE alone is worth, at accuracies that differ.",
            ours,
            other,
        )
    )
    other = replace(other, prefill_array=(36, 32), decode_array=(72, 16))
    steps.append(
        _step(
            "equal area",
            "ANT's array of 1152 PEs, as OliVe's with PEs of that area: published were 1024, 1.35 mm² against 1.54 mm² "
            "before placement and routing.",
            ours,
            other,
        )
    )
    steps.append(
        _step(
            "DRAM of another source",
            f"{LPDDR4_PJ_PER_BIT:g} pJ per bit (LPDDR4); published were {bitmod_model.DRAM_PJ_PER_BIT:g}.",
            ours,
            other,
            LPDDR4_PJ_PER_BIT,
        )
    )
    return BitmodAudit(rows=rows, steps=steps)


def _step(
    name: str,
    what: str,
    ours: BitmodDesign,
    other: BitmodDesign,
    dram_pj_per_bit: float = bitmod_model.DRAM_PJ_PER_BIT,
) -> BitmodStep:
    scale = dram_pj_per_bit / bitmod_model.DRAM_PJ_PER_BIT
    speedup, energy = [], []
    for decode in (False, True):
        one, two = bitmod_cost(ours, decode=decode), bitmod_cost(other, decode=decode)
        speedup.append(two.cycles / one.cycles)
        energy.append((two.pe_mj + scale * two.dram_mj) / (one.pe_mj + scale * one.dram_mj))
    return BitmodStep(name=name, what=what, speedup=(speedup[0], speedup[1]), energy_gain=(energy[0], energy[1]))
