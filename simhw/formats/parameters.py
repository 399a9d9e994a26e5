"""From records and policies to the plain integers that kernels take, with the refusals that belong there."""

from __future__ import annotations

from simhw.errors import InputError
from simhw.formats.definition import NEVER_OVERFLOWS, special_code
from simhw.formats.element import ElementFormat
from simhw.formats.floating import FloatFormat
from simhw.formats.integer import IntegerFormat
from simhw.formats.rounding import Overflow, Rounding

MAX_RANDOM_BITS = 32


def rounding_parameters(rounding: Rounding, random_bits: int, seed: int) -> dict[str, int]:
    """Return the fields of ``kernels.RoundingParameters``; the seed is taken modulo 2**64."""
    if not 1 <= random_bits <= MAX_RANDOM_BITS:
        raise InputError(f"random_bits is {random_bits}, must be 1..{MAX_RANDOM_BITS}")
    seed64 = (seed & 0xFFFFFFFFFFFFFFFF) - ((seed & 0x8000000000000000) << 1)
    return {"rounding": list(Rounding).index(rounding), "draw_bits": random_bits, "seed": seed64}


def integer_parameters(fmt: IntegerFormat, overflow: Overflow, infinite: Overflow) -> dict[str, int]:
    """Return the fields of ``kernels.IntegerParameters``."""
    require_no_specials(fmt, overflow, infinite)
    return {
        "lsb_exponent": fmt.lsb_exponent,
        "minimum": fmt.saturation_integer,
        "maximum": fmt.max_integer_code,
        "mask": fmt.code_count - 1,
        "wrap": int(overflow is Overflow.WRAP),
    }


def float_parameters(fmt: FloatFormat, rounding: Rounding, overflow: Overflow, infinite: Overflow) -> dict[str, int]:
    """Return the fields of ``kernels.FloatParameters``.

    Raises:
        InputError: a policy that the format lacks.
    """

    def beyond(negative: bool) -> int:
        code = special_code(fmt, overflow, negative)
        clamps = rounding in NEVER_OVERFLOWS[negative] and (fmt.is_signed or not negative)
        return special_code(fmt, Overflow.SATURATE, negative) if clamps else code

    if fmt.has_zero:
        zero = 0
        negative_zero = fmt.sign_bit if fmt.has_negative_zero else 0
    else:
        zero = negative_zero = 0 if overflow is Overflow.SATURATE else special_code(fmt, Overflow.NAN, negative=False)
    nan = fmt.nan_code if fmt.nan_code is not None else 0
    return {
        "mantissa_bits": fmt.mantissa_bits,
        "minimum_exponent": fmt.minimum_exponent,
        "first_normal_code": fmt.first_normal_code,
        "has_subnormals": int(fmt.has_subnormals),
        "has_zero": int(fmt.has_zero),
        "is_signed": int(fmt.is_signed),
        "max_code": fmt.max_code,
        "sign_bit": fmt.sign_bit,
        "overflow_positive": beyond(negative=False),
        "overflow_negative": beyond(negative=True),
        "infinite_positive": special_code(fmt, infinite, negative=False),
        "infinite_negative": special_code(fmt, infinite, negative=True),
        "nan_positive": nan,
        "nan_negative": nan | fmt.sign_bit,
        "zero_positive": zero,
        "zero_negative": negative_zero,
    }


def require_no_specials(fmt: ElementFormat, overflow: Overflow, infinite: Overflow) -> None:
    """Raise InputError if a policy asks for infinity or NaN, or for wrapping where that has no meaning."""
    allowed = [Overflow.SATURATE, Overflow.WRAP] if isinstance(fmt, IntegerFormat) else [Overflow.SATURATE]
    for argument, policy in (("overflow", overflow), ("infinite", infinite)):
        if policy not in allowed:
            names = " or ".join(repr(choice.value) for choice in allowed)
            raise InputError(f"{argument} is {policy.value!r}, which {fmt.name} has not; take {names}")


def refuse_specials(fmt: ElementFormat, infinite: Overflow, nans: int, infinities: int) -> None:
    """Raise InputError if values held NaN or infinities (that many) which the format cannot take."""
    if nans and not fmt.has_nan:
        raise InputError(f"values hold {nans} NaN, which {fmt.name} cannot express; replace them (np.nan_to_num)")
    if infinities and infinite is Overflow.WRAP:
        raise InputError(f"values hold {infinities} infinities, which cannot wrap; pass infinite='saturate'")
