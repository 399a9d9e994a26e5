"""What follows the accumulator where sums lie channel by channel: lines with one scale of each operand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.formats import ElementFormat, round_to
from simhw.gemm.threads import over_rows

Floats = NDArray[np.float32]


class Lines:
    """Turns sums into results, part by part; the steps are those of :func:`simhw.gemm.engine.behind_accumulator`.

    Args:
        values: ``(lines, n)`` float32, C-contiguous, where the results go.
        scales: of the first and of the second operand, ``(lines,)`` each.
        bias: ``(lines,)``, or None.
        output: format of the results.
    """

    def __init__(
        self, values: Floats, scales: tuple[Floats, Floats], bias: Floats | None, output: ElementFormat
    ) -> None:
        from simhw.gemm.engine import output_rounding

        self.values = values
        self.scales = scales
        self.bias = bias
        self.output = output
        self.rounding, self.largest = output_rounding(output.name)
        self._counts: list[tuple[int, int]] = []

    def finish(self, sums: NDArray[Any], unit: int, first_line: int = 0, first: int = 0) -> None:
        """Set the results of ``(lines, n)`` sums, integers in units of ``2**unit`` or floats, at a place."""
        from simhw.gemm.kernels.finish import finish_lines

        lines = slice(first_line, first_line + len(sums))
        left, right = (scale[lines] for scale in self.scales)
        added = left if self.bias is None else self.bias[lines]
        factor = np.float32(2.0**unit if sums.dtype.kind == "i" else 1.0)
        beyond = np.empty(len(sums), np.int64)
        behind = (left, right, added, self.bias is not None, self.largest, self.rounding)
        nans = finish_lines(sums, factor, *behind, self.values[lines], first, beyond)
        self._counts.append((nans, int(beyond.sum())))

    def close(self) -> int:
        """Round to formats that the kernel does not round to; return how many results were beyond the largest value."""
        from simhw.gemm.kernels.finish import KEPT

        if self.rounding == KEPT:
            over_rows(self._round, 1, len(self.values))
        elif any(nans for nans, _ in self._counts):
            nan = np.isnan(self.values)
            self.values[nan] = np.copysign(np.float32(np.nan), self.values[nan])
        return sum(beyond for _, beyond in self._counts)

    def _round(self, _: int, first: int, last: int) -> None:
        self.values[first:last] = round_to(self.values[first:last], self.output)
