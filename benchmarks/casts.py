"""How fast casts and block quantization are, beside a narrowing copy and beside other libraries.

Run with ``python -m benchmarks.casts``. Every contender runs in turn with the limit, on the same 64 MiB of float32. The
limit is a loop that copies uint32 to uint8
(uint16 for 16-bit formats) into memory that it already owns: it reads and writes what a cast must, and computes
nothing. Ours is the public call, which allocates its result.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from benchmarks.measure import ROUNDS, Row, compare, cpu_seconds, machine, markdown  # isort: skip  (before NumPy)

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simhw.formats import encode, get_element_format, quantize_blocks

ELEMENTS = 1 << 24
SLOW_ELEMENTS = 1 << 16
"""What libraries get that are made to be read, not to be fast; their speed does not depend on it."""


@njit(nogil=True)
def narrowing_copy(source: NDArray[np.uint32], target: NDArray[Any]) -> None:
    """Copy the low bits of every word."""
    for i in range(source.size):
        target[i] = source[i]


def rows(elements: int = ELEMENTS, rounds: int = ROUNDS) -> list[Row]:
    """Measure all kernels; ``elements`` is rounded up to a multiple of 1024."""
    shape = (-(-elements // 1024), 1024)
    values = (np.random.default_rng(0).standard_normal(shape) * 4).astype(np.float32)
    return [
        *(
            _measure(f"cast float32 -> {name}", 0.5, values, code_dtype(name), _casts(name, values), rounds)
            for name in CASTS
        ),
        *(
            _measure(f"quantize float32 -> {name}", 0.25, values, np.dtype(np.uint8), _blocks(name, values), rounds)
            for name in BLOCKS
        ),
    ]


CASTS = ("e4m3", "e5m2", "e2m1", "int8", "bf16")
BLOCKS = ("mxfp8_e4m3", "mxfp4", "mxint8", "nvfp4")

_TORCH = {"e4m3": "float8_e4m3fn", "e5m2": "float8_e5m2", "bf16": "bfloat16"}
_ML_DTYPES = {"e4m3": "float8_e4m3fn", "e5m2": "float8_e5m2", "e2m1": "float4_e2m1fn", "bf16": "bfloat16"}


def code_dtype(name: str) -> np.dtype:
    """Return the dtype that a cast to the format writes."""
    return get_element_format(name).code_dtype


def _casts(name: str, values: NDArray[np.float32]) -> dict[str, Callable[[], Any]]:
    """Return the contenders of one cast; the first is ours. Peers clamp where they would not saturate."""
    contenders: dict[str, Callable[[], Any]] = {"simhw": lambda: encode(values, name)}
    largest = np.float32(float(get_element_format(name).max_value))
    if name in _TORCH and find_spec("torch"):
        import torch

        torch.set_num_threads(1)
        tensor, dtype = torch.from_numpy(values), getattr(torch, _TORCH[name])
        contenders["torch to()"] = lambda: tensor.to(dtype)
    if name in _ML_DTYPES:
        import ml_dtypes

        narrow = getattr(ml_dtypes, _ML_DTYPES[name])
        contenders["ml_dtypes astype"] = lambda: np.clip(values, -largest, largest).astype(narrow)
    if name == "int8":
        contenders["numpy rint, clip, astype"] = lambda: np.clip(np.rint(values), -128, 127).astype(np.int8)
    return contenders


def _blocks(name: str, values: NDArray[np.float32]) -> dict[str, Callable[[], Any]]:
    """Return the contenders of one block format; the first is ours."""
    contenders: dict[str, Callable[[], Any]] = {"simhw": lambda: quantize_blocks(values, name)}
    if find_spec("torchao") and name != "mxint8":
        contenders |= _torchao(name, values)
    return contenders


def _torchao(name: str, values: NDArray[np.float32]) -> dict[str, Callable[[], Any]]:
    import torch

    torch.set_num_threads(1)
    tensor = torch.from_numpy(values)
    if name == "nvfp4":
        from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize, per_tensor_amax_to_scale

        return {
            "torchao nvfp4_quantize": lambda: nvfp4_quantize(
                tensor, 16, per_tensor_scale=per_tensor_amax_to_scale(tensor.abs().max())
            )
        }
    from torchao.prototype.mx_formats.mx_tensor import to_mx

    element = torch.float8_e4m3fn if name == "mxfp8_e4m3" else torch.float4_e2m1fn_x2
    return {"torchao to_mx": lambda: to_mx(tensor, element, 32)}


def _gfloat(name: str, values: NDArray[np.float32]) -> float:
    """Return the elements per second of gfloat's vectorised rounding."""
    import gfloat
    from gfloat import formats

    found = {
        "e4m3": formats.format_info_ocp_e4m3,
        "e5m2": formats.format_info_ocp_e5m2,
        "bf16": formats.format_info_bfloat16,
    }
    some = values.reshape(-1)[:SLOW_ELEMENTS].astype(np.float64)
    return SLOW_ELEMENTS / cpu_seconds(lambda: gfloat.round_ndarray(found[name], some, sat=True))


def _measure(
    kernel: str,
    goal: float,
    values: NDArray[np.float32],
    narrow: np.dtype,
    contenders: dict[str, Callable[[], Any]],
    rounds: int,
) -> Row:
    words, target = values.view(np.uint32).reshape(-1), np.empty(values.size, narrow)
    done = compare(lambda: narrowing_copy(words, target), contenders, rounds)
    seconds, ratio = done.pop("simhw")
    peers = {name: taken / seconds for name, (taken, _) in done.items()}
    name = kernel.rpartition(" ")[2]
    if name in ("e4m3", "e5m2", "bf16") and find_spec("gfloat"):
        peers["gfloat round_ndarray"] = values.size / seconds / _gfloat(name, values)
    return Row(
        kernel=kernel,
        size=f"{values.size >> 20} Mi" if values.size >> 20 else str(values.size),
        speed=values.size / seconds / 1e9,
        ratio=ratio,
        goal=goal,
        peers=peers,
    )


def main() -> None:
    """Print the table."""
    print(markdown(f"Casts and block quantization ({machine()})", "a narrowing copy", rows()))


if __name__ == "__main__":
    main()
