"""Functions that make formats of a family from their parameters, validated, with a name that says the parameters."""

from __future__ import annotations

from collections.abc import Iterable

from simhw.errors import InputError
from simhw.formats.block import BlockFormat
from simhw.formats.codebook import CodebookFormat
from simhw.formats.element import ElementFormat
from simhw.formats.floating import FloatFormat, NanCodes
from simhw.formats.integer import IntegerFormat
from simhw.formats.rounding import ScaleRule, choose


def integer_format(*, bits: int, signed: bool = True, symmetric: bool = False) -> IntegerFormat:
    """Return a two's complement (``int8``) or unsigned (``uint8``) integer format of 2..32 bits.

    Args:
        bits: width of a code.
        signed: two's complement if True.
        symmetric: encode saturates at ``-max_value`` and leaves the most negative code unused.
    """
    name = f"{'' if signed else 'u'}int{bits}{'_symmetric' if symmetric else ''}"
    source = "two's complement" if signed else "unsigned binary"
    return IntegerFormat(name=name, width=bits, is_signed=signed, symmetric=symmetric, source=source)


def fixed_point_format(*, bits: int, fraction_bits: int, signed: bool = True, symmetric: bool = False) -> IntegerFormat:
    """Return a binary fixed-point format: ``value = integer * 2**-fraction_bits``.

    Args:
        bits: width of a code, sign included, 2..32.
        fraction_bits: binary places; may exceed ``bits`` or be negative.
        signed: two's complement if True.
        symmetric: as in :func:`integer_format`.

    >>> fixed_point_format(bits=8, fraction_bits=6).name
    'sfix8_en6'
    """
    sign = "s" if signed else "u"
    scaling = f"_en{fraction_bits}" if fraction_bits >= 0 else f"_e{-fraction_bits}"
    return IntegerFormat(
        name=f"{sign}fix{bits}{scaling}{'_symmetric' if symmetric else ''}",
        width=bits,
        is_signed=signed,
        fraction_bits=fraction_bits,
        symmetric=symmetric,
        source="binary fixed point; names as MATLAB Fixed-Point Designer writes them (sfix8_En6)",
    )


def float_format(
    *,
    exponent_bits: int,
    mantissa_bits: int,
    bias: int | None = None,
    signed: bool = True,
    infinity: bool = True,
    nan: NanCodes | str = NanCodes.IEEE,
    subnormals: bool = True,
    name: str | None = None,
) -> FloatFormat:
    """Return any ExMy format of up to 32 bits; without options with the special values of IEEE 754.

    Args:
        exponent_bits: width of the exponent field, 1..11.
        mantissa_bits: width of the mantissa field, 0..30.
        bias: None takes ``2**(exponent_bits - 1) - 1``, one more if NaN is at -0 (the FNUZ formats).
        signed: whether there is a sign bit.
        infinity: whether there are infinities.
        nan: which codes mean NaN.
        subnormals: False flushes: codes with a zero exponent field mean zero and are not made.
        name: None makes the name in the grammar of :func:`simhw.formats.get_format`.

    Raises:
        InputError: parameters that contradict each other or leave float64.

    >>> float_format(exponent_bits=5, mantissa_bits=10).name
    'e5m10'
    """
    nan_codes = choose(NanCodes, nan, argument="nan")
    if nan_codes is NanCodes.IEEE and not infinity:
        raise InputError("nan is 'ieee' without infinity; take nan='all_ones' or infinity=True")
    default = (1 << (max(exponent_bits, 1) - 1)) - 1 + int(nan_codes is NanCodes.NEGATIVE_ZERO)
    bias = default if bias is None else bias
    made = (
        f"{'' if signed else 'u'}e{exponent_bits}m{mantissa_bits}{'' if bias == default else f'b{bias}'}"
        f"{_SPECIALS[infinity, nan_codes]}{'' if subnormals else '_ftz'}"
    )
    return FloatFormat(
        name=made if name is None else name,
        exponent_bits=exponent_bits,
        mantissa_bits=mantissa_bits,
        bias=bias,
        is_signed=signed,
        infinity=infinity,
        nan=nan_codes,
        has_subnormals=subnormals,
        source="ExMy family: field widths, bias and special codes as the name says",
    )


_SPECIALS: dict[tuple[bool, NanCodes], str] = {
    (True, NanCodes.IEEE): "",
    (True, NanCodes.ALL_ONES): "in",
    (True, NanCodes.NEGATIVE_ZERO): "inuz",
    (True, NanCodes.NONE): "i",
    (False, NanCodes.ALL_ONES): "fn",
    (False, NanCodes.NEGATIVE_ZERO): "fnuz",
    (False, NanCodes.NONE): "f",
}
"""Suffixes of ExMy names. ``fn`` and ``fnuz`` as ml_dtypes has them; ``f`` without NaN, ``i`` with infinity."""

SPECIALS: dict[str, tuple[bool, NanCodes]] = {suffix: key for key, suffix in _SPECIALS.items()}


def p3109_format(*, bits: int, precision: int, signed: bool = True, extended: bool = True) -> FloatFormat:
    """Return a format of the IEEE P3109 family: one zero, one NaN, subnormals, any split of 2..15 bits.

    Args:
        bits: width k of a code.
        precision: p, significand bits with the leading one: ``1 <= p < k`` if signed, ``1 <= p <= k`` if not.
        signed: signed formats have NaN at the code of -0, unsigned ones at the top.
        extended: with infinities (the top code of each sign); False: the finite domain.

    >>> p3109_format(bits=8, precision=3).max_value
    Fraction(49152, 1)
    """
    if not 2 <= bits <= 15:
        raise InputError(f"bits of a P3109 format is {bits}, must be 2..15")
    if not 1 <= precision <= bits - int(signed):
        raise InputError(f"precision of a P3109 format of {bits} bits is {precision}, must be 1..{bits - int(signed)}")
    return FloatFormat(
        name=f"p3109_k{bits}p{precision}{'s' if signed else 'u'}{'e' if extended else 'f'}",
        exponent_bits=bits - precision + int(not signed),
        mantissa_bits=precision - 1,
        bias=1 << (bits - precision - 1) if signed else 1 << (bits - precision),
        is_signed=signed,
        infinity=extended,
        nan=NanCodes.NEGATIVE_ZERO if signed else NanCodes.ALL_ONES,
        source="IEEE P3109 interim report 3.0, Binary{k}p{p} formats, as gfloat format_info_p3109 has them",
    )


def codebook_format(*, name: str, values: Iterable[float], source: str = "given by the user") -> CodebookFormat:
    """Return a format whose code i means ``values[i]``.

    Args:
        name: how it is called in results and messages.
        values: 2 to 65536 finite numbers, exact in float64, in any order.
        source: where they come from.

    Raises:
        InputError: too few, too many, not finite, all equal.
    """
    return CodebookFormat(name=name, values=tuple(float(value) for value in values), source=source)


def block_format(
    *,
    element: ElementFormat,
    scale: FloatFormat,
    block_size: int,
    tensor_scale: bool = False,
    scale_rule: ScaleRule | str | None = None,
    name: str | None = None,
) -> BlockFormat:
    """Return a block format of any element, scale and size.

    Args:
        element: any element format with a positive value.
        scale: any float format; power-of-two rules use its powers of two, AMAX all of its values.
        block_size: elements per scale.
        tensor_scale: whether one float32 scale multiplies the whole tensor as well.
        scale_rule: None takes FLOOR for scales without mantissa (E8M0), AMAX for others.
        name: None makes the name in the grammar of :func:`simhw.formats.get_format`.

    >>> from simhw.formats import E2M1, E4M3
    >>> block_format(element=E2M1, scale=E4M3, block_size=16).name
    'e2m1_e4m3_b16'
    """
    default = ScaleRule.AMAX if scale.mantissa_bits else ScaleRule.FLOOR
    made = f"{element.name}_{scale.name}_b{block_size}{'_tensor' if tensor_scale else ''}"
    return BlockFormat(
        name=made if name is None else name,
        element=element,
        scale=scale,
        block_size=block_size,
        has_tensor_scale=tensor_scale,
        scale_rule=default if scale_rule is None else choose(ScaleRule, scale_rule, argument="scale_rule"),
        source=f"elements: {element.source}; scales: {scale.source}",
    )
