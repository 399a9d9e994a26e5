"""Convolution as a GEMM over patches: any stride, padding, dilation and groups, with ==.

Integers small enough that float32 adds and multiplies them exactly take every tolerance away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812 (its usual name)

from simhw.gemm.windows import Windows
from simhw.graph.ops.conv2d import conv2d, lower


@dataclass(frozen=True, kw_only=True)
class Case:
    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray | None
    window: dict[str, Any]
    groups: int

    def expected(self) -> np.ndarray:
        bias = None if self.bias is None else torch.from_numpy(self.bias)
        x, weight = torch.from_numpy(self.x), torch.from_numpy(self.weight)
        return F.conv2d(x, weight, bias, groups=self.groups, **self.window).numpy()


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 3)))
    window = {
        "stride": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "padding": draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        "dilation": dilation,
    }
    span = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    batch, groups, channels, filters = (draw(st.integers(1, 3)) for _ in range(4))
    height, width = (least + draw(st.integers(0, 5)) for least in span)

    def integers(*shape: int) -> np.ndarray:
        return rng.integers(-9, 10, shape).astype(np.float32)

    return Case(
        x=integers(batch, groups * channels, height, width),
        weight=integers(groups * filters, channels, *kernel),
        bias=integers(groups * filters) if draw(st.booleans()) else None,
        window=window,
        groups=groups,
    )


@given(cases())
def test_reference_is_torch(case: Case):
    result = conv2d(case.x, case.weight, case.bias, *case.window.values(), case.groups)
    np.testing.assert_array_equal(result, case.expected())
    assert result.dtype == np.float32


@given(cases())
def test_lowered_gemm_is_torch(case: Case):
    gemm = lower(case.x, case.weight, case.bias, *case.window.values(), case.groups).as_matmul()
    product = gemm.a @ gemm.b.swapaxes(1, 2)
    result = gemm.finish(product if gemm.bias is None else product + gemm.bias)
    expected = case.expected()
    np.testing.assert_array_equal(result, expected)
    assert gemm.rows_per_scale == expected.shape[2] * expected.shape[3]
    assert not gemm.samples_in_batch


@given(cases())
def test_rows_of_a_sample_are_neighbours(case: Case):
    """One activation scale covers the pixels of one image: the rows of every image are those of the image alone."""
    whole = lower(case.x, case.weight, None, *case.window.values(), case.groups).as_matmul()
    pixels = whole.rows_per_scale
    for sample in range(len(case.x)):
        alone = lower(case.x[sample : sample + 1], case.weight, None, *case.window.values(), case.groups).as_matmul()
        np.testing.assert_array_equal(whole.a[:, sample * pixels : (sample + 1) * pixels], alone.a)


def test_channels_vary_fastest():
    x = np.arange(2 * 3 * 3, dtype=np.float32).reshape(1, 2, 3, 3)
    windows = Windows(image=(3, 3), kernel=(2, 2))
    assert windows.output == (2, 2)
    assert windows.patches(x)[0, 0].tolist() == [0, 9, 1, 10, 3, 12, 4, 13]
