"""The page of the PE comparison: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from simhw.costs import CombinedTable, CostTable
from simhw.reports import numbers, pe_plots, pe_sentences
from simhw.reports.break_even import AFTER, FIRST, INTEGER, SHAPES, ratio_grid
from simhw.reports.overview import Finding
from simhw.reports.pe_costs import CLOCK_MHZ, COLUMNS, GROUP, ROWS, PECost, find
from simhw.reports.pe_ratios import Ratio
from simhw.reports.pe_table import delay
from simhw.reports.pe_variants import dequantizers, structure_gain, verdict

if TYPE_CHECKING:
    from simhw.reports.pe_comparison import Comparison

AFTERS = (AFTER, INTEGER)


@dataclass(frozen=True, kw_only=True)
class Technology:
    """What the page says about the PEs in one technology."""

    name: str
    description: str
    sources: Sequence[tuple[str, str]]
    costs: Sequence[PECost]
    int8: PECost
    equal_area: Sequence[str]
    error_against_energy: Markup
    error_against_density: Markup
    maps: Sequence[tuple[str, Markup]]
    areas: Sequence[tuple[str, Markup]]


def render(found: Comparison, *, command: str) -> str:
    """Return the page as text."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    folder = files("simhw.reports")
    template = environment.from_string(folder.joinpath("pe_comparison.html").read_text(encoding="utf-8"))
    tables = [table.name for table in found.synthesis]
    return template.render(
        command=command,
        style=Markup(folder.joinpath("page.css").read_text(encoding="utf-8")),
        numbers=numbers,
        delay=delay,
        found=found,
        findings=_findings(found),
        numeric=pe_sentences.numeric(found.gemm, found.errors),
        technologies=[_technology(found, table.name) for table in found.technologies],
        verdicts=[sentence for group in found.groups for sentence in verdict(group)],
        structure_gains=[(t.name, gain) for t in found.synthesis if (gain := structure_gain(t)) is not None],
        dequantizers={table.name: dequantizers(table) for table in found.synthesis},
        operations=pe_sentences.operations(found.gemm),
        energies=[s for table in found.technologies for name in AFTERS for s in pe_sentences.energy(table, name)],
        rows_needed=[
            s for (technology, pe), pair in found.areas.items() for s in pe_sentences.rows_needed(pe, technology, *pair)
        ],
        claims=[s for claim, measured in found.claims for s in pe_sentences.claim(claim, measured)],
        reasons=pe_sentences.reasons(found.costs, [measured for _, measured in found.claims]),
        short=_short(found),
        spreads=[s for name in tables if (s := pe_sentences.spread(found.ratios, name)) is not None],
        ratio_area=_bars(found.ratios, tables, area=True),
        ratio_energy=_bars(found.ratios, tables, area=False),
        clock_mhz=CLOCK_MHZ,
        array=(ROWS, COLUMNS),
        group=GROUP,
        shape=SHAPES[1],
        after=AFTER,
        first=FIRST,
        afters=AFTERS,
    )


def _technology(found: Comparison, name: str) -> Technology:
    table = next(table for table in found.technologies if table.name == name)
    costs = found.of(name)
    sources = table.sources if isinstance(table, CombinedTable) else (("everything", table.source),)
    return Technology(
        name=name,
        description=table.description,
        sources=sources,
        costs=costs,
        int8=find(costs, "int8_mac", name),
        equal_area=pe_sentences.equal_area(found.costs, found.errors, name),
        error_against_energy=Markup(
            pe_plots.error_against(
                costs,
                found.errors,
                lambda cost: 1000 * cost.array_energy_pj,
                name=f"{name}-energy",
                label="energy per multiply-accumulate with its share of dequantization, fJ",
                more_is_better=False,
            )
        ),
        error_against_density=Markup(
            pe_plots.error_against(
                costs,
                found.errors,
                lambda cost: cost.tops_per_mm2,
                name=f"{name}-density",
                label=f"TOPS per mm² at {CLOCK_MHZ} MHz, dequantizers and running sums counted",
                more_is_better=True,
            )
        ),
        maps=[(pe, _maps(table, pe)) for pe in AFTERS],
        areas=[(pe, _areas(found, name, pe)) for pe in AFTERS],
    )


def _maps(table: CostTable, pe: str) -> Markup:
    n, k = SHAPES[1]
    grids = [ratio_grid(n, k, table, total=total, name=pe) for total in (False, True)]
    return Markup(pe_plots.ratio_maps(grids[0], grids[1], f"{table.name}-{pe}-break-even"))


def _areas(found: Comparison, technology: str, pe: str) -> Markup:
    without, with_sums = found.areas[technology, pe]
    panels = [("sums of scaled groups in the output buffer", without), ("with a register for them per PE", with_sums)]
    return Markup(pe_plots.area_by_rows(panels, f"{technology}-{pe}-area-by-rows"))


def _bars(ratios: Sequence[Ratio], tables: Sequence[str], *, area: bool) -> Markup:
    if not ratios:
        return Markup("")
    values = {"gate model": [r.gate_area if area else r.gate_energy for r in ratios]}
    for table in tables:
        values[table] = [(r.areas if area else r.energies).get(table, float("nan")) for r in ratios]
    what = "area" if area else "energy per multiply-accumulate"
    names = [f"{r.pe} ({r.accumulator_bits})" for r in ratios]
    return Markup(pe_plots.ratio_bars(names, values, f"ratio-{'area' if area else 'energy'}", f"{what} over int8_mac"))


def _short(found: Comparison) -> list[str]:
    """Return the answers in plain words, in the main technology."""
    table = found.technologies[-1]
    open_question = (
        f"Whether shift-and-add beats a narrow multiplier stays open: no synthesis table has both for {AFTER}."
    )
    return [
        *([verdict(group)[-1] for group in found.groups] or [open_question]),
        pe_sentences.where_it_pays(table, AFTERS, {pe: found.areas[table.name, pe][0] for pe in AFTERS}),
        *(pe_sentences.claim(claim, measured[-1:])[0] for claim, measured in found.claims),
        pe_sentences.equal_area(found.costs, found.errors, table.name)[0],
    ]


def _findings(found: Comparison) -> list[Finding]:
    """Return the figures worth reading first."""
    name = found.main
    costs = found.of(name)
    int8 = find(costs, "int8_mac", name)
    least = found.errors[AFTER].sqnr_db
    near = [cost for cost in costs if cost.pe in found.errors and found.errors[cost.pe].sqnr_db >= least]
    frugal = min(near, key=lambda cost: cost.array_energy_pj)
    dense = max(near, key=lambda cost: cost.tops_per_mm2)
    at_least = f"at {numbers.decibels(least)} dB or better (that of {AFTER})"
    findings = [
        Finding(
            title=f"least energy {at_least}",
            figure=frugal.pe,
            note=f"{numbers.significant(1000 * frugal.array_energy_pj, 3)} fJ per multiply-accumulate in {name}, "
            f"{numbers.times(int8.array_energy_pj / frugal.array_energy_pj)} less than int8_mac",
        ),
        Finding(
            title=f"densest {at_least}",
            figure=dense.pe,
            note=f"{numbers.significant(dense.tops_per_mm2, 3)} TOPS/mm² in {name}, "
            f"{numbers.times(dense.tops_per_mm2 / int8.tops_per_mm2)} that of int8_mac",
        ),
    ]
    claim, measured = found.claims[0]
    findings.append(
        Finding(
            title=f"{claim.words} PE over dequantizing first, area x power",
            figure=f"{numbers.times(measured[-1].product)}",
            note=f"published {numbers.times(claim.ratio)}; {numbers.times(measured[-1].with_shares)} with dequantizers "
            f"and running sums ({measured[-1].technology})",
        )
    )
    crossing, integer = (pe_sentences.equal_tokens(found.technologies[-1], pe) for pe in AFTERS)
    findings.append(
        Finding(
            title=f"dequantization after groups of {GROUP} takes less energy than before up to",
            figure=f"{numbers.significant(crossing, 2)} tokens",
            note=f"dequantization alone with float scales, in {name} ({numbers.significant(integer, 2)} with integer "
            f"ones); fewer scale operations up to {GROUP} tokens",
        )
    )
    return findings
