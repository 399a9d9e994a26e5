"""Every operator against torch's own function, in float64 where rounding is allowed and with == where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812 (its usual name)

from simhw.graph.base import Kind
from simhw.graph.ops import (
    activations_more,
    arrange,
    coded,
    comparisons,
    convolutions,
    create,
    elementwise_more,
    functions,
    image,
    matmul,
    operators,
    quantize_linear,
    reductions,
)

EPSILON = 2.0**-24
"""Half a unit in the last place of float32: the relative error of one rounding."""


def values(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Magnitudes over four decades, both signs."""
    return (rng.standard_normal(shape) * 10.0 ** rng.uniform(-2, 2, shape)).astype(np.float32)


def integers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Small integers: float32 adds and multiplies them exactly in any order."""
    return rng.integers(-9, 10, shape).astype(np.float32)


def sizes(rng: np.random.Generator, axes: int, most: int = 6) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(1, most + 1, axes))


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """What torch says.

    Attributes:
        draw: arguments from a random generator.
        torch: the same in torch.
        bound: largest error allowed, from the arguments in float64; None: none at all.
    """

    draw: Callable[[np.random.Generator], tuple[Any, ...]]
    torch: Callable[..., Any]
    bound: Callable[..., Any] | None = None


def as_torch(value: Any, dtype: torch.dtype) -> Any:
    """Arrays as tensors, floating-point ones in ``dtype``."""
    if isinstance(value, np.ndarray):
        tensor = torch.from_numpy(value)
        return tensor.to(dtype) if tensor.is_floating_point() else tensor
    return tuple(as_torch(item, dtype) for item in value) if isinstance(value, tuple) else value


def one(rng: np.random.Generator) -> tuple[Any, ...]:
    return (values(rng, *sizes(rng, 3)),)


def two(rng: np.random.Generator) -> tuple[Any, ...]:
    """Two arrays that broadcast."""
    shape = sizes(rng, 3)
    other = tuple(n if rng.random() < 0.7 else 1 for n in shape)
    return values(rng, *shape), values(rng, *other)


def two_sizes(rng: np.random.Generator) -> tuple[Any, ...]:
    return sizes(rng, 2, 50)


def nonzero(rng: np.random.Generator) -> tuple[Any, ...]:
    x, y = two(rng)
    return x, np.where(y == 0, np.float32(1), y)


def picture(rng: np.random.Generator) -> np.ndarray:
    return values(rng, *sizes(rng, 2, 3), 12, 8)


def normalised(x: Any, shape: Any, weight: Any, bias: Any) -> Any:
    """Bound of a layer norm: the subtraction of the mean leaves its rounding, in units of the deviation."""
    axes = tuple(range(-len(shape), 0))
    count = int(np.prod(shape))
    deviation = np.sqrt(np.var(x, axis=axes, keepdims=True) + 1e-5)
    largest = np.abs(x).max(axis=axes, keepdims=True)
    return (count + 16) * EPSILON * ((2 * largest / deviation) * np.abs(weight) + np.abs(bias))


def norm_arguments(rng: np.random.Generator) -> tuple[Any, ...]:
    shape = sizes(rng, 3)
    last = shape[-int(rng.integers(1, 3)) :]
    return values(rng, *shape), last, values(rng, *last), values(rng, *last)


def batch_norm_arguments(rng: np.random.Generator) -> tuple[Any, ...]:
    shape = (2, int(rng.integers(1, 5)), *sizes(rng, int(rng.integers(1, 3))))
    channels = shape[1]
    moments = values(rng, channels), np.abs(values(rng, channels))
    return values(rng, *shape), values(rng, channels), values(rng, channels), *moments


def batch_norm_bound(x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
    shape = (1, -1) + (1,) * (x.ndim - 2)
    scale = np.abs(weight / np.sqrt(variance + 1e-5))
    offset = (np.abs(mean) * scale + np.abs(bias)).reshape(shape)
    return 8 * EPSILON * (np.abs(x) * scale.reshape(shape) + offset)


def softmax_bound(x: Any, dim: int) -> Any:
    """The argument of exp carries its own rounding, then a sum and a division."""
    distance = x.max(axis=dim, keepdims=True) - x
    exact = np.exp(-distance) / np.exp(-distance).sum(axis=dim, keepdims=True)
    return (x.shape[dim] + 16 + distance.max()) * EPSILON * exact + 2.0**-126


def expanded(rng: np.random.Generator) -> tuple[Any, ...]:
    x = values(rng, 1, *sizes(rng, 1), 1)
    return x, (*sizes(rng, 1), *sizes(rng, 1), -1, 3)


def sliced(rng: np.random.Generator) -> tuple[Any, ...]:
    x = values(rng, 5, 7)
    dim = int(rng.integers(-2, 2))
    start = None if rng.random() < 0.2 else int(rng.integers(-4, 4))
    end = 2**63 - 1 if rng.random() < 0.3 else int(rng.integers(4, 8))
    return x, dim, start, end, int(rng.integers(1, 4))


def masked(rng: np.random.Generator) -> tuple[Any, ...]:
    tokens, keys = sizes(rng, 2)
    kind = rng.integers(0, 3)
    mask = [None, rng.random((tokens, keys)) < 0.5, values(rng, tokens, keys)][kind]
    return values(rng, 2, tokens, keys), 0.125, mask, bool(rng.integers(0, 2))


def torch_mask(scores: Any, scale: float, mask: Any, causal: bool) -> Any:
    scaled = scores * scale
    if causal:
        scaled = scaled.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
    if mask is None:
        return scaled
    return scaled.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scaled + mask.float()


ORACLES: dict[str, Oracle] = {
    "relu": Oracle(draw=one, torch=F.relu),
    "hardtanh": Oracle(draw=lambda rng: (*one(rng), -0.5, 6.0), torch=F.hardtanh),
    "sigmoid": Oracle(
        draw=one, torch=torch.sigmoid, bound=lambda x: (8 + np.abs(x)) * EPSILON / (1 + np.exp(-x)) + 2.0**-126
    ),
    "silu": Oracle(draw=one, torch=F.silu, bound=lambda x: 8 * EPSILON * np.abs(x)),
    "tanh": Oracle(draw=one, torch=torch.tanh, bound=lambda x: 8 * EPSILON * np.abs(np.tanh(x))),
    "gelu": Oracle(draw=one, torch=F.gelu, bound=lambda x: 16 * EPSILON * np.abs(x)),
    "attention_scores": Oracle(
        draw=lambda rng: (integers(rng, 2, 3, 4, 5), integers(rng, 2, 3, 6, 5)),
        torch=lambda q, k: q @ k.transpose(-1, -2),
    ),
    "attention_values": Oracle(
        draw=lambda rng: (integers(rng, 2, 3, 4, 5), integers(rng, 2, 3, 5, 6)), torch=torch.matmul
    ),
    # Float64 would round the sum with the mask once where float32 rounds twice: torch runs in float32 here.
    "scale_and_mask": Oracle(draw=masked, torch=torch_mask),
    # Of random probabilities; that this is what torch's attention does is tested in test_attention.py.
    "blank_hidden": Oracle(
        draw=lambda rng: (values(rng, 2, 3, 4, 5), rng.random((3, 4, 5)) < 0.2),
        torch=lambda p, mask: p * mask.any(-1, keepdim=True),
    ),
    "batch_norm": Oracle(
        draw=batch_norm_arguments, torch=lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b), bound=batch_norm_bound
    ),
    "add": Oracle(draw=two, torch=torch.add),
    "subtract": Oracle(draw=two, torch=torch.sub),
    "multiply": Oracle(draw=two, torch=torch.mul),
    "divide": Oracle(draw=nonzero, torch=torch.div),
    "negate": Oracle(draw=one, torch=torch.neg),
    "power": Oracle(
        draw=lambda rng: (np.abs(*one(rng)) + np.float32(0.1), float(rng.choice([2, 0.5, -1, 3, 1.7]))),
        torch=torch.pow,
        bound=lambda x, exponent: 8 * EPSILON * x**exponent,
    ),
    "rsqrt": Oracle(
        draw=lambda rng: (np.abs(*one(rng)) + np.float32(0.1),),
        torch=torch.rsqrt,
        bound=lambda x: 4 * EPSILON / np.sqrt(x),
    ),
    "mean": Oracle(
        draw=lambda rng: (
            *one(rng),
            [(0,), (-1,), (1, 2), (), None][int(rng.integers(0, 5))],
            bool(rng.integers(0, 2)),
        ),
        torch=lambda x, dim, keepdim: torch.mean(x, dim, keepdim),
        bound=lambda x, *_: (x.size + 2) * EPSILON * np.abs(x).max(),
    ),
    "layer_norm": Oracle(draw=norm_arguments, torch=F.layer_norm, bound=normalised),
    "linear": Oracle(draw=lambda rng: (integers(rng, 2, 3, 7), integers(rng, 4, 7), integers(rng, 4)), torch=F.linear),
    "conv2d": Oracle(
        draw=lambda rng: (
            integers(rng, 2, 4, 7, 6),
            integers(rng, 6, 2, 3, 2),
            integers(rng, 6),
            (2, 1),
            (1, 2),
            (1, 2),
            2,
        ),
        torch=F.conv2d,
    ),
    "adaptive_average_pool": Oracle(
        draw=lambda rng: (picture(rng), [1, 2, (3, 4), (12, 8), (1, 4)][int(rng.integers(0, 5))]),
        torch=F.adaptive_avg_pool2d,
        bound=lambda x, _: 100 * EPSILON * np.abs(x).max(),
    ),
    "adaptive_average_pool1d": Oracle(
        draw=lambda rng: (values(rng, 2, 3, 12), ([1], [3], [12])[int(rng.integers(0, 3))]),
        torch=F.adaptive_avg_pool1d,
        bound=lambda x, _: 100 * EPSILON * np.abs(x).max(),
    ),
    "max_pool": Oracle(
        draw=lambda rng: (
            picture(rng),
            *[((2, 2), (), (0, 0)), ((3, 2), (2, 1), (1, 1)), ((3,), (2,), (1,))][int(rng.integers(0, 3))],
        ),
        torch=lambda x, kernel, stride, padding: F.max_pool2d(x, list(kernel), list(stride) or None, list(padding)),
    ),
    "max_pool1d": Oracle(draw=lambda rng: (values(rng, 2, 3, 9), (3,), (2,), (1,)), torch=F.max_pool1d),
    "average_pool": Oracle(
        draw=lambda rng: (values(rng, 2, 3, 7, 8), (3, 2), (2, 1), (1, 0), False, bool(rng.integers(2))),
        torch=F.avg_pool2d,
        bound=lambda x, *_: 8 * EPSILON * np.abs(x).max(),
    ),
    "rms_norm": Oracle(
        draw=lambda rng: (*norm_arguments(rng)[:3], 1e-6),
        torch=F.rms_norm,
        bound=lambda x, shape, weight, eps: (
            (np.prod(shape) + 16)
            * EPSILON
            * np.abs(F.rms_norm(*as_torch((x, shape, weight, eps), torch.float64)).numpy())
        ),
    ),
    "softmax": Oracle(draw=lambda rng: (*one(rng), int(rng.integers(-3, 3))), torch=F.softmax, bound=softmax_bound),
    "view": Oracle(draw=lambda rng: (values(rng, 4, 6), (2, -1, 3)), torch=torch.reshape),
    "flatten": Oracle(
        draw=lambda rng: (values(rng, *sizes(rng, 4)), *[(0, -1), (1, 2), (-2, -1), (1, 1)][int(rng.integers(0, 4))]),
        torch=torch.flatten,
    ),
    "transpose": Oracle(
        draw=lambda rng: (*one(rng), int(rng.integers(-3, 3)), int(rng.integers(-3, 3))), torch=torch.transpose
    ),
    "permute": Oracle(draw=lambda rng: (*one(rng), tuple(int(i) for i in rng.permutation(3))), torch=torch.permute),
    "unsqueeze": Oracle(draw=lambda rng: (*one(rng), int(rng.integers(-4, 4))), torch=torch.unsqueeze),
    "squeeze": Oracle(draw=lambda rng: (values(rng, 2, 1, 3), int(rng.integers(-3, 3))), torch=torch.squeeze),
    "expand": Oracle(draw=expanded, torch=lambda x, size: x.expand(size)),
    "slice": Oracle(draw=sliced, torch=torch.ops.aten.slice.Tensor),
    "select": Oracle(
        draw=lambda rng: (values(rng, 3, 4, 5), int(rng.integers(-3, 3)), int(rng.integers(-3, 3))), torch=torch.select
    ),
    "concatenate": Oracle(
        draw=lambda rng: ((values(rng, 2, 3), values(rng, 2, 3), values(rng, 2, 3)), int(rng.integers(-2, 2))),
        torch=torch.cat,
    ),
    "embedding": Oracle(
        draw=lambda rng: (values(rng, 5, 3), rng.integers(0, 5, sizes(rng, 2))), torch=lambda w, i: F.embedding(i, w)
    ),
    "size": Oracle(draw=lambda rng: (*one(rng), int(rng.integers(-3, 3))), torch=lambda x, dim: x.shape[dim]),
    "add_sizes": Oracle(draw=two_sizes, torch=lambda x, y: int(torch.tensor(x) + y)),
    "subtract_sizes": Oracle(draw=two_sizes, torch=lambda x, y: int(torch.tensor(x) - y)),
    "multiply_sizes": Oracle(draw=two_sizes, torch=lambda x, y: int(torch.tensor(x) * y)),
    "divide_sizes": Oracle(draw=two_sizes, torch=lambda x, y: int(torch.tensor(x) // y)),
    "remainder_of_sizes": Oracle(draw=two_sizes, torch=lambda x, y: int(torch.tensor(x) % y)),
    "same": Oracle(draw=lambda rng: (*one(rng), 0.5, False), torch=F.dropout),
}


# Those of test_more_ops.py are ATen's own.
ELSEWHERE = (
    activations_more,
    arrange,
    coded,  # against ONNX Runtime
    comparisons,
    convolutions,
    create,
    elementwise_more,
    functions,
    image,
    matmul,
    quantize_linear,  # against ONNX Runtime
    reductions,
)


def test_every_operator_has_an_oracle():
    assert set(ORACLES) == set(operators()) - {operator.name for file in ELSEWHERE for operator in file.OPERATORS}


@pytest.mark.parametrize("name", ORACLES)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_reference_is_torch(name: str, seed: int):
    oracle = ORACLES[name]
    arguments = oracle.draw(np.random.default_rng(seed))
    result = operators()[name].reference(*arguments)
    expected = oracle.torch(*as_torch(arguments, torch.float32 if oracle.bound is None else torch.float64))
    expected = expected.numpy() if isinstance(expected, torch.Tensor) else np.asarray(expected)
    assert np.shape(result) == expected.shape
    if oracle.bound is None:
        np.testing.assert_array_equal(result, expected)
        return
    wide = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in arguments]
    assert (np.abs(result - expected) <= oracle.bound(*wide)).all()


@pytest.mark.parametrize("name", [n for n in ORACLES if operators()[n].kind is not Kind.MOVE])
def test_results_stay_float32(name: str):
    result = operators()[name].reference(*ORACLES[name].draw(np.random.default_rng(0)))
    assert result.dtype == np.float32
