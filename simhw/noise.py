"""How far a step's output is from the float reference, summed over batches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(kw_only=True)
class Noise:
    """Signal and error power so far, and the largest error with its place (first index: the sample)."""

    signal: float = 0.0
    error: float = 0.0
    largest: float = 0.0
    where: tuple[int, ...] = ()
    samples: int = 0

    def add(self, reference: NDArray[Any], value: NDArray[Any], *, first_row: int = 0, more_rows: bool = False) -> None:
        """Add one batch. Places where the reference is infinite (masked scores) count only if the value differs.

        A batch may come in several parts, along its last axis but one: ``first_row`` is the place of a part, and
        ``more_rows`` tells that it is not the last.
        """
        from simhw.noise_kernel import compare

        expected = np.ascontiguousarray(reference, np.float32).reshape(-1)
        actual = np.ascontiguousarray(value, np.float32).reshape(-1)
        signal, error, largest, place = compare(expected, actual)
        index = [int(i) for i in np.unravel_index(place, reference.shape)] if place >= 0 else []
        if index and first_row:
            index[-2] += first_row
        samples = 0 if more_rows else len(reference)
        self.join(Noise(signal=signal, error=error, largest=largest, where=tuple(index), samples=samples))

    def join(self, batch: Noise) -> None:
        """Add the noise of the next batch."""
        self.signal += batch.signal
        self.error += batch.error
        worse = batch.largest > self.largest or (math.isnan(batch.largest) and not math.isnan(self.largest))
        if batch.where and (not self.where or worse):
            self.largest = batch.largest
            self.where = (batch.where[0] + self.samples, *batch.where[1:])
        self.samples += batch.samples

    @property
    def sqnr_db(self) -> float:
        """Signal to quantization noise ratio in dB: infinite without any error, NaN where the error is NaN."""
        if math.isnan(self.error) or math.isinf(self.error):
            return math.nan
        if self.error == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.error) if self.signal else -math.inf


def leading(value: Any) -> Any:
    """Return the first of several results, the one that a step is measured by."""
    return value[0] if isinstance(value, tuple) else value
