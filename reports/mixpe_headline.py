"""The abstract's 2.6x: which configurations give the earlier run's cycles that it rests on.

That run's inputs are not published. Each candidate is a setting of the preset; what it gives is set beside the run's
cycles on all four networks, and a design counts as explained where one candidate equals them in both decimals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simhw.costs.published_loader import load_published_model
from simhw.published_cost import published_cost
from simhw.reports.mixpe_published import EARLIER, NETWORKS, PRESET

_CANDIDATES: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("mixpe_w4a8", "64 x 64 PEs, 4 x 4 bits: the later run", {}),
    (
        "mixpe_w4a8",
        "64 x 32 PEs, 8 x 4 bits, the patch embedding, too",
        {"rows": 64, "columns": 32, "activation_bits": 8, "first_weight_bits": 4},
    ),
    (
        "mixpe_w4a8",
        "32 x 32 PEs, 4 x 4 bits, the patch embedding, too",
        {"rows": 32, "columns": 32, "first_activation_bits": 4, "first_weight_bits": 4},
    ),
    ("mixpe_w4a8", "32 x 32 PEs, 8 x 4 bits", {"rows": 32, "columns": 32, "activation_bits": 8}),
    ("olaccel", "32 x 32 PEs, 4 x 4 bits: the later run", {}),
    ("olaccel", "32 x 32 PEs, 8 x 4 bits", {"activation_bits": 8}),
    ("olaccel", "32 x 32 PEs, 8 x 4 bits, the patch embedding, too", {"activation_bits": 8, "first_weight_bits": 4}),
    ("mixpe_w4a16", "32 x 32 PEs, 8 x 8 bits: the later run", {}),
    ("mixpe_w4a16", "32 x 32 PEs, 16 x 8 bits", {"activation_bits": 16}),
    (
        "mixpe_w4a16",
        "32 x 32 PEs, 16 x 8 bits, the patch embedding, too",
        {"activation_bits": 16, "first_weight_bits": 8},
    ),
)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A setting of a design, and its cycles over FP16's on each network.

    Attributes:
        design: entry name.
        setting: as a phrase.
        cycles: in the order of ``NETWORKS``.
        published: of the earlier run.
    """

    design: str
    setting: str
    cycles: tuple[float, ...]
    published: tuple[float, ...]

    @property
    def agrees(self) -> tuple[bool, ...]:
        """Whether each network's cycles equal the published ones in both decimals."""
        return tuple(round(a, 2) == b for a, b in zip(self.cycles, self.published, strict=True))


def candidates() -> list[Candidate]:
    """Return every candidate with what it gives."""
    model = load_published_model(PRESET)
    networks = [model.network(name) for name in NETWORKS]
    base = [published_cost(model, model.design("fp16"), network).cycles for network in networks]
    found = []
    for name, setting, changes in _CANDIDATES:
        design = replace(model.design(name), **changes)
        cycles = [published_cost(model, design, network).cycles for network in networks]
        ratios = tuple(one / whole for one, whole in zip(cycles, base, strict=True))
        found.append(Candidate(design=name, setting=setting, cycles=ratios, published=EARLIER[name]))
    return found
