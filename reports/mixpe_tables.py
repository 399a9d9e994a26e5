"""Published tables reproduced and audited: MixPE's, what each of its assumptions is worth, ANT's and BitMoD's."""

from __future__ import annotations

import csv
import io
import json

from simhw.report import ReportOutput, Say
from simhw.reports.mixpe_audit import Audit, audit


def rows(found: Audit) -> list[dict[str, str | float | int]]:
    """Return one flat row per step, design and network, as the CSV has them."""
    flat: list[dict[str, str | float | int]] = []
    for number, step in enumerate(found.waterfall.steps):
        for (design, network), result in step.results.items():
            base = step.results["fp16", network]
            flat.append(
                {
                    "step": number,
                    "name": step.name,
                    "design": found.label(design),
                    "network": found.model.network(network).label,
                    "cycles": result.cycles,
                    "energy_nj": result.energy_nj,
                    "cycles_over_fp16": result.cycles / base.cycles,
                    "energy_over_fp16": result.energy_nj / base.energy_nj,
                }
            )
    return flat


def to_csv(found: Audit) -> str:
    """Return the rows as CSV."""
    stream = io.StringIO()
    flat = rows(found)
    writer = csv.DictWriter(stream, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue()


def to_json(found: Audit) -> str:
    """Return the tables as JSON: published beside reproduced, steps, corrected costs, the other simulators."""
    data = {
        "published": [
            {**vars(cell), "cycles_agree": cell.cycles_agree, "energy_agrees": cell.energy_agrees}
            for cell in found.cells
        ],
        "steps": [{"name": step.name, "what": step.what} for step in found.waterfall.steps],
        "rows": rows(found),
        "corrected": [
            {"design": design, "network": network, **vars(cost), "utilization": cost.utilization}
            for (design, network), cost in found.waterfall.costs.items()
        ],
        "dram": [
            {
                "kind": kind,
                "pj_per_bit": price,
                "energy_over_fp16": {
                    design: 1 / step.energy_gain(design, "fp16")
                    for design in dict.fromkeys(name for name, _ in step.results)
                },
            }
            for kind, price, step in found.dram
        ],
        "technologies": [
            {
                "name": step.name,
                "arrays": shapes,
                "over_int8": {
                    design: [step.speedup(design, "int8"), step.energy_gain(design, "int8")] for design in shapes
                },
            }
            for shapes, step in found.technologies
        ],
        "candidates": [{**vars(each), "agrees": each.agrees} for each in found.candidates],
        "ant": {
            "costs": {name: vars(cost) for name, cost in found.ant.costs.items()},
            "steps": [vars(step) for step in found.ant.steps],
        },
        "bitmod": {
            "rows": [{**vars(row), "cost": vars(row.cost)} for row in found.bitmod.rows],
            "steps": [vars(step) for step in found.bitmod.steps],
        },
    }
    return json.dumps(data, indent=1) + "\n"


class _MixpeTables:
    """The entry of the catalogue."""

    name = "mixpe_tables"

    def make(self, *, command: str, say: Say) -> ReportOutput:
        """Return the page, the data and the waterfall as text."""
        from simhw.reports.mixpe_page import render
        from simhw.reports.mixpe_text import text

        found = audit(say)
        say("drawing the page")
        return ReportOutput(
            text=text(found),
            files={
                "mixpe_tables.html": render(found, command=command),
                "mixpe_tables.csv": to_csv(found),
                "mixpe_tables.json": to_json(found),
            },
        )


REPORT = _MixpeTables()
