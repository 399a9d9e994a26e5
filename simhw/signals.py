"""A signal inside a unit of hardware, with the reason for its width."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A signal inside a unit, and why it is as wide as it is.

    Attributes:
        name: what it carries.
        bits: width.
        worst_case: the case that needs all of them, as a phrase.
    """

    name: str
    bits: int
    worst_case: str
