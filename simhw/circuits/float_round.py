"""From an exact magnitude to a floating-point code: normalise, round to nearest even, pack.

Leading zeros are counted and shifted out, but not more of them than the exponent allows: a result below the normal
numbers stays where the smallest of them stand, which is all that subnormal results take. The significand is then added
to the exponent field as one integer, with the carry of rounding: a significand without a leading one leaves the field
0, a carry out of it counts the field up, up to infinity.

A magnitude may come inverted, with the one of -x = ~x + 1 still to be added (the adder's negative differences). Let H
be the upper bits that are kept and L the rest, of which the highest place is worth 2^(r-1): the magnitude is
2^r H + L + 1, so H counts up when L + 1 > 2^(r-1), or L + 1 = 2^(r-1) and H is odd; L + 1 = 2^r is among them. Ones are
shifted in from below, so that the one is worth the last place after shifting, too.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Value

from simhw.circuits.shifting import leading_zeros, named, shift_left
from simhw.formats.floating import FloatFormat


def normalise_and_round(
    module: Module, magnitude: Value, below: Value, fmt: FloatFormat, name: str, *, negative: Value | None = None
) -> tuple[Value, Value]:
    """Return ``(code, nothing)``: exponent field above mantissa bits, unsigned, and whether the magnitude is zero.

    Args:
        module: takes the gates.
        magnitude: unsigned, of any width.
        below: exponent field, less one, of a number whose top bit is that of ``magnitude``; it says how many leading
            zeros may go. Unsigned.
        fmt: of the result; a field that it does not have, or that it has for special codes only, is an overflow.
        name: prefix of signals.
        negative: whether the magnitude is inverted, with one to be added.
    """
    zeros, none = leading_zeros(module, magnitude, name)
    allowed = named(module, f"{name}_allowed", Mux(below < zeros, below, zeros)[: len(zeros)])
    shifted = shift_left(module, magnitude, allowed, f"{name}_normalise", negative)
    nothing = named(module, f"{name}_nothing", none if negative is None else none & ~negative)
    field = named(module, f"{name}_field", (below - allowed)[: len(below)] & (~nothing).replicate(len(below)))
    return round_and_pack(module, shifted, field, fmt, name, negative=negative), nothing


def round_and_pack(
    module: Module, shifted: Value, field: Value, fmt: FloatFormat, name: str, *, negative: Value | None = None
) -> Value:
    """Return field and mantissa as one integer, rounded to nearest even.

    Args:
        module: takes the gates.
        shifted: magnitude with its leading one on top, unless the number is subnormal.
        field: exponent field, less one.
        fmt: of the result.
        name: prefix of signals.
        negative: as in :func:`normalise_and_round`.
    """
    precision = fmt.significand_bits
    if len(shifted) <= precision:
        kept = Cat(Const(0, precision - len(shifted)), shifted)
        up: Value = Const(0, 1)
    else:
        rest, kept = shifted[:-precision], shifted[-precision:]
        up = named(module, f"{name}_up", _counts_up(rest, kept[0], negative))
    # A leading one counts the field up, by its place in the sum of both.
    carry = Cat(up, Const(0, precision - 2), kept[-1])
    total = Cat(kept[:-1], field) + carry
    width = fmt.mantissa_bits + max(len(field), fmt.exponent_bits + 1)
    return named(module, f"{name}_rounded", total[:width] if len(total) > width else total)


def _counts_up(rest: Value, odd: Value, negative: Value | None) -> Value:
    half = rest[-1]
    if len(rest) == 1:
        return half & odd if negative is None else half & (odd | negative)
    last = rest[:-1]
    if negative is None:
        return half & (last.any() | odd)
    at_half = (half & ~last.any() & ~negative) | (~half & last.all() & negative)
    return (half & (last.any() | negative)) | (at_half & odd)


def assemble(
    module: Module,
    finite: Value,
    sign: Value,
    fmt: FloatFormat,
    name: str,
    *,
    infinite: Value,
    nan: Value,
    saturate: bool = False,
) -> Value:
    """Return the code of a rounded result; NaN is the one with all bits set but the sign.

    Args:
        module: takes the gates.
        finite: exponent field above mantissa bits; a field of all ones or more is an overflow.
        sign: of the result unless it is NaN.
        fmt: of the result, with infinities and NaN as in IEEE 754.
        name: prefix of signals.
        infinite: whether it is an infinity whatever ``finite`` is.
        nan: whether it is NaN.
        saturate: whether infinities and overflows become the largest finite number.
    """
    fraction, width = fmt.mantissa_bits, fmt.exponent_bits
    field = finite[fraction:]
    beyond = field[:width].all()
    if len(field) > width:
        beyond = beyond | field[width:].any()
    nan = named(module, f"{name}_nan", nan)
    top = named(module, f"{name}_top", infinite | beyond | nan)
    if saturate:
        mantissa = finite[:fraction] | top.replicate(fraction)
        exponent = Cat((field[0] & ~top) | nan, field[1:width] | top.replicate(width - 1))
    else:
        mantissa = (finite[:fraction] & (~top).replicate(fraction)) | nan.replicate(fraction)
        exponent = field[:width] | top.replicate(width)
    return named(module, f"{name}_code", Cat(mantissa, exponent, sign & ~nan))
