"""ANT's published comparison on ResNet-18: reproduced, and what its inputs are worth.

Figures of ``ant_simulator/results/ant_res.csv`` of the simulator published with ANT (MICRO 2022,
github.com/clevercool/ANT-Quantization), normalised to AdaFloat; energy is the sum of four parts of two decimals. The
widths of the layers are recorded for ResNet-18 alone, so the other networks of that table are not reproduced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from simhw.costs import load_table
from simhw.costs.published_loader import load_published_model
from simhw.costs.published_model import Design, OtherWidths
from simhw.pes import get_pe
from simhw.published_cost import PublishedCost, layer_cost, layers_of, published_cost

PRESET = "ant_artifact"
NETWORK = "resnet18"
CYCLES: Mapping[str, float] = {"ant_os": 0.23, "ant_ws": 0.23, "bitfusion": 0.69, "olaccel": 0.90, "adafloat": 1.00}
ENERGY: Mapping[str, float] = {"ant_os": 0.30, "ant_ws": 0.36, "bitfusion": 0.80, "olaccel": 0.63, "adafloat": 1.00}
TECHNOLOGY = "gates_28nm"


@dataclass(frozen=True, kw_only=True)
class AntStep:
    """One assumption less: costs by design, relative to ANT-OS."""

    name: str
    what: str
    cycles: Mapping[str, float]
    energy: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class AntAudit:
    """The reproduced table and its steps.

    Attributes:
        labels: by design.
        costs: of the preset, by design.
        steps: how many times the cycles and energy of ANT-OS each design takes.
        first_layer: share of ANT-OS's cycles that its 8-bit first layer takes.
        four_units: area of four ANT PEs over that of one Bit Fusion unit, in gates.
    """

    labels: Mapping[str, str]
    costs: Mapping[str, PublishedCost]
    steps: Sequence[AntStep]
    first_layer: float
    four_units: float


def ant_audit() -> AntAudit:
    """Return ANT's comparison, reproduced and changed."""
    model = load_published_model(PRESET)
    network = model.network(NETWORK)
    designs = dict(model.designs)

    def costs(changed: Mapping[str, Design]) -> dict[str, PublishedCost]:
        return {name: published_cost(model, design, network) for name, design in changed.items()}

    steps = []

    def add(name: str, what: str) -> None:
        found = costs(designs)
        base = found["ant_os"]
        steps.append(
            AntStep(
                name=name,
                what=what,
                cycles={each: cost.cycles / base.cycles for each, cost in found.items()},
                energy={each: cost.total_nj / base.total_nj for each, cost in found.items()},
            )
        )

    add("as published", "The preset as it is.")
    designs = {name: replace(design, rows=32, columns=32) for name, design in designs.items()}
    add(
        "equal PEs",
        "Every array has 32 x 32 PEs; published were 16 x 18 for OLAccel and 32 x 28 for AdaFloat, of PEs whose areas "
        "the simulator does not have.",
    )
    designs = {
        name: replace(
            design,
            activation_bits=4,
            weight_bits=4,
            other=OtherWidths(bits=8, one_in=1, layers=("conv1", "fc")),
        )
        for name, design in designs.items()
    }
    add("one precision", "Every design computes all layers but the first and the last in 4 bits, as ANT does.")
    first = next(layers_of(model, model.design("ant_os"), network))
    published = costs(model.designs)
    table = load_table(TECHNOLOGY)
    areas = [get_pe(name).area_um2(table, 32) for name in ("ant_flint4", "bitfusion")]
    return AntAudit(
        labels={name: design.label for name, design in model.designs.items()},
        costs=published,
        steps=steps,
        first_layer=layer_cost(model, model.design("ant_os"), first.layer).cycles / published["ant_os"].cycles,
        four_units=4 * areas[0] / areas[1],
    )
