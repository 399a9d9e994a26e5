"""Values between ONNX nodes: tensors that PyTorch traces, and small constants and sizes that stay with the host.

A host value is a NumPy array: an initializer of one number, a short list of them, one axis of integers, a shape, and
what is computed from these alone. Shapes may hold PyTorch's symbolic integers (the number of samples); such arrays have
dtype object.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from simhw.errors import InputError

Host = NDArray[Any]
Value = Any
"""torch.Tensor or Host; None for an optional input that is left out."""


MOST = 4096
"""Integers of a list that stays with the host."""
FACTORS = 4
"""Numbers of a list that may be the factors of a Resize."""


def is_host(value: Value) -> bool:
    """Whether a value is known to the host."""
    return isinstance(value, np.ndarray)


def stays_on_host(array: Host) -> bool:
    """Whether a constant is one number or a short list of integers, which decides sizes and axes."""
    integers = array.ndim <= 1 and array.dtype.kind in "iub" and array.size <= MOST
    # PyTorch has no type for these, and the type of a zero point says that of the codes.
    narrow = array.dtype.name.startswith(("int2", "uint2", "int4", "uint4", "float4", "float8"))
    return array.size <= 1 or integers or narrow or (array.ndim == 1 and array.size <= FACTORS)


def pack(items: Any) -> Host:
    """Return integers, symbolic ones among them, as an array."""
    flat = np.empty(len(items), object)
    for index, item in enumerate(items):
        flat[index] = item
    return known(flat)


def known(array: Host) -> Host:
    """Return an array of objects as int64 where none of them is symbolic."""
    if array.dtype == object and all(isinstance(item, (int, np.integer)) for item in array.reshape(-1)):
        return array.astype(np.int64)
    return array


def host(value: Value, what: str) -> Host:
    """Return a host value. Raises InputError where it is computed from the input."""
    if not is_host(value):
        raise InputError(f"its {what} is computed from the input, must be constant; export the model with it fixed")
    return np.asarray(value)


def ints(value: Value, what: str) -> list[Any]:
    """Return a list of integers, symbolic ones among them."""
    array = host(value, what).reshape(-1)
    return [int(item) if isinstance(item, (int, np.integer, np.floating, float)) else item for item in array]


def tensor(value: Value) -> torch.Tensor:
    """Return a value as a tensor."""
    if isinstance(value, torch.Tensor):
        return value
    array = np.asarray(value)
    if array.dtype == object:
        raise InputError("a size that varies with the number of samples is used as a value; fix it in the export")
    return torch.from_numpy(np.array(_carried(array)))


def number_or_tensor(value: Value, other: Value) -> Any:
    """Return a Python number for a constant of one element that does not decide the shape of the result."""
    if is_host(value) and value.size == 1 and value.dtype != object and value.ndim <= tensor(other).ndim:
        return value.reshape(()).item()
    return tensor(value)


def _carried(array: Host) -> Host:
    """Return values in a type that PyTorch and the graph's operators have: all floats are float32."""
    if array.dtype.kind == "f" or array.dtype.name.startswith(("bfloat", "float")):
        return array.astype(np.float32)
    if array.dtype.name in ("int4", "int2"):
        return array.astype(np.int8)
    if array.dtype.name in ("uint4", "uint2"):
        return array.astype(np.uint8)
    return array.astype(np.int64) if array.dtype.kind == "u" and array.dtype.itemsize > 2 else array


def carried(array: Host) -> Host:
    """Return an initializer's values in a type that the graph's operators have: all floats are float32."""
    return np.ascontiguousarray(_carried(array))
