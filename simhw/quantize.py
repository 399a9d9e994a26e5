"""The contract of a quantization method: how real tensors become codes, scales and zero points."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import BlockFormat, get_format
from simhw.gemm.datapath import Datapath
from simhw.gemm.operand import Operand
from simhw.pes import get_pe
from simhw.ranges import row_ranges

FloatArray = NDArray[np.float32]


class Granularity(enum.Enum):
    """How many values share one scale."""

    TENSOR = "tensor"
    """All values of the operand."""
    ROW = "row"
    """All of k in one row: per token for activations (a convolution: per image), per output channel for weights."""
    GROUP = "group"
    """``group_size`` consecutive k of one row."""
    BLOCK = "block"
    """A block format (MXFP8, MXFP4, NVFP4) brings its own blocks and scale format."""
    NONE = "none"
    """No scale: values are rounded to the format as they are (fp32, fp16, bf16)."""


class Coding(enum.Enum):
    """What the codes of an operand are, beyond one rounded number each."""

    PLAIN = "plain"
    """One rounded number each."""
    OUTLIER_VICTIM = "outlier_victim"
    """Pairs of int4 values, or an outlier and a pruned neighbour (OliVe)."""
    CHANNEL_SHIFTS = "channel_shifts"
    """Positions along k in groups whose scales are powers of two apart (Tender)."""
    ALIGNED = "aligned"
    """fp16 values aligned to one exponent per group of k (FIGNA)."""
    TWO_LEVELS = "two_levels"
    """int8 per row, within it uint4 with an integer scale and zero point per group (QServe)."""
    ODD = "odd"
    """Integers whose bits each stand for -1 or 1 (LUT Tensor Core)."""


class Range(enum.Enum):
    """Which part of the values' range the codes span; values outside are clipped."""

    MIN_MAX = "min_max"
    """All of it."""
    PERCENTILE = "percentile"
    """All but the outermost 0.1 % on each side."""
    MSE = "mse"
    """The part, out of 80 candidates from 100 % down to 21 %, with the least mean squared error."""


@dataclass(frozen=True, kw_only=True)
class OperandScheme:
    """How one operand of a GEMM becomes codes.

    Attributes:
        format: element format, or the block format for ``Granularity.BLOCK``.
        granularity: how many values share a scale.
        symmetric: no zero point; else codes are unsigned and a zero point is stored.
        group_size: k per scale, for ``Granularity.GROUP``.
        range: which part of the range is kept.
        static: scales from calibration data (per tensor); else from the values themselves, at run time.
        scale_format: format in which scales are stored (they are rounded to it before they are used).
        coding: what the codes are; ``format`` is then that of the operand as the multiplier takes it.
    """

    format: str
    granularity: Granularity = Granularity.ROW
    symmetric: bool = True
    group_size: int | None = None
    range: Range = Range.MIN_MAX
    static: bool = False
    scale_format: str = "fp32"
    coding: Coding = Coding.PLAIN

    def __post_init__(self) -> None:
        if (self.granularity is Granularity.GROUP) != (self.group_size is not None):
            raise InputError(
                f"group size is {self.group_size} with granularity {self.granularity.value!r}; "
                "a group size goes with granularity 'group' and only with it"
            )
        if self.group_size is not None and self.group_size < 1:
            raise InputError(f"group size is {self.group_size}, must be at least 1; the default is 128")
        if self.static and self.granularity is not Granularity.TENSOR:
            raise InputError(
                f"static scales with granularity {self.granularity.value!r}, must be 'tensor'; "
                "scales per row or group are taken at run time"
            )

    def goes_by_range(self, static: ValueRange | None) -> bool:
        """Return whether each code follows from its value and the range of the values that share its scale.

        Then it does not matter how often a value occurs, nor where: an image has the codes of its patches.
        """
        if self.coding is not Coding.PLAIN or self.granularity in (Granularity.GROUP, Granularity.BLOCK):
            return False
        return self.granularity is Granularity.NONE or self.range is Range.MIN_MAX or static is not None


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How the tensors of a network become codes.

    Attributes:
        name: entry name.
        description: one sentence.
        weight, activation: first and second operand of linear layers and convolutions.
        attention: second operand of the attention products (keys, values); their first is ``activation``.
        source: where it comes from.
    """

    name: str
    description: str
    weight: OperandScheme
    activation: OperandScheme
    attention: OperandScheme
    source: str

    def with_group_size(self, group_size: int) -> Scheme:
        """Return the scheme with another group size for its weights. Raises InputError where it has no groups."""
        if self.weight.granularity is not Granularity.GROUP:
            raise InputError(
                f"group size is {group_size}, scheme {self.name} has no weight groups; "
                "choose a scheme with group-wise weights, such as w4a8_mixpe"
            )
        return replace(self, weight=replace(self.weight, group_size=group_size))


@dataclass(frozen=True, kw_only=True)
class ValueRange:
    """Range of a tensor as calibration saw it."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Ranges that calibration data had, by step label.

    Attributes:
        activations: of the first operand of each GEMM; empty without static scales.
        results: of each GEMM's result; empty where the datapath does not requantize.
    """

    activations: Mapping[str, ValueRange] = field(default_factory=dict)
    results: Mapping[str, ValueRange] = field(default_factory=dict)


class Method(Protocol):
    """A quantization method. Methods are stateless; what calibration found comes in as ``static``."""

    def quantize(
        self,
        values: FloatArray,
        scheme: OperandScheme,
        *,
        rows_per_scale: int = 1,
        rows_per_tensor: int | None = None,
        static: ValueRange | None = None,
    ) -> Operand:
        """Return ``(batch, rows, k)`` values as codes with scales. Raises InputError for NaN and infinity.

        ``rows_per_scale`` consecutive rows share a scale where the granularity is ROW, ``rows_per_tensor`` where it
        is TENSOR or the format has a scale per tensor (None: all rows). One sample never shares with another, so
        that results do not depend on which samples run together. Where the scheme goes by the range
        (:meth:`OperandScheme.goes_by_range`), a code depends on its value and on that of its pool alone.
        """
        ...

    def calibrate(self, values: FloatArray, scheme: OperandScheme) -> ValueRange:
        """Return the range that static scales for values like these span."""
        ...


def check_finite(values: FloatArray, what: str) -> None:
    """Raise InputError if ``values`` hold NaN or infinity."""
    if values.size and not row_ranges(values.reshape(1, -1))[2]:
        where = np.argwhere(~np.isfinite(values))[0].tolist()
        raise InputError(
            f"{what} holds {values[tuple(where)]} at {where}, every value must be finite; "
            "check the weights and the input data, or choose a datapath with a wider output format"
        )


def check_fit(datapath: Datapath, scheme: Scheme) -> None:
    """Raise InputError unless the datapath multiplies the formats of the scheme and has PEs for its blocks."""
    blocks = get_pe(datapath.pe).block_size
    formats = {}
    for operand in (scheme.activation, scheme.weight, scheme.attention):
        form = get_format(operand.format)
        if isinstance(form, BlockFormat):
            formats[operand], given = form.element.name, form.block_size
        else:
            formats[operand], given = form.name, None
        if given != blocks:
            raise InputError(
                f"scheme {scheme.name} has {_blocks(given)}, datapath {datapath.name} takes {_blocks(blocks)}; "
                f"choose another scheme, such as its default {datapath.scheme}"
            )
    for operand in (scheme.weight, scheme.attention):
        datapath.check_formats(formats[scheme.activation], formats[operand])


def _blocks(size: int | None) -> str:
    return "no blocks" if size is None else f"blocks of {size}"
