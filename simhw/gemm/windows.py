"""How the windows of a convolution slide over images, and their contents as rows of a GEMM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows of a convolution, vertical and horizontal numbers in this order.

    Attributes:
        image: height and width of the images, without padding.
        kernel: taps.
        stride, padding, dilation: as in PyTorch's ``conv2d``.
        groups: of channels.

    Raises:
        InputError: the images are smaller than a window.
    """

    image: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        if min(self.output) < 1:
            raise InputError(
                f"windows of {self.span} do not fit images of {self.image} with padding {self.padding}; "
                "give larger images"
            )

    @property
    def span(self) -> Pair:
        """Height and width of the part of an image that one window covers."""
        rows, columns = ((size - 1) * step + 1 for size, step in zip(self.kernel, self.dilation, strict=True))
        return rows, columns

    @property
    def padded(self) -> Pair:
        """Height and width of the images with padding."""
        rows, columns = (size + 2 * border for size, border in zip(self.image, self.padding, strict=True))
        return rows, columns

    @property
    def output(self) -> Pair:
        """Height and width of the result."""
        rows, columns = (
            (size - span) // step + 1 for size, span, step in zip(self.padded, self.span, self.stride, strict=True)
        )
        return rows, columns

    @property
    def pixels(self) -> int:
        """Pixels of the result."""
        return self.output[0] * self.output[1]

    @property
    def taps(self) -> int:
        """Pixels in one window."""
        return self.kernel[0] * self.kernel[1]

    def trim(self, images: NDArray[Any]) -> tuple[NDArray[Any], Windows] | None:
        """Return the images without the pixels that no window covers, and the windows over what remains.

        None where gaps remain between windows, or such pixels lie beside padding.
        """
        if self.padding == (0, 0):
            if self.kernel == (1, 1):
                trimmed = replace(self, image=self.output, stride=(1, 1), dilation=(1, 1))
                return images[:, :, :: self.stride[0], :: self.stride[1]], trimmed
            ends = [(count - 1) * step for count, step in zip(self.output, self.stride, strict=True)]
            rows, columns = (end + span for end, span in zip(ends, self.span, strict=True))
            images, trimmed = images[:, :, :rows, :columns], replace(self, image=(rows, columns))
            return (images, trimmed) if trimmed._covers_all() else None
        return (images, self) if self._covers_all() else None

    def _covers_all(self) -> bool:
        """Return whether every pixel is in a window."""
        for axis in range(2):
            starts = np.arange(self.output[axis])[:, None] * self.stride[axis]
            lines = np.unique(starts + np.arange(self.kernel[axis]) * self.dilation[axis]) - self.padding[axis]
            if np.count_nonzero((lines >= 0) & (lines < self.image[axis])) < self.image[axis]:
                return False
        return True

    def pad(self, images: NDArray[Any], border: NDArray[Any] | int = 0) -> NDArray[Any]:
        """Return ``(batch, channels, height, width)`` images with padding.

        ``border`` is what it holds: a number, or ``(batch, groups)`` of them.
        """
        if self.padding == (0, 0):
            return images
        batch, channels = images.shape[:2]
        padded = np.empty((batch, channels, *self.padded), images.dtype)
        filled = np.asarray(border).reshape(-1, self.groups, 1, 1, 1) if np.ndim(border) else border
        padded.reshape(batch, self.groups, -1, *self.padded)[:] = filled
        rows, columns = (slice(border, border + size) for border, size in zip(self.padding, self.image, strict=True))
        padded[:, :, rows, columns] = images
        return padded

    def patches(self, padded: NDArray[Any], rows: slice = slice(None)) -> NDArray[Any]:
        """Return the contents of windows as ``(groups, batch * height * width, taps * channels / groups)``.

        ``padded`` are images as :meth:`pad` returns them, ``rows`` those of the result. Channels vary fastest along
        k, as in a memory that keeps the channels of a pixel together.
        """
        if self.taps > 1 and padded.shape[1] > self.groups:  # then the channels of a pixel are copied together
            padded = np.ascontiguousarray(padded.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.span, axis=(2, 3))
        windows = windows[:, :, :: self.stride[0], :: self.stride[1], :: self.dilation[0], :: self.dilation[1]][
            :, :, rows
        ]
        batch, channels, height, width = windows.shape[:4]
        parts = windows.reshape(batch, self.groups, channels // self.groups, *windows.shape[2:])
        ordered = np.ascontiguousarray(parts.transpose(1, 0, 3, 4, 5, 6, 2))
        return ordered.reshape(self.groups, batch * height * width, -1)
