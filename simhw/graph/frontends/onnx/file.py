"""An ONNX file, read without trust: its lengths are checked, and external data stay in its folder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError

OLDEST = 11
"""Opset from which files are read."""
_DEEPEST, _MOST_NODES = 100, 1_000_000
"""Of local functions: calls inside each other, and nodes that they become."""
LARGEST = 1 << 34
"""Bytes of one tensor."""


_PACKED = {"INT2": 2, "UINT2": 2, "INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4}
"""Bits of an element of the types that are packed."""


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """A model whose local functions are inlined.

    Attributes:
        path: of the file.
        opset: version of ONNX's own operators.
        graph: its GraphProto.
        constants: initializers by name.
        inputs: names of what a user gives, initializers left out.
        samples: length of the first input's first axis, None where it varies.
    """

    path: str
    opset: int
    graph: Any
    constants: dict[str, NDArray[Any]]
    inputs: tuple[str, ...]
    samples: int | None = None


def read_file(path: str) -> OnnxFile:
    """Return what an ONNX file holds.

    Raises:
        InputError: onnx is not installed; the file is missing, damaged or older than opset 11; a tensor's length does
            not fit its shape; external data are outside the file's folder or shorter than stated.
    """
    if find_spec("onnx") is None:
        raise InputError("ONNX files need the package onnx, not installed; run: pip install 'simhw[onnx]'")
    import onnx
    from onnx.inliner import inline_local_functions

    if not Path(path).is_file():
        raise InputError(f"model file {path!r} does not exist; give an .onnx file")
    try:
        model = onnx.load(path, load_external_data=False)
        if model.functions:
            _check_functions(model)
            model = inline_local_functions(model)
    except InputError:
        raise
    except Exception as error:  # a file of any content: protobuf's own error has no public home
        raise InputError(f"{path!r} cannot be read as ONNX ({_first_line(error)}); give a model file") from error
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    opset = opsets.get("", opsets.get("ai.onnx", 0))
    if opset < OLDEST:
        raise InputError(f"{path} has opset {opset}, must be at least {OLDEST}; convert it with onnx.version_converter")
    constants = {tensor.name: read_tensor(tensor, path) for tensor in model.graph.initializer}
    if model.graph.sparse_initializer:
        raise InputError(f"{path} holds sparse weights, which are not supported; store them densely")
    inputs = tuple(value.name for value in model.graph.input if value.name not in constants)
    if not inputs or not model.graph.output:
        raise InputError(f"{path} has no input or no output; give a model file")
    first = next(value for value in model.graph.input if value.name not in constants)
    axes = first.type.tensor_type.shape.dim
    samples = axes[0].dim_value if axes and axes[0].dim_value > 0 else None
    return OnnxFile(path=path, opset=opset, graph=model.graph, constants=constants, inputs=inputs, samples=samples)


def _check_functions(model: Any) -> None:
    """Refuse local functions that call each other in a circle or would become too many nodes."""
    functions = {(part.domain, part.name): part.node for part in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(name: tuple[str, str], depth: int) -> int:
        if depth > _DEEPEST:
            raise InputError(f"its local functions lie {depth} deep in each other; inline them in the export")
        if name not in sizes:
            nodes = functions[name]
            sizes[name] = sum(
                size((node.domain, node.op_type), depth + 1) if (node.domain, node.op_type) in functions else 1
                for node in nodes
            )
        return sizes[name]

    whole = sum(size((n.domain, n.op_type), 0) for n in model.graph.node if (n.domain, n.op_type) in functions)
    if whole > _MOST_NODES:
        raise InputError(f"its local functions become {whole:,} nodes, more than {_MOST_NODES:,}; check the file")


def read_tensor(tensor: Any, path: str) -> NDArray[Any]:
    """Return the values of a tensor; integers narrower than 8 bits in 8, small floats as ml_dtypes has them.

    Raises:
        InputError: its length does not fit its shape, or its data are outside the folder.
    """
    from onnx import TensorProto, helper, numpy_helper

    what = f"tensor {tensor.name!r} of {path}"
    try:
        kind = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        bits = _PACKED.get(TensorProto.DataType.Name(tensor.data_type))
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{what} has an unknown type {tensor.data_type}; check the file") from error
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) * kind.itemsize > LARGEST:
        raise InputError(f"{what} has shape {tuple(tensor.dims)}, must be sizes of less than 16 GiB; check the file")
    count = math.prod(tensor.dims)
    least = count * kind.itemsize if bits is None else -(-count * bits // 8)
    folder = ""
    if tensor.data_location == TensorProto.EXTERNAL:
        folder = str(Path(path).resolve().parent)
        _check_external(tensor, Path(folder), least, what)
    elif tensor.HasField("raw_data") and len(tensor.raw_data) < least:
        raise InputError(
            f"{what} has {len(tensor.raw_data)} bytes for shape {tuple(tensor.dims)}; the file is damaged or cut off"
        )
    try:
        return np.asarray(numpy_helper.to_array(tensor, folder))
    except Exception as error:  # a file of any content
        raise InputError(f"{what} cannot be read ({_first_line(error)}); the file is damaged") from error


def _check_external(tensor: Any, folder: Path, least: int, what: str) -> None:
    """Refuse data that leave the folder of the file or are shorter than the shape says."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    place = (folder / location).resolve()
    if not location or Path(location).is_absolute() or folder not in place.parents:
        raise InputError(f"{what} is at {location!r}, must lie in the folder of the file; move the data there")
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", least))
        size = place.stat().st_size
    except (OSError, ValueError) as error:
        raise InputError(f"{what}: external data {location!r} cannot be read ({error}); give the file") from error
    if offset < 0 or length < least or offset + length > size:
        raise InputError(
            f"{what} takes {length} bytes from {offset} of {location!r}, which has {size}, and needs {least}; "
            "the data are cut off"
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
