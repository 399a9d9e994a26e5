"""A convolution's activations become codes: once per pixel where the scheme allows it, else a few images at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simhw.execution import Arithmetic
from simhw.gemm.convolve import BLOCK, Images, Results, convolve
from simhw.gemm.engine import Product, total_sums
from simhw.gemm.operand import Operand, Storage
from simhw.gemm.stored import StoredScale
from simhw.graph.base import Convolution
from simhw.quantize import OperandScheme, ValueRange


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """The second operand of a convolution.

    Attributes:
        operand: prepared, ``(groups, n, k)``.
        minimum: as for :func:`simhw.gemm.engine.multiply`.
        order: ``(k,)`` input that meets each column of the codes; None: as is.
    """

    operand: Operand
    minimum: Operand | None = None
    order: NDArray[np.int64] | None = None


def run_convolution(
    convolution: Convolution,
    weights: Weights,
    arithmetic: Arithmetic,
    scheme: OperandScheme,
    *,
    static: ValueRange | None = None,
    stored: StoredScale | None = None,
) -> tuple[Product, Storage]:
    """Return what ``convolution.as_matmul()`` gives, as ``(batch, filters, height, width)``, and how codes are stored.

    Args:
        convolution: the step.
        weights: its second operand.
        arithmetic: the datapath and the method.
        scheme: of the activations.
        static: their calibrated range.
        stored: scale of the results, for datapaths that requantize.

    Raises:
        InputError: values that are not finite, operands that the datapath does not take.
    """
    trimmed = convolution.windows.trim(convolution.x)
    if trimmed is None or weights.order is not None or not scheme.goes_by_range(static):
        return _by_windows(convolution, weights, arithmetic, scheme, static, stored)
    x, windows = trimmed
    batch, channels, height, width = x.shape
    rows = np.ascontiguousarray(x).reshape(1, batch * windows.groups, -1)
    operand = arithmetic.method.quantize(rows, scheme, rows_per_scale=1, rows_per_tensor=1, static=static)
    product = convolve(
        Images(operand=operand, shape=(batch, channels, height, width), groups=windows.groups),
        weights.operand,
        windows,
        arithmetic.datapath,
        bias=convolution.bias,
        chain=arithmetic.chain,
        stored=stored,
        minimum=weights.minimum,
    )
    return product, Storage.of(operand)


def _by_windows(
    convolution: Convolution,
    weights: Weights,
    arithmetic: Arithmetic,
    scheme: OperandScheme,
    static: ValueRange | None,
    stored: StoredScale | None,
) -> tuple[Product, Storage]:
    """Quantize the contents of windows, of a few images at a time: no scale spans several images."""
    windows, x, b = convolution.windows, convolution.x, weights.operand
    results = Results(len(x), windows, b, arithmetic.datapath, convolution.bias, stored)
    step = max(1, BLOCK // (windows.groups * windows.pixels * b.codes.shape[2]))
    for image in range(0, len(x), step):
        values = windows.patches(windows.pad(x[image : image + step]))
        a = arithmetic.method.quantize(
            values if weights.order is None else values[:, :, weights.order],
            scheme,
            rows_per_scale=windows.pixels,
            rows_per_tensor=windows.pixels,
            static=static,
        )
        if a.row_scale is not None:  # one for all windows of a group of an image
            results.scale(image, np.ascontiguousarray(a.row_scale[:, :: windows.pixels].T))
        totals = total_sums(a, b, arithmetic.datapath, chain=arithmetic.chain, minimum=weights.minimum)
        results.add(totals, a, image)
    return results.product(), Storage.of(a)
