"""The GEMM of a convolution, image block by image block: codes are quantized once per pixel, not once per window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Exact, Saturate
from simhw.formats import encode, get_element_format
from simhw.gemm.accumulate import Totals
from simhw.gemm.datapath import Datapath
from simhw.gemm.engine import Product, check_stored, total_sums
from simhw.gemm.extent import Extent
from simhw.gemm.integer_sums import largest_product
from simhw.gemm.lines import Lines
from simhw.gemm.operand import Operand
from simhw.gemm.paths.exact import INT32_INTEGERS
from simhw.gemm.paths.int8 import exact_here, has_dot_products, small_integers
from simhw.gemm.plan import Plan, Tally
from simhw.gemm.register import may_wrap
from simhw.gemm.stored import StoredScale, store
from simhw.gemm.threads import over_rows
from simhw.gemm.window_sums import sum_windows
from simhw.gemm.windows import Windows

INT8_WINDOWS = "int8_windows"
"""Numba: int8 x int8 into int32 straight from the images, with VNNI instructions."""
INT8_CHANNELS = "int8_channels"
"""Numba: the same where each channel has filters of its own (depthwise), in vectors of pixels."""
BLOCK = 1 << 22
"""Values of windows that are there at a time, at least those of one row of results."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Quantized images.

    Attributes:
        operand: codes ``(1, batch * groups, values)``; each row is one group of channels of one image, with one scale.
        shape: ``(batch, channels, height, width)``.
        groups: of channels.
    """

    operand: Operand
    shape: tuple[int, int, int, int]
    groups: int

    def rows(self, first: int, last: int, pixels: int, codes: NDArray[Any]) -> Operand:
        """Return ``(groups, images * pixels, k)`` codes of windows over some images as an operand."""

        def spread(values: NDArray[Any]) -> NDArray[Any]:
            some = values.reshape(-1, self.groups)[first:last].T
            return np.repeat(some, pixels, axis=1)

        scale, zero = self.operand.row_scale, self.operand.zero_point
        return replace(
            self.operand,
            codes=codes,
            row_scale=None if scale is None else spread(scale),
            zero_point=None if zero is None else spread(zero)[:, :, None],
        )


class Results:
    """Takes the sums of a convolution part by part and makes the results ``(batch, filters, height, width)``.

    Args:
        images: their number.
        windows: how they slide.
        b: prepared weights ``(groups, n, k)``.
        datapath, bias, stored: as for :func:`simhw.gemm.engine.multiply`, the bias ``(groups * n,)``.
    """

    def __init__(
        self,
        images: int,
        windows: Windows,
        b: Operand,
        datapath: Datapath,
        bias: NDArray[np.float32] | None,
        stored: StoredScale | None,
    ) -> None:
        check_stored(datapath, stored)
        groups, n, k = b.codes.shape
        self.datapath, self.bias, self.stored = datapath, bias, stored
        self.filters, self.filters_in_group = groups * n, n
        self.values = np.empty((images, self.filters, windows.pixels), np.float32)
        self.shape = (images, self.filters, *windows.output)
        self.tally, self.plan, self.saturations = Tally(), Plan(kernel="", why=""), 0
        self.left = np.ones(images * self.filters, np.float32)
        right = np.ones(self.filters, np.float32) if b.row_scale is None else b.row_scale.reshape(-1)
        self.columns = replace(
            b,
            codes=b.codes.reshape(1, self.filters, k),
            row_scale=right[None],
            zero_point=None if b.zero_point is None else b.zero_point.reshape(1, self.filters, -1),
            group_scale=None if b.group_scale is None else b.group_scale.reshape(1, self.filters, -1),
        )
        self.lines = Lines(
            self.values.reshape(-1, windows.pixels),
            (self.left, np.tile(right, images)),
            None if bias is None else np.tile(bias, images),
            get_element_format(datapath.output),
        )

    def scale(self, first_image: int, scales: NDArray[np.float32] | None) -> None:
        """Set the scales ``(images, groups)`` of images."""
        if scales is not None:
            first = first_image * self.filters
            self.left[first : first + scales.size * self.filters_in_group] = np.repeat(scales, self.filters_in_group)

    def add(self, totals: Totals, a: Operand, first_image: int, first: int = 0) -> None:
        """Take sums ``(groups, images * pixels, n)`` of whole images, or of a part of one image from a pixel on."""
        rows = totals.sums.shape[1]
        images = 1 if first or rows < self.values.shape[2] else rows // self.values.shape[2]
        channels = _channels_first(totals.sums, images).reshape(images * self.filters, -1)
        self.tally += totals.tally
        self.plan = totals.plan
        if self.stored is not None:
            self.store(replace(totals, sums=channels), a, first_image, first)
            return
        line = first_image * self.filters
        over_rows(lambda _, r0, r1: self.lines.finish(channels[r0:r1], totals.unit, line + r0, first), 1, len(channels))

    def store(self, totals: Totals, a: Operand, first_image: int, first: int) -> None:
        """Requantize sums ``(images * filters, pixels)``, filters as columns."""
        assert self.stored is not None
        pixels = totals.sums.shape[1]
        sums: NDArray[Any] = totals.sums.reshape(-1, self.filters, pixels).swapaxes(1, 2)
        images = len(sums)
        flat = replace(totals, sums=np.ascontiguousarray(sums).reshape(1, -1, self.filters))
        values, clamped = store(flat, a, self.columns, self.datapath, self.stored, self.bias)
        self.saturations += clamped
        target = self.values[first_image : first_image + images, :, first : first + pixels]
        target[:] = values.reshape(images, pixels, self.filters).swapaxes(1, 2)

    def product(self) -> Product:
        """Return all results."""
        if self.stored is None:
            self.saturations = self.lines.close()
        return Product(
            values=self.values.reshape(self.shape), tally=self.tally, saturations=self.saturations, plan=self.plan
        )


def _channels_first(sums: NDArray[Any], images: int) -> NDArray[Any]:
    """Return ``(images, groups, n, pixels)`` sums for ``(groups, images * pixels, n)``."""
    from simhw.gemm.kernels.packing import copy_transposed

    groups, _, n = sums.shape
    parts = sums.reshape(groups, images, -1, n)
    if n == 1:
        return np.ascontiguousarray(parts.transpose(1, 0, 3, 2))
    patterns = np.ascontiguousarray(parts).view(f"u{sums.itemsize}")
    out = np.empty((images, groups, n, parts.shape[2]), patterns.dtype)

    def work(_: int, first: int, last: int) -> None:
        for i in range(first, last):
            copy_transposed(patterns[i % groups, i // groups], out[i // groups, i % groups])

    over_rows(work, 1, images * groups, step=1)
    return out.view(sums.dtype)


def convolve(
    images: Images,
    b: Operand,
    windows: Windows,
    datapath: Datapath,
    *,
    bias: NDArray[np.float32] | None = None,
    chain: int | None = None,
    stored: StoredScale | None = None,
    minimum: Operand | None = None,
) -> Product:
    """Return what :func:`simhw.gemm.engine.multiply` does for the windows of images, as images.

    Args:
        images: activations.
        b: prepared weights ``(groups, n, k)``; k runs over kernel rows, kernel columns, channels.
        windows: how they slide.
        datapath, chain, stored, minimum: as there.
        bias: ``(groups * n,)``, or None.

    Raises:
        InputError: as there.
    """
    batch = images.shape[0]
    results = Results(batch, windows, b, datapath, bias, stored)
    scale = images.operand.row_scale
    results.scale(0, None if scale is None else scale.reshape(batch, -1))
    direct = None if minimum is not None else _as_integers(images, b, windows, datapath)
    if direct is not None:
        _sum_directly(direct, images, windows, results)
        return results.product()
    codes = images.operand.codes.reshape(images.shape)
    border = _code_of_zero(images)
    per_row = windows.groups * windows.output[1] * b.codes.shape[2]
    step = max(1, BLOCK // (per_row * windows.output[0]))
    lines = windows.output[0] if step > 1 else max(1, BLOCK // per_row)
    for image in range(0, batch, step):
        last = min(image + step, batch)
        padded = windows.pad(codes[image:last], border if np.ndim(border) == 0 else border[image:last])
        for row in range(0, windows.output[0], lines):
            some = windows.patches(padded, slice(row, row + lines))
            a = images.rows(image, last, some.shape[1] // (last - image), some)
            totals = total_sums(a, b, datapath, chain=chain, minimum=minimum)
            results.add(totals, a, image, row * windows.output[1])
    return results.product()


def _code_of_zero(images: Images) -> NDArray[Any]:
    """Return the code of zero, ``(batch, groups)`` where zero points make several."""
    form, zero = get_element_format(images.operand.format), images.operand.zero_point
    codes = encode(np.zeros((), np.float32) if zero is None else zero.astype(np.float32), form)
    return codes if zero is None else codes.reshape(-1, images.groups)


@dataclass(frozen=True, kw_only=True, eq=False)
class Integers:
    """Both operands of a convolution as int8 in units of ``2**unit``, and why their sums are the datapath's."""

    images: NDArray[np.int8]
    weights: NDArray[np.int8]
    unit: int
    plan: Plan


def _as_integers(images: Images, b: Operand, windows: Windows, datapath: Datapath) -> Integers | None:
    """Return operands of which int32 provably holds every sum that the accumulator returns as it is, else None."""
    depthwise = images.shape[1] == windows.groups
    if not depthwise and not (has_dot_products() and exact_here()):
        return None
    if b.group_scale is not None or b.groups > 1:
        return None
    datapath.check_formats(images.operand.format, b.format)
    first, second = small_integers(images.operand), small_integers(b)
    if first is None or second is None:
        return None
    extents, k = (first[1], second[1]), b.codes.shape[2]
    proof = _proof(datapath, extents, k, b)
    if proof is None:
        return None
    return Integers(
        images=first[0].reshape(images.shape),
        weights=second[0],
        unit=extents[0].unit + extents[1].unit,
        plan=Plan(kernel=INT8_CHANNELS if depthwise else INT8_WINDOWS, why=proof),
    )


def _proof(datapath: Datapath, extents: tuple[Extent, Extent], k: int, b: Operand) -> str | None:
    """Return why the accumulator's sums are those in int32, None where they may not be."""
    accumulator, product = datapath.accumulator, largest_product(*extents)
    bits = (k * product).bit_length()
    if bits > INT32_INTEGERS:
        return None
    exact = f"operands are int8 in units, sums stay below 2^{bits}: exact in int32 in every order of summation"
    if isinstance(accumulator, Exact):
        return None if may_wrap(accumulator, extents, k, b) else exact
    high = (1 << (accumulator.bits - 1)) - 1 if isinstance(accumulator, Saturate) else 0
    if b.zero_point is not None or k * product > high:  # zero points come off behind a saturating register
        return None
    return f"{k} products of at most {product} cannot reach {high}: nothing saturates; {exact}"


def _sum_directly(direct: Integers, images: Images, windows: Windows, results: Results) -> None:
    results.plan = direct.plan
    if results.stored is None:
        sum_windows(
            direct.images,
            direct.weights,
            windows,
            lambda image, filter_, pixel, sums: results.lines.finish(
                sums, direct.unit, image * results.filters + filter_, pixel
            ),
        )
        return
    step = max(1, BLOCK // (results.filters * windows.pixels))
    for image in range(0, images.shape[0], step):
        some = direct.images[image : image + step]
        held = np.empty((len(some), results.filters, windows.pixels), np.int32)

        def take(i: int, filter_: int, pixel: int, sums: NDArray[np.int32], held: NDArray[np.int32] = held) -> None:
            held[i, filter_ : filter_ + len(sums), pixel : pixel + sums.shape[1]] = sums

        sum_windows(some, direct.weights, windows, take)
        flat = held.reshape(-1, windows.pixels)
        results.store(Totals(sums=flat, unit=direct.unit, plan=direct.plan), images.operand, image, 0)
