"""Attention some queries at a time: the same results, sizes and errors as all at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from simhw.calibration import calibrate
from simhw.catalog import get_method, get_scheme
from simhw.execution import Arithmetic, Execution
from simhw.executor import execute
from simhw.gemm.datapaths import get_datapath
from simhw.graph.base import Graph
from simhw.graph.frontends.torch_export import import_module
from simhw.query_blocks import spans

TOKENS = 11


class Attend(nn.Module):
    """Heads over projections, with or without a mask; the scores may be read by something else, too."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("hidden", torch.rand((TOKENS, TOKENS), generator=generator) < 0.8)
        self.register_buffer("added", torch.randn((1, 1, TOKENS, TOKENS), generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "itself":
            return F.scaled_dot_product_attention(x, x, x, is_causal=True)
        q, k, v = (f(x).unflatten(-1, (2, 4)).transpose(1, 2) for f in (self.query, self.key, self.value))
        mask = {"chosen": self.hidden, "added": self.added, "one_row": self.added[:, :, :1]}.get(self.kind)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.kind == "causal")
        return y.transpose(1, 2).flatten(2)


@pytest.fixture(scope="module")
def sequences() -> np.ndarray:
    magnitudes = 10.0 ** np.arange(-1, 2)[:, None, None]
    return (np.random.default_rng(0).standard_normal((3, TOKENS, 8)) * magnitudes).astype(np.float32)


def run(graph: Graph, x: np.ndarray, datapath: str, scheme: str | None = None, batch: int = 3) -> Execution:
    record = get_datapath(datapath)
    chosen, method = get_scheme(scheme or record.scheme), get_method()
    ranges = calibrate(graph, x, record, chosen, method)
    arithmetic = Arithmetic(datapath=record, scheme=chosen, method=method, calibration=ranges)
    return execute(graph, x, arithmetic, batch=batch)


def graph_of(kind: str, x: np.ndarray) -> Graph:
    torch.manual_seed(1)
    return import_module(Attend(kind).eval(), x)


CHOICES = [
    ("causal", "w8a8_int8", None),
    ("itself", "w8a8_int8", None),
    ("chosen", "w8a8_int8", None),
    ("added", "w8a8_int8", None),
    ("one_row", "w8a8_int8", None),
    ("plain", "w8a8_int8", "w8a8_static_min_max"),
    ("causal", "tflite_int8_double_rounding", None),
    ("causal", "w8a8_int8", "w8a8_per_tensor"),
    ("causal", "w4a8_mixpe", None),
    ("causal", "hopper_e4m3_fp32", None),
    ("plain", "mxfp4", None),
    ("plain", "nvfp4", None),
]


@pytest.mark.parametrize(("kind", "datapath", "scheme"), CHOICES)
@pytest.mark.parametrize("scores", [1, 3 * 2 * TOKENS * 4, 3 * 2 * TOKENS * 10])
def test_blocks_of_queries_do_not_matter(
    sequences: np.ndarray, kind: str, datapath: str, scheme: str | None, scores: int, monkeypatch: pytest.MonkeyPatch
):
    graph = graph_of(kind, sequences)
    whole = run(graph, sequences, datapath, scheme)
    monkeypatch.setattr("simhw.query_blocks.SCORES", scores)
    for batch in (3, 2):
        parts = run(graph, sequences, datapath, scheme, batch)
        np.testing.assert_array_equal(parts.outputs, whole.outputs)
        for step, twin in zip(whole.steps, parts.steps, strict=True):
            sizes = [(s.label, s.m, s.n, s.k, s.batch, s.elements, s.saturations, s.activation) for s in (step, twin)]
            assert sizes[0] == sizes[1]
            assert step.noise.where == twin.noise.where
            assert step.noise.samples == twin.noise.samples == len(sequences)
            # The float reference multiplies other shapes, and errors are added in another order.
            for name in ("signal", "error", "largest"):
                first, second = (getattr(s.noise, name) for s in (step, twin))
                assert math.isclose(first, second, rel_tol=1e-4, abs_tol=1e-9) or math.isnan(first + second)


def test_only_attention_without_other_readers_runs_in_blocks(sequences: np.ndarray):
    lengths = [len(span.nodes) for span in spans(graph_of("causal", sequences))]
    assert max(lengths) == 4
    graph = graph_of("causal", sequences)
    place = next(i for i, node in enumerate(graph.nodes) if node.operator == "softmax")
    read = Graph(
        inputs=graph.inputs,
        nodes=graph.nodes,
        outputs=(*graph.outputs, graph.nodes[place].name),
        constants=graph.constants,
    )
    assert {len(span.nodes) for span in spans(read)} == {1}
    assert [node for span in spans(read) for node in span.nodes] == list(graph.nodes)


def test_scales_that_span_rows_keep_them_together(sequences: np.ndarray):
    attention = next(span for span in spans(graph_of("causal", sequences)) if len(span.nodes) == 4)
    found = {}
    for scheme in ("w8a8_int8", "w8a8_per_tensor", "mxfp4", "nvfp4", "fp16"):
        record = get_datapath("w8a8_int8" if scheme.startswith("w8") else scheme)
        arithmetic = Arithmetic(datapath=record, scheme=get_scheme(scheme), method=get_method())
        found[scheme] = attention.is_splittable(arithmetic)
    assert found == {"w8a8_int8": True, "w8a8_per_tensor": False, "mxfp4": True, "nvfp4": False, "fp16": True}
