"""From names to formats: the catalogue, its aliases, and the grammars of the families.

* ``int8``, ``uint3``, ``int8_symmetric``: 2..32 bits
* ``sfix16_en8``, ``ufix8_e2``: fixed point with 8 binary places, with steps of 2**2
* ``e5m10``, ``ue5m3``, ``e4m3b11fnuz``, ``e3m4_ftz``: exponent and mantissa bits, bias, special codes (none: as
  IEEE 754; ``fn``: no infinity, NaN all ones; ``fnuz``: NaN at -0; ``f``: finite only; ``i``, ``in``, ``inuz``: the
  same with infinity), without subnormals. Names of the catalogue come first: ``e4m3`` is the OCP format.
* ``p3109_k8p4se``, ``binary8p4se``: IEEE P3109, signed or unsigned, extended or finite
* ``e2m1_e4m3_b16``, ``e2m1_e4m3_b16_tensor``: blocks of 16 with E4M3 scales, and a scale for the tensor
"""

from __future__ import annotations

import re
from functools import lru_cache

from simhw.errors import InputError, unknown_name
from simhw.formats.block import BlockFormat
from simhw.formats.catalog import ALIASES, BLOCKS, ELEMENTS
from simhw.formats.element import ElementFormat
from simhw.formats.families import (
    SPECIALS,
    block_format,
    fixed_point_format,
    float_format,
    integer_format,
    p3109_format,
)
from simhw.formats.floating import FloatFormat

AnyFormat = ElementFormat | BlockFormat

_INTEGER = re.compile(r"(u?)int(\d+)(_symmetric)?")
_FIXED = re.compile(r"([su])fix(\d+)_e(n?)(\d+)(_symmetric)?")
_FLOAT = re.compile(r"(u?)e(\d+)m(\d+)(?:b(-?\d+))?(inuz|in|i|fnuz|fn|f|)(_ftz)?")
_P3109 = re.compile(r"(?:p3109_k|binary)(\d+)p(\d+)([su])([ef])")
_BLOCK = re.compile(r"(.+)_b(\d+)(_tensor)?")


def format_names() -> list[str]:
    """Return the names of all formats of the catalogue, elements first, then blocks."""
    return [*ELEMENTS, *BLOCKS]


def get_format(name: str | AnyFormat) -> AnyFormat:
    """Return the record of a format name (a record is returned as it is).

    Args:
        name: of the catalogue, an alias, or in the grammar of a family (see :mod:`simhw.formats.names`).

    Raises:
        InputError: no such name (the nearest ones are listed), or parameters that the family refuses.

    >>> get_format("float8_e4m3fn").name
    'e4m3'
    """
    if not isinstance(name, str):
        if isinstance(name, ElementFormat | BlockFormat):
            return name
        raise InputError(f"format is a {type(name).__name__}, must be a name or a format record")
    found = _find(name)
    if found is None:
        raise unknown_name("format", name, [*format_names(), *ALIASES])
    return found


def get_element_format(name: str | AnyFormat) -> ElementFormat:
    """Return the record of an element format; InputError for block formats and unknown names."""
    fmt = get_format(name)
    if isinstance(fmt, BlockFormat):
        raise InputError(f"{fmt.name} is a block format, which has no codes of its own; use quantize_blocks")
    return fmt


def get_block_format(name: str | AnyFormat) -> BlockFormat:
    """Return the record of a block format; InputError for element formats and unknown names."""
    fmt = get_format(name)
    if isinstance(fmt, BlockFormat):
        return fmt
    raise InputError(f"{fmt.name} is an element format, a block format is needed here: {', '.join(BLOCKS)}")


@lru_cache(maxsize=1024)
def _find(name: str) -> AnyFormat | None:
    key = ALIASES.get(name, name)
    if key in BLOCKS:
        return BLOCKS[key]
    return _find_element(key) or _find_block(key)


def _find_element(name: str) -> ElementFormat | None:
    key = ALIASES.get(name, name)
    if key in ELEMENTS:
        return ELEMENTS[key]
    if match := _INTEGER.fullmatch(key):
        unsigned, bits, symmetric = match.groups()
        return integer_format(bits=int(bits), signed=not unsigned, symmetric=bool(symmetric))
    if match := _FIXED.fullmatch(key):
        sign, bits, negative, places, symmetric = match.groups()
        fraction_bits = int(places) if negative else -int(places)
        return fixed_point_format(
            bits=int(bits), fraction_bits=fraction_bits, signed=sign == "s", symmetric=bool(symmetric)
        )
    if match := _FLOAT.fullmatch(key):
        unsigned, exponent_bits, mantissa_bits, bias, specials, flush = match.groups()
        infinity, nan = SPECIALS[specials]
        return float_format(
            exponent_bits=int(exponent_bits),
            mantissa_bits=int(mantissa_bits),
            bias=int(bias) if bias else None,
            signed=not unsigned,
            infinity=infinity,
            nan=nan,
            subnormals=not flush,
        )
    if match := _P3109.fullmatch(key):
        bits, precision, sign, domain = match.groups()
        return p3109_format(bits=int(bits), precision=int(precision), signed=sign == "s", extended=domain == "e")
    return None


def _find_block(name: str) -> BlockFormat | None:
    match = _BLOCK.fullmatch(name)
    if match is None:
        return None
    pair, size, tensor = match.groups()
    parts = pair.split("_")
    for cut in range(1, len(parts)):
        element, scale = _find_element("_".join(parts[:cut])), _find_element("_".join(parts[cut:]))
        if element is not None and isinstance(scale, FloatFormat):
            return block_format(element=element, scale=scale, block_size=int(size), tensor_scale=bool(tensor))
    return None
