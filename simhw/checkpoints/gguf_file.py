"""GGUF: metadata and tensors; blocks of Q4_0, Q4_1 and Q8_0 as codes with their scales.

A block holds 32 weights of a row: ``d`` (fp16) and 16 bytes of nibbles, those of weights 0..15 low, 16..31 high (Q4_0,
w = d (q - 8)); the same behind a minimum ``m`` (Q4_1, w = d q + m); ``d`` and 32 bytes (Q8_0, w = d q).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.checkpoints.base import PackedWeight, Tensors
from simhw.errors import InputError

BLOCK = 32
MAGIC = b"GGUF"
MOST_ENTRIES = 1 << 20
"""Tensors or metadata entries; more are no model."""
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a metadata value by its type."""
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True, kw_only=True)
class GgufFile:
    """A GGUF file: metadata by key, tensors by name."""

    metadata: dict[str, Any]
    tensors: Tensors


def read_gguf(path: str | Path) -> GgufFile:
    """Return metadata and tensors of a GGUF file.

    F32, F16, BF16 become float32; Q4_0, Q4_1, Q8_0 of two dimensions become a :class:`PackedWeight`, with the codes as
    they are stored.

    Raises:
        InputError: the file is not GGUF, a length in it does not fit it, or a tensor is of another type.
    """
    import gguf

    place = Path(path)
    _check_header(place)
    try:
        reader = gguf.GGUFReader(place)
        metadata = {name: field.contents() for name, field in reader.fields.items()}
    except Exception as error:  # the reader trusts what it reads
        raise InputError(f"{place} cannot be read as GGUF ({type(error).__name__}: {error}); fetch it again") from error
    return GgufFile(metadata=metadata, tensors={tensor.name: _tensor(place, tensor) for tensor in reader.tensors})


def _tensor(path: Path, tensor: Any) -> NDArray[Any] | PackedWeight:
    kind, shape = tensor.tensor_type.name, tuple(int(size) for size in reversed(tensor.shape.tolist()))
    data = np.asarray(tensor.data)
    if kind in ("F32", "F16"):
        return data.reshape(shape).astype(np.float32)
    if kind == "BF16":
        return (data.view(np.uint16).reshape(shape).astype(np.uint32) << 16).view(np.float32)
    if kind not in ("Q4_0", "Q4_1", "Q8_0"):
        raise InputError(
            f"{path}: tensor {tensor.name} is of type {kind}, known are F32, F16, BF16, Q4_0, Q4_1, Q8_0; convert it"
        )
    if len(shape) != 2:
        raise InputError(f"{path}: tensor {tensor.name} of type {kind} has the shape {shape}, must have two axes")
    n, k = shape
    blocks = data.reshape(n, k // BLOCK, -1).view(np.uint8)
    source = f"{path.name}, {tensor.name} ({kind})"
    scale = np.ascontiguousarray(blocks[:, :, :2]).view(np.float16)[:, :, 0].astype(np.float32)
    if kind == "Q8_0":
        codes = np.ascontiguousarray(blocks[:, :, 2:]).reshape(n, k)
        return PackedWeight(codes=codes, format="int8", group_size=BLOCK, scale=scale, source=source)
    nibbles = blocks[:, :, 2 if kind == "Q4_0" else 4 :]
    codes = np.concatenate([nibbles & 15, nibbles >> 4], axis=2).reshape(n, k)
    zero = np.full(scale.shape, 8, np.int32) if kind == "Q4_0" else None
    minimum = None
    if kind == "Q4_1":
        minimum = np.ascontiguousarray(blocks[:, :, 2:4]).view(np.float16)[:, :, 0].astype(np.float32)
    return PackedWeight(
        codes=codes, format="uint4", group_size=BLOCK, scale=scale, zero=zero, minimum=minimum, source=source
    )


class _Walk:
    """Reads a header field by field, never beyond the file."""

    def __init__(self, path: Path, data: NDArray[np.uint8]) -> None:
        self.path, self.data, self.at = path, data, 0

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.data):
            raise InputError(f"{self.path} ends inside its header ({size} bytes at {self.at} of {len(self.data)})")
        found = self.data[self.at : self.at + size].tobytes()
        self.at += size
        return found

    def number(self, form: str) -> int:
        return int(struct.unpack(f"<{form}", self.take(struct.calcsize(form)))[0])

    def skip(self, size: int) -> None:
        if size < 0 or self.at + size > len(self.data):
            raise InputError(f"{self.path} ends inside its header ({size} bytes at {self.at} of {len(self.data)})")
        self.at += size

    def value(self, kind: int, depth: int = 0) -> None:
        """Walk over a metadata value."""
        if kind == _STRING:
            self.skip(self.number("Q"))
        elif kind == _ARRAY:
            inner, count = self.number("I"), self.number("Q")
            if depth or inner == _ARRAY or count > len(self.data):
                raise InputError(f"{self.path} has an array of {count} entries in its header; the file is damaged")
            if inner in _SIZES:
                self.skip(_SIZES[inner] * count)
            else:
                for _ in range(count):
                    self.value(inner, depth + 1)
        elif kind in _SIZES:
            self.skip(_SIZES[kind])
        else:
            raise InputError(f"{self.path} has a metadata value of type {kind}; the file is damaged")


def _check_header(path: Path) -> None:
    """Refuse a file whose header states more than the file holds, before a reader trusts it."""
    import gguf

    try:
        size = path.stat().st_size
        data = np.memmap(path, np.uint8, "r") if size else np.empty(0, np.uint8)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); give a GGUF file") from error
    walk = _Walk(path, data)
    if walk.take(4) != MAGIC:
        raise InputError(f"{path} does not begin with GGUF; give a GGUF file")
    version, tensors, entries = walk.number("I"), walk.number("Q"), walk.number("Q")
    if version not in (2, 3) or max(tensors, entries) > MOST_ENTRIES:
        raise InputError(
            f"{path} is of version {version} with {tensors} tensors and {entries} entries; versions 2 and 3 are known"
        )
    alignment = 32
    for _ in range(entries):
        key = walk.take(walk.number("Q"))
        kind = walk.number("I")
        before = walk.at
        walk.value(kind)
        if key == b"general.alignment" and kind in (4, 5):
            alignment = int.from_bytes(data[before : before + 4].tobytes(), "little")
    if alignment < 1 or alignment & (alignment - 1) or alignment > 1 << 16:
        raise InputError(f"{path} states an alignment of {alignment}, must be a power of two; the file is damaged")
    ends = []
    for _ in range(tensors):
        name = walk.take(walk.number("Q"))
        axes = walk.number("I")
        if not 1 <= axes <= 4:
            raise InputError(f"{path}: tensor {name[:60]!r} has {axes} axes, must have 1 to 4; the file is damaged")
        sizes = [walk.number("Q") for _ in range(axes)]
        kind, offset = walk.number("I"), walk.number("Q")
        try:
            block, stored = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
        except (KeyError, ValueError) as error:
            raise InputError(f"{path}: tensor {name[:60]!r} is of the unknown type {kind}") from error
        count = 1
        for axis in sizes:
            count *= axis
        if sizes[0] % block or offset % alignment or min(sizes) < 1:
            raise InputError(f"{path}: tensor {name[:60]!r} has sizes {sizes} at {offset}; the file is damaged")
        ends.append(offset + count // block * stored)
    start = -(-walk.at // alignment) * alignment
    if ends and start + max(ends) > size:
        raise InputError(f"{path} has {size} bytes, its tensors end at {start + max(ends)}; fetch it again")
