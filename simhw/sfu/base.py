"""What a special function unit is: the function it realises, its formats, the widths behind it, and its work.

A unit maps numbers to numbers outside the PE array: softmax, an activation, a root. Here stands what it computes
(``definition``, in Python integers or in float32 operations of a stated order), the kernel that does the same to whole
arrays, how wide its signals are and which worst case sets them, and what it asks of the vector unit.

Integer units work on codes of one fixed scale, a power of two, so that their constants and widths are facts of the
unit and not of a calibration. ``apply`` puts the conversions around them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.errors import InputError
from simhw.signals import Signal

FloatArray = NDArray[np.float32]
Definition = Callable[[Sequence[Any]], list[Any]]
"""A row of codes (Python integers) or of ``np.float32`` -> the row of results, of the same kind."""
Kernel = Callable[[NDArray[Any]], NDArray[Any]]
"""``(rows, k)`` int32 codes or float32 -> the same shape and dtype, equal to the definition row by row."""


class Extent(enum.Enum):
    """What one result depends on."""

    ELEMENT = "element"
    """On one value."""
    ROW = "row"
    """On all values of its row."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameters:
    """What a norm is given beside its values; ``None`` is 1 or 0 for every element.

    Attributes:
        weight, bias: ``(k,)`` float32, scale and shift behind the norm.
        eps: added to the variance or the mean square.
        mean, variance: ``(k,)`` float32, stored statistics of a batch norm.
    """

    weight: FloatArray | None = None
    bias: FloatArray | None = None
    eps: float = 1e-5
    mean: FloatArray | None = None
    variance: FloatArray | None = None

    def scale_and_shift(self, length: int) -> tuple[FloatArray, FloatArray]:
        """Return weight and bias of a row of ``length`` elements."""
        weight = np.ones(length, np.float32) if self.weight is None else self.weight
        return weight, np.zeros(length, np.float32) if self.bias is None else self.bias


@dataclass(frozen=True, kw_only=True)
class SpecialFunctionUnit:
    """One unit: every file ``simhw/sfu/NAME.py`` that is one binds it as ``UNIT``.

    Attributes:
        name: entry name, equal to the file name.
        description: one sentence.
        source: paper and section of the algorithm, and which choices are made here.
        function: what it realises, by the name of the operator it can stand in for.
        extent: whether a result depends on one value or on a row.
        input_format, output_format: fp32, or the integer format of the codes.
        input_scale, output_scale: value of one code; None for float units. The output's may be negative.
        definition: the meaning.
        kernel: the same on arrays.
        longest_row: elements of a row that the widths are sized for; None: any.
        signals: the signals inside, in the order in which data meet them.
        work: for the vector unit, per element.
        load: of a norm: makes this unit with other parameters in its registers.
    """

    name: str
    description: str
    source: str
    function: str
    extent: Extent
    input_format: str = "fp32"
    output_format: str = "fp32"
    input_scale: float | None = None
    output_scale: float | None = None
    definition: Definition = field(repr=False)
    kernel: Kernel = field(repr=False)
    longest_row: int | None = None
    signals: tuple[Signal, ...]
    work: VectorWork
    load: Callable[[Parameters], SpecialFunctionUnit] | None = field(default=None, repr=False)

    def loaded(self, parameters: Parameters) -> SpecialFunctionUnit:
        """Return this unit with a norm's parameters; one that has none is the same for all."""
        return self if self.load is None else self.load(parameters)

    def apply(self, rows: FloatArray) -> FloatArray:
        """Return the function of ``(rows, k)`` float32 values, codes of an integer unit made and read back.

        Values beyond the code range saturate. In a row unit a NaN or plus infinity makes its whole row NaN, in an
        element unit itself; minus infinity, a masked score, is the lowest code.

        Raises:
            InputError: rows are longer than the unit's widths allow.
        """
        if self.longest_row is not None and rows.shape[-1] > self.longest_row:
            raise InputError(
                f"a row has {rows.shape[-1]} elements, {self.name} is sized for at most {self.longest_row}; "
                "choose another unit or a shorter row"
            )
        if self.input_scale is None:
            return self.kernel(rows)
        assert self.output_scale is not None
        undefined = ~(rows < np.inf)
        lowest, highest = code_range(self.input_format)
        scaled = np.rint(rows.astype(np.float64) / self.input_scale)
        codes = np.clip(np.where(undefined, 0, scaled), lowest, highest).astype(np.int32)
        result = (self.kernel(codes) * self.output_scale).astype(np.float32)
        if undefined.any():
            where = undefined.any(axis=-1, keepdims=True) if self.extent is Extent.ROW else undefined
            result = np.where(where, np.float32(np.nan), result)
        return result


def code_range(integer_format: str) -> tuple[int, int]:
    """Return the lowest and highest code of a signed integer format.

    >>> code_range("int16")
    (-32768, 32767)
    """
    bits = int(integer_format.removeprefix("int"))
    return -(1 << bits - 1), (1 << bits - 1) - 1


__all__ = ["Extent", "Parameters", "Signal", "SpecialFunctionUnit", "code_range"]
