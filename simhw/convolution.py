"""A convolution's activations become codes: once per pixel where the scheme allows it, else a few images at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.execution import Arithmetic
from simhw.formats import get_block_format
from simhw.gemm.convolve import BLOCK, Images, Results, convolve
from simhw.gemm.engine import Product, total_sums
from simhw.gemm.operand import Operand, Storage
from simhw.gemm.stored import StoredScale
from simhw.graph.base import Convolution
from simhw.quantize import Granularity, OperandScheme, ValueRange


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
    if trimmed is None or weights.order is not None:
        return _by_windows(convolution, weights, arithmetic, scheme, static, stored)
    x, windows = trimmed
    if scheme.granularity is Granularity.BLOCK and x.shape[1] // windows.groups % block_size(scheme) == 0:
        return _by_pixels(replace(convolution, x=x, windows=windows), weights, arithmetic, scheme, stored)
    if not scheme.goes_by_range(static):
        return _by_windows(convolution, weights, arithmetic, scheme, static, stored)
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


def block_size(scheme: OperandScheme) -> int:
    """Return the k per scale of a block format."""
    return get_block_format(scheme.format).block_size


def _by_pixels(
    convolution: Convolution,
    weights: Weights,
    arithmetic: Arithmetic,
    scheme: OperandScheme,
    stored: StoredScale | None,
) -> tuple[Product, Storage]:
    """Quantize the blocks of each pixel, padding included, where no block spans several pixels of a window."""
    windows, x, b = convolution.windows, convolution.x, weights.operand
    results = Results(len(x), windows, b, arithmetic.datapath, convolution.bias, stored)
    groups, channels = windows.groups, x.shape[1] // windows.groups
    size = windows.padded
    step = max(1, BLOCK // (groups * windows.pixels * b.codes.shape[2]))
    for image in range(0, len(x), step):
        padded = windows.pad(x[image : image + step])
        images = len(padded)
        pixels = padded.reshape(images, groups, channels, -1).transpose(1, 0, 3, 2)
        rows = np.ascontiguousarray(pixels).reshape(groups, -1, channels)
        a = arithmetic.method.quantize(rows, scheme, rows_per_tensor=size[0] * size[1])
        assert a.group_scale is not None

        def patches(values: NDArray[Any], images: int = images) -> NDArray[Any]:
            by_image = values.reshape(groups, images, *size, -1).transpose(1, 0, 4, 2, 3)
            return windows.patches(by_image.reshape(images, -1, *size))

        tensor = None if a.row_scale is None else a.row_scale[:, :: size[0] * size[1]]  # one for each group of an image
        if tensor is not None:
            results.scale(image, np.ascontiguousarray(tensor.T))
        a = replace(
            a,
            codes=patches(a.codes),
            group_scale=patches(a.group_scale),
            row_scale=None if tensor is None else np.repeat(tensor, windows.pixels, axis=1),
        )
        results.add(total_sums(a, b, arithmetic.datapath, chain=arithmetic.chain, minimum=weights.minimum), a, image)
    return results.product(), Storage.of(a)


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
        totals = total_sums(a, b, arithmetic.datapath, chain=arithmetic.chain, minimum=weights.minimum)
        if a.row_scale is not None:
            scales = a.row_scale.reshape(windows.groups, -1, windows.pixels)
            if np.all(scales == scales[:, :, :1]):  # one for all windows of a group of an image
                results.scale(image, np.ascontiguousarray(scales[:, :, 0].T))
            elif stored is None:  # several within an image, as Tender has them: the same product, one step earlier
                totals = replace(totals, sums=totals.to_float32() * a.row_scale[:, :, None], unit=0)
        results.add(totals, a, image)
    return results.product(), Storage.of(a)
