"""Sums over the windows of a convolution, from codes that lie channel by channel: no window is copied whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

Bytes = NDArray[np.int8]
LEAST_SUMS = 2048
"""Sums of one channel that are kept at a time, at least those of a row: they stay in the first-level cache."""
TAPS = 3
"""Taps that one pass over the sums takes."""


@kernel
def interleave(codes: NDArray[np.uint8], border: int, top: int, left: int, words: NDArray[np.uint32]) -> None:
    """Set ``words`` (channels / 4, height, width) to padded ``codes`` (channels, h, w), four channels to a word.

    Channels that are missing in the last word are zero, also in the padding.
    """
    channels, rows, columns = codes.shape
    for quad in range(words.shape[0]):
        first = 4 * quad
        count = min(4, channels - first)
        edge = np.uint32(0)
        for i in range(count):
            edge |= np.uint32(border & 0xFF) << np.uint32(8 * i)
        for r in range(words.shape[1]):
            row = words[quad, r]
            if r < top or r >= top + rows:
                row[:] = edge
                continue
            row[:left] = edge
            row[left + columns :] = edge
            inner = row[left : left + columns]
            y = r - top
            if count == 4:
                a, b, c, d = codes[first, y], codes[first + 1, y], codes[first + 2, y], codes[first + 3, y]
                for x in range(columns):
                    low = np.uint32(np.uint32(a[x]) | np.uint32(np.uint32(b[x]) << np.uint32(8)))
                    high = np.uint32(np.uint32(np.uint32(c[x]) << np.uint32(16)) | np.uint32(d[x]) << np.uint32(24))
                    inner[x] = np.uint32(low | high)
            else:
                inner[:] = np.uint32(0)
                for i in range(count):
                    one = codes[first + i, y]
                    for x in range(columns):
                        inner[x] = np.uint32(inner[x] | np.uint32(np.uint32(one[x]) << np.uint32(8 * i)))


@kernel
def pack_windows(
    words: NDArray[np.uint32], offsets: NDArray[np.int64], steps: NDArray[np.int64], first: int, out: NDArray[np.uint32]
) -> None:
    """Pack windows as the tiles of ``kernels/tiles.py`` take them: ``out`` (tiles, taps x words, columns).

    ``words`` (channels / 4, pixels) are interleaved images, ``offsets`` the taps' distances from a window's first
    pixel, ``steps``: pixels from one window to the next and from one row of windows to the next, windows in a row and
    in all. Columns beyond the last window repeat it.
    """
    along, down, in_row, count = steps[0], steps[1], steps[2], steps[3]
    quads = words.shape[0]
    width = out.shape[2]
    places = np.empty(width, np.int64)
    for tile in range(out.shape[0]):
        for j in range(width):
            pixel = min(first + tile * width + j, count - 1)
            places[j] = pixel // in_row * down + pixel % in_row * along
        # Repeated columns at the end could make up for gaps between rows.
        dense = places[width - 1] - places[0] == width - 1 and first + (tile + 1) * width <= count
        for tap in range(offsets.shape[0]):
            for quad in range(quads):
                target = out[tile, tap * quads + quad]
                if dense:
                    start = places[0] + offsets[tap]
                    source = words[quad, start : start + width]
                    for j in range(width):
                        target[j] = source[j]
                else:
                    source = words[quad]
                    for j in range(width):
                        target[j] = source[places[j] + offsets[tap]]


@kernel
def sum_channels(
    codes: Bytes,
    weights: NDArray[np.int32],
    border: int,
    padding: NDArray[np.int64],
    stride: NDArray[np.int64],
    places: NDArray[np.int64],
    planes: Bytes,
    output: NDArray[np.int64],
    sums: NDArray[np.int32],
) -> None:
    """Set ``sums`` (channels x filters, pixels) to those over windows of one channel each.

    Args:
        codes: ``(channels, height, width)``.
        weights: ``(channels, filters, taps)``, taps filled with zeros to a multiple of ``TAPS``.
        border: what the padding holds.
        padding, stride, output: vertical and horizontal; the last is the size of the result.
        places: ``(taps, 2)``: the plane of a tap, and where in it the first window's tap is.
        planes: ``(stride x stride, rows, columns)`` scratch: the padded channel, one plane for each remainder of row
            and column by the strides, so that the taps of neighbouring windows are neighbours.
    """
    rows, columns = planes.shape[1:]
    flat = planes.reshape(planes.shape[0], rows * columns)
    block = max(1, LEAST_SUMS // columns)
    held = np.empty(block * columns, np.int32)
    filters = weights.shape[1]
    for channel in range(codes.shape[0]):
        _spread(codes[channel], border, padding, stride, planes)
        for f in range(filters):
            weight = weights[channel, f]
            target = sums[channel * filters + f]
            for first in range(0, output[0], block):
                last = min(first + block, output[0])
                count = (last - first - 1) * columns + output[1]
                start = first * columns
                total = held[:count]
                total[:] = np.int32(0)
                for tap in range(0, weight.shape[0], TAPS):
                    x = flat[places[tap, 0], start + places[tap, 1] : start + places[tap, 1] + count]
                    y = flat[places[tap + 1, 0], start + places[tap + 1, 1] : start + places[tap + 1, 1] + count]
                    z = flat[places[tap + 2, 0], start + places[tap + 2, 1] : start + places[tap + 2, 1] + count]
                    _add_taps(x, y, z, weight[tap], weight[tap + 1], weight[tap + 2], total)
                for r in range(first, last):
                    line = held[(r - first) * columns : (r - first) * columns + output[1]]
                    place = target[r * output[1] : r * output[1] + output[1]]
                    for j in range(output[1]):
                        place[j] = line[j]


@kernel
def _add_taps(x: Bytes, y: Bytes, z: Bytes, u: np.int32, v: np.int32, w: np.int32, total: NDArray[np.int32]) -> None:
    for j in range(total.shape[0]):
        first = np.int32(np.int32(x[j]) * u)
        second = np.int32(np.int32(y[j]) * v)
        third = np.int32(np.int32(z[j]) * w)
        total[j] = np.int32(np.int32(total[j] + first) + np.int32(second + third))


@kernel
def _spread(image: Bytes, border: int, padding: NDArray[np.int64], stride: NDArray[np.int64], planes: Bytes) -> None:
    """Set ``planes`` to an image with padding."""
    planes[:] = np.int8(border)
    for r in range(image.shape[0]):
        y = r + padding[0]
        row = image[r]
        for remainder in range(stride[1]):
            plane = planes[y % stride[0] * stride[1] + remainder, y // stride[0]]
            x = (remainder - padding[1]) % stride[1]  # the first pixel of the image in this plane
            at = (x + padding[1]) // stride[1]
            if stride[1] == 1:
                inner = plane[at : at + row.shape[0]]
                for j in range(row.shape[0]):
                    inner[j] = row[j]
            else:
                source = row[x :: stride[1]]
                for j in range(source.shape[0]):
                    plane[at + j] = source[j]
