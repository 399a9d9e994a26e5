"""Which of several designs needs least energy, whatever published source one believes.

Energy by part is in proportion to a few constants. Each of them is varied over its published range, the others held;
then all at once, every one at the end that is worst for the leading design of a pair. A ranking that survives the
second does not depend on the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from simhw.costs import CostTable
from simhw.costs.ranges import ConstantRange, published_ranges

Energies = Mapping[str, Mapping[str, float]]
"""Design -> part -> picojoules."""


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A pair whose order depends on one constant.

    Attributes:
        better, worse: designs, in the order of the table's own values.
        constant: which constant.
        at: its value at which both need the same, in picojoules.
        above: whether the order is the other one above that value, else below it.
    """

    better: str
    worse: str
    constant: ConstantRange
    at: float
    above: bool


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What is left of a ranking.

    Attributes:
        ranking: designs by energy, least first, with the table's own values.
        constants: each with the table's own value.
        flips: pairs whose order one constant can turn, with the others as in the table.
        certain: pairs whose order no choice of all constants within their ranges turns.
    """

    ranking: tuple[str, ...]
    constants: tuple[tuple[ConstantRange, float], ...]
    flips: tuple[Flip, ...]
    certain: tuple[tuple[str, str], ...]

    @property
    def pairs(self) -> int:
        """How many pairs there are."""
        return len(self.ranking) * (len(self.ranking) - 1) // 2


def sensitivity(energies: Energies, table: CostTable) -> Sensitivity:
    """Return which pairs of designs keep their order over the published ranges.

    Parts that no range covers stay as they are. A table whose own value lies outside a range widens it.
    """
    totals = {name: sum(parts.values()) for name, parts in energies.items()}
    ranking = sorted(totals, key=lambda name: totals[name])
    constants = tuple((constant, constant.in_table(table)) for constant in published_ranges())
    flips, certain = [], []
    for better, worse in combinations(ranking, 2):
        apart = {constant: _apart(energies, better, worse, constant) for constant, _ in constants}
        base = totals[worse] - totals[better]
        least = base
        for constant, own in constants:
            factors = [min(constant.low, own) / own, max(constant.high, own) / own]
            changes = [(factor - 1) * apart[constant] for factor in factors]
            least += min(*changes, 0.0)
            for factor, change in zip(factors, changes, strict=True):
                if base + change < 0:
                    at = own * (1 - base / apart[constant])
                    flips.append(Flip(better=better, worse=worse, constant=constant, at=at, above=factor > 1))
        if least > 0:
            certain.append((better, worse))
    return Sensitivity(ranking=tuple(ranking), constants=constants, flips=tuple(flips), certain=tuple(certain))


def describe(found: Sensitivity) -> str:
    """Return the result in sentences and a list of flips."""
    lines = ["ranking by energy, least first: " + ", ".join(found.ranking)]
    lines += [
        f"  {constant.what}: {own:.3g} {constant.unit} in this table, published {constant.low:g} "
        f"({constant.low_source}) to {constant.high:g} ({constant.high_source})"
        for constant, own in found.constants
    ]
    if not found.pairs:
        return "\n".join([*lines, "one design alone has no ranking; give several"])
    lines.append(f"{len(found.certain)} of {found.pairs} pairs keep their order whatever all constants are:")
    lines += [f"  {better} < {worse}" for better, worse in found.certain]
    lines.append(f"{len(found.flips)} changes of order by one constant alone:")
    lines += [
        f"  {flip.worse} needs less than {flip.better} {'above' if flip.above else 'below'} {flip.at:.3g} "
        f"{flip.constant.unit} for {flip.constant.what}"
        for flip in found.flips
    ]
    return "\n".join(lines)


def _apart(energies: Energies, better: str, worse: str, constant: ConstantRange) -> float:
    """Return by how much the worse design needs more, in the parts of a constant."""
    return sum(energies[worse].get(part, 0.0) - energies[better].get(part, 0.0) for part in constant.parts)
