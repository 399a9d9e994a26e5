"""Operands as a PE's decoder hands them on: a stored code with what its neighbours or its group say of it."""

from __future__ import annotations

from simhw.formats.codebook import CodebookFormat

OUTLIER_SHIFT = 2
"""OliVe's abfloat starts where int4 ends: its least magnitude is 3 << 2 = 12, above 7."""
TENDER_GROUPS = 8
"""Channel groups whose scales are powers of two apart."""


def _nibble(code: int) -> int:
    return code - 16 if code >= 8 else code


def _abfloat(code: int) -> int:
    """Return sign, two exponent bits, one mantissa bit: (2 + m) << (e + 2); the first code of each sign is zero."""
    exponent, mantissa = code >> 1 & 3, code & 1
    magnitude = (2 + mantissa) << (exponent + OUTLIER_SHIFT) if code & 7 else 0
    return -magnitude if code >> 3 else magnitude


# Bit 4 tells an outlier. Code 8 is the identifier that a victim has become: zero.
OLIVE_LANE = CodebookFormat(
    name="olive_lane",
    values=tuple(
        float(value)
        for value in (
            *(0 if code == 8 else _nibble(code) for code in range(16)),
            *(_abfloat(code) for code in range(16)),
        )
    ),
    source="Guo et al., OliVe, ISCA 2023, arXiv 2304.07493: int4 beside abfloat of bias 2",
)


def _shifted(bits: int) -> CodebookFormat:
    half = 1 << (bits - 1)
    integers = [code - 2 * half if code >= half else code for code in range(2 * half)]
    return CodebookFormat(
        name=f"int{bits}_shifted",
        values=tuple(float(value << group) for group in range(TENDER_GROUPS) for value in integers),
        source=f"Lee et al., Tender, ISCA 2024, arXiv 2406.12930: int{bits} in one of 8 channel groups (upper 3 bits)",
    )


INT4_SHIFTED, INT8_SHIFTED = _shifted(4), _shifted(8)


def _odd(bits: int) -> CodebookFormat:
    top = (1 << bits) - 1
    return CodebookFormat(
        name=f"odd{bits}",
        values=tuple(float(2 * code - top) for code in range(top + 1)),
        source="Mo et al., LUT Tensor Core, ISCA 2025, arXiv 2408.06003: each bit of a code stands for -1 or 1",
    )


ODD2, ODD4, ODD8 = (_odd(bits) for bits in (2, 4, 8))

CODED = (OLIVE_LANE, INT4_SHIFTED, INT8_SHIFTED, ODD2, ODD4, ODD8)
"""All of them."""
