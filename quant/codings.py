"""Operands whose codes are more than one rounded number each: the door to one file for each coding."""

from __future__ import annotations

from simhw.gemm.operand import Operand
from simhw.quantize import Coding, FloatArray, OperandScheme


def quantize_coded(
    values: FloatArray, scheme: OperandScheme, *, rows_per_scale: int, rows_per_tensor: int | None
) -> Operand:
    """Return ``(batch, rows, k)`` finite values in the coding of the scheme (see ``simhw.quantize.Method``)."""
    match scheme.coding:
        case Coding.OUTLIER_VICTIM:
            from simhw.quant.outlier_victim import quantize_pairs

            return quantize_pairs(values, scheme, rows_per_scale)
        case Coding.CHANNEL_SHIFTS:
            from simhw.quant.channel_shifts import quantize_shifted

            return quantize_shifted(values, scheme, rows_per_tensor or values.shape[0] * values.shape[1])
        case Coding.ALIGNED:
            from simhw.quant.aligned import quantize_aligned

            return quantize_aligned(values, scheme)
        case Coding.TWO_LEVELS:
            from simhw.quant.two_levels import quantize_two_levels

            return quantize_two_levels(values, scheme)
        case Coding.ODD:
            from simhw.quant.odd import quantize_odd

            return quantize_odd(values, scheme, rows_per_scale)
        case Coding.PLAIN:
            raise AssertionError("plain codes are the method's own")
