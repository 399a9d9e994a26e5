"""All PEs side by side: area, energy, rate and numeric error on one real GEMM, and where MixPE's ideas pay."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from simhw.arrays import Gemm
from simhw.costs import CostTable
from simhw.costs.synthesised import SynthesisTable
from simhw.pes import get_pe, pe_names
from simhw.report import ReportOutput, Say
from simhw.reports.break_even import (
    AFTER,
    INTEGER,
    SHAPES,
    TOKENS,
    BreakEven,
    SharedArea,
    break_even,
    least_group,
    shared_area,
    tokens_of_equal_dequantization,
)
from simhw.reports.pe_claims import PUBLISHED, Measured, PublishedClaim, measure
from simhw.reports.pe_costs import GROUP, PECost, pe_cost, technologies
from simhw.reports.pe_ratios import Ratio, ratios
from simhw.reports.pe_variants import (
    Variant,
    VariantGroup,
    against,
    dequantizers,
    reference_of,
    shift_and_add_groups,
    tables,
)
from simhw.reports.real_gemm import GemmError, RealGemm, arithmetic_of, capture, gemm_error

AFTERS = (AFTER, INTEGER)
_ERROR_FIELDS = tuple(field.name for field in fields(GemmError) if field.name != "pe")
ROWS_OF_ARRAYS = (4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Where dequantizing after the group starts to pay, for weights of n x k.

    Attributes:
        technology, pe, n, k: of what.
        equal_tokens: up to which its dequantization takes less energy than that of every weight once, at ``GROUP``.
        least_group: from which all of it takes less for any number of tokens, None: none does.
    """

    technology: str
    pe: str
    n: int
    k: int
    equal_tokens: float
    least_group: int | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that the page, the table and the data files show.

    Attributes:
        gemm: the GEMM with real weights and activations.
        errors: by PE; one without a datapath has none.
        technologies: gates first, then those with synthesised PEs.
        costs: every PE in every technology.
        synthesis: the synthesis tables.
        entries: by table, every synthesised circuit against the int8 PE of that table.
        groups: structures of the shift-and-add PE.
        claims: published figures with what is measured.
        ratios: gate model beside synthesis.
        crossings: for every technology and shape.
        break_evens: by technology and PE that dequantizes after the group, of ``SHAPES[1]`` at ``GROUP``.
        areas: likewise, areas per PE by rows: without and with a register per PE for scaled sums.
    """

    gemm: RealGemm
    errors: Mapping[str, GemmError]
    technologies: Sequence[CostTable]
    costs: Sequence[PECost]
    synthesis: Sequence[SynthesisTable]
    entries: Mapping[str, Sequence[Variant]]
    groups: Sequence[VariantGroup]
    claims: Sequence[tuple[PublishedClaim, Sequence[Measured]]]
    ratios: Sequence[Ratio]
    crossings: Sequence[Crossing]
    break_evens: Mapping[tuple[str, str], Sequence[BreakEven]]
    areas: Mapping[tuple[str, str], tuple[SharedArea, SharedArea]]

    @property
    def main(self) -> str:
        """The technology that the console table shows: one with synthesised PEs where there is one."""
        return self.technologies[-1].name

    def of(self, technology: str) -> list[PECost]:
        """Return the costs in one technology, the smallest PE first."""
        found = [cost for cost in self.costs if cost.technology == technology]
        return sorted(found, key=lambda cost: cost.array_area_um2 * cost.cycles_per_mac)


def compare(
    say: Say, *, synthesis: Sequence[SynthesisTable], priced: Sequence[CostTable], names: Sequence[str]
) -> Comparison:
    """Compute the comparison of the PEs of these names, in technologies the first of which counts gates."""
    pes = [get_pe(name) for name in names]
    say("running the network in float to capture one GEMM")
    gemm = capture()
    errors = {}
    for pe in pes:
        say(f"{gemm.layer} on {pe.name}")
        error = gemm_error(gemm, pe)
        if error is not None:
            errors[pe.name] = error
    say("areas and energies")
    sizes = Gemm(m=gemm.m, n=gemm.n, k=gemm.k)
    arithmetic = {pe.name: arithmetic_of(pe) for pe in pes}
    datapaths = {name: None if found is None else found.datapath for name, found in arithmetic.items()}
    costs = [pe_cost(pe, table, datapaths[pe.name], sizes) for table in priced for pe in pes]
    one_n, one_k = SHAPES[1]
    references = {table.name: reference_of(table) for table in synthesis}
    return Comparison(
        gemm=gemm,
        errors=errors,
        technologies=priced,
        costs=costs,
        synthesis=synthesis,
        entries={
            table.name: [against(entry, reference) for entry in table.pes]
            for table in synthesis
            if (reference := references[table.name]) is not None
        },
        groups=[group for table in synthesis for group in shift_and_add_groups(table)],
        claims=[(claim, [measure(claim, table, costs) for table in priced]) for claim in PUBLISHED],
        ratios=ratios(pes, priced[0], synthesis),
        crossings=[
            Crossing(
                technology=t.name,
                pe=name,
                n=n,
                k=k,
                equal_tokens=tokens_of_equal_dequantization(n, GROUP, t, name),
                least_group=least_group(n, t, name),
            )
            for t in priced
            for name in AFTERS
            for n, k in SHAPES
        ],
        break_evens={
            (t.name, name): [break_even(m, one_n, one_k, GROUP, t, name=name) for m in TOKENS]
            for t in priced
            for name in AFTERS
        },
        areas={
            (t.name, name): (
                shared_area(t, GROUP, running_sums=False, rows=ROWS_OF_ARRAYS, name=name),
                shared_area(t, GROUP, running_sums=True, rows=ROWS_OF_ARRAYS, name=name),
            )
            for t in priced
            for name in AFTERS
        },
    )


def rows(found: Comparison) -> list[dict[str, str | int | float | bool | None]]:
    """Return one flat row per PE and technology, as the CSV has them."""
    flat = []
    for cost in found.costs:
        error = found.errors.get(cost.pe)
        measured = dict.fromkeys(_ERROR_FIELDS) if error is None else {n: getattr(error, n) for n in _ERROR_FIELDS}
        flat.append(
            {
                **asdict(cost),
                "array_area_um2": cost.array_area_um2,
                "array_energy_pj": cost.array_energy_pj,
                "tops_per_mm2": cost.tops_per_mm2,
                "tops_per_watt": cost.tops_per_watt,
                "pes_per_mm2": cost.pes_per_mm2,
                "macs_per_cycle_mm2": cost.macs_per_cycle_mm2,
                **measured,
            }
        )
    return flat


def to_csv(found: Comparison) -> str:
    """Return the rows as CSV."""
    stream = io.StringIO()
    flat = rows(found)
    writer = csv.DictWriter(stream, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue()


def to_json(found: Comparison) -> str:
    """Return everything as JSON; an infinite figure (an exact result's SQNR) as null."""
    gemm = found.gemm
    data = {
        "gemm": {
            "model": gemm.model,
            "layer": gemm.layer,
            "m": gemm.m,
            "n": gemm.n,
            "k": gemm.k,
            "rms": gemm.rms,
            "largest": gemm.largest,
        },
        "technologies": {t.name: {"description": t.description, "source": t.source} for t in found.technologies},
        "rows": rows(found),
        "synthesised": {
            name: [{**asdict(v.entry), "area": v.area, "delay": v.delay, "energy": v.energy} for v in variants]
            for name, variants in found.entries.items()
        },
        "dequantizers": {table.name: [asdict(entry) for entry in dequantizers(table)] for table in found.synthesis},
        "gate_model_and_synthesis": [asdict(ratio) for ratio in found.ratios],
        "claims": [
            {**asdict(claim), "ratio": claim.ratio, "measured": [{**asdict(m), "product": m.product} for m in measured]}
            for claim, measured in found.claims
        ],
        "crossings": [asdict(crossing) for crossing in found.crossings],
        "break_even": [
            {"technology": technology, "pe": pe, **asdict(one)}
            for (technology, pe), each in found.break_evens.items()
            for one in each
        ],
        "area_by_rows": [
            {"technology": technology, "pe": pe, "running_sums": index == 1, **asdict(area)}
            for (technology, pe), pair in found.areas.items()
            for index, area in enumerate(pair)
        ],
    }
    return json.dumps(_finite(data), indent=1) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


class _PEComparison:
    """The entry of the catalogue."""

    name = "pe_comparison"

    def make(self, *, command: str, say: Say) -> ReportOutput:
        """Return the page, the data and the short table."""
        from simhw.reports.pe_page import render
        from simhw.reports.pe_table import text

        found = compare(say, synthesis=tables(), priced=technologies(), names=pe_names())
        say("drawing the page")
        return ReportOutput(
            text=text(found),
            files={
                "pe_comparison.html": render(found, command=command),
                "pe_comparison.csv": to_csv(found),
                "pe_comparison.json": to_json(found),
            },
        )


REPORT = _PEComparison()
