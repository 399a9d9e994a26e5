"""The figures of the audit of published tables, one function each: records in, an inline SVG out."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from simhw.reports.mixpe_audit import Audit
from simhw.reports.mixpe_corrected import PARTS
from simhw.reports.mixpe_waterfall import Step
from simhw.reports.svg import ACCENT, INK, MUTED, STYLE, new_figure, to_svg

ENERGY_COLOR = "#e4572e"
PART_COLORS = {"pe": "#2f6fde", "dequantize": "#e4572e", "sram": "#f0b429", "dram": "#8b95a3"}
PART_NAMES = {"pe": "PEs", "dequantize": "dequantization", "sram": "SRAM", "dram": "DRAM"}

LEFT = 0.995
"""Below that a bar ends left of its axis, and so does its figure."""


def gains(steps: Sequence[Step], design: str, over: str, title: str) -> str:
    """Return what is left of a design's gain over another one after each step: cycles and energy, on a log axis."""
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(height=0.4 * len(steps) + 1.0)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}x"))
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        axes.axvline(1, color=INK, linewidth=1.0)
        bars = (
            ([step.speedup(design, over) for step in steps], ACCENT, "fewer cycles", -0.2),
            ([step.energy_gain(design, over) for step in steps], ENERGY_COLOR, "less energy", 0.2),
        )
        for values, color, label, shift in bars:
            rows = [at + shift for at in range(len(steps))]
            axes.barh(rows, [value - 1 for value in values], left=1, height=0.34, color=color, label=label, alpha=0.9)
            for row, value in zip(rows, values, strict=True):
                axes.annotate(
                    f"{value:.2f}x",
                    (value, row),
                    xytext=(5 if value > LEFT else -5, 0),
                    textcoords="offset points",
                    ha="left" if value > LEFT else "right",
                    va="center",
                    fontsize=7.5,
                    color=INK,
                )
        axes.set_yticks(range(len(steps)), [step.name for step in steps])
        axes.invert_yaxis()
        axes.margins(x=0.08, y=0.02)
        axes.set_xlabel("geometric mean over the networks")
        axes.legend(loc="lower right", labelcolor=MUTED)
        return to_svg(figure, f"gains-{design}-{over}", title)


def corrected_energy(found: Audit) -> str:
    """Return the energy of every design on every network in the corrected comparison, by part, over FP16's."""
    costs = found.waterfall.costs
    designs = list(dict.fromkeys(design for design, _ in costs))
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(height=4.2)
        axes.grid(True, axis="y")
        axes.set_axisbelow(True)
        places, labels = [], []
        for group, network in enumerate(found.networks):
            whole = costs["fp16", network].total_pj
            for at, design in enumerate(designs):
                place = group * (len(designs) + 1.5) + at
                places.append(place)
                labels.append(found.label(design))
                bottom = 0.0
                for part in PARTS:
                    share = costs[design, network].parts_pj[part] / whole
                    first = not group and not at
                    label = PART_NAMES[part] if first else None
                    axes.bar(place, share, bottom=bottom, width=0.8, color=PART_COLORS[part], label=label)
                    bottom += share
            middle = group * (len(designs) + 1.5) + (len(designs) - 1) / 2
            axes.annotate(
                found.model.network(network).label,
                (middle, 1.06),
                ha="center",
                fontsize=9.5,
                color=INK,
            )
        axes.set_xticks(places, labels, rotation=60, ha="right", fontsize=7.5)
        axes.set_ylim(0, 1.14)
        axes.set_ylabel("energy over FP16's, less is better")
        axes.legend(loc="upper right", ncols=4, labelcolor=MUTED, bbox_to_anchor=(1, 1.12))
        return to_svg(figure, "corrected-energy", "Energy by part in the corrected comparison")
