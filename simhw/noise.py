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

    def add(self, reference: NDArray[Any], value: NDArray[Any]) -> None:
        """Add one batch. Places where the reference is infinite (masked scores) count only if the value differs."""
        same = np.isinf(reference) & (reference == value)
        expected = np.where(same, 0.0, reference.astype(np.float64))
        difference = np.abs(np.where(same, 0.0, value.astype(np.float64)) - expected)
        self.signal += float(np.sum(np.square(expected)))
        self.error += float(np.sum(np.square(difference)))
        if difference.size:
            place = np.unravel_index(int(np.argmax(difference)), difference.shape)
            if not self.where or difference[place] > self.largest or math.isnan(float(difference[place])):
                self.largest = float(difference[place])
                self.where = (int(place[0]) + self.samples, *(int(i) for i in place[1:]))
        self.samples += len(reference)

    @property
    def sqnr_db(self) -> float:
        """Signal to quantization noise ratio in dB: infinite without any error, NaN where the error is NaN."""
        if math.isnan(self.error) or math.isinf(self.error):
            return math.nan
        if self.error == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.error) if self.signal else -math.inf
