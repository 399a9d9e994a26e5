"""What a peer is: a library whose casts can be checked, and how each of them is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simhw.testing import Report, check_format


@dataclass(frozen=True, kw_only=True)
class Cast:
    """One function of a library.

    Attributes:
        format: what it casts to.
        call: how a user writes it.
        policy: what it is held to: rounding, overflow, scale rule.
        run: the check.
    """

    format: str
    call: str
    policy: str
    run: Callable[[], Report] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A library; every file ``simhw/peers/NAME.py`` binds exactly one, as ``PEER``.

    Attributes:
        name: entry name, equal to the file name.
        module: what is imported to see whether it is installed.
        install: how to get it.
        casts: imports the library and returns its casts.
    """

    name: str
    module: str
    install: str
    casts: Callable[[], list[Cast]] = field(repr=False)


def cast_check(
    fmt: str,
    call: str,
    *,
    overflow: str = "saturate",
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
    round_to: Callable[[Any], Any] | None = None,
    dtype: str = "float32",
) -> Cast:
    """Return a cast to an element format that is held to nearest-even rounding and one overflow policy."""
    return Cast(
        format=fmt,
        call=call,
        policy=f"nearest_even, {overflow}",
        run=lambda: check_format(fmt, encode=encode, decode=decode, round_to=round_to, overflow=overflow, dtype=dtype),
    )
