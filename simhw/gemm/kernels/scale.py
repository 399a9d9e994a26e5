"""Group sums times scales, added to the fp32 result, in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.bits import choose
from simhw.kernel import kernel


@kernel
def add_scaled(
    sums: NDArray[np.float64],
    unit: np.float32,
    a_scale: NDArray[np.float32],
    b_scale: NDArray[np.float32],
    first: bool,
    out: NDArray[np.float32],
) -> None:
    """Add ``fp32(sums) * unit * (a_scale * b_scale)`` to ``out`` (m, n), or set it where ``first``.

    ``unit`` is a power of two (sums that are integers come in units of it); each step is rounded to fp32.
    """
    nothing = np.float32(-0.0)  # the neutral element, minus zero included
    for i in range(sums.shape[0]):
        scale = a_scale[i]
        for j in range(out.shape[1]):
            term = (np.float32(sums[i, j]) * unit) * (scale * b_scale[j])
            out[i, j] = choose(first, nothing, out[i, j]) + term
