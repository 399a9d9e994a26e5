"""Modules through the importer: torch's own output again, steps with names, and clear refusals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.base import Graph, Kind
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.ops import operators

Forward = Callable[..., Tensor]


class Calls(nn.Module):
    """A module whose forward is a function of the module and its input."""

    def __init__(self, function: Forward, *parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 1.5, width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


class Masked(nn.Module):
    """Attention under a mask of minus infinity that is a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.full((6, 6), -torch.inf).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x, attn_mask=self.mask, scale=0.3)


def tensor(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


SEQUENCES, IMAGES, TOKENS = tensor(5, 6, 8), tensor(5, 4, 8, 8), np.arange(15).reshape(5, 3) % 7

MODULES: dict[str, tuple[nn.Module, np.ndarray]] = {
    "perceptron": (nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 3)), SEQUENCES),
    "convolutions": (
        nn.Sequential(
            nn.Conv2d(4, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32, 3),
        ),
        IMAGES,
    ),
    "depthwise": (nn.Sequential(nn.Conv2d(4, 8, 3, groups=4, dilation=2), nn.SiLU(), nn.AdaptiveAvgPool2d(1)), IMAGES),
    "layer norm": (nn.Sequential(nn.LayerNorm(8), nn.Tanh(), nn.Softmax(dim=1), nn.Dropout(0.5)), SEQUENCES),
    "embedding": (nn.Sequential(nn.Embedding(7, 8), nn.Linear(8, 2)), TOKENS),
    "own RMS norm": (RMSNorm(8), SEQUENCES),
    "torch RMS norm": (nn.RMSNorm(8), SEQUENCES),
    "shared layer": (Calls(lambda self, x: self.parts[0](self.parts[0](x)), nn.Linear(8, 8)), SEQUENCES),
    "causal attention": (Calls(lambda _, x: F.scaled_dot_product_attention(x, x, x, is_causal=True)), SEQUENCES),
    "masked attention": (Masked(), SEQUENCES),
    "sizes": (Calls(lambda _, x: x.reshape(x.shape[0] * x.shape[1], -1).reshape(-1, 6 // 2, 2, 8)), SEQUENCES),
    "scaled weight": (Calls(lambda self, x: F.linear(x, self.parts[0].weight * 0.5), nn.Linear(8, 3)), SEQUENCES),
    "slices": (Calls(lambda _, x: torch.cat([-x[..., 4:], x[..., :4]], -1)[:, 1::2] / 3 - 1), SEQUENCES),
    "in place": (Calls(lambda _, x: F.relu(x * 2.0, inplace=True).add_(1.0)), SEQUENCES),
    "reciprocal root inside": (
        Calls(lambda _, x: torch.cat([x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5), x], -1)),
        SEQUENCES,
    ),
    "root joined": (
        Calls(lambda _, x: torch.cat([torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5), x], -1)),
        SEQUENCES,
    ),
    "gated norm": (Calls(lambda self, x: self.parts[0](x) * x, RMSNorm(8)), SEQUENCES),
    "identity": (Calls(lambda _, x: x), SEQUENCES),
}


@pytest.mark.parametrize("name", MODULES)
def test_output_is_that_of_torch(name: str):
    torch.manual_seed(0)
    module, x = MODULES[name]
    graph = import_module(module, x[:1])
    with torch.no_grad():
        expected = module.eval()(torch.from_numpy(x)).numpy()
    # Float32 rounding in another order of summation: sums here have at most 72 terms of order 1.
    np.testing.assert_allclose(run_float(graph, x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODULES)
def test_labels_are_unique(name: str):
    labels = [node.label for node in import_module(*MODULES[name]).nodes]
    assert len(set(labels)) == len(labels)
    assert all(labels)


def steps(graph: Graph) -> list[tuple[str, str]]:
    """Operator and label of what computes."""
    return [(n.operator, n.label) for n in graph.nodes if operators()[n.operator].kind is not Kind.MOVE]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = RMSNorm(8)
        self.query = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.query(self.norm(x))
        return x + F.scaled_dot_product_attention(y, y, y, is_causal=True)


def test_norms_fuse_attention_splits_labels_are_module_paths():
    graph = import_module(nn.Sequential(Block(), Block()), SEQUENCES)
    block = [
        ("rms_norm", "norm"),
        ("linear", "query"),
        ("attention_scores", "attention_scores"),
        ("scale_and_mask", "scale_and_mask"),
        ("softmax", "softmax"),
        ("attention_values", "attention_values"),
        ("add", "add"),
    ]
    assert steps(graph) == [(operator, f"{index}.{label}") for index in (0, 1) for operator, label in block]


def test_repeated_steps_are_numbered():
    shared, _ = MODULES["shared layer"]
    assert steps(import_module(shared, SEQUENCES)) == [("linear", "parts.0.linear"), ("linear", "parts.0.linear#2")]


def test_source_is_the_line_of_the_module():
    graph = import_module(nn.Sequential(RMSNorm(8)), SEQUENCES)
    assert graph.nodes[-1].source.startswith(f"{__file__}:")


def test_what_depends_on_no_input_is_computed_once():
    module, _ = MODULES["scaled weight"]
    graph = import_module(module, SEQUENCES)
    assert steps(graph) == [("linear", "linear")]
    (weight,) = graph.constants.values()
    np.testing.assert_array_equal(weight, module.parts[0].weight.detach().numpy() * np.float32(0.5))


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_any_number_of_samples(batch: int):
    module, _ = MODULES["perceptron"]
    graph = import_module(module, SEQUENCES[:1])
    assert run_float(graph, tensor(batch, 6, 8)).shape == (batch, 6, 3)


def test_modes_of_the_module_are_left_as_they_were():
    module = nn.Sequential(nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    module[1].eval()
    import_module(module, IMAGES)
    assert [part.training for part in module] == [True, False]


def test_half_precision_weights_become_float32():
    module = nn.Sequential(nn.Embedding(7, 8)).to(torch.bfloat16)
    graph = import_module(module, TOKENS)
    np.testing.assert_array_equal(run_float(graph, TOKENS), module(torch.from_numpy(TOKENS)).float().detach().numpy())


class Gate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def not_finite(value: float) -> nn.Module:
    module = nn.Sequential(nn.Linear(8, 8))
    module[0].weight.data[2, 3] = value
    return module


HERE = r"test_torch_export\.py:\d+"
SUPPORT = r"is not supported; add it to a file of simhw/graph/ops, or rewrite the module without it"
REFUSED: dict[str, tuple[nn.Module, np.ndarray, str]] = {
    "unknown operator": (
        nn.Sequential(Calls(lambda _, x: torch.erfinv(x))),
        SEQUENCES,
        rf"aten\.erfinv\.default \(node 'erfinv', module 0, .*{HERE}\) {SUPPORT}",
    ),
    "control flow": (
        nn.Sequential(nn.ReLU(), Gate()),
        SEQUENCES,
        rf"cannot be exported by torch\.export \(1, .*{HERE}: .*data-dependent.*must be free of data-dependent control",
    ),
    "batch size in a shape": (Calls(lambda _, x: x.view(2, -1)), SEQUENCES, "accept any number of samples"),
    "wrong example": (nn.Linear(9, 2), SEQUENCES, "cannot be exported"),
    "no sample": (nn.Linear(8, 2), SEQUENCES[:0], "has 0 samples, at least 1 is needed"),
    "batch statistics": (
        nn.Sequential(nn.BatchNorm2d(4, track_running_stats=False)),
        IMAGES,
        r"batch_norm\.default \(node 'batch_norm', module 0,.* takes the statistics of the batch .*must use",
    ),
    "dropout in training": (
        Calls(lambda _, x: F.dropout(x)),
        SEQUENCES,
        r"\(node 'dropout',.* at random .*training=self",
    ),
    "mean over samples": (
        Calls(lambda _, x: x - x.mean()),
        SEQUENCES,
        r"mean\.default \(node 'mean'.* different samples; keep",
    ),
    "softmax over samples": (Calls(lambda _, x: x.softmax(0)), SEQUENCES, "different samples"),
    "weight from the input": (
        Calls(lambda _, x: F.linear(x, torch.ones(8, 8) * x.shape[0])),
        SEQUENCES,
        r"weight of linear \(node 'linear'.*computed from the input, must be",
    ),
    "attention with dropout": (
        Calls(lambda _, x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.1)),
        SEQUENCES,
        r"attention \(node 'scaled_dot_product_attention', top module.* set dropout_p=0",
    ),
    "NaN weight": (
        not_finite(float("nan")),
        SEQUENCES,
        r"weight '0\.weight' holds NaN or infinity, .* check the weights file",
    ),
    "infinite weight": (not_finite(float("inf")), SEQUENCES, r"weight '0\.weight' holds NaN or infinity"),
    "two outputs": (Calls(lambda _, x: (x, -x)), SEQUENCES, "returns 2 values, must return one tensor"),
    "output and nothing": (Calls(lambda _, x: (-x, None)), SEQUENCES, "returns 2 values, must return one tensor"),
    "constant output": (
        Calls(lambda self, _: self.parts[0].weight, nn.Linear(2, 2)),
        SEQUENCES,
        "does not depend on its input",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_where_and_what_to_do(name: str, capfd: pytest.CaptureFixture[str]):
    module, example, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        import_module(module, example)
    assert capfd.readouterr() == ("", "")
