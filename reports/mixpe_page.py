"""The page of the audit of published tables: one self-contained HTML file."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from simhw.reports import ant_audit, bitmod_model, mixpe_plots, mixpe_published, mixpe_sentences, numbers
from simhw.reports.mixpe_audit import Audit
from simhw.reports.mixpe_designs import DESIGNS
from simhw.reports.mixpe_networks import BATCH, CONTEXT, shape_of
from simhw.reports.mixpe_text import OVER
from simhw.reports.overview import Finding


def render(found: Audit, *, command: str) -> str:
    """Return the page as text."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    folder = files("simhw.reports")
    template = environment.from_string(folder.joinpath("mixpe_tables.html").read_text(encoding="utf-8"))
    return template.render(
        command=command,
        style=Markup(folder.joinpath("page.css").read_text(encoding="utf-8")),
        numbers=numbers,
        found=found,
        findings=_findings(found),
        sentences=mixpe_sentences,
        published=mixpe_published,
        bitmod=bitmod_model,
        ant=ant_audit,
        designs=DESIGNS,
        shape_of=shape_of,
        over=OVER,
        batch=BATCH,
        context=CONTEXT,
        cells={(cell.design, cell.network): cell for cell in found.cells},
        gains=[
            (f"{found.label(design)} over {found.label(over)}", _figure(found, design, over))
            for design, over in (("mixpe_w4a8", "int8"), ("mixpe_w4a8", "bitfusion"), ("mixpe_w4a16", "fp16"))
        ],
        energy=Markup(mixpe_plots.corrected_energy(found)),
    )


def _figure(found: Audit, design: str, over: str) -> Markup:
    title = f"{found.label(design)} over {found.label(over)}, step by step"
    return Markup(mixpe_plots.gains(found.waterfall.steps, design, over, title))


def _findings(found: Audit) -> list[Finding]:
    first, last = found.waterfall.steps[0], found.waterfall.steps[-1]
    agree = sum(cell.cycles_agree and cell.energy_agrees for cell in found.cells)

    def finding(design: str, over: str) -> Finding:
        return Finding(
            title=f"{found.label(design)} over {found.label(over)}",
            figure=f"{numbers.times(first.speedup(design, over))} → {numbers.times(last.speedup(design, over))}",
            note=f"cycles, published → equal footing; energy {numbers.times(first.energy_gain(design, over))} → "
            f"{numbers.times(last.energy_gain(design, over))}",
        )

    return [
        Finding(
            title="published cells reproduced",
            figure=f"{agree} of {len(found.cells)}",
            note="cycles in both decimals and energy within 0.02",
        ),
        finding("mixpe_w4a8", "int8"),
        finding("mixpe_w4a8", "bitfusion"),
        finding("mixpe_w4a16", "fp16"),
    ]
