"""Scales as integers: what a rule of ``simhw.gemm.requantize`` needs, computed before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.gemm.requantize import get_rule

Integers = NDArray[np.int64]
INTEGER_RULES = ("tflite_double_rounding", "tflite_single_rounding", "xnnpack_rndnu")
"""Rules that multiply and shift integers and take any scale."""
LOWEST, HIGHEST = -128, 127


@dataclass(frozen=True, eq=False)
class Scaling:
    """One scale per column, as a multiplier and a shift.

    Attributes:
        kernel: function of ``simhw/gemm/kernels/requantize.py``.
        multiplier, shift: ``(n,)``.
    """

    kernel: str
    multiplier: Integers
    shift: Integers

    @classmethod
    def of(cls, scales: Any, rule: str) -> Scaling:
        """Return the scaling by real scales.

        Raises:
            InputError: the rule is not one of integers, or a scale is out of its range.
        """
        if rule not in INTEGER_RULES:
            raise InputError(f"rule is {rule!r}, integer networks take {', '.join(INTEGER_RULES)}; choose one of them")
        found = get_rule(rule)
        real = np.atleast_1d(np.asarray(scales, np.float64))
        wrong = real[~((real >= found.least) & (real < found.most))]
        if wrong.size:
            raise InputError(
                f"a ratio of scales is {wrong[0]:g}, {rule} takes {found.least:g} up to {found.most:g}; "
                "check the calibration data, or choose another rule"
            )
        multiplier, shift = found.arguments(real)
        return cls(found.kernel, multiplier, shift)

    def apply(self, sums: Integers) -> Integers:
        """Return ``(rows, n)`` sums scaled and rounded to integers."""
        from simhw.gemm.kernels import requantize

        n = sums.shape[1]
        rounded = np.empty(sums.shape, np.int64)
        multiplier, shift = (np.ascontiguousarray(np.broadcast_to(one, n)) for one in (self.multiplier, self.shift))
        getattr(requantize, self.kernel)(np.ascontiguousarray(sums, np.int64), multiplier, shift, rounded)
        return rounded


def as_codes(values: Integers, zero_point: int, lowest: int = LOWEST) -> NDArray[np.int8]:
    """Return integers behind a scaling as int8 codes: zero point added, clamped."""
    return np.clip(values + zero_point, lowest, HIGHEST).astype(np.int8)
