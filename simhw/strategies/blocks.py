"""Strategy for the blocks at which block quantization goes wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from simhw.formats import get_block_format
from simhw.formats.names import AnyFormat

SMALLEST_EXPONENT, LARGEST_EXPONENT = -149, 127
"""Of float32, subnormals included."""


@st.composite
def blocks(draw: st.DrawFn, fmt: str | AnyFormat, *, specials: bool = False) -> Any:
    """Return one block of ``fmt`` as float32: extreme spread inside, and a largest magnitude where scales change.

    The largest magnitude is a power of two, the format's largest element times one, or a neighbour of these in
    float32 (where a logarithm in float32 rounds the wrong way); exponents reach from float32's subnormals to its
    largest. The others are zeros of both signs, far below (underflow), ties between elements, or of the same size.

    Args:
        fmt: name or record of a block format; the block may be shorter than its block size.
        specials: whether infinities and NaN occur.
    """
    record = get_block_format(fmt)
    length = draw(st.integers(1, record.block_size))
    exponent = draw(st.one_of(st.integers(-8, 8), st.integers(SMALLEST_EXPONENT, LARGEST_EXPONENT)))
    factor = draw(st.sampled_from([1.0, float(record.element.max_value), 1.5, 1.75]))
    peak = _float32(math.ldexp(factor, min(exponent, 1000)))
    for _ in range(draw(st.integers(0, 2))):
        peak = float(np.nextafter(np.float32(peak), np.float32(draw(st.sampled_from([0.0, math.inf])))))
    peak = min(abs(peak), float(np.finfo(np.float32).max))
    step = peak / max(1.0, float(record.element.max_value))
    element = st.one_of(
        st.sampled_from([0.0, -0.0, peak, -peak]),
        st.integers(-16, 16).map(lambda halves: halves * step / 2),
        st.floats(-1, 1).map(lambda part: part * peak),
        st.integers(0, 250).map(lambda down: math.ldexp(peak, -down)),
    )
    if specials:
        element = st.one_of(element, st.sampled_from([math.inf, -math.inf, math.nan]))
    values = [_float32(value) for value in draw(st.lists(element, min_size=length, max_size=length))]
    values[draw(st.integers(0, length - 1))] = peak
    return np.array(values, np.float32)


def _float32(value: float) -> float:
    """Return the nearest float32, the largest one for values beyond it."""
    if not math.isfinite(value):
        return value
    with np.errstate(over="ignore"):
        single = float(np.float32(value))
    return single if math.isfinite(single) else math.copysign(float(np.finfo(np.float32).max), value)
