"""safetensors: one file, or the shards that an index names."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError

MOST_HEADER = 100_000_000
"""Bytes of a header, as the format limits it."""
DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
"""Types that NumPy has; bf16 and FP8 are read as their bits (``BITS``)."""
BITS = {"BF16": np.uint16, "F8_E4M3": np.uint8, "F8_E5M2": np.uint8}


def read_safetensors(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a file, of the shards of an ``.index.json``, or of all ``.safetensors`` of a folder.

    bf16 becomes float32 (exactly), FP8 becomes float32 by its format.

    Raises:
        InputError: a file cannot be read, its header does not fit it, a name comes twice or is missing.
    """
    place = Path(path)
    if place.is_dir():
        index = place / "model.safetensors.index.json"
        if index.exists():
            return _shards(index)
        files = sorted(place.glob("*.safetensors"))
        if not files:
            raise InputError(f"folder {place} has no .safetensors file; give one that has")
        return _merged(files)
    return _shards(place) if place.name.endswith(".index.json") else _read(place)


def _shards(index: Path) -> dict[str, NDArray[Any]]:
    try:
        names: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        files = sorted({Path(file).name for file in names.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"index {index} cannot be read ({error}); a weight_map of names to files is needed") from error
    found = _merged([index.parent / file for file in files])
    missing = sorted(names.keys() - found.keys())
    if missing:
        raise InputError(f"{index} lists {missing[0]} and {len(missing) - 1} more that no shard holds; fetch it again")
    return found


def _merged(files: list[Path]) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for file in files:
        for name, tensor in _read(file).items():
            if name in found:
                raise InputError(f"tensor {name} is in two files of {file.parent}; keep one")
            found[name] = tensor
    return found


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(size - 8, MOST_HEADER):
                raise InputError(f"{path} states a header of {length} bytes, the file has {size}; fetch it again")
            header = json.loads(stream.read(length).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error}); give a complete file") from error
    if not isinstance(header, dict):
        raise InputError(f"{path} has no table of tensors in its header; give a complete file")
    data = np.memmap(path, np.uint8, "r", offset=8 + length) if size > 8 + length else np.empty(0, np.uint8)
    return {name: _tensor(path, name, entry, data) for name, entry in header.items() if name != "__metadata__"}


def _tensor(path: Path, name: str, entry: Any, data: NDArray[np.uint8]) -> NDArray[Any]:
    try:
        kind, shape, (start, stop) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        plain = all(isinstance(value, int) and not isinstance(value, bool) for value in (*shape, start, stop))
        if not plain or not isinstance(kind, str) or min((*shape, start), default=0) < 0:
            raise ValueError("sizes and offsets must be whole numbers")
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path}: tensor {name} is not described as safetensors asks ({error})") from error
    dtype = DTYPES.get(kind) or BITS.get(kind)
    if dtype is None:
        raise InputError(f"{path}: tensor {name} has the type {kind}, known are {', '.join([*DTYPES, *BITS])}")
    wanted = math.prod(shape) * np.dtype(dtype).itemsize
    if not start <= stop <= len(data) or stop - start != wanted:
        raise InputError(
            f"{path}: tensor {name} of shape {shape} lies at {start}..{stop} of {len(data)} bytes, must take {wanted} "
            "within them; the file is damaged"
        )
    raw = np.frombuffer(data[start:stop].tobytes(), dtype).reshape(shape)
    if kind == "BF16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    if kind in BITS:
        from simhw.formats import decode

        return decode(raw, kind.removeprefix("F8_").lower()).astype(np.float32)
    return raw
