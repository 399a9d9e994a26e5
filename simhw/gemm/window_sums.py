"""Exact sums of int8 products over the windows of a convolution, without copying the windows of an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.paths.int8 import Int8, first_words, offsets_of
from simhw.gemm.scratch import Scratch
from simhw.gemm.threads import over_rows
from simhw.gemm.tiles import packed
from simhw.gemm.windows import Windows

BLOCK = 1 << 17
"""Sums that are held at a time, in a core's second-level cache, until they are taken."""
LEAST_TILES = 4
"""Tiles of columns at a time, so that packed weights are read seldom."""

Take = Callable[[int, int, int, NDArray[np.int32]], None]
"""Called with an image, its first filter and first pixel, and their sums ``(filters, pixels)``, valid in the call."""


def sum_windows(images: Int8, weights: Int8, windows: Windows, take: Take, border: int = 0) -> None:
    """Compute all sums of a convolution, which int32 must hold, part by part, in any order, by all threads.

    Args:
        images: ``(batch, channels, height, width)``.
        weights: ``(groups, filters, k)``; k runs over kernel rows, kernel columns, channels.
        windows: how they slide.
        take: gets the sums.
        border: what padding holds.
    """
    if images.shape[1] == windows.groups:
        _sum_depthwise(images, weights, windows, take, border)
    else:
        _sum_dense(images, weights, windows, take, border)


def _sum_dense(images: Int8, weights: Int8, windows: Windows, take: Take, border: int) -> None:
    """Sum words of four channels by the processor's dot products."""
    from simhw.gemm.kernels.dots import sum_bytes
    from simhw.gemm.kernels.tiles import ROWS, columns
    from simhw.gemm.kernels.windows import interleave, pack_windows

    count, channels, height, width = images.shape
    groups, filters = weights.shape[:2]
    parts = np.ascontiguousarray(images).view(np.uint8).reshape(count * groups, channels // groups, height, width)
    quads = -(-channels // groups // 4)
    rows, pixels = windows.output, columns(4)
    across = windows.padded[1]
    taps = [
        r * windows.dilation[0] * across + c * windows.dilation[1]
        for r in range(windows.kernel[0])
        for c in range(windows.kernel[1])
    ]
    offsets = np.array(taps, np.int64)
    steps = np.array([windows.stride[1], windows.stride[0] * across, rows[1], windows.pixels], np.int64)
    size = max(LEAST_TILES, BLOCK // (pixels * filters)) * pixels
    with Scratch() as scratch:
        words = scratch((count * groups, quads, *windows.padded), np.uint32)

        def prepare(_: int, first: int, last: int) -> None:
            for i in range(first, last):
                interleave(parts[i], border, *windows.padding, words[i])

        over_rows(prepare, 1, count * groups, step=1)
        flat = words.reshape(count * groups, quads, -1)
        left = [packed(matrix, ROWS, scratch) for matrix in first_words(_fill_channels(weights, windows.taps), scratch)]

        def work(i: int, first: int, last: int) -> None:
            image, group = divmod(i, groups)
            with Scratch() as mine:
                held = mine((filters * min(size, last - first),), np.int32)
                panels = mine((-(-min(size, last - first) // pixels), len(taps) * quads, pixels), np.uint32)
                for start in range(first, last, size):
                    end = min(start + size, last)
                    panel = panels[: -(-(end - start) // pixels)]
                    pack_windows(flat[i], offsets, steps, start, panel)
                    sums = held[: filters * (end - start)].reshape(filters, end - start)
                    sum_bytes(left[group], panel, sums, offsets_of(panel))
                    take(image, group * filters, start, sums)

        over_rows(work, count * groups, windows.pixels, step=pixels)


def _fill_channels(weights: Int8, taps: int) -> Int8:
    """Return weights with channels filled to whole words."""
    groups, filters, k = weights.shape
    channels = k // taps
    filled = np.zeros((groups, filters, taps, -(-channels // 4) * 4), np.int8)
    filled[:, :, :, :channels] = weights.reshape(groups, filters, taps, channels)
    return filled.reshape(groups, filters, -1)


def _sum_depthwise(images: Int8, weights: Int8, windows: Windows, take: Take, border: int) -> None:
    """Sum each channel for itself, in vectors of neighbouring windows."""
    from simhw.gemm.kernels.windows import TAPS, sum_channels

    count, channels = images.shape[:2]
    images = np.ascontiguousarray(images)
    filters, taps = weights.shape[1:]
    filled = np.zeros((channels, filters, -(-taps // TAPS) * TAPS), np.int32)
    filled[:, :, :taps] = weights
    size = [-(-length // step) for length, step in zip(windows.padded, windows.stride, strict=True)]
    places = np.zeros((filled.shape[2], 2), np.int64)
    for tap in range(taps):
        at = [i * step for i, step in zip(divmod(tap, windows.kernel[1]), windows.dilation, strict=True)]
        (down, row), (right, column) = (divmod(i, step) for i, step in zip(at, windows.stride, strict=True))
        places[tap] = row * windows.stride[1] + column, down * size[1] + right
    padding, stride, output = (np.array(pair, np.int64) for pair in (windows.padding, windows.stride, windows.output))
    some = max(1, BLOCK // (filters * windows.pixels))

    def work(image: int, first: int, last: int) -> None:
        with Scratch() as mine:
            planes = mine((windows.stride[0] * windows.stride[1], *size), np.int8)
            held: Any = mine((min(some, last - first) * filters, windows.pixels), np.int32)
            for start in range(first, last, some):
                of = slice(start, min(start + some, last))
                sums = held[: (of.stop - start) * filters]
                sum_channels(images[image, of], filled[of], border, padding, stride, places, planes, output, sums)
                take(image, start * filters, 0, sums)

    over_rows(work, count, channels, step=1)
