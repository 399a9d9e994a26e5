"""The report on norm placements, on decoders too small and too untrained to be slow."""

from __future__ import annotations

import csv
import io
import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from torch.nn import functional

from simhw.cli import main
from simhw.graph.network import Dataset, Network, Study
from simhw.models.language import PERPLEXITY, byte_sequences
from simhw.models.transformer import Decoder, NormPlacement, TransformerConfig
from simhw.models.transformer.decoder import initialise
from simhw.report import TrainingReport
from simhw.reports import transformer_shapes
from simhw.reports.shapes_page import findings, growth, render, sentences, text
from simhw.reports.transformer_shapes import REPORT, measure, rows, to_csv, to_json

COMMAND = "simhw report transformer_shapes --out <here>"
TEXT = "The state of the union is what it is, and it is not a matter of one speech or another. " * 3
LAYERS = 3


def train(variant: str, steps: int) -> Network:
    torch.manual_seed(steps)
    placement = NormPlacement(variant)
    module = Decoder(TransformerConfig(width=16, layers=LAYERS, heads=2, hidden=8, context=16, placement=placement))
    initialise(module)

    def dataset(samples: int | None, tokens: int | None) -> Dataset:
        return byte_sequences(TEXT, context=16, default=64, samples=samples, tokens=tokens)

    return Network(
        name=variant,
        description="",
        source="",
        licence="",
        metric=PERPLEXITY,
        load=module.eval,
        dataset=dataset,
        calibration=lambda: np.zeros((1, 16), np.int64),
        batch=2,
    )


STUDY = Study(
    name="small",
    description="small <decoders>",
    variants={placement.value: f"equation of {placement.value}" for placement in NormPlacement},
    steps=7,
    depths={"embedding": "embedding"} | {f"block {i + 1}": f"blocks.{i}." for i in range(LAYERS)},
    train=train,
)


@pytest.fixture(scope="module")
def found():
    return measure(STUDY, 7, lambda _: None)


@pytest.mark.parametrize("index", range(5), ids=[placement.value for placement in NormPlacement])
def test_streams_and_perplexity_are_those_of_torch(found, index):
    shape = found.shapes[index]
    network = train(shape.variant, 7)
    module, data = network.load(), network.dataset(None, None)
    seen = []
    for part in (module.embedding_norm, *module.blocks):
        part.register_forward_hook(lambda _, __, out: seen.append(out.double()))
    with torch.no_grad():
        logits = module(torch.from_numpy(data.inputs)).double()
    loss = functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(data.targets).flatten())
    assert shape.perplexity == pytest.approx(math.exp(float(loss)), rel=1e-5)
    assert [stream.depth for stream in shape.streams] == ["embedding", "block 1", "block 2", "block 3"]
    for stream, x in zip(shape.streams, seen, strict=True):
        assert stream.variance == pytest.approx(float(x.var(-1, correction=0).mean()), rel=1e-4)
        crest = x.abs().amax(-1) / x.pow(2).mean(-1).sqrt()
        assert stream.crest == pytest.approx(float(crest.mean()), rel=1e-4)
    assert shape.parameters == sum(parameter.numel() for parameter in module.parameters())


def test_narrower_arithmetic_is_noisier_and_the_embedding_is_exact(found):
    for shape in found.shapes:
        names = [result.name for result in shape.results]
        assert names == ["W8A8", "W4A8", "FP4"]
        assert [result.datapath for result in shape.results] == ["w8a8_int8", "w4a8_mixpe", "mxfp4"]
        for result in shape.results:
            assert result.stream_sqnr_db["embedding"] == math.inf
            assert 0 < result.stream_sqnr_db["block 3"] < 60
        w8a8, w4a8, fp4 = (result.logit_sqnr_db for result in shape.results)
        assert w8a8 > w4a8 > fp4 > 0


def test_data_files_hold_every_depth_and_no_number_that_json_lacks(found):
    flat = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert len(flat) == 5 * (LAYERS + 1) == len(rows(found))
    assert float(flat[1]["variance"]) == found.shapes[0].streams[1].variance

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    stored = json.loads(to_json(found, COMMAND), parse_constant=refuse)
    assert stored["command"] == COMMAND
    assert stored["steps"] == 7
    assert stored["shapes"][4]["results"][2]["stream_sqnr_db"]["embedding"] is None


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, _, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href") and not value.startswith("#"):
                self.addresses.append(value)

    def handle_data(self, data):
        self.words.append(data)


def test_page_shows_every_network_and_needs_nothing_else(found):
    page = Page()
    page.feed(render(found, command=COMMAND))
    words = " ".join(page.words)
    for shape in found.shapes:
        assert f"equation of {shape.variant}" in words
        assert shape.variant in text(found)
    assert COMMAND in words
    assert "small <decoders>" in words
    assert len(page.ids) == len(set(page.ids))
    assert page.addresses == []
    assert "stream-by-depth" in " ".join(page.ids)


def test_findings_and_sentences_come_from_the_records(found):
    best = min(found.shapes, key=lambda shape: shape.perplexity)
    steepest = max(found.shapes, key=growth)
    boxes = findings(found)
    assert boxes[0].figure.startswith(best.variant)
    assert boxes[1].figure.startswith(steepest.variant)
    assert [box.title for box in boxes[2:]] == ["W8A8 (w8a8_int8)", "W4A8 (w4a8_mixpe)", "FP4 (mxfp4)"]
    assert len(sentences(found)) == 5


def test_steps_reach_the_training(found, monkeypatch, tmp_path, capsys):
    asked = []

    def recorded(study, steps, _):
        asked.append((study.name, steps))
        return found

    monkeypatch.setattr(transformer_shapes, "measure", recorded)
    assert isinstance(REPORT, TrainingReport)
    for arguments in (["--steps", "3"], []):
        assert main(["report", "transformer_shapes", "--out", str(tmp_path), *arguments]) == 0
    assert asked == [("norm_placements", 3), ("norm_placements", 300)]
    assert {path.name for path in tmp_path.iterdir()} == {
        f"transformer_shapes.{ending}" for ending in ("html", "csv", "json")
    }
    assert "post_ln" in capsys.readouterr().out


def test_steps_of_a_report_that_trains_nothing(capsys):
    assert main(["report", "pe_comparison", "--steps", "3"]) == 2
    assert "steps is 3, but pe_comparison trains nothing; leave it out" in capsys.readouterr().err
