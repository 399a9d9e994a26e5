"""The meaning of block quantization in fractions: one block, one scale, one rounding per element."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from simhw.formats.block import BlockFormat
from simhw.formats.definition import decode_exact, encode_exact
from simhw.formats.element import floor_log2, power_of_two
from simhw.formats.rounding import Overflow, Rounding, ScaleRule

LARGEST_FLOAT32 = Fraction((1 << 24) - 1) * power_of_two(104)


def quantize_block_exact(
    values: Sequence[float],
    fmt: BlockFormat,
    rule: ScaleRule,
    rounding: Rounding = Rounding.NEAREST_EVEN,
    infinite: Overflow = Overflow.SATURATE,
    tensor_scale: Fraction = Fraction(1),
) -> tuple[int, list[int]]:
    """Return the scale code and the element codes of one block; arguments as in ``quantize_blocks``."""
    broken = any(math.isnan(value) or (math.isinf(value) and infinite is Overflow.NAN) for value in values)
    if broken and fmt.scale.nan_code is not None:
        return fmt.scale.nan_code, [encode_exact(0.0, fmt.element) for _ in values]
    magnitudes = [LARGEST_FLOAT32 if math.isinf(value) else abs(Fraction(value)) for value in values]
    scale_code = encode_exact(wanted_scale(max(magnitudes), fmt, rule, tensor_scale), fmt.scale)
    scale = decode_exact(scale_code, fmt.scale) * tensor_scale
    quotients = [value if math.isinf(value) or value == 0 else Fraction(value) / scale for value in values]
    return scale_code, [encode_exact(quotient, fmt.element, rounding) for quotient in quotients]


def wanted_scale(amax: Fraction, fmt: BlockFormat, rule: ScaleRule, tensor_scale: Fraction) -> Fraction:
    """Return the scale before it is rounded to the scale format."""
    largest = fmt.element.max_value
    if rule is ScaleRule.AMAX:
        return max(amax / (largest * tensor_scale), fmt.smallest_scale)
    scale = fmt.scale
    lowest = scale.lsb_exponent if scale.has_subnormals and scale.has_zero else scale.minimum_exponent
    if amax == 0:
        return power_of_two(lowest)
    floor = floor_log2(amax)
    if rule is ScaleRule.FLOOR:
        exponent = floor - fmt.element.max_exponent
    elif rule is ScaleRule.CEIL:
        exponent = floor + int(amax > power_of_two(floor)) - fmt.element.max_exponent
    elif rule is ScaleRule.EVEN:
        unit = power_of_two(floor - fmt.element.significand_bits + 1)
        rounded = math.floor(amax / unit + Fraction(1, 2)) * unit
        exponent = floor_log2(rounded) - fmt.element.max_exponent
    else:
        exponent = floor_log2(amax / largest)
        exponent += int(amax / largest > power_of_two(exponent))
    return power_of_two(max(lowest, min(scale.max_exponent, exponent)))


def tensor_scale_exact(amax: Fraction, fmt: BlockFormat) -> Fraction:
    """Return the float32 tensor scale of a tensor whose largest magnitude is ``amax``."""
    from simhw.formats.catalog import FP32

    if amax == 0:
        return Fraction(1)
    code = encode_exact(amax / (fmt.element.max_value * fmt.scale.max_value), FP32)
    return Fraction(decode_exact(max(code, 1), FP32))
