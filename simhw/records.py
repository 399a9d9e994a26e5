"""Frozen dataclasses as checked data: plain types inside, strict JSON outside.

JSON (RFC 8259) knows no infinities: ``+infinity`` is written as ``null``; NaN and minus infinity are the
strings ``"nan"`` and ``"-inf"``. A field declared ``float | None`` must be finite: there ``null`` means None.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from simhw.errors import InputError

_Record = TypeVar("_Record")


def normalize(record: object) -> None:
    """Check every field of a dataclass instance, in place; for its ``__post_init__``.

    NumPy scalars, lists and mappings become the declared plain types. Whole numbers are counts, so >= 0.

    Raises:
        InputError: a value does not fit the declared type of its field.
    """
    owner = type(record)
    for name, declared in declared_types(owner).items():
        value = getattr(record, name)
        try:
            object.__setattr__(record, name, _plain(declared, value))
        except _MisfitError as misfit:
            raise InputError(f"{owner.__name__}.{name} is {_short(value)}, must be {misfit}") from None


def to_json_data(value: object) -> Any:
    """Return what ``json.dumps(..., allow_nan=False)`` accepts, for a value inside a checked record."""
    if is_dataclass(value):
        return {name: to_json_data(getattr(value, name)) for name in declared_types(type(value))}
    if isinstance(value, float) and not math.isfinite(value):
        return None if value == math.inf else str(value)
    if isinstance(value, Mapping):
        return {key: to_json_data(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [to_json_data(item) for item in value]
    return value


def from_json_data(kind: type[_Record], data: Mapping[str, Any], derived: Sequence[str] = ()) -> _Record:
    """Return the record that JSON data describes; names in ``derived`` may be present and are not read.

    Fields with a default may be left out.

    Raises:
        InputError: a field is missing, unknown or of the wrong type.
    """
    types = declared_types(kind)
    needed = [field.name for field in fields(kind) if field.default is MISSING]  # type: ignore[arg-type]
    if missing := [name for name in needed if name not in data]:
        raise InputError(f"{kind.__name__} has no {missing[0]!r}; its fields are: {', '.join(types)}")
    if unknown := [name for name in data if name not in types and name not in derived]:
        raise InputError(f"{kind.__name__} knows no {unknown[0]!r}; its fields are: {', '.join(types)}")
    return kind(**{name: _from_json(declared, data[name]) for name, declared in types.items() if name in data})


def declared_types(kind: type) -> dict[str, Any]:
    """Return the declared type of every field, in order."""
    return _type_hints(kind)


_type_hints = cache(get_type_hints)


class _MisfitError(Exception):
    """Ends the sentence 'must be ...'."""


def _plain(declared: Any, value: Any) -> Any:
    """Return ``value`` as the declared type."""
    inner = get_args(declared)
    if isinstance(declared, UnionType):
        return None if value is None else _finite_or_count(inner[0], value)
    if get_origin(declared) is Mapping:
        if not isinstance(value, Mapping):
            raise _MisfitError("a mapping from names to numbers")
        return {_plain(str, key): _plain(inner[1], item) for key, item in value.items()}
    if get_origin(declared) is tuple:
        if isinstance(value, str | Mapping) or not hasattr(value, "__iter__"):
            raise _MisfitError("a list")
        return tuple(_plain(inner[0], item) for item in value)
    if declared is float:
        return _number(value)
    if declared is int:
        return _count(value)
    if declared is bool and type(value).__name__ in ("bool", "bool_"):  # NumPy's too, without importing it
        return bool(value)
    if not isinstance(value, declared):
        raise _MisfitError(_WORDS.get(declared, f"a {declared.__name__}"))
    return value


_WORDS = {str: "a text", bool: "true or false"}


def _finite_or_count(declared: Any, value: Any) -> Any:
    plain = _plain(declared, value)
    if not math.isfinite(plain):
        raise _MisfitError("a finite number, or None")
    return plain


def _count(value: Any) -> int:
    try:
        count = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = -1
    if count < 0:
        raise _MisfitError("a whole number >= 0")
    return count


def _number(value: Any) -> float:
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise _MisfitError("a number")
    return float(value)


def _from_json(declared: Any, value: Any) -> Any:
    """Undo :func:`to_json_data` for a field declared so; what does not fit is left for :func:`normalize`."""
    inner = get_args(declared)
    if declared is float and (value is None or value in ("nan", "-inf")):
        return math.inf if value is None else float(value)
    if get_origin(declared) is Mapping and isinstance(value, Mapping):
        return {key: _from_json(inner[1], item) for key, item in value.items()}
    if get_origin(declared) is tuple and isinstance(value, list):
        return tuple(_from_json(inner[0], item) for item in value)
    if is_dataclass(declared) and isinstance(declared, type) and isinstance(value, Mapping):
        return from_json_data(declared, value)
    return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
