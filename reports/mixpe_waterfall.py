"""From the published comparison to the corrected one, one assumption after the other.

Each step keeps those before it. The first steps stay in the published convention and change its inputs; then simhw's
own model takes over, and what the convention leaves out comes in one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from simhw.arrays import Overlap
from simhw.costs import load_table
from simhw.costs.published_loader import load_published_model
from simhw.costs.published_model import Design, PublishedModel
from simhw.published_cost import published_cost
from simhw.reports.mixpe_corrected import Convention, CorrectedCost, corrected_cost
from simhw.reports.mixpe_designs import DESIGNS
from simhw.reports.mixpe_networks import products_of, published_products
from simhw.reports.mixpe_published import NETWORKS, PRESET
from simhw.workloads import Work

TECHNOLOGY = "gates_28nm"
DRAM = "lpddr4"
"""The sourced kind of the last step: LPDDR4, 8 pJ per bit."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One design on one network: cycles, and energy in nanojoules."""

    cycles: float
    energy_nj: float


Results = Mapping[tuple[str, str], Result]
"""By (design, network)."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One assumption less.

    Attributes:
        name: short.
        what: what this step changes, as a sentence.
        results: of every design on every network.
    """

    name: str
    what: str
    results: Results

    def speedup(self, design: str, over: str, network: str | None = None) -> float:
        """Return how many times fewer cycles ``design`` takes; without a network: the geometric mean over all."""
        return self._ratio(design, over, network, lambda result: result.cycles)

    def energy_gain(self, design: str, over: str, network: str | None = None) -> float:
        """Return how many times less energy ``design`` takes."""
        return self._ratio(design, over, network, lambda result: result.energy_nj)

    def _ratio(self, design: str, over: str, network: str | None, value: Callable[[Result], float]) -> float:
        names = [network] if network else list(dict.fromkeys(name for _, name in self.results))
        ratios = [value(self.results[over, name]) / value(self.results[design, name]) for name in names]
        return math.exp(sum(map(math.log, ratios)) / len(ratios))


@dataclass(frozen=True, kw_only=True)
class Waterfall:
    """All steps, and what the last of them rests on.

    Attributes:
        steps: the first is the published comparison, the last the corrected one.
        costs: of the last step, by (design, network).
        convention: of the last step.
    """

    steps: Sequence[Step]
    costs: Mapping[tuple[str, str], CorrectedCost]
    convention: Convention


def waterfall(networks: Sequence[str] = NETWORKS, say: Callable[[str], None] = lambda _: None) -> Waterfall:
    """Return the steps on these networks."""
    steps = []
    for name, what, model in _published_steps():
        say(name)
        steps.append(Step(name=name, what=what, results=_published_results(model, networks)))
    costs: dict[tuple[str, str], CorrectedCost] = {}
    last = None
    for name, what, convention, products in _corrected_steps():
        say(name)
        costs = {
            (design.name, network): corrected_cost(design, products(network), convention)
            for network in networks
            for design in DESIGNS
        }
        results = {key: Result(cycles=cost.cycles, energy_nj=cost.total_pj / 1000) for key, cost in costs.items()}
        steps.append(Step(name=name, what=what, results=results))
        last = convention
    assert last is not None
    return Waterfall(steps=steps, costs=costs, convention=last)


def _published_results(model: PublishedModel, networks: Sequence[str]) -> Results:
    found = {}
    for network in networks:
        for name, design in model.designs.items():
            cost = published_cost(model, design, model.network(network))
            found[name, network] = Result(cycles=cost.cycles, energy_nj=cost.total_nj)
    return found


def _published_steps() -> Iterator[tuple[str, str, PublishedModel]]:
    """Yield the steps within the published convention."""
    model = load_published_model(PRESET)
    yield "as published", "The preset as it is.", model

    def change(one: Callable[[Design], Design]) -> PublishedModel:
        return replace(model, designs={name: one(design) for name, design in model.designs.items()})

    model = change(lambda design: replace(design, rows=32, columns=32))
    yield (
        "equal PEs",
        "Every array has 32 x 32 PEs; published were 64 x 64 for MixPE-W4A8, 32 x 40 for BitFusion, 32 x 28 for FP16.",
        model,
    )
    wide = {"mixpe_w4a8": 8, "ant": 8, "olaccel": 8, "mixpe_w4a16": 16}
    model = change(lambda design: replace(design, activation_bits=wide.get(design.name, design.activation_bits)))
    yield (
        "activations as named",
        "W4A8 multiplies and moves activations of 8 bits, W4A16 of 16; published were 4 and 8. ANT and OLAccel, too.",
        model,
    )
    narrow = ("ant", "olaccel", "bitfusion")
    model = change(lambda design: replace(design, weight_bits=4, other=None) if design.name in narrow else design)
    yield (
        "one precision",
        "ANT, OLAccel and BitFusion have 4-bit weights in every block, as MixPE; published were 8 bits in a fifth of "
        "ANT's blocks and in most of BitFusion's layers.",
        model,
    )
    model = replace(model, workload=replace(model.workload, before_divisor=model.workload.batch, after_divisor=1))
    yield (
        "dequantization of the batch that runs",
        "The products that stand for dequantization do one operation for each weight (before) or for each sum of a "
        "group and row (after): 1/64 and 1/128 of the multiply-accumulates; published were 1/8 and 1/1024.",
        model,
    )


def _corrected_steps() -> Iterator[tuple[str, str, Convention, Callable[[str], Sequence[Work]]]]:
    """Yield the steps in simhw's model."""
    preset = load_published_model(PRESET)

    def published(network: str) -> Sequence[Work]:
        return published_products(preset.network(network))

    convention = Convention(
        own_pes=False,
        overlap=Overlap.ONCE,
        dequantizers=False,
        equal_area=False,
        technology=TECHNOLOGY,
        dram_read_pj_per_bit=preset.dram.read_pj_per_bit,
        dram_write_pj_per_bit=preset.dram.write_pj_per_bit,
    )
    yield (
        "an array that reuses operands",
        "simhw's output-stationary array and tiling take over: an operand is read once for all PEs of a row or column, "
        "not once for every product; INT8 and FP16 store 4-bit weights, too; the static energy of DRAM, which has no "
        "source, goes. Dequantization is left out for now.",
        convention,
        published,
    )
    convention = replace(convention, own_pes=True)
    yield (
        "each design's own PE",
        "Published is one PE for all integer designs, Bit Fusion's unit with two products of 8 x 4 bits per cycle. "
        "Here shift and add makes one, Bit Fusion two, a 4 x 4-bit multiplier half of one; each is priced in gates.",
        convention,
        published,
    )
    convention = replace(convention, dequantizers=True)
    yield (
        "one rule for dequantization",
        "Codes multiplied as stored: every sum of a group is scaled and corrected behind its column. Wider numbers: "
        "every weight is dequantized at the edge, as often as it enters. With the energy, and with the stalls.",
        convention,
        published,
    )
    convention = replace(convention, overlap=Overlap.DOUBLE_BUFFERED)
    yield (
        "fill and drain",
        f"Filling and draining are charged by the convention {convention.overlap.value}.",
        convention,
        published,
    )
    convention = replace(convention, equal_area=True)
    yield (
        "equal area",
        "Arrays of the area of the 32 x 32 INT8 array with its dequantizers, by the gate model: as many PEs as fit.",
        convention,
        published,
    )
    yield (
        "the networks themselves, with attention",
        "All tokens of an image, ViT-H in patches of 14, Llama's own three inner layers, the output heads; products of "
        "scores and values, with keys and values of 8 bits.",
        convention,
        products_of,
    )
    price = load_table(TECHNOLOGY).dram_pj_per_bit(DRAM)
    convention = replace(convention, dram_read_pj_per_bit=price, dram_write_pj_per_bit=price)
    yield (
        "DRAM with a source",
        f"A bit to or from DRAM takes {price:g} pJ ({DRAM}); published were 0.63 and 0.77.",
        convention,
        products_of,
    )
