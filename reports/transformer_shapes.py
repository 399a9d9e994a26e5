"""Norm placements of one decoder, trained alike: activations by depth, and what W8A8, W4A8 and FP4 do to each."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from simhw.catalog import get_method, get_scheme, get_study
from simhw.execution import Arithmetic, Execution
from simhw.executor import execute, run_float
from simhw.gemm.datapaths import get_datapath
from simhw.graph.base import Graph, Node
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.network import Dataset, Network, Study
from simhw.report import Report, ReportOutput, Say

STUDY = "norm_placements"
DATAPATHS = {"W8A8": "w8a8_int8", "W4A8": "w4a8_mixpe", "FP4": "mxfp4"}
"""What the page calls them, and the entries that run."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The residual stream at one depth of the float network.

    Attributes:
        depth: its name.
        variance: over the elements of a token's vector, mean over all tokens.
        crest: largest magnitude of a token's vector over its root mean square, mean over all tokens.
    """

    depth: str
    variance: float
    crest: float


@dataclass(frozen=True, kw_only=True)
class Quantized:
    """A network on one datapath.

    Attributes:
        name, datapath, scheme: what ran.
        perplexity: per byte, on the held-out text.
        logit_sqnr_db: of the logits against the float reference.
        stream_sqnr_db: of the residual stream by depth; the embedding, which is looked up, is exact.
    """

    name: str
    datapath: str
    scheme: str
    perplexity: float
    logit_sqnr_db: float
    stream_sqnr_db: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One trained network.

    Attributes:
        variant, words: which one, and what is particular to it.
        parameters: how many it has.
        perplexity, bits_per_byte: of the float reference.
        streams: by depth.
        results: one per datapath.
    """

    variant: str
    words: str
    parameters: int
    perplexity: float
    bits_per_byte: float
    streams: Sequence[Stream]
    results: Sequence[Quantized]

    def change(self, result: Quantized) -> float:
        """Return by which part of the float perplexity the datapath raises it."""
        return result.perplexity / self.perplexity - 1


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """Everything that the page and the data files show.

    Attributes:
        description: what the networks have in common.
        steps: of the training.
        bytes_predicted: of the held-out text.
        shapes: the networks.
    """

    description: str
    steps: int
    bytes_predicted: int
    shapes: Sequence[Shape]


def measure(study: Study, steps: int, say: Say, samples: int | None = None) -> Shapes:
    """Train every network of a study and run it on every datapath; ``samples`` of its text, None: as many as usual."""
    shapes = []
    for variant, words in study.variants.items():
        say(f"training {variant} for {steps} steps")
        network = study.train(variant, steps)
        data = network.dataset(samples, None)
        say(f"running {variant} on {', '.join(DATAPATHS.values())}")
        shapes.append(_shape(study, variant, words, network, data))
    return Shapes(description=study.description, steps=steps, bytes_predicted=data.units, shapes=shapes)


def _shape(study: Study, variant: str, words: str, network: Network, data: Dataset) -> Shape:
    module = network.load()
    graph = import_module(module, data.inputs)
    runs = {name: _run(graph, data, entry, network.batch) for name, entry in DATAPATHS.items()}
    reference = next(iter(runs.values())).reference
    assert reference is not None
    figures = network.metric.evaluate(reference, data)
    return Shape(
        variant=variant,
        words=words,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        perplexity=figures["perplexity"],
        bits_per_byte=figures["bits_per_byte"],
        streams=_streams(study, graph, data),
        results=[
            Quantized(
                name=name,
                datapath=DATAPATHS[name],
                scheme=get_datapath(DATAPATHS[name]).scheme,
                perplexity=network.metric.evaluate(run.outputs, data)["perplexity"],
                logit_sqnr_db=run.noise.sqnr_db,
                stream_sqnr_db=_stream_sqnr(study, run),
            )
            for name, run in runs.items()
        ],
    )


def _run(graph: Graph, data: Dataset, entry: str, batch: int) -> Execution:
    datapath = get_datapath(entry)
    arithmetic = Arithmetic(datapath=datapath, scheme=get_scheme(datapath.scheme), method=get_method())
    return execute(graph, data.inputs, arithmetic, batch=batch)


def _streams(study: Study, graph: Graph, data: Dataset) -> list[Stream]:
    """Return what the float reference has at each depth."""
    seen: dict[str, np.ndarray[Any, Any]] = {}

    def observe(node: Node, _: list[Any], result: Any) -> None:
        for depth, start in study.depths.items():
            if node.label.startswith(start):
                seen[depth] = result  # the last step of a depth stays

    run_float(graph, data.inputs, observe)
    streams = []
    for depth in study.depths:
        rows = np.asarray(seen[depth], np.float64).reshape(-1, seen[depth].shape[-1])
        crest = np.abs(rows).max(axis=1) / np.sqrt(np.square(rows).mean(axis=1))
        streams.append(Stream(depth=depth, variance=float(rows.var(axis=1).mean()), crest=float(crest.mean())))
    return streams


def _stream_sqnr(study: Study, run: Execution) -> dict[str, float]:
    found = {}
    for depth, start in study.depths.items():
        steps = [step for step in run.steps if step.label.startswith(start)]
        found[depth] = steps[-1].noise.sqnr_db if steps else math.inf
    return found


def rows(found: Shapes) -> list[dict[str, str | int | float]]:
    """Return one flat row per network and depth, as the CSV has them."""
    return [
        {
            "placement": shape.variant,
            "depth": stream.depth,
            "variance": stream.variance,
            "crest": stream.crest,
            **{f"{result.name}_sqnr_db": result.stream_sqnr_db[stream.depth] for result in shape.results},
            "perplexity": shape.perplexity,
            **{f"{result.name}_perplexity": result.perplexity for result in shape.results},
        }
        for shape in found.shapes
        for stream in shape.streams
    ]


def to_csv(found: Shapes) -> str:
    """Return the rows as CSV."""
    stream = io.StringIO()
    flat = rows(found)
    writer = csv.DictWriter(stream, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue()


def to_json(found: Shapes, command: str) -> str:
    """Return everything as JSON; an infinite SQNR (no error) as null."""
    return json.dumps(_finite({"command": command, **asdict(found)}), indent=1) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


@dataclass(frozen=True, kw_only=True)
class _TransformerShapes:
    """The entry of the catalogue."""

    name: str = "transformer_shapes"
    steps: int | None = None

    def with_steps(self, steps: int) -> Report:
        """Return the report with another number of training steps."""
        return replace(self, steps=steps)

    def make(self, *, command: str, say: Say) -> ReportOutput:
        """Train, run, and return the page, the data and the short table."""
        from simhw.reports.shapes_page import render, text

        study = get_study(STUDY)
        found = measure(study, study.steps if self.steps is None else self.steps, say)
        say("drawing the page")
        return ReportOutput(
            text=text(found),
            files={
                "transformer_shapes.html": render(found, command=command),
                "transformer_shapes.csv": to_csv(found),
                "transformer_shapes.json": to_json(found, command),
            },
        )


REPORT = _TransformerShapes()
