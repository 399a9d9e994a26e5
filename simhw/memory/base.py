"""Buffers, DRAM and the widths of what moves between them.

Each operand has a buffer of its own. A buffer is double-buffered wherever its operand comes in more than one
tile: one tile serves the array while the next one arrives. DRAM is one channel that all operands share.

This package knows tiles of a GEMM ``(m, k) x (k, n)`` and how long the array takes for one; it does not know the array:
what depends on the dataflow arrives as a ``TileProblem``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simhw.errors import InputError


def _positive_integer(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{what} is {value!r}, must be an integer of at least 1; give a whole number")


@dataclass(frozen=True, kw_only=True)
class Sram:
    """One buffer.

    Attributes:
        kib: capacity in KiB.
        banks: that are accessed in the same cycle.
        ports: of each bank, on the side of the array.
        width_bits: of each port; None: as wide as the array needs.

    Raises:
        InputError: a size is not positive.
    """

    kib: int
    banks: int = 1
    ports: int = 1
    width_bits: int | None = None

    def __post_init__(self) -> None:
        for name in ("kib", "banks", "ports", "width_bits"):
            value = getattr(self, name)
            if value is not None:
                _positive_integer(f"SRAM {name}", value)

    @property
    def bits(self) -> int:
        """Capacity."""
        return self.kib * 8192

    @property
    def bits_per_cycle(self) -> int | None:
        """What it delivers to the array, or None: enough."""
        return None if self.width_bits is None else self.banks * self.ports * self.width_bits


@dataclass(frozen=True, kw_only=True)
class Dram:
    """The channel to DRAM.

    Attributes:
        bits_per_cycle: of the array's clock; None: unlimited.
        latency_cycles: before the first word of each transfer.

    Raises:
        InputError: a bandwidth that is not positive, or a negative latency.
    """

    bits_per_cycle: float | None = None
    latency_cycles: int = 0

    def __post_init__(self) -> None:
        bits = self.bits_per_cycle
        if bits is not None and (isinstance(bits, bool) or not 0 < bits < math.inf):
            raise InputError(
                f"DRAM bandwidth is {bits!r} bits per cycle, must be greater than 0; leave it out for unlimited"
            )
        latency = self.latency_cycles
        if isinstance(latency, bool) or not isinstance(latency, int) or latency < 0:
            raise InputError(f"DRAM latency is {latency!r} cycles, must be an integer of at least 0; give 0 for none")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Buffers and DRAM; the default capacities are those of the MixPE artifact."""

    activation: Sram = Sram(kib=256)
    weight: Sram = Sram(kib=128)
    output: Sram = Sram(kib=128)
    dram: Dram = Dram()


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Bits of everything that moves.

    Attributes:
        activation_bits, weight_bits: of one code.
        output_bits: of one finished output.
        accumulator_bits: of one partial sum.
        group_size: of groups along k that share a scale; None: none do.
        scale_bits, zero_point_bits: of each group of weights.
        activation_scale_bits: of each group of activations.

    Raises:
        InputError: a width that is not positive (negative for scales and zero points), or scales without groups.
    """

    activation_bits: int = 8
    weight_bits: int = 8
    output_bits: int = 8
    accumulator_bits: int = 32
    group_size: int | None = None
    scale_bits: int = 0
    zero_point_bits: int = 0
    activation_scale_bits: int = 0

    def __post_init__(self) -> None:
        for name in ("activation_bits", "weight_bits", "output_bits", "accumulator_bits"):
            _positive_integer(name, getattr(self, name))
        if self.group_size is not None:
            _positive_integer("group size", self.group_size)
        for name in ("scale_bits", "zero_point_bits", "activation_scale_bits"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InputError(f"{name} is {value!r}, must be an integer of at least 0; give 0 for none")
            if value and self.group_size is None:
                raise InputError(f"{name} is {value}, but no group size was given; give the length of a group along k")

    def activation_tile_bits(self, words: Any, m: Any, k: Any) -> Any:
        """Return the bits of a tile of ``words`` activations, ``m`` rows of ``k``."""
        return words * self.activation_bits + m * self._groups(k) * self.activation_scale_bits

    def weight_tile_bits(self, n: Any, k: Any) -> Any:
        """Return the bits of a tile of weights, with the scales and zero points of every group it touches."""
        return n * k * self.weight_bits + n * self._groups(k) * (self.scale_bits + self.zero_point_bits)

    def _groups(self, k: Any) -> Any:
        return 0 if self.group_size is None else -(-k // self.group_size)


TileCycles = Callable[[Any, Any, Any], Any]
"""``(m, n, k)`` arrays -> cycles of such a tile when it follows another one."""

Words = Callable[[Any, Any], Any]
"""``(m, k)`` arrays -> distinct activations of such a tile."""


@dataclass(frozen=True, kw_only=True)
class TileProblem:
    """A GEMM to be tiled.

    Attributes:
        m, n, k: sizes.
        batch: independent products.
        least: smallest tile in each direction: what the array holds at once, 1 along the stream.
        stream: the direction (0, 1, 2: m, n, k) that streams past the array.
        stream_cycles: cycles of so many elements of the stream.
        group: tiles along k are cut so that they hold whole groups of this length, or lie within one; None: anyhow.
        chain: products that the array sums before a sum leaves it; None: all of a tile.
        cycles: what a tile takes.
        fill_cycles: what the array takes once, beyond the tiles: to fill and to drain.
        words: distinct activations of a tile (fewer than m k in a convolution).
    """

    m: int
    n: int
    k: int
    batch: int
    least: tuple[int, int, int]
    stream: int
    stream_cycles: Callable[[Any], Any] = field(repr=False)
    group: int | None
    chain: int | None
    cycles: TileCycles = field(repr=False)
    fill_cycles: int
    words: Words = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """The best tiling that was found.

    Attributes:
        tile: m, n, k of a tile.
        order: loops from outermost to innermost, such as ``"nkm"``.
        streamed: whether tiles along the stream continue one fold of the array, at no cost in cycles.
        cycles: of the layer, with all waiting for DRAM.
        compute_cycles: sum over the tiles.
        activation_bits, weight_bits: read from DRAM.
        partial_write_bits, partial_read_bits: partial sums to DRAM and back.
        output_bits: finished outputs to DRAM.
        activation_words, weight_words, partial_write_words, partial_read_words, output_words: the same in words.
    """

    tile: tuple[int, int, int]
    order: str
    streamed: bool
    cycles: int
    compute_cycles: int
    activation_bits: int
    weight_bits: int
    partial_write_bits: int
    partial_read_bits: int
    output_bits: int
    activation_words: int
    weight_words: int
    partial_write_words: int
    partial_read_words: int
    output_words: int

    @property
    def dram_bits(self) -> int:
        """All traffic."""
        return (
            self.activation_bits
            + self.weight_bits
            + self.partial_write_bits
            + self.partial_read_bits
            + self.output_bits
        )

    @property
    def dram_reads(self) -> int:
        """Words read: activations, weights, and partial sums that come back."""
        return self.activation_words + self.weight_words + self.partial_read_words

    @property
    def dram_writes(self) -> int:
        """Words written: partial sums and outputs."""
        return self.partial_write_words + self.output_words
