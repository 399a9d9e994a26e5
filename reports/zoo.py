"""Every network on integer, MixPE, FP8 and FP4 datapaths: what is lost, what is saved, each by one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simhw.catalog import get_network, model_entries
from simhw.errors import InputError
from simhw.experiment import Experiment, run_experiment
from simhw.report import ReportOutput, Say
from simhw.reports import numbers, table
from simhw.rows import Row, by_model, to_csv

DATAPATHS = ("fp16", "w8a8_int8", "w4a8_mixpe", "fp8_e4m3_fp32", "mxfp4", "nvfp4")
"""The first is what energies are compared with."""
SAMPLES: Mapping[str, int] = {
    "byte_mamba": 8,
    "byte_moe": 8,
    "fashion_hybrid": 256,
    "fashion_resnet": 256,
    "minilm": 64,
    "ppocr_cls": 32,
    "ppocr_rec": 8,
    "silero_vad": 8,
    "tiny_llama": 32,
}
"""Samples of networks whose default would take long; SmolLM2 has tokens."""
TOKENS: Mapping[str, int] = {"smollm2": 256}


def experiment(model: str) -> Experiment:
    """Return what the report runs of a network."""
    return Experiment(model=model, datapaths=DATAPATHS, samples=SAMPLES.get(model), tokens=TOKENS.get(model))


def markdown(rows: Sequence[Row], missing: Mapping[str, str], *, command: str) -> str:
    """Return the report as a page: one table with a line per network, and how much of each ran."""
    head = ["network", "metric", "float", *DATAPATHS]
    lines = ["# Networks on narrow datapaths", "", f"Made by `{command}`.", ""]
    lines += [_line(head), _line(["---"] * len(head))]
    for model, own in by_model(rows).items():
        first = own[0]
        cells = [numbers.metric(row, row.metric) for row in own]
        lines.append(_line([model, first.metric_name, numbers.metric(first, first.metric_float), *cells]))
    lines += ["", "SQNR of the outputs in dB, and how many times less energy than fp16 on the same array:", ""]
    head = ["network", "what ran", *DATAPATHS]
    lines += [_line(head), _line(["---"] * len(head))]
    for model, own in by_model(rows).items():
        ran = f"{own[0].units:,} {own[0].unit}s"
        cells = [f"{numbers.decibels(row.sqnr_db)}, {numbers.times(row.energy_ratio)}" for row in own]
        lines.append(_line([model, ran, *cells]))
    first = rows[0]
    machine = f"{first.rows} x {first.columns} PEs, {first.dataflow}, overlap {first.overlap}, {first.technology}"
    lines += ["", f"{machine}; each datapath with its own scheme, without training or calibration of weights."]
    lines += [f"Not run: {model} ({reason})." for model, reason in missing.items()]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


@dataclass(frozen=True, kw_only=True)
class _Report:
    """Runs the networks, one after the other.

    Attributes:
        models: names; None: all.
    """

    name: str = "zoo"
    models: tuple[str, ...] | None = None

    def make(self, *, command: str, say: Say) -> ReportOutput:
        """Return the page and the rows as CSV; a network that is not fetched is named."""
        rows: list[Row] = []
        missing: dict[str, str] = {}
        for model in self.models or tuple(model_entries()):
            say(f"running {model}")
            try:
                rows += list(run_experiment(experiment(model)))
            except InputError as error:
                if not get_network(model).requirements:
                    raise
                missing[model] = "; ".join(get_network(model).requirements)
                say(f"{model} does not run: {error}")
        if not rows:
            raise InputError("no network could run; fetch one, see 'simhw models list'")
        text = "".join(table.text(own) for own in by_model(rows).values())
        page = markdown(rows, missing, command=command)
        return ReportOutput(text=text, files={"zoo.md": page, "zoo.csv": to_csv(rows)})


REPORT = _Report()
