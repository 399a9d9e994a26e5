"""A convolution as the GEMM that an array runs: padding, stride, dilation, groups, depthwise.

Each output pixel is a row of activations, each filter a column of weights, and k runs over the window: m =
batch x output height x output width, n = filters / groups, k = filter height x filter width x channels /
groups. Images of a batch meet the same weights and so lengthen m. Groups have weights of their own: they are
``Gemm.batch``. A depthwise convolution has as many groups as channels, so that n is 1 (or the channel multiplier).

The GEMM reads a pixel once for every window it lies in; DRAM delivers it once. ``input_words`` counts the
distinct pixels that some window touches: never padding, never pixels that a stride leaps over.
"""

from __future__ import annotations

from dataclasses import dataclass

from simhw.arrays.base import Gemm, check_positive
from simhw.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Window:
    """How output pixels lie on the input image: what the activations of a tile of m occupy.

    Attributes:
        images: of the batch.
        output_height, output_width: pixels per image.
        channels: of one group.
        filter_height, filter_width: of the window.
        stride: vertical distance of two windows.
        dilation: vertical distance of two rows of a window.
        touched_rows: distinct rows of an image that some window touches.
        touched_columns: distinct columns.
    """

    images: int
    output_height: int
    output_width: int
    channels: int
    filter_height: int
    filter_width: int
    stride: int
    dilation: int
    touched_rows: int
    touched_columns: int

    @property
    def input_words(self) -> int:
        """Distinct input words of one group."""
        return self.images * self.touched_rows * self.touched_columns * self.channels


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A two-dimensional convolution; pairs are (vertical, horizontal).

    Attributes:
        height, width: of the input image, without padding.
        channels: of the input.
        filters: of the output.
        filter_height, filter_width: of the window.
        stride, dilation: at least 1 in each direction.
        padding: zeros on both sides.
        groups: independent parts of the channels; ``groups == channels`` is depthwise.
        batch: images.

    Raises:
        InputError: a size is not positive, groups do not divide channels and filters, or the window is larger
            than the padded image.
    """

    height: int
    width: int
    channels: int
    filters: int
    filter_height: int
    filter_width: int
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        for name in ("height", "width", "channels", "filters", "filter_height", "filter_width", "groups", "batch"):
            check_positive(f"convolution {name}", getattr(self, name))
        for name in ("stride", "dilation"):
            for value in _pair(name, getattr(self, name)):
                check_positive(f"convolution {name}", value)
        for value in _pair("padding", self.padding):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InputError(f"convolution padding is {value!r}, must be an integer of at least 0; give 0 for none")
        if self.channels % self.groups or self.filters % self.groups:
            raise InputError(
                f"convolution groups is {self.groups}, must divide {self.channels} channels and "
                f"{self.filters} filters; give a common divisor, 1 for an ordinary convolution"
            )
        for axis, (size, extent) in enumerate(zip(self._padded, self._extent, strict=True)):
            if extent > size:
                raise InputError(
                    f"convolution filter spans {extent} {'rows' if axis == 0 else 'columns'} with its dilation, the "
                    f"padded image has {size}; give a smaller filter, less dilation or more padding"
                )

    @property
    def output_height(self) -> int:
        """Rows of the output, rounded down as every framework does."""
        return (self._padded[0] - self._extent[0]) // self.stride[0] + 1

    @property
    def output_width(self) -> int:
        """Columns of the output."""
        return (self._padded[1] - self._extent[1]) // self.stride[1] + 1

    @property
    def gemm(self) -> Gemm:
        """The GEMM that computes it."""
        return Gemm(
            m=self.batch * self.output_height * self.output_width,
            n=self.filters // self.groups,
            k=self.filter_height * self.filter_width * self.channels // self.groups,
            batch=self.groups,
        )

    @property
    def window(self) -> Window:
        """How the rows of activations of one group lie on the image."""
        return Window(
            images=self.batch,
            output_height=self.output_height,
            output_width=self.output_width,
            channels=self.channels // self.groups,
            filter_height=self.filter_height,
            filter_width=self.filter_width,
            stride=self.stride[0],
            dilation=self.dilation[0],
            touched_rows=self._touched(0, self.height, self.output_height, self.filter_height),
            touched_columns=self._touched(1, self.width, self.output_width, self.filter_width),
        )

    @property
    def input_words(self) -> int:
        """Distinct input words that the convolution needs: its compulsory traffic."""
        return self.groups * self.window.input_words

    def _touched(self, axis: int, size: int, outputs: int, taps: int) -> int:
        stride, dilation, padding = self.stride[axis], self.dilation[axis], self.padding[axis]
        first = {o * stride - padding for o in range(outputs)}
        touched = {start + tap * dilation for start in first for tap in range(taps)}
        return sum(0 <= place < size for place in touched)

    @property
    def _padded(self) -> tuple[int, int]:
        return self.height + 2 * self.padding[0], self.width + 2 * self.padding[1]

    @property
    def _extent(self) -> tuple[int, int]:
        return (
            (self.filter_height - 1) * self.dilation[0] + 1,
            (self.filter_width - 1) * self.dilation[1] + 1,
        )


def _pair(name: str, value: object) -> tuple[int, int]:
    if not isinstance(value, tuple) or len(value) != 2:
        raise InputError(f"convolution {name} is {value!r}, must be a pair (vertical, horizontal); give both")
    return value
