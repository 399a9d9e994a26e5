"""One import for inputs of any length: torch's output at each, and clear words where a module fixes the length."""

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
from simhw.graph.base import Graph
from simhw.graph.frontends.torch_export import import_module
from simhw.models.llama import Llama, LlamaShape

CONTEXT = 24
SHAPE = LlamaShape(
    vocabulary=31, context=CONTEXT, width=16, layers=2, heads=4, kv_heads=2, head_dim=4, hidden=24, rope_base=100.0
)
IDS = np.random.default_rng(0).integers(0, 31, (3, CONTEXT))
TOLERANCE = 2e-6
"""Of the largest logit: float32 sums in another order than torch's."""


@pytest.fixture(scope="module")
def decoder() -> Llama:
    torch.manual_seed(0)
    return Llama(SHAPE).eval()


@pytest.fixture(scope="module")
def graph(decoder: Llama) -> Graph:
    return import_module(decoder, IDS[:1, :7], dynamic=(0, 1))


@pytest.mark.parametrize("length", [1, 2, 7, 13, CONTEXT])
def test_a_decoder_runs_at_any_length(decoder: Llama, graph: Graph, length: int):
    with torch.no_grad():
        expected = decoder(torch.from_numpy(IDS[:, :length])).numpy()
    result = run_float(graph, IDS[:, :length])
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


def test_on_a_datapath_it_is_the_graph_of_that_length(decoder: Llama, graph: Graph):
    record = get_datapath("w8a8_int8")
    arithmetic = Arithmetic(datapath=record, scheme=get_scheme(record.scheme), method=get_method())
    for length in (5, 11):
        x = IDS[:, :length]
        fixed = execute(import_module(decoder, x), x, arithmetic)
        any_length = execute(graph, x, arithmetic)
        np.testing.assert_array_equal(any_length.outputs, fixed.outputs)
        sizes = [[(step.label, step.m, step.n, step.k) for step in run.steps] for run in (any_length, fixed)]
        assert sizes[0] == sizes[1]


def test_longer_than_the_table_of_positions(graph: Graph):
    with pytest.raises(InputError, match=r"cannot compute multiply \(.*24"):
        run_float(graph, np.zeros((1, CONTEXT + 1), np.int64))


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("mask", torch.full((6, 6), -torch.inf).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


SEQUENCES = np.random.default_rng(1).standard_normal((3, 6, 8)).astype(np.float32)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + torch.ones(6)[:, None],
        lambda x: x.reshape(-1, 6, 8),
        lambda x: x.reshape(-1, 48),
        lambda x: x if x.shape[1] == 6 else -x,
    ],
)
def test_a_module_of_one_length_says_so(function: Callable[[Tensor], Tensor]):
    with pytest.raises(InputError, match=r"Function fixes the length of axis 1 at 6 .*mask\[:length, :length\], and g"):
        import_module(Function(function), SEQUENCES, dynamic=(0, 1))


class Masked(Function):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x, attn_mask=self.mask[: x.shape[1], : x.shape[1]])


def test_a_mask_cut_to_the_length():
    module = Masked(torch.abs)
    graph = import_module(module, SEQUENCES[:, :5], dynamic=(0, 1))
    for length in (2, 4, 6):
        x = SEQUENCES[:, :length]
        np.testing.assert_allclose(run_float(graph, x), module(torch.from_numpy(x)).numpy(), rtol=1e-5, atol=1e-6)


APART = {
    "sum over the sequence": lambda x: x - x.sum(1, keepdim=True),
    "first token": lambda x: x[:, 0] - x[:, -1],
    "reverse": lambda x: x.flip(1),
    "product of tokens": lambda x: (x @ x.transpose(1, 2)).softmax(-1) @ x,
    "join tokens": lambda x: F.relu(x.flatten(1, 2)),
    "pairs of tokens": lambda x: x[:, :, None] - x[:, None],
    "running sum": lambda x: x.cumsum(1),
    "all in one": lambda x: x.flatten(0, 1).abs().reshape(x.shape),
}


@pytest.mark.parametrize("name", APART)
def test_the_open_length_is_not_taken_for_the_sample(name: str):
    module = Function(APART[name])
    graph = import_module(module, SEQUENCES, dynamic=(0, 1))
    for length in (3, 6, 2):
        x = SEQUENCES[:, :length]
        np.testing.assert_allclose(run_float(graph, x), module(torch.from_numpy(x)).numpy(), rtol=1e-5, atol=1e-6)


MIXING = {
    "sum over samples": lambda x: x - x.sum(0),
    "sum over both": lambda x: x - x.flatten(0, 1).sum(0),
    "sample with sample": lambda x: x[:, None] - x[None],
    "attention over samples": lambda x: F.scaled_dot_product_attention(*[x.transpose(0, 1)] * 3).transpose(0, 1),
    "one more sample": lambda x: torch.cat([x, x[:1]]),
    "slice of both": lambda x: x.flatten(0, 1)[1:],
}


@pytest.mark.parametrize("name", MIXING)
def test_what_combines_samples_stays_refused(name: str):
    with pytest.raises(InputError, match="combines different samples"):
        import_module(Function(MIXING[name]), SEQUENCES, dynamic=(0, 1))


def test_as_many_samples_as_tokens_are_two_lengths():
    graph = import_module(Function(lambda x: x - x.mean(1, keepdim=True)), SEQUENCES[:, :2], dynamic=(0, 1))
    assert run_float(graph, SEQUENCES).shape == SEQUENCES.shape


@pytest.mark.parametrize("dynamic", [(1,), (0, 3), (0, -1)])
def test_axes_that_the_input_lacks(dynamic: tuple[int, ...]):
    with pytest.raises(InputError, match=r"must be 0 \(the sample\) and others of 1..2; give \(0, 1\)"):
        import_module(Function(torch.abs), SEQUENCES, dynamic=dynamic)


def test_an_example_of_length_one_shows_no_length():
    with pytest.raises(InputError, match=r"axis 1 of the example is 1 long, a dynamic one must be at least 2 long"):
        import_module(Function(torch.abs), SEQUENCES[:, :1], dynamic=(0, 1))


def test_a_recurrent_layer_is_unrolled_for_one_length():
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRU(8, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.cell(x)[0]
            return found

    with pytest.raises(InputError, match=r"unrolled|fixes the length"):
        import_module(Last(), SEQUENCES, dynamic=(0, 1))
