"""How a PE reads its operands: two's complement, and the fields of a floating-point code."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from simhw.errors import InputError
from simhw.formats.floating import FloatFormat


@dataclass(frozen=True, kw_only=True)
class FloatOperand:
    """The fields that a multiplier works on: value = (-1)^sign x significand x 2^exponent."""

    sign: int
    exponent: int
    significand: int

    @property
    def value(self) -> Fraction:
        """The number that the fields stand for."""
        magnitude = Fraction(self.significand) * Fraction(2) ** self.exponent
        return -magnitude if self.sign else magnitude


def read_float(code: int, fmt: FloatFormat) -> FloatOperand:
    """Return the fields of a signed ``code`` with subnormals, the hidden bit in the significand.

    Raises:
        InputError: the code is out of range, or stands for NaN or infinity.
    """
    check_code(code, fmt.bits, fmt.name)
    magnitude = code & fmt.top_code
    if magnitude > fmt.max_code:
        raise InputError(
            f"{fmt.name} code {code:#x} is NaN or infinity, a PE multiplies finite numbers; saturate before it"
        )
    field, fraction = divmod(magnitude, 1 << fmt.mantissa_bits)
    hidden = 1 << fmt.mantissa_bits if field else 0
    return FloatOperand(
        sign=int(bool(code & fmt.sign_bit)),
        exponent=max(field, 1) - fmt.bias - fmt.mantissa_bits,
        significand=hidden + fraction,
    )


def multiply_floats(activation: FloatOperand, weight: FloatOperand) -> Fraction:
    """Return the exact product: signs are xor-ed, exponents added, significands multiplied."""
    return FloatOperand(
        sign=activation.sign ^ weight.sign,
        exponent=activation.exponent + weight.exponent,
        significand=activation.significand * weight.significand,
    ).value


def signed_integer(code: int, bits: int) -> int:
    """Return the two's-complement integer of ``code``.

    >>> signed_integer(0x80, 8), signed_integer(0x7F, 8)
    (-128, 127)

    Raises:
        InputError: the code is out of range.
    """
    check_code(code, bits, f"int{bits}")
    return code - (1 << bits) if code >> (bits - 1) else code


def check_code(code: int, bits: int, name: str) -> None:
    """Refuse a code that ``bits`` bits do not hold.

    Raises:
        InputError: the code is negative or too large.
    """
    if not 0 <= code < 1 << bits:
        raise InputError(f"{name} code is {code}, must be 0..{(1 << bits) - 1}; give the bit pattern, unsigned")
