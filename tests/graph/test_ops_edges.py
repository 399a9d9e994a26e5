"""Operators at the edges: numbers beside arrays, special values, arguments that are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 (its usual name)

from simhw.errors import InputError
from simhw.graph.frontends.onnx import library
from simhw.graph.ops import by_aten, operators

EPSILON = 2.0**-24
"""Half a unit in the last place of float32: the relative error of one rounding."""


@pytest.mark.parametrize(
    ("name", "factor"), [("add", 1), ("add", 3), ("subtract", 2), ("multiply", None), ("divide", None)]
)
@pytest.mark.parametrize("number", [2, 0.3])
def test_python_numbers_and_alpha(name: str, factor: int | None, number: float):
    x = np.random.default_rng(1).standard_normal((4, 5)).astype(np.float32)
    keywords = {} if factor is None else {"alpha": factor}
    result = operators()[name].reference(x, number, **keywords)
    function = {"add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.div}[name]
    assert result.dtype == np.float32
    # A number is float64 in torch's scalar argument: one rounding more or less.
    np.testing.assert_allclose(
        result, function(torch.from_numpy(x), number, **keywords), rtol=4 * EPSILON, atol=4 * EPSILON
    )


def test_gelu_by_tanh():
    x = np.linspace(-8, 8, 1001, dtype=np.float32)
    expected = F.gelu(torch.from_numpy(x).double(), approximate="tanh").numpy()
    assert (np.abs(operators()["gelu"].reference(x, approximate="tanh") - expected) <= 16 * EPSILON * np.abs(x)).all()


# Without gelu: torch returns NaN for +infinity, where the limit is infinity.
@pytest.mark.parametrize("function", [F.relu, F.hardtanh, torch.sigmoid, torch.tanh, F.silu], ids=lambda f: f.__name__)
def test_special_values(function: Any):
    x = np.array([np.nan, np.inf, -np.inf, 0.0], np.float32)
    with np.errstate(invalid="ignore"):
        result = operators()[function.__name__].reference(x)
    np.testing.assert_array_equal(result, function(torch.from_numpy(x)).numpy())


def test_every_overload_exists_in_torch():
    assert library.quantize_linear  # its import registers the library simhw
    for overload in by_aten():
        own = overload.startswith("simhw.")
        packet, _, name = overload.removeprefix("simhw.").partition(".")
        assert name in getattr(torch.ops.simhw if own else torch.ops.aten, packet).overloads(), overload


def refused() -> list[tuple[str, tuple[Any, ...], str]]:
    x = np.zeros((2, 3, 8, 8), np.float32)
    channel = np.ones(3, np.float32)
    table = np.zeros((5, 2), np.float32)
    return [
        ("gelu", (x, "fast"), "approximation is 'fast', must be 'none' or 'tanh'"),
        ("adaptive_average_pool", (x, (3, 3)), "output size must divide the input size"),
        ("max_pool", (x, (2, 2), (2, 2), (0, 0), (1, 1), True), "ceil_mode or dilation is not supported"),
        ("max_pool", (x, (2, 2), (2, 2), (0, 0), (2, 2)), "ceil_mode or dilation is not supported"),
        ("batch_norm", (x, channel, channel, channel, channel, True), "training mode, must use stored statistics"),
        ("batch_norm", (x, channel, channel, None, None), "training mode, must use stored statistics"),
        ("embedding", (table, np.array([0, 5])), r"int64 in 0\.\.5, must be integers in 0\.\.4"),
        ("embedding", (table, np.array([0, -1])), r"in -1\.\.0, must be integers in 0\.\.4"),
        ("embedding", (table, np.array([0.0])), "indices are float64"),
    ]


@pytest.mark.parametrize(("name", "arguments", "message"), refused())
def test_bad_arguments(name: str, arguments: tuple[Any, ...], message: str):
    with pytest.raises(InputError, match=message):
        operators()[name].reference(*arguments)
