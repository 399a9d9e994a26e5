"""The steps of integer networks. Every array and number in them is an integer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.paths.int8 import dot, exact_here, worthwhile
from simhw.gemm.windows import Windows
from simhw.integers.network import Codes
from simhw.integers.scaling import LOWEST, Integers, Scaling, as_codes

LEFT_SHIFT = 20
"""By which both operands of an addition are shifted before they are brought to one scale (TensorFlow Lite, add)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """A matrix product: sums in int32, bias, scaling, zero point, clamping.

    Attributes:
        weight: ``(groups, n, k)`` int8.
        bias: ``(groups, n)`` int32 codes, with ``-zero_point * sum(weight)`` of the input's zero point in them.
        scaling: one scale per output.
        zero_point: of the results.
    """

    weight: NDArray[np.int8]
    bias: Integers
    scaling: Scaling
    zero_point: int

    def multiply(self, rows: NDArray[np.int8]) -> Codes:
        """Return ``(groups, m, n)`` codes for ``(groups, m, k)`` codes."""
        groups, m, k = rows.shape
        n = self.weight.shape[1]
        if worthwhile(m, n, k) and exact_here():
            sums: Any = dot(np.ascontiguousarray(rows), self.weight)
        else:
            sums = np.matmul(rows.astype(np.int32), self.weight.astype(np.int32).swapaxes(1, 2))
        total = sums.astype(np.int64) + self.bias[:, None, :]
        columns = total.transpose(1, 0, 2).reshape(m, groups * n)
        scaled = self.scaling.apply(columns).reshape(m, groups, n).transpose(1, 0, 2)
        return as_codes(scaled, self.zero_point)


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear:
    """A fully connected layer on ``(..., k)`` codes."""

    product: Product

    def run(self, *codes: Codes) -> Codes:
        """Return ``(..., n)`` codes."""
        (x,) = codes
        result = self.product.multiply(x.reshape(1, -1, x.shape[-1]))
        return result.reshape(*x.shape[:-1], -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution:
    """A convolution on ``(batch, channels, height, width)`` codes; the border holds the code of zero.

    Attributes:
        product: over windows, channels fastest.
        kernel, stride, padding, dilation: vertical and horizontal.
        groups: of channels.
        border: the input's zero point.
    """

    product: Product
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    border: int

    def run(self, *codes: Codes) -> Codes:
        """Return ``(batch, filters, height, width)`` codes."""
        (x,) = codes
        windows = Windows(
            image=(x.shape[2], x.shape[3]),
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        made = self.product.multiply(windows.patches(windows.pad(x, self.border)))
        return made.transpose(1, 0, 2).reshape(len(x), *windows.output, -1).transpose(0, 3, 1, 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Add:
    """An addition of codes of two scales: both to one finer scale, added, to the scale of the result.

    Attributes:
        zero_points: of both operands.
        operands: from each operand's scale to the common one.
        result: from there to the result's.
        zero_point: of the result.
    """

    zero_points: tuple[int, int]
    operands: tuple[Scaling, Scaling]
    result: Scaling
    zero_point: int

    def run(self, *codes: Codes) -> Codes:
        """Return the codes of the sums."""
        x, y = np.broadcast_arrays(*codes)
        total: Any = 0
        for one, zero, scaling in zip((x, y), self.zero_points, self.operands, strict=True):
            shifted = (one.astype(np.int64) - zero) << LEFT_SHIFT
            total = total + scaling.apply(shifted.reshape(-1, 1))
        return as_codes(self.result.apply(total), self.zero_point).reshape(x.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Rescale:
    """Codes of one scale to codes of another, or to those of the numbers above zero alone.

    Attributes:
        zero_before, zero_point: zero points.
        scaling: from scale to scale.
        positive: whether negative numbers become zero.
    """

    zero_before: int
    scaling: Scaling
    zero_point: int
    positive: bool = False

    def run(self, *codes: Codes) -> Codes:
        """Return codes of the same shape."""
        (x,) = codes
        lowest = self.zero_point if self.positive else LOWEST
        values = self.scaling.apply((x.astype(np.int64) - self.zero_before).reshape(-1, 1))
        return as_codes(values, self.zero_point, lowest).reshape(x.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanPool:
    """Means over equal windows: sums of codes, scaled by ``scale / (window * result scale)``.

    Attributes:
        size: of the output, or None for the mean over both axes.
        zero_before, zero_point: zero points.
        scaling: for the windows' number of elements.
        window: that number.
    """

    size: tuple[int, int]
    zero_before: int
    scaling: Scaling
    zero_point: int
    window: int

    def run(self, *codes: Codes) -> Codes:
        """Return ``(batch, channels, height, width)`` codes."""
        (x,) = codes
        height, width = self.size
        windows = x.reshape(*x.shape[:2], height, x.shape[2] // height, width, x.shape[3] // width)
        sums = windows.sum(axis=(3, 5), dtype=np.int64) - self.window * self.zero_before
        return as_codes(self.scaling.apply(sums.reshape(-1, 1)), self.zero_point).reshape(sums.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool:
    """The largest code of each window; the border never wins."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    def run(self, *codes: Codes) -> Codes:
        """Return ``(batch, channels, height, width)`` codes."""
        (x,) = codes
        edges = ((0, 0), (0, 0), *((pad, pad) for pad in self.padding))
        padded = np.pad(x, edges, constant_values=LOWEST)
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.kernel, axis=(2, 3))
        largest: Codes = windows[:, :, :: self.stride[0], :: self.stride[1]].max(axis=(4, 5))
        return largest


@dataclass(frozen=True, kw_only=True, eq=False)
class Move:
    """An operator that moves codes without changing any.

    Attributes:
        reference: the operator's function.
        arguments: behind the codes.
    """

    reference: Callable[..., Any]
    arguments: Sequence[Any]

    def run(self, *codes: Codes) -> Codes:
        """Return the codes elsewhere."""
        moved: Codes = self.reference(codes[0], *self.arguments)
        return moved
