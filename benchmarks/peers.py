"""What other libraries reach, where they are installed: 1e9 multiply-accumulates per second of CPU time, one thread.

Emulators are measured at a size that they finish; their speed does not depend on it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.measure import cpu_seconds  # isort: skip  (before NumPy)

import numpy as np

TILE = (64, 64, 128)
"""Size for emulators of matrix instructions."""
MATRIX = (256, 256, 256)

_MMASIM = {
    "Hopper FP8": ("WGMMA", "Hopper", "m64n8k32.f32.e4m3.e4m3"),
    "Hopper fp16": ("WGMMA", "Hopper", "m64n8k16.f32.f16.f16"),
    "Hopper bf16": ("WGMMA", "Hopper", "m64n8k16.f32.bf16.bf16"),
    "Blackwell FP8": ("TCGen05MMA", "Blackwell", "m64n8k32.kind::f8f6f4.f32.e4m3.e4m3"),
}
_TORCH = {"e4m3": "float8_e4m3fn", "f16": "float16", "bf16": "bfloat16"}
_RANK_1 = {"E4M3, fp16 register": "float16", "E4M3, bf16 register": "bfloat16", "E4M3, fp32 chain": "float32"}


def accumulator_peers(name: str) -> dict[str, float]:
    """Return the speeds of the peers of one of ``accumulators.KERNELS``."""
    if name in _MMASIM and find_spec("mmasim"):
        return {"mmasim": _speed(TILE, _mmasim(*_MMASIM[name]))}
    if name in _RANK_1:
        return {"torch, one k at a time": _speed(MATRIX, _rank_1(_RANK_1[name]))}
    if name == "int8, 20 bit saturating":
        return {"numpy, one k at a time": _speed(MATRIX, _saturating)}
    return {}


def layer_peers(name: str) -> dict[str, float]:
    """Return the speeds of the peers of one of ``gemm.KERNELS``."""
    if name == "int8 x int8 exact":
        peers = {"torch._int_mm": _speed(MATRIX, _int_mm()), "numpy int32 @": _speed(MATRIX, _numpy())}
        if find_spec("onnxruntime") and find_spec("onnx"):
            peers["ONNX Runtime MatMulInteger"] = _speed(MATRIX, _onnxruntime())
        return peers
    if "product table" in name:
        return {"numpy look-ups": _speed(TILE, _look_ups())}
    return {}


def _speed(size: tuple[int, int, int], work: Callable[[], object]) -> float:
    work()
    return float(np.prod(size)) / cpu_seconds(work) / 1e9


def _mmasim(kind: str, architecture: str, shape: str) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    # Its import compiles a file with ninja, which pip puts beside the interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    import mmasim.nv_ptx

    instruction = getattr(mmasim.nv_ptx, kind)(architecture, shape)
    m, n, k = TILE
    dtype = getattr(torch, _TORCH[shape.rpartition(".")[2]])
    a, b = torch.randn(m, k).to(dtype), torch.randn(n, k).to(dtype).T
    c = torch.zeros(m, n)
    return lambda: instruction(a, b, c)


def _rank_1(name: str) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    dtype = getattr(torch, name)
    m, n, depth = MATRIX
    a, b = (torch.randn(s).to(torch.float8_e4m3fn).to(dtype) for s in ((depth, m, 1), (depth, 1, n)))

    def work() -> Any:
        total = torch.zeros(m, n, dtype=dtype)
        for k in range(depth):
            total = total + a[k] * b[k]
        return total

    return work


def _saturating() -> Any:
    m, n, depth = MATRIX
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, s).astype(np.int32) for s in ((depth, m, 1), (depth, 1, n)))
    total = np.zeros((m, n), np.int32)
    for k in range(depth):
        total = np.clip(total + a[k] * b[k], -(2**19), 2**19 - 1)
    return total


def _int8() -> tuple[Any, Any]:
    m, n, k = MATRIX
    rng = np.random.default_rng(0)
    return rng.integers(-128, 128, (m, k)).astype(np.int8), rng.integers(-128, 128, (k, n)).astype(np.int8)


def _numpy() -> Callable[[], object]:
    a, b = (v.astype(np.int32) for v in _int8())
    return lambda: a @ b


def _int_mm() -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    a, b = (torch.from_numpy(v) for v in _int8())
    return lambda: torch._int_mm(a, b)


def _onnxruntime() -> Callable[[], object]:
    import onnx
    import onnxruntime

    a, b = _int8()
    node = onnx.helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    tensors = [onnx.helper.make_tensor_value_info(x, onnx.TensorProto.INT8, None) for x in "ab"]
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT32, None)
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "product", tensors, [result]),
        opset_imports=[onnx.helper.make_opsetid("", 13)],
        ir_version=8,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"a": a, "b": b})


def _look_ups() -> Callable[[], object]:
    m, n, k = TILE
    rng = np.random.default_rng(0)
    table = rng.integers(-100, 100, (256, 256)).astype(np.int32)
    a, b = rng.integers(0, 256, (m, k)), rng.integers(0, 256, (k, n))
    return lambda: table[a[:, :, None], b[None]].sum(axis=1)
