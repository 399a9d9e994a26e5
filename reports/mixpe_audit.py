"""Everything that the audit of the published tables shows, as one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from simhw.costs import load_table
from simhw.costs.published_loader import load_published_model
from simhw.costs.published_model import PublishedModel
from simhw.published_cost import PublishedCost, published_cost
from simhw.report import Say
from simhw.reports.ant_audit import AntAudit, ant_audit
from simhw.reports.bitmod_audit import BitmodAudit, bitmod_audit
from simhw.reports.mixpe_corrected import Convention, array_shape, corrected_cost
from simhw.reports.mixpe_designs import DESIGNS
from simhw.reports.mixpe_headline import Candidate, candidates
from simhw.reports.mixpe_networks import products_of
from simhw.reports.mixpe_published import CYCLES, ENERGY, NETWORKS, PRESET
from simhw.reports.mixpe_waterfall import TECHNOLOGY, Result, Step, Waterfall, waterfall

PUBLISHED_DRAM = "published"
TECHNOLOGIES = (TECHNOLOGY, "asap7_7nm_synthesised_mixed", "horowitz_45nm")
"""A gate model, synthesis, and published energies and areas of single operations."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of the published table: cycles and energy over FP16's, published and reproduced."""

    design: str
    network: str
    published_cycles: float
    cycles: float
    published_energy: float
    energy: float

    @property
    def cycles_agree(self) -> bool:
        """Whether the cycles are equal in both decimals."""
        return round(self.cycles, 2) == self.published_cycles

    @property
    def energy_agrees(self) -> bool:
        """Whether the energy is within 0.02, the rounding of its four published parts."""
        return abs(self.energy - self.published_energy) <= 0.02


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The audit of MixPE's table, and those of ANT's and BitMoD's.

    Attributes:
        model: the preset.
        networks: of the comparison.
        cells: the reproduced table.
        costs: of the preset, by (design, network).
        waterfall: from the published comparison to the corrected one.
        dram: the corrected comparison by kind of DRAM: (kind, pJ per bit, step).
        technologies: the corrected comparison by the table that prices PEs, dequantizers and SRAM: arrays of equal
            area by design, and the step.
        candidates: of the abstract's run.
        ant, bitmod: see there.
    """

    model: PublishedModel
    networks: Sequence[str]
    cells: Sequence[Cell]
    costs: Mapping[tuple[str, str], PublishedCost]
    waterfall: Waterfall
    dram: Sequence[tuple[str, float, Step]]
    technologies: Sequence[tuple[Mapping[str, tuple[int, int]], Step]]
    candidates: Sequence[Candidate]
    ant: AntAudit
    bitmod: BitmodAudit

    def label(self, design: str) -> str:
        """Return the published name of a design."""
        return self.model.design(design).label

    @property
    def geometric(self) -> Mapping[str, tuple[float, float]]:
        """Speed-up and energy gain of MixPE-W4A8 over every design, as published, by geometric mean."""
        first = self.waterfall.steps[0]
        return {name: (first.speedup("mixpe_w4a8", name), first.energy_gain("mixpe_w4a8", name)) for name in CYCLES}


def audit(say: Say, networks: Sequence[str] = NETWORKS) -> Audit:
    """Return the audit on these networks."""
    model = load_published_model(PRESET)
    say("the published convention")
    costs = {
        (design, network): published_cost(model, model.design(design), model.network(network))
        for design in CYCLES
        for network in networks
    }
    cells = []
    for design in CYCLES:
        for network in networks:
            at, cost, base = NETWORKS.index(network), costs[design, network], costs["fp16", network]
            cells.append(
                Cell(
                    design=design,
                    network=network,
                    published_cycles=CYCLES[design][at],
                    cycles=cost.cycles / base.cycles,
                    published_energy=ENERGY[design][at],
                    energy=cost.total_nj / base.total_nj,
                )
            )
    found = waterfall(networks, say)
    say("kinds of DRAM")
    return Audit(
        model=model,
        networks=networks,
        cells=cells,
        costs=costs,
        waterfall=found,
        dram=_dram(found, networks, model),
        technologies=[_priced_by(name, found, networks, say) for name in TECHNOLOGIES],
        candidates=candidates(),
        ant=ant_audit(),
        bitmod=bitmod_audit(),
    )


def _step(name: str, what: str, convention: Convention, networks: Sequence[str]) -> Step:
    """Return the corrected comparison under a convention."""
    results = {}
    for network in networks:
        for design in DESIGNS:
            cost = corrected_cost(design, products_of(network), convention)
            results[design.name, network] = Result(cycles=cost.cycles, energy_nj=cost.total_pj / 1000)
    return Step(name=name, what=what, results=results)


def _priced_by(
    technology: str, found: Waterfall, networks: Sequence[str], say: Say
) -> tuple[Mapping[str, tuple[int, int]], Step]:
    say(f"arrays of equal area by {technology}")
    convention = replace(found.convention, technology=technology)
    shapes = {design.name: array_shape(design, convention) for design in DESIGNS}
    return shapes, _step(technology, load_table(technology).description, convention, networks)


def _dram(found: Waterfall, networks: Sequence[str], model: PublishedModel) -> list[tuple[str, float, Step]]:
    table = load_table(TECHNOLOGY)
    prices = {PUBLISHED_DRAM: model.dram.read_pj_per_bit} | {
        kind: table.dram_pj_per_bit(kind) for kind in table.dram_kinds()
    }
    return [
        (
            kind,
            price,
            _step(
                kind,
                f"{price:g} pJ per bit",
                replace(found.convention, dram_read_pj_per_bit=price, dram_write_pj_per_bit=price),
                networks,
            ),
        )
        for kind, price in sorted(prices.items(), key=lambda item: item[1])
    ]
