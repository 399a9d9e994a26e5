"""Memory for operands on their way into kernels, used again and again: the system hands out new pages slowly."""

from __future__ import annotations

import math
import threading
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LINE = 64
KEPT_BYTES = 1 << 26
"""Memory that is kept for later at most."""

_lock = threading.Lock()
_free: list[NDArray[np.uint8]] = []


class Scratch:
    """Gives out arrays that are valid until the end of its ``with`` block."""

    def __init__(self) -> None:
        self._taken: list[NDArray[np.uint8]] = []

    def __enter__(self) -> Scratch:
        return self

    def __call__(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of anything, aligned to cache lines."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        memory = _find(size)
        self._taken.append(memory)
        return memory[:size].view(dtype).reshape(shape)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the memory for later, the newest first."""
        with _lock:
            _free.extend(self._taken)
            total = 0
            for i in range(len(_free) - 1, -1, -1):
                total += _free[i].size
                if total > KEPT_BYTES:
                    del _free[: i + 1]
                    return


def _find(size: int) -> NDArray[np.uint8]:
    """Return the newest free piece of memory that is large enough but not four times as large, or a new one."""
    with _lock:
        for i in range(len(_free) - 1, -1, -1):
            if size <= _free[i].size <= 4 * size + LINE:
                return _free.pop(i)
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + size]
