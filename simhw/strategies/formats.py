"""Strategies for formats: of the catalogue and of every family, narrow and plain ones first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import reject
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.formats import (
    BlockFormat,
    CodebookFormat,
    ElementFormat,
    FloatFormat,
    IntegerFormat,
    block_format,
    codebook_format,
    fixed_point_format,
    float_format,
    p3109_format,
)
from simhw.formats.catalog import BLOCKS, ELEMENTS
from simhw.formats.families import SPECIALS

Format = TypeVar("Format")

LARGEST_BLOCK = 64
"""Elements per scale, at most."""


def formats(*, max_bits: int = 32) -> st.SearchStrategy[ElementFormat | BlockFormat]:
    """Return element and block formats whose elements have at most ``max_bits`` bits (2..32)."""
    return st.one_of(element_formats(max_bits=max_bits), block_formats(max_bits=max_bits))


def element_formats(*, min_bits: int = 2, max_bits: int = 32) -> st.SearchStrategy[ElementFormat]:
    """Return element formats of every kind: those of the catalogue, then the families'; shrinks to few bits."""
    _check_widths(min_bits, max_bits)
    named = sorted((f for f in ELEMENTS.values() if min_bits <= f.bits <= max_bits), key=lambda f: (f.bits, f.name))
    made: list[st.SearchStrategy[ElementFormat]] = [
        st.sampled_from(named),
        integer_formats(min_bits=min_bits, max_bits=max_bits),
        float_formats(min_bits=min_bits, max_bits=max_bits),
    ]
    if min_bits <= 4:
        made.append(codebook_formats(max_bits=min(max_bits, 4)).filter(lambda f: f.bits >= min_bits))
    return st.one_of(made)


@st.composite
def integer_formats(draw: st.DrawFn, *, min_bits: int = 2, max_bits: int = 32) -> IntegerFormat:
    """Return integer and fixed-point formats; shrinks to int2."""
    _check_widths(min_bits, max_bits)
    return fixed_point_format(
        bits=draw(st.integers(min_bits, max_bits)),
        fraction_bits=draw(st.one_of(st.just(0), st.integers(-8, 40))),
        signed=not draw(st.booleans()),
        symmetric=draw(st.booleans()),
    )


@st.composite
def float_formats(draw: st.DrawFn, *, min_bits: int = 2, max_bits: int = 32) -> FloatFormat:
    """Return floating-point formats: any ExMy with any bias, special codes and subnormals, and the P3109 family.

    Shrinks to few exponent and mantissa bits, the usual bias, no special codes.
    """
    _check_widths(min_bits, max_bits)
    if min_bits <= 15 and draw(st.integers(0, 3)) == 3:
        bits = draw(st.integers(max(min_bits, 3), max(3, min(max_bits, 15))))
        signed = not draw(st.booleans())
        precision = draw(st.integers(1, bits - 1))
        return _built(lambda: p3109_format(bits=bits, precision=precision, signed=signed, extended=draw(st.booleans())))
    signed = not draw(st.booleans()) or min_bits > 31
    infinity, nan = draw(st.sampled_from(sorted(SPECIALS.values(), key=lambda pair: (pair[0], str(pair[1])))))
    total = draw(st.integers(max(min_bits, 3 + signed), max(max_bits, 3 + signed)))
    least = max(1, total - int(signed) - 30)
    exponent_bits = draw(st.integers(least, max(least, min(11, total - int(signed) - 1))))
    centre = (1 << (exponent_bits - 1)) - 1
    bias = draw(st.one_of(st.none(), st.integers(max(-64, centre - 200), min(centre + 64, 1000))))
    return _built(
        lambda: float_format(
            exponent_bits=exponent_bits,
            mantissa_bits=total - int(signed) - exponent_bits,
            bias=bias,
            signed=signed,
            infinity=infinity,
            nan=nan,
            subnormals=not draw(st.booleans()),
        )
    )


@st.composite
def codebook_formats(draw: st.DrawFn, *, max_bits: int = 4) -> CodebookFormat:
    """Return tables of 2 to ``2**max_bits`` values in any order; shrinks to two small whole numbers."""
    entry = st.one_of(st.integers(-8, 8).map(float), st.floats(-1e6, 1e6, width=32, allow_subnormal=False))
    several = st.lists(entry, min_size=2, max_size=1 << max_bits).filter(lambda found: len(set(found)) > 1)
    return codebook_format(name="codebook", values=draw(several), source="drawn by Hypothesis")


@st.composite
def block_formats(draw: st.DrawFn, *, max_bits: int = 32) -> BlockFormat:
    """Return block formats: those of the catalogue, and any element with any float scale and size."""
    named = [fmt for fmt in BLOCKS.values() if fmt.element.bits <= max_bits]
    if named and not draw(st.booleans()):
        return draw(st.sampled_from(sorted(named, key=lambda fmt: (fmt.element.bits, fmt.block_size))))
    element = draw(element_formats(max_bits=min(max_bits, 12)))
    scale = draw(float_formats(max_bits=9))
    size = draw(st.integers(1, LARGEST_BLOCK))
    tensor = draw(st.booleans())
    return _built(lambda: block_format(element=element, scale=scale, block_size=size, tensor_scale=tensor))


def _built(make: Callable[[], Format]) -> Format:
    """Return the format, or discard the draw where its parameters contradict each other."""
    try:
        return make()
    except InputError:
        reject()


def _check_widths(min_bits: int, max_bits: int) -> None:
    if not 2 <= min_bits <= max_bits <= 32:
        raise InputError(f"widths are {min_bits}..{max_bits} bits, must lie in 2..32 and not be empty")
