"""What every step of a run gave, kept in a folder, and where two such runs first differ.

A recording is a folder with ``steps.json`` and one ``.npy`` file per step and batch, written as the run goes on, so
that it takes no memory. Only steps on the array and the vector unit are kept: moves change no value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import FloatFormat, decode, encode, get_element_format
from simhw.graph.base import Kind, Node
from simhw.graph.ops import operators
from simhw.writing import make_folder, write_atomically

INDEX = "steps.json"


class Recorder:
    """Writes a recording; an observer of :func:`simhw.executor.execute`.

    Args:
        folder: made where it is missing; a recording that is already there is refused.
        about: names and numbers of the run, kept in the index.

    Raises:
        InputError: the folder cannot be made or holds a recording.
    """

    def __init__(self, folder: str | Path, about: dict[str, Any]) -> None:
        self.folder = Path(folder)
        make_folder(self.folder)
        if (self.folder / INDEX).exists():
            raise InputError(f"{self.folder} holds a recording already; name another folder, or delete it")
        self.about = about
        self.steps: dict[str, dict[str, Any]] = {}

    def __call__(self, node: Node, value: Any) -> None:
        """Keep the output of one step for one batch."""
        operator = operators()[node.operator]
        if operator.kind is Kind.MOVE or not isinstance(value, np.ndarray):
            return
        entry = {"label": node.label, "operator": node.operator, "source": node.source, "files": []}
        step = self.steps.setdefault(node.name, entry)
        place = list(self.steps).index(node.name)
        file = f"{place:04d}-{len(step['files']):04d}.npy"
        try:
            np.save(self.folder / file, value, allow_pickle=False)
        except OSError as error:
            raise InputError(f"{self.folder / file} cannot be written ({error}); free some space") from error
        step["files"].append(file)

    def close(self) -> None:
        """Write the index, without which the folder is no recording."""
        index = {"about": self.about, "steps": list(self.steps.values())}
        write_atomically(self.folder / INDEX, json.dumps(index, indent=1) + "\n")


@dataclass(frozen=True, kw_only=True)
class RecordedStep:
    """One step of a recording: its label, operator, line of the user's module, and the files of its batches."""

    label: str
    operator: str
    source: str
    files: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where two recordings first differ.

    Attributes:
        label, operator, source: the step.
        index: of the element in the step's output, samples of all batches counted on; () where the shapes differ.
        first, second: the two values.
        ulps: how many numbers of ``unit`` lie from one to the other (a NaN and a number: None).
        unit: the datapath's output format where both are numbers of it, else fp32.
        unequal, elements: how many values of this step differ in this batch, and how many it has.
        reason: what differs, where it is no value.
    """

    label: str
    operator: str
    source: str
    index: tuple[int, ...] = ()
    first: float = 0.0
    second: float = 0.0
    ulps: int | None = None
    unit: str = "fp32"
    unequal: int = 0
    elements: int = 0
    reason: str = ""


def read_recording(folder: str | Path) -> tuple[dict[str, Any], list[RecordedStep]]:
    """Return what a recording says about its run, and its steps.

    Raises:
        InputError: the folder is no recording, or a file of it is missing.
    """
    path = Path(folder) / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        steps = [
            RecordedStep(
                label=str(step["label"]),
                operator=str(step["operator"]),
                source=str(step["source"]),
                files=tuple(Path(folder) / Path(str(file)).name for file in step["files"]),
            )
            for step in index["steps"]
        ]
        about = dict(index["about"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder} is no recording ({type(error).__name__}: {error}); give a folder that 'simhw run --record' wrote"
        ) from error
    return about, steps


def first_difference(folder_a: str | Path, folder_b: str | Path) -> Difference | None:
    """Return the first step and element, in the order of execution, where two recordings differ; None where none do.

    Values are compared as bits, but all NaN are one and 0 and -0 differ.

    Raises:
        InputError: a folder is no recording, or a file of it is damaged.
    """
    (about_a, steps_a), (about_b, steps_b) = (read_recording(folder) for folder in (folder_a, folder_b))
    output = about_a.get("output") if about_a.get("output") == about_b.get("output") else None
    for a, b in zip(steps_a, steps_b, strict=False):
        if (a.label, a.operator) != (b.label, b.operator):
            return _other(a, f"the second run has {b.operator} {b.label!r} here")
        samples = 0
        for x, y in _batches(a, b):
            if x.shape != y.shape or x.dtype != y.dtype:
                return _other(a, f"{x.shape} {x.dtype} against {y.shape} {y.dtype}")
            found = _unequal(a, x, y, samples, output)
            if found is not None:
                return found
            samples += len(x)
        if len(a.files) != len(b.files):
            return _other(a, f"{len(a.files)} batches against {len(b.files)}")
    if len(steps_a) != len(steps_b):
        longer = max(steps_a, steps_b, key=len)
        step = longer[min(len(steps_a), len(steps_b))]
        return _other(step, f"{len(steps_a)} steps against {len(steps_b)}; this is the first that only one run has")
    return None


def ulps(first: float, second: float, fmt: str = "fp32") -> int | None:
    """Return how many numbers of a float format lie from one to the other; None where one is NaN or none of it."""
    values = np.array([first, second], np.float32)
    if np.isnan(values).any():
        return None
    record = get_element_format(fmt)
    if not isinstance(record, FloatFormat):
        return None
    codes = encode(values, record, overflow="infinity" if record.has_infinity else "saturate")
    if not np.array_equal(decode(codes, record), values):
        return None
    sign = 1 << (record.bits - 1)
    places = [int(code) if code < sign else sign - 1 - int(code) for code in codes]
    return abs(places[0] - places[1])


def _batches(a: RecordedStep, b: RecordedStep) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for pair in zip(a.files, b.files, strict=False):
        yield _load(pair[0]), _load(pair[1])


def _load(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); record the run again") from error
    return array


def _unequal(
    step: RecordedStep, x: NDArray[Any], y: NDArray[Any], samples: int, output: str | None
) -> Difference | None:
    if x.dtype.kind == "f":
        same = (x == y) & (np.signbit(x) == np.signbit(y)) | (np.isnan(x) & np.isnan(y))
    else:
        same = np.asarray(x == y)
    if same.all():
        return None
    place = np.unravel_index(int(np.argmin(same)), same.shape)
    first, second = float(x[place]), float(y[place])
    index = tuple(int(i) for i in place)
    units = [(unit, ulps(first, second, unit)) for unit in (output, "fp32") if unit is not None]
    unit, apart = next((pair for pair in units if pair[1] is not None), ("fp32", None))
    return Difference(
        label=step.label,
        operator=step.operator,
        source=step.source,
        index=(index[0] + samples, *index[1:]),
        first=first,
        second=second,
        ulps=apart,
        unit=unit,
        unequal=int(same.size - same.sum()),
        elements=same.size,
    )


def _other(step: RecordedStep, reason: str) -> Difference:
    return Difference(label=step.label, operator=step.operator, source=step.source, reason=reason)
