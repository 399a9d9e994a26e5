"""exp(x) in float32 as mantissa and exponent, ``exp(x) = m * 2**n``, with 2**n never formed (no overflow).

M. Dukhan and A. Ablavatski, Two-pass softmax algorithm, arXiv 2001.04438; polynomial of XNNPACK's ``f32-raddextexp``.
Choices made here: every product and every sum is rounded (no fused multiply-add), so ln 2 is split after 15 bits,
where n times the upper part is exact for ``|n| < 512``; and arguments beyond ``+-2**22`` count as ``+-2**22``, so that
a masked score needs no case of its own.
"""

from __future__ import annotations

from math import ldexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

LIMIT = np.float32(2.0**22)
"""Arguments are held within plus and minus this; n then still is an exact float32."""
FLUSH = -127
"""Powers of two up to this one count as zero."""
REACH = 200
"""Exponents beyond leave float32 from any mantissa; half of it is an exponent of float32."""
CONSTANTS: NDArray[np.float32] = np.array(
    [
        float.fromhex("0x1.715476p+0"),  # log2(e)
        float.fromhex("0x1.62E400p-1"),  # ln 2, upper 15 bits
        float.fromhex("0x1.7F7D1Cp-20"),  # the rest
        float.fromhex("0x1.FFFFF6p-1"),
        float.fromhex("0x1.FFFDC6p-2"),
        float.fromhex("0x1.555A80p-3"),
        float.fromhex("0x1.573A1Ap-5"),
        float.fromhex("0x1.0F9F9Cp-7"),
    ],
    np.float32,
)
"""log2(e), the two parts of ln 2, and c1..c5; c0 is 1."""


def exp_pair(x: np.float32) -> tuple[np.float32, int]:
    """Return m in about 0.7..1.42 and n with ``exp(x) = m * 2**n``; NaN and plus infinity are not allowed."""
    log2e, high, low, c1, c2, c3, c4, c5 = CONSTANTS
    x = min(max(x, -LIMIT), LIMIT)
    n = np.rint(x * log2e)
    t = (x - n * high) - n * low
    p = c5
    for c in (c4, c3, c2, c1, np.float32(1)):
        p = p * t + c
    return p, int(n)


def power(n: int) -> np.float32:
    """Return ``2**n`` for n up to 0, zero from ``FLUSH`` down.

    >>> float(power(-2)), float(power(-127))
    (0.25, 0.0)
    """
    return np.float32(0) if n <= FLUSH else np.float32(ldexp(1.0, n))


def scaled(m: np.float32, n: int) -> np.float32:
    """Return ``m * 2**n`` for m in 0.5..2 and any n, rounded once: infinite above the range, subnormal or 0 below it.

    >>> float(scaled(np.float32(1), -149)), float(scaled(np.float32(1), 128))
    (1.401298464324817e-45, inf)
    """
    n = max(-REACH, min(REACH, n))
    first = n >> 1
    with np.errstate(over="ignore"):
        return (m * np.float32(ldexp(1.0, first))) * np.float32(ldexp(1.0, n - first))


def exponential(x: np.float32) -> np.float32:
    """Return ``exp(x)``."""
    return x if x != x else scaled(*exp_pair(x))


@kernel
def fast_pair(x: Any, log2e: Any, high: Any, low: Any, c1: Any, c2: Any, c3: Any, c4: Any, c5: Any) -> tuple[Any, Any]:
    """Return ``exp_pair(x)``, n as float32."""
    x = min(max(x, np.float32(-4194304)), np.float32(4194304))
    n = np.rint(x * log2e)
    t = (x - n * high) - n * low
    p = c5 * t + c4
    p = p * t + c3
    p = p * t + c2
    p = p * t + c1
    p = p * t + np.float32(1)
    return p, n


@kernel
def fast_power(n: Any) -> Any:
    """Return ``power(n)`` for a whole float32 n up to 0: its exponent field, which is 0 from -127 down."""
    return np.int32((np.int32(max(n, np.float32(-127))) + np.int32(127)) << np.int32(23)).view(np.float32)


@kernel
def fast_scaled(m: Any, n: Any) -> Any:
    """Return ``scaled(m, n)`` for an int32 n."""
    n = max(np.int32(-200), min(np.int32(200), np.int32(n)))
    first = np.int32(n >> np.int32(1))
    low = np.int32((first + np.int32(127)) << np.int32(23)).view(np.float32)
    high = np.int32((n - first + np.int32(127)) << np.int32(23)).view(np.float32)
    return (m * low) * high


@kernel
def fast_exponential(x: Any, constants: Any) -> Any:
    """Return ``exponential(x)``; constants are ``CONSTANTS``."""
    if np.isnan(x):
        return x
    log2e, high, low, c1, c2, c3, c4, c5 = constants
    m, n = fast_pair(x, log2e, high, low, c1, c2, c3, c4, c5)
    return fast_scaled(m, np.int32(n))
