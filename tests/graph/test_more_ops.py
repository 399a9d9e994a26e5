"""Operators whose oracle is the ATen function that they stand for, called by its own name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.executor import run_float
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.ops import (
    activations_more,
    arrange,
    comparisons,
    convolutions,
    create,
    elementwise_more,
    functions,
    image,
    matmul,
    operators,
    reductions,
)

Draw = Callable[[np.random.Generator], tuple[Any, ...]]
TOLERANCE = 2.0**-18
"""Of the largest value: sums of a few dozen float32 products and functions of a few units in the last place."""


def floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape or (3, 4, 6)).astype(np.float32)


def whole(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Small integers: float32 adds and multiplies them exactly in any order."""
    return rng.integers(-9, 10, shape or (3, 4, 6)).astype(np.float32)


def positive(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.abs(floats(rng, *shape)) + np.float32(0.05)


def flags(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.random(shape or (3, 4, 6)) < 0.5


def one(rng: np.random.Generator) -> tuple[Any, ...]:
    return (floats(rng),)


def two_whole(rng: np.random.Generator) -> tuple[Any, ...]:
    return whole(rng), whole(rng, 4, 1)


def two_flags(rng: np.random.Generator) -> tuple[Any, ...]:
    return flags(rng), flags(rng, 4, 1)


def indices(rng: np.random.Generator, below: int, *shape: int) -> np.ndarray:
    return rng.integers(0, below, shape)


EXACT: dict[str, Draw] = {
    "split": lambda rng: (floats(rng), int(rng.integers(1, 7)), int(rng.integers(-3, 3))),
    "chunk": lambda rng: (floats(rng), int(rng.integers(1, 5)), int(rng.integers(-3, 3))),
    "unbind": lambda rng: (floats(rng), int(rng.integers(-3, 3))),
    "stack": lambda rng: ((floats(rng), floats(rng)), int(rng.integers(-4, 4))),
    "expand_as": lambda rng: (floats(rng, 4, 1), floats(rng)),
    "flip": lambda rng: (floats(rng), [0, -1]),
    "roll": lambda rng: (floats(rng), [int(rng.integers(-7, 8))], [int(rng.integers(-3, 3))]),
    "repeat": lambda rng: (floats(rng), [2, 1, 3]),
    "repeat_each": lambda rng: (floats(rng), 3, 1),
    "pad": lambda rng: (floats(rng), [1, 2, 0, 3], "constant", 1.5),
    "index": lambda rng: (floats(rng), [None, indices(rng, 4, 5)]),
    "gather": lambda rng: (floats(rng), 1, indices(rng, 4, 3, 2, 6)),
    "scatter": lambda rng: (
        floats(rng),
        -1,
        rng.permutation(6)[:2].reshape(1, 1, 2).repeat(4, 1).repeat(3, 0),
        floats(rng),
    ),
    "index_select": lambda rng: (floats(rng), -1, indices(rng, 6, 4)),
    "one_hot": lambda rng: (indices(rng, 5, 3, 2), 5),
    "unflatten": lambda rng: (floats(rng), -1, [2, 3]),
    "unfold": lambda rng: (floats(rng), int(rng.integers(1, 3)), 3, int(rng.integers(1, 3))),
    "pixel_shuffle": lambda rng: (floats(rng, 2, 8, 3, 5), 2),
    "lower_triangle": lambda rng: (floats(rng), int(rng.integers(-3, 4))),
    "upper_triangle": lambda rng: (floats(rng), int(rng.integers(-3, 4))),
    "reverse_axes": lambda rng: (floats(rng, 3, 5),),
    "greater": two_whole,
    "greater_equal": two_whole,
    "less": two_whole,
    "less_equal": two_whole,
    "equal": two_whole,
    "not_equal": two_whole,
    "logical_and": two_flags,
    "logical_or": two_flags,
    "logical_not": lambda rng: (flags(rng),),
    "where": lambda rng: (flags(rng, 4, 1), floats(rng), floats(rng)),
    "masked_fill": lambda rng: (floats(rng), flags(rng), -np.inf),
    "conv1d": lambda rng: (whole(rng, 2, 4, 9), whole(rng, 6, 2, 3), whole(rng, 6), [2], [1], [2], 2),
    "conv_transpose2d": lambda rng: (
        *(whole(rng, 2, 4, 3, 5), whole(rng, 4, 3, 3, 2), whole(rng, 6)),
        *([2, 1], [1, 0], [1, 0], 2, [1, 2]),
    ),
    "zeros_like": one,
    "ones_like": one,
    "full_like": lambda rng: (floats(rng), 2.5),
    "new_zeros": lambda rng: (floats(rng), [2, 3]),
    "new_ones": lambda rng: (floats(rng), [2, 3]),
    "full": lambda _: ([2, 3], 2.5),
    "zeros": lambda _: ([2, 3],),
    "ones": lambda _: ([2, 3],),
    "count_up": lambda rng: (int(rng.integers(1, 9)),),
    "square": one,
    "reverse_subtract": two_whole,
    "floor_divide": lambda rng: (indices(rng, 50, 3, 4) - 20, int(rng.integers(1, 9))),
    "difference": lambda rng: (whole(rng), int(rng.integers(1, 3)), int(rng.integers(-3, 3))),
    "cast_and_move": lambda rng: (3 * floats(rng), torch.device("cpu"), [torch.int64, torch.float32][rng.integers(2)]),
    "abs": one,
    "sign": lambda rng: (whole(rng),),
    "reciprocal": lambda rng: (positive(rng),),
    "floor": lambda rng: (3 * floats(rng),),
    "ceil": lambda rng: (3 * floats(rng),),
    "round": lambda rng: (whole(rng) / np.float32(2),),
    "clamp": lambda rng: (floats(rng), [None, -0.5][int(rng.integers(2))], 0.25),
    "clamp_min": lambda rng: (floats(rng), -0.5),
    "minimum": two_whole,
    "maximum": two_whole,
    "upsample_nearest": lambda rng: (floats(rng, 2, 3, 4, 5), None, [2.0, 3.0]),
    "leaky_relu": lambda rng: (floats(rng), 0.125),
    "prelu": lambda rng: (floats(rng), floats(rng, 4)),
    "add_product": lambda rng: (whole(rng, 5), whole(rng, 3, 4), whole(rng, 4, 5)),
    "matmul": lambda rng: (whole(rng, 2, 3, 4, 5), whole(rng, 3, 5, 6)),
    "einsum": lambda rng: ("bhtd,bhsd->bhts", (whole(rng, 2, 3, 4, 5), whole(rng, 2, 3, 6, 5))),
    "amax": lambda rng: (floats(rng), [0, -1], bool(rng.integers(2))),
    "amin": lambda rng: (floats(rng), [1], bool(rng.integers(2))),
    "sum": lambda rng: (whole(rng), [0, -1], bool(rng.integers(2))),
    "running_sum": lambda rng: (whole(rng), int(rng.integers(-3, 3))),
    "argmax": lambda rng: (floats(rng), int(rng.integers(-3, 3)), bool(rng.integers(2))),
    "largest": lambda rng: (floats(rng), int(rng.integers(-3, 3)), bool(rng.integers(2))),
    "top": lambda rng: (floats(rng), 3, -1, bool(rng.integers(2))),
}

ROUNDED: dict[str, Draw] = {
    "hardsigmoid": lambda rng: (3 * floats(rng),),
    "hardswish": lambda rng: (3 * floats(rng),),
    "elu": lambda rng: (floats(rng), 1.5),
    "celu": lambda rng: (floats(rng), 1.5),
    "selu": one,
    "softplus": lambda rng: (30 * floats(rng), 2.0, 20.0),
    "mish": one,
    "log_sigmoid": one,
    "log_softmax": lambda rng: (floats(rng), int(rng.integers(-3, 3))),
    "glu": lambda rng: (floats(rng), -1),
    # NumPy's root is correctly rounded, torch's is not on every processor.
    "sqrt": lambda rng: (positive(rng),),
    "exp": one,
    "expm1": one,
    "log": lambda rng: (positive(rng),),
    "log1p": lambda rng: (positive(rng),),
    "sin": one,
    "cos": one,
    "erf": one,
    "var": lambda rng: (floats(rng), [0, 2], bool(rng.integers(2)), bool(rng.integers(2))),
    "std": lambda rng: (floats(rng), [-1], bool(rng.integers(2)), bool(rng.integers(2))),
    "vector_norm": lambda rng: (floats(rng), [1, 2, 3, np.inf][int(rng.integers(4))], [-1], bool(rng.integers(2))),
    "log_sum_exp": lambda rng: (floats(rng), [0, -1], bool(rng.integers(2))),
    "upsample_bilinear": lambda rng: (floats(rng, 2, 3, 4, 5), None, bool(rng.integers(2)), [2.0, 3.0]),
    "group_norm": lambda rng: (floats(rng, 2, 6, 3, 4), 3, floats(rng, 6), floats(rng, 6)),
    "instance_norm": lambda rng: (
        floats(rng, 2, 4, 3, 5),
        floats(rng, 4),
        floats(rng, 4),
        None,
        None,
        True,
        0.1,
        1e-5,
        False,
    ),
}
OWN = {"item", "several", "cast"}
"""No ATen function with one result: the modules of test_more_modules.py run through them."""


FILES = (
    activations_more,
    arrange,
    comparisons,
    convolutions,
    create,
    elementwise_more,
    functions,
    image,
    matmul,
    reductions,
)


def test_every_operator_of_these_files_has_an_oracle():
    assert {*EXACT, *ROUNDED, *OWN} == {operator.name for file in FILES for operator in file.OPERATORS}


def as_torch(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    return type(value)(as_torch(item) for item in value) if isinstance(value, tuple | list) else value


def aten(name: str) -> Callable[..., Any]:
    """Return the first ATen overload that the operator stands for."""
    packet, overload = operators()[name].aten[0].split(".")
    return getattr(getattr(torch.ops.aten, packet), overload)


def results(value: Any) -> list[np.ndarray]:
    values = value if isinstance(value, tuple | list) else [value]
    return [np.asarray(each) for each in values]


@pytest.mark.parametrize("name", EXACT | ROUNDED)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_reference_is_aten(name: str, seed: int):
    arguments = (EXACT | ROUNDED)[name](np.random.default_rng(seed))
    ours = results(operators()[name].reference(*arguments))
    theirs = results(aten(name)(*as_torch(list(arguments))))
    assert len(ours) == len(theirs)
    for result, expected in zip(ours, theirs, strict=True):
        assert result.shape == expected.shape
        assert result.dtype.kind == expected.dtype.kind
        if name in EXACT:
            np.testing.assert_array_equal(result, expected)
        else:
            np.testing.assert_allclose(result, expected, rtol=TOLERANCE, atol=TOLERANCE * np.abs(expected).max())


class Casts(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        counts = (x > 0).to(torch.int64).sum(-1)
        return counts.type_as(x) / x.shape[-1]


def test_casts_keep_the_values():
    x = floats(np.random.default_rng(0), 5, 7)
    with torch.no_grad():
        np.testing.assert_array_equal(run_float(import_module(Casts(), x), x), Casts()(torch.from_numpy(x)).numpy())
