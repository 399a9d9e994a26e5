"""Entries as bytes: numbers and text as JSON, arrays as they lie in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.execution import Step
from simhw.gemm.operand import Storage
from simhw.gemm.plan import Tally
from simhw.noise import Noise

_LENGTH = 8


def pack(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes | None:
    """Return an entry; None where an array does not fill its memory in some order of its axes.

    The order of the axes in memory is kept, since sums of NumPy go along it.
    """
    parts, layouts = [], []
    for name, array in arrays.items():
        order = np.argsort([-stride for stride in array.strides], kind="stable").tolist()
        laid = array.transpose(order)
        if not laid.flags.c_contiguous or array.dtype.hasobject:
            return None
        layouts.append({"name": name, "dtype": array.dtype.str, "shape": laid.shape, "order": order})
        parts.append(laid.reshape(-1).view(np.uint8).data)
    text = json.dumps({"head": head, "arrays": layouts}).encode()
    return b"".join((len(text).to_bytes(_LENGTH, "little"), text, *parts))


def unpack(body: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the head and the arrays of an entry, writable as those of a computation are."""
    start = _LENGTH + int.from_bytes(body[:_LENGTH], "little")
    found = json.loads(body[_LENGTH:start])
    arrays = {}
    for layout in found["arrays"]:
        kind, shape, order = np.dtype(layout["dtype"]), layout["shape"], layout["order"]
        count = int(np.prod(shape, dtype=np.int64))
        laid = np.frombuffer(body, kind, count, start).reshape(shape).copy()
        arrays[layout["name"]] = laid.transpose(np.argsort(order).tolist())
        start += count * kind.itemsize
    return found["head"], arrays


def pack_step(step: Step) -> bytes | None:
    """Return what happened at one step, without its noise."""
    head = {
        **{name: getattr(step, name) for name in _PLAIN},
        **{name: None if (of := getattr(step, name)) is None else asdict(of) for name in ("activation", "weight")},
        "tally": asdict(step.tally),
    }
    return pack(head, {} if step.weight_cycles is None else {"weight_cycles": step.weight_cycles})


def unpack_step(body: bytes, whole: Step) -> Step:
    """Return a step like ``whole`` at which happened what an entry says."""
    head, arrays = unpack(body)
    part = whole.alone()
    for name in _PLAIN:
        setattr(part, name, head[name])
    part.activation, part.weight = (
        None if head[name] is None else Storage(**head[name]) for name in ("activation", "weight")
    )
    part.tally = Tally(**head["tally"])
    part.weight_cycles = arrays.get("weight_cycles")
    return part


def pack_noise(noise: Noise) -> bytes | None:
    """Return the noise of one batch."""
    return pack(asdict(noise), {})


def unpack_noise(body: bytes) -> Noise:
    """Return the noise of one batch."""
    head, _ = unpack(body)
    return Noise(**{**head, "where": tuple(head["where"])})


_PLAIN = ("m", "n", "k", "batch", "elements", "attention", "saturations", "kernel", "why")
