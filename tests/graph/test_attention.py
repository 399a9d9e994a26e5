"""Attention by its function: masks, causality and shared key heads, against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from simhw.catalog import get_method, get_scheme
from simhw.errors import InputError
from simhw.execution import Arithmetic
from simhw.executor import execute, run_float
from simhw.gemm.datapaths import get_datapath
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.ops.attention import blank_hidden

TOKENS, WIDTH = 5, 24
X = np.random.default_rng(0).standard_normal((3, TOKENS, WIDTH)).astype(np.float32)
SEEN = torch.ones(TOKENS, TOKENS).tril(1).bool()
BIAS = torch.from_numpy(np.random.default_rng(1).standard_normal((6, TOKENS, TOKENS)).astype(np.float32))


class Attention(nn.Module):
    """Six query heads of width 4 over some key and value heads."""

    def __init__(self, kv_heads: int, **options: object) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.kv_heads, self.options = kv_heads, options
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key, self.value = (nn.Linear(WIDTH, 4 * kv_heads) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            part(x).unflatten(-1, (-1, 4)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, **self.options)  # type: ignore[arg-type]
        return mixed.transpose(1, 2).flatten(2)


CASES: dict[str, Callable[[], Attention]] = {
    "shared by two": lambda: Attention(3, enable_gqa=True),
    "shared by all": lambda: Attention(1, enable_gqa=True, scale=0.3),
    "shared, causal": lambda: Attention(2, enable_gqa=True, is_causal=True),
    "shared, bool mask": lambda: Attention(2, enable_gqa=True, attn_mask=SEEN),
    "shared, float mask of each head": lambda: Attention(2, enable_gqa=True, attn_mask=BIAS),
    "not shared after all": lambda: Attention(6, enable_gqa=True),
    "bool mask": lambda: Attention(6, attn_mask=SEEN),
    "float mask": lambda: Attention(6, attn_mask=BIAS[0]),
    "minus infinity": lambda: Attention(6, attn_mask=torch.zeros(TOKENS, TOKENS).masked_fill(~SEEN, -torch.inf)),
    "causal": lambda: Attention(6, is_causal=True),
    "a token that sees nothing, bool": lambda: Attention(6, attn_mask=SEEN.tril(-1)),
    "a token that sees nothing, float": lambda: Attention(
        6, attn_mask=torch.zeros(TOKENS, TOKENS).masked_fill(~SEEN.tril(-1), -torch.inf)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_attention_is_torch(name: str):
    module = CASES[name]().eval()
    with torch.no_grad():
        expected = module(torch.from_numpy(X)).numpy()
    graph = import_module(module, X)
    # Sums of at most 24 products of float32 in another order.
    np.testing.assert_allclose(run_float(graph, X), expected, rtol=1e-5, atol=1e-6)
    record = get_datapath("w8a8_int8")
    arithmetic = Arithmetic(datapath=record, scheme=get_scheme(record.scheme), method=get_method())
    assert execute(graph, X, arithmetic).noise.sqnr_db > 25
    blanks = [node for node in graph.nodes if node.operator == "blank_hidden"]
    assert bool(blanks) == ("sees nothing" in name)
    repeats = [node for node in graph.nodes if node.operator == "repeat_each"]
    assert len(repeats) == (2 if name.startswith("shared") else 0)


def test_shared_heads_are_one_per_product():
    graph = import_module(Attention(3, enable_gqa=True), X)
    record = get_datapath("fp16")
    arithmetic = Arithmetic(datapath=record, scheme=get_scheme(record.scheme), method=get_method())
    scores = next(step for step in execute(graph, X, arithmetic).steps if step.operator.name == "attention_scores")
    assert (scores.batch, scores.m, scores.n, scores.k) == (6, TOKENS, TOKENS, 4)


def test_a_mask_from_the_input():
    class Padded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(x, x, x, attn_mask=(x[:, None, :, 0] > 0).expand(-1, TOKENS, -1))

    graph = import_module(Padded(), X)
    x = X.copy()
    x[1, :, 0] = -1  # of the second sample no token sees any
    with torch.no_grad():
        expected = Padded()(torch.from_numpy(x)).numpy()
    assert not expected[1].any()
    np.testing.assert_allclose(run_float(graph, x), expected, rtol=1e-5, atol=1e-6)


def test_blanks_are_exact():
    probability = np.array([[0.5, 0.5], [np.nan, np.nan]], np.float32)
    for mask in (np.array([[True, False], [False, False]]), np.array([[0, -np.inf], [-np.inf, -np.inf]], np.float32)):
        np.testing.assert_array_equal(blank_hidden(probability, mask), [[0.5, 0.5], [0, 0]])


def test_dropout_is_refused():
    with pytest.raises(InputError, match=r"drops values at random \(dropout_p\).*; set dropout_p=0, as in eval mode"):
        import_module(Attention(6, dropout_p=0.1), X)
