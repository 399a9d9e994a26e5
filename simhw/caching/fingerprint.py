"""What a record says, as 32 bytes: two that are equal in every field agree in them, others do not."""

from __future__ import annotations

import enum
import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.sfu import SpecialFunctionUnit, get_unit, unit_names

Digest = bytes
"""SHA-256: 32 bytes, and the one such hash that processors have instructions for."""
_OWN = "simhw"
_THREADS = ("OPENBLAS_CORETYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class UnknownContentError(Exception):
    """A value has contents that are not known, so that nothing that depends on it can be recognized."""


class Fingerprints:
    """Digests of records and arrays; an array is read once, so it must not change while this object is in use."""

    def __init__(self) -> None:
        self._arrays: dict[int, tuple[NDArray[Any], Digest]] = {}

    def of(self, *values: Any) -> Digest:
        """Return the digest of values: numbers, text, arrays, digests, records of this package, and nests of them.

        Raises:
            UnknownContentError: anything else, such as an object of another package.
        """
        found = hashlib.sha256()
        self._add(found, values)
        return found.digest()

    def of_array(self, array: NDArray[Any]) -> Digest:
        """Return the digest of dtype, shape and values."""
        known = self._arrays.get(id(array))
        if known is None:
            known = self._arrays[id(array)] = (array, array_digest(array))  # holding it, so that its id stays its own
        return known[1]

    def _add(self, found: Any, value: Any) -> None:
        kind = type(value)
        if value is None or kind in (bool, int, float, complex, str):
            text = repr(value).encode()
            found.update(b"%s %d:" % (kind.__name__.encode(), len(text)) + text)
        elif kind is bytes:
            found.update(b"bytes %d:" % len(value) + value)
        elif kind in (tuple, list, slice):
            items = (value.start, value.stop, value.step) if kind is slice else value
            found.update(b"%s %d:" % (kind.__name__.encode(), len(items)))
            for item in items:
                self._add(found, item)
        elif isinstance(value, Mapping):
            found.update(b"mapping %d:" % len(value))
            for key in sorted(value, key=repr):
                self._add(found, (key, value[key]))
        elif isinstance(value, (np.ndarray, np.generic)):
            self._add(found, self.of_array(value) if isinstance(value, np.ndarray) else array_digest(np.asarray(value)))
        elif isinstance(value, SpecialFunctionUnit):
            if value.name not in unit_names() or get_unit(value.name) is not value:
                raise UnknownContentError(value.name)
            self._add(found, ("unit", value.name))
        elif kind.__module__ == "torch":  # dtypes, devices and memory formats among a step's arguments
            self._add(found, ("torch", repr(value)))
        elif kind.__module__.partition(".")[0] != _OWN:
            raise UnknownContentError(f"{kind.__module__}.{kind.__qualname__}")
        else:
            self._add_own(found, value)

    def _add_own(self, found: Any, value: Any) -> None:
        kind = type(value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if isinstance(value, enum.Enum):
            self._add(found, (name, value.name))
        elif is_dataclass(value):
            self._add(found, (name, *((field.name, getattr(value, field.name)) for field in fields(value))))
        elif not getattr(value, "__dict__", None):  # stateless: its sources say it all
            self._add(found, (name,))
        else:
            raise UnknownContentError(name)


def array_digest(array: NDArray[Any]) -> Digest:
    """Return the digest of an array's dtype, shape, layout and values: NumPy adds along the layout."""
    if array.dtype.hasobject:
        raise UnknownContentError("an array of objects")
    found = hashlib.sha256(f"{array.dtype.str} {array.shape} {array.strides}:".encode())
    found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.digest()


def surroundings() -> Digest:
    """Return the digest of everything outside the network that a result depends on.

    That is this package's own sources, the versions of NumPy and Numba, and the processor with its threads, on which
    the last bits of the float reference depend. Results of one emulator are never taken for those of another.
    """
    threads = [os.environ.get(name, "") for name in _THREADS]
    return hashlib.sha256(_program() + repr([threads, _processors()]).encode()).digest()


@cache
def _program() -> Digest:
    found = hashlib.sha256()
    for folder in _folders():
        for path in _sources(folder):
            text = path.read_bytes()
            found.update(f"{path.relative_to(folder)} {len(text)}:".encode() + text)
    features = sorted(name for name, has in np._core._multiarray_umath.__cpu_features__.items() if has)  # type: ignore[attr-defined]
    versions = [platform.python_version(), np.__version__, version("numba"), version("scipy")]
    found.update(repr([versions, platform.machine(), platform.processor(), features]).encode())
    return found.digest()


def _folders() -> list[str]:
    """Return the folders of the package, and of that part which computes and may lie elsewhere."""
    specs = [find_spec(_OWN), find_spec(f"{_OWN}.quant")]
    return [folder for spec in specs if spec is not None for folder in spec.submodule_search_locations or ()]


def _sources(folder: str) -> list[Path]:
    """Return the sources below a folder; links lead on, since a checkout may be a tree of links."""
    files = [Path(where, name) for where, _, names in os.walk(folder, followlinks=True) for name in names]
    return sorted(path for path in files if path.suffix in (".py", ".toml"))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
