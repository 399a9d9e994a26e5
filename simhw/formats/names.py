"""From names to formats: the catalogue, its aliases, and later the grammars of the families."""

from __future__ import annotations

from simhw.errors import InputError, unknown_name
from simhw.formats.block import BlockFormat
from simhw.formats.catalog import ALIASES, BLOCKS, ELEMENTS
from simhw.formats.element import ElementFormat

AnyFormat = ElementFormat | BlockFormat


def format_names() -> list[str]:
    """Return the names of all formats of the catalogue, elements first, then blocks."""
    return [*ELEMENTS, *BLOCKS]


def get_format(name: str | AnyFormat) -> AnyFormat:
    """Return the record of a format name (a record is returned as it is).

    Raises:
        InputError: no such name; the nearest ones are listed.
    """
    if isinstance(name, ElementFormat | BlockFormat):
        return name
    if not isinstance(name, str):
        raise InputError(f"format is a {type(name).__name__}, must be a name or a format record")
    key = ALIASES.get(name, name)
    if key in ELEMENTS:
        return ELEMENTS[key]
    if key in BLOCKS:
        return BLOCKS[key]
    raise unknown_name("format", name, [*format_names(), *ALIASES])


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
    names = ", ".join(BLOCKS)
    raise InputError(f"{fmt.name} is an element format, a block format is needed here: {names}")
