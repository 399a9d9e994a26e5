"""Published figures of the MixPE processing element beside what is counted and synthesised here.

MixPE's figure of its design space puts PEs on an axis of (1 / area) x (1 / power), normalised to an fp16 PE. Power at
one clock is energy per cycle, so the same product follows from area and energy of a multiply-accumulate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simhw.costs import CombinedTable, CostTable
from simhw.costs.combined import BESIDE_A_PE, structures
from simhw.errors import InputError
from simhw.pes import get_pe
from simhw.pes.price import price
from simhw.reports.pe_costs import PECost, find

SOURCE = "yuzhang712/mixpe_simulator, dse.py: normalized area power efficiency product"


@dataclass(frozen=True, kw_only=True)
class PublishedClaim:
    """One point of the figure against another.

    Attributes:
        pe, baseline: names of the PEs that stand for them here.
        words: what is claimed.
        value, baseline_value: as published.
        same_width: width of the baseline's accumulator, with which both are compared a second time.
        source: where the figures were published.
    """

    pe: str
    baseline: str
    words: str
    value: float
    baseline_value: float
    same_width: int
    source: str = SOURCE

    @property
    def ratio(self) -> float:
        """The claim."""
        return self.value / self.baseline_value


PUBLISHED = (
    PublishedClaim(
        pe="mixpe_w4a8",
        baseline="w4a8_dequantize_first",
        words="W4A8",
        value=133.38,
        baseline_value=58.28,
        same_width=32,
    ),
    PublishedClaim(
        pe="mixpe_w4a16",
        baseline="w4a16_dequantize_first",
        words="W4A16",
        value=4.82,
        baseline_value=1.0,
        same_width=32,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The claim in one technology, each a ratio of area times energy.

    Attributes:
        technology: name.
        sources: of the PE and of its baseline.
        area, energy: ratios of the PEs alone, baseline over PE.
        same_width: the product with the PE's accumulator as wide as the baseline's, None where it has no such form.
        with_shares: the product with dequantizers and running sums of the array.
        inside: the product over a baseline that was synthesised with a dequantizer in every PE, None where none was.
    """

    technology: str
    sources: tuple[str, str]
    area: float
    energy: float
    same_width: float | None
    with_shares: float
    inside: float | None

    @property
    def product(self) -> float:
        """Of the PEs alone: what the figure states."""
        return self.area * self.energy


def measure(claim: PublishedClaim, table: CostTable, costs: Sequence[PECost]) -> Measured:
    """Return the claim in one technology, from the costs of its two PEs."""
    own, base = find(costs, claim.pe, table.name), find(costs, claim.baseline, table.name)
    wide = _at_width(claim, table)
    inside = None
    if isinstance(table, CombinedTable):
        entries = structures(table.synthesis, claim.baseline)
        best = min((entry.area_um2 * entry.energy_pj_per_mac for entry in entries), default=None)
        inside = None if best is None else best / (own.area_um2 * own.energy_pj)
    return Measured(
        technology=table.name,
        sources=(own.source, base.source),
        area=base.area_um2 / own.area_um2,
        energy=base.energy_pj / own.energy_pj,
        same_width=None if wide is None else base.area_um2 * base.energy_pj / wide,
        with_shares=base.array_area_um2 * base.array_energy_pj / (own.array_area_um2 * own.array_energy_pj),
        inside=inside,
    )


def _at_width(claim: PublishedClaim, table: CostTable) -> float | None:
    """Return area times energy of the PE with an accumulator like its baseline's; None where it cannot have one."""
    if isinstance(table, CombinedTable):
        entries = table.synthesis.entries(claim.pe)
        found = [e for e in entries if e.accumulator_bits == claim.same_width and BESIDE_A_PE not in e.variant]
        return found[0].area_um2 * found[0].energy_pj_per_mac if found else None
    try:
        wide = price(get_pe(claim.pe), table, claim.same_width)
    except InputError:  # fixed point of that width holds no product
        return None
    return wide.area_um2 * wide.energy_pj
