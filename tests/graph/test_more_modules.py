"""Whole modules of the usual architectures through the importer, against torch, and through a datapath."""

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
from simhw.graph.base import Kind
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.ops import operators

TOLERANCE = 2.0**-14


class Encoder(nn.Module):
    """BERT's shape: two embeddings, a norm, an encoder layer, a mean over the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.norm = nn.Embedding(50, 16), nn.Embedding(12, 16), nn.LayerNorm(16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.norm(self.words(x) + self.places(torch.arange(x.shape[1])))).mean(1)


class Decoder(nn.Module):
    """GPT-2's attention, written with products and a triangle."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.qkv, self.out = nn.Embedding(50, 16), nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        batch, length = x.shape
        parts = self.qkv(self.words(x)).split(16, dim=-1)
        q, k, v = (part.view(batch, length, 2, 8).transpose(1, 2) for part in parts)
        mask = torch.tril(torch.ones(length, length)).bool()
        weights = ((q @ k.transpose(-2, -1)) / 8**0.5).masked_fill(~mask, float("-inf")).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, length, 16))


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    """A recurrent stack, its outputs beside its last state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        outputs, state = self.layer(x)
        last = state[0] if isinstance(state, tuple) else state
        return torch.cat([outputs.flatten(1), last.transpose(0, 1).flatten(1)], 1)


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[0], 6)
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], (h, c))
        return h


class Experts(nn.Module):
    """A mixture of experts: the two best of four."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.experts = nn.Linear(8, 4), nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        weights, index = self.gate(x).softmax(-1).topk(2, dim=-1)
        dense = torch.zeros_like(self.gate(x)).scatter(-1, index, weights)
        return torch.stack([dense[..., k : k + 1] * expert(x) for k, expert in enumerate(self.experts)]).sum(0)


class StateSpace(nn.Module):
    """A selective state space (Mamba, arXiv 2312.00752, section 3.2), scanned step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(8, 32, bias=False), nn.Linear(16, 8, bias=False)
        self.convolution = nn.Conv1d(16, 16, 4, groups=16, padding=3)
        self.select, self.step = nn.Linear(16, 10, bias=False), nn.Linear(2, 16)
        self.a, self.d = nn.Parameter(torch.randn(16, 4)), nn.Parameter(torch.ones(16))

    def forward(self, u: Tensor) -> Tensor:
        x, z = self.inner(u).chunk(2, -1)
        x = F.silu(self.convolution(x.transpose(1, 2))[..., :6].transpose(1, 2))
        step, b, c = self.select(x).split([2, 4, 4], -1)
        step, a = F.softplus(self.step(step)), -torch.exp(self.a)
        h, outputs = x.new_zeros(x.shape[0], 16, 4), []
        for t in range(6):
            h = torch.exp(step[:, t, :, None] * a) * h + step[:, t, :, None] * b[:, t, None, :] * x[:, t, :, None]
            outputs.append((h * c[:, t, None, :]).sum(-1))
        return self.outer((torch.stack(outputs, 1) + self.d * x) * F.silu(z))


class Products(nn.Module):
    """Products with a constant in every spelling, and of two activations."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(8, 8)), nn.Parameter(torch.randn(8))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.addmm(self.bias, x[:, 0], self.weight) + x[:, 1] @ self.weight
        scores = torch.einsum("bti,bsi->bts", x, F.normalize(x, dim=-1))
        z = torch.baddbmm(x[:, :1], scores, x) + x @ (x.transpose(1, 2) @ x)
        return y[:, None] + z


def seeded(make: type[nn.Module], *arguments: object) -> nn.Module:
    torch.manual_seed(0)
    return make(*arguments).eval()


SEQUENCES = np.random.default_rng(0).standard_normal((3, 6, 8)).astype(np.float32)
IMAGES = np.random.default_rng(1).standard_normal((3, 4, 8, 8)).astype(np.float32)
TOKENS = np.arange(30).reshape(3, 10) * 7 % 50

MODULES = {
    "encoder": (seeded(Encoder), TOKENS),
    "decoder": (seeded(Decoder), TOKENS),
    "multi-head attention": (seeded(SelfAttention), SEQUENCES),
    "LSTM": (Recurrent(nn.LSTM(8, 5, batch_first=True)).eval(), SEQUENCES),
    "LSTM, two layers both ways": (
        Recurrent(nn.LSTM(8, 5, num_layers=2, bidirectional=True, batch_first=True)).eval(),
        SEQUENCES,
    ),
    "GRU": (Recurrent(nn.GRU(8, 5, batch_first=True)).eval(), SEQUENCES),
    "GRU without bias": (Recurrent(nn.GRU(8, 5, bias=False, batch_first=True)).eval(), SEQUENCES),
    "LSTM cell": (seeded(Cell), SEQUENCES),
    "mixture of experts": (seeded(Experts), SEQUENCES),
    "state space": (seeded(StateSpace), SEQUENCES),
    "products": (seeded(Products), SEQUENCES),
    "decoder of images": (
        nn.Sequential(
            nn.Conv2d(4, 8, 3, 2, 1),
            nn.GroupNorm(2, 8),
            nn.Hardswish(),
            nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1, groups=2),
            nn.InstanceNorm2d(4, affine=True),
            nn.PixelShuffle(2),
            nn.AvgPool2d(2),
            nn.Upsample(scale_factor=2, mode="bilinear"),
        ).eval(),
        IMAGES,
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_float_reference_is_torch(name):
    module, x = MODULES[name]
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    graph = import_module(module, x)
    result = run_float(graph, x)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=TOLERANCE, atol=TOLERANCE * np.abs(expected).max())
    # More samples than it was imported with.
    np.testing.assert_allclose(
        run_float(graph, np.tile(x, (2,) + (1,) * (x.ndim - 1))),
        np.tile(result, (2,) + (1,) * (result.ndim - 1)),
        rtol=TOLERANCE,
        atol=TOLERANCE * np.abs(expected).max(),
    )


@pytest.mark.parametrize("name", MODULES)
def test_a_datapath_takes_every_product_and_no_sample_sees_another(name):
    module, x = MODULES[name]
    graph = import_module(module, x)
    products = [node for node in graph.nodes if operators()[node.operator].kind is Kind.MATMUL]
    datapath = get_datapath("w8a8_int8")
    arithmetic = Arithmetic(datapath=datapath, scheme=get_scheme(datapath.scheme), method=get_method())
    together = execute(graph, x, arithmetic)
    assert products
    assert [step.operator.name for step in together.steps if step.k] == [node.operator for node in products]
    for index in range(len(x)):
        alone = execute(graph, x[index : index + 1], arithmetic).outputs
        np.testing.assert_array_equal(together.outputs[index : index + 1], alone)
    noise = together.outputs - run_float(graph, x)
    assert 0 < np.square(noise).mean() < 0.01 * np.square(together.outputs).mean()


def test_products_with_a_constant_are_layers_with_weights():
    graph = import_module(*MODULES["products"])
    kinds = [node.operator for node in graph.nodes if operators()[node.operator].kind is Kind.MATMUL]
    assert sorted(kinds) == ["einsum", "linear", "linear", "matmul", "matmul", "matmul"]


MIXING = {
    "roll": lambda x: torch.roll(x, 1, 0),
    "flip": lambda x: torch.flip(x, [0]),
    "sum": lambda x: x - x.sum(0),
    "sum of all": lambda x: x / x.sum(),
    "largest": lambda x: x - x.amax(0),
    "largest of all": lambda x: x - x.max(),
    "largest with its place": lambda x: x - x.max(0).values,
    "deviation": lambda x: x / x.std(0),
    "norm": lambda x: x / torch.linalg.vector_norm(x, dim=0),
    "running sum": lambda x: x.cumsum(0),
    "log-softmax": lambda x: F.log_softmax(x, 0),
    "first sample": lambda x: x - x[0],
    "slice of samples": lambda x: x - x[1:2],
    "chosen sample": lambda x: x - x[torch.tensor([0])],
    "product of samples": lambda x: x.flatten(1) @ x.flatten(1).T,
    "sum over samples": lambda x: x.flatten(1).T @ x.flatten(1) + x[:, :1, :1],
    "einsum": lambda x: torch.einsum("bij,cij->bi", x, x),
    "one more sample": lambda x: torch.cat([x, torch.ones(1, 6, 8)]),
    "outer difference": lambda x: x[:, None] - x[None],
    "attention over samples": lambda x: F.scaled_dot_product_attention(*[x.transpose(0, 1)] * 3).transpose(0, 1),
}


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize("name", MIXING)
def test_steps_that_combine_samples_are_refused(name):
    with pytest.raises(InputError, match="combines different samples; keep the first axis, the sample, out of it"):
        import_module(Function(MIXING[name]), SEQUENCES)


PER_SAMPLE = {
    "token of each sample": lambda x: x[torch.arange(x.shape[0]), x[:, :, 0].argmax(1)],
    "value of each sample": lambda x: x[torch.arange(x.shape[0]), x[:, :, 0].argmax(1), x[:, 0].argmax(1)],
    "by all numbers": lambda x: x[torch.arange(0, x.shape[0], 1), x[:, :, 0].argmax(1)],
    "two tokens of each": lambda x: x[torch.arange(x.shape[0])[:, None], x[:, :, :2].argmax(1)],
    "of another kind": lambda x: x[torch.arange(x.shape[0], dtype=torch.int32).long(), x[:, :, 0].argmax(1)],
    "last token": lambda x: x[torch.arange(x.shape[0]), -1],
    "place of the end token": lambda x: x[torch.arange(x.shape[0]), (x[:, :, 0] > 0).int().argmax(-1)],
}


@pytest.mark.parametrize("name", PER_SAMPLE)
def test_a_place_of_each_sample(name):
    module = Function(PER_SAMPLE[name])
    graph = import_module(module, SEQUENCES)
    expected = module(torch.from_numpy(SEQUENCES)).numpy()
    np.testing.assert_array_equal(run_float(graph, SEQUENCES), expected)
    for index in range(len(SEQUENCES)):
        np.testing.assert_array_equal(run_float(graph, SEQUENCES[index : index + 1]), expected[index : index + 1])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[torch.arange(x.shape[0]).flip(0), x[:, :, 0].argmax(1)],
        lambda x: x[torch.arange(x.shape[0] - 1, -1, -1), x[:, :, 0].argmax(1)],
        lambda x: x[torch.arange(x.shape[0]) * 0, x[:, :, 0].argmax(1)],
        lambda x: x[x[:, 0, 0].argmax(), :] - x,
        lambda x: x[torch.arange(x.shape[0]).clamp(max=1), x[:, :, 0].argmax(1)],
        lambda x: x[torch.arange(x.shape[0])[:, None], torch.arange(x.shape[0]).clamp(max=2)],
        lambda x: x[x[:, :, 0].argmax(1), torch.arange(x.shape[0]).clamp(max=2)],
    ],
)
def test_places_of_other_samples_are_refused(function):
    with pytest.raises(InputError, match="combines different samples; keep the first axis, the sample, out of it"):
        import_module(Function(function), SEQUENCES)


@pytest.mark.parametrize("layer", [nn.SELU, nn.CELU, nn.Mish, nn.ELU, nn.LeakyReLU, nn.Hardswish])
def test_activations_in_place(layer):
    module = nn.Sequential(nn.Linear(8, 4), layer(inplace=True))
    with torch.no_grad():
        expected = module(torch.from_numpy(SEQUENCES)).numpy()
    np.testing.assert_allclose(run_float(import_module(module, SEQUENCES), SEQUENCES), expected, rtol=1e-5, atol=1e-6)
