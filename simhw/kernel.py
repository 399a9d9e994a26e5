"""How kernels are compiled: kept on disk, run without the GIL, for the widest vectors that the processor has."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import codegen
from numba.core import config as _config

Function = TypeVar("Function", bound=Callable[..., object])
config: Any = _config  # its names are made when it is loaded

X86 = ("x86_64", "AMD64")
NARROW = "prefer-256-bit"
"""LLVM's tuning for Intel's processors with AVX-512, which leaves half of each vector register unused."""


def kernel(function: Function) -> Function:
    """Compile a function with Numba when it is first called; see the module."""
    return _compiled(function, fastmath=False)


def measuring_kernel(function: Function) -> Function:
    """Compile a function whose sums may be added in any order: for measurements, never for what must be bit-accurate.

    Without that leave LLVM adds one number after the other. The last bits depend on the processor's vectors.
    """
    return _compiled(function, fastmath={"reassoc"})


def _compiled(function: Function, *, fastmath: bool | set[str]) -> Function:
    _prefer_wide_vectors()
    compiled: Any = numba.njit(cache=True, nogil=True, fastmath=fastmath)(function)
    _watch_neighbours(compiled, Path(function.__code__.co_filename))
    return compiled  # type: ignore[no-any-return]


@cache
def has_feature(name: str) -> bool:
    """Return whether kernels are compiled for a processor with a feature, as LLVM names it (``avx512f``)."""
    _prefer_wide_vectors()
    features = config.CPU_FEATURES
    return f"+{name}" in (_host_features() if features is None else features).split(",")


def has_half_conversion() -> bool:
    """Return whether the processor converts fp32 to fp16 and back (x86-64 with F16C, AArch64)."""
    return platform.machine() in ("aarch64", "arm64") or has_feature("f16c")


@cache
def vector_bytes() -> int:
    """Return the size of a vector register."""
    if platform.machine() in X86 and has_feature("avx512bw"):
        return 64
    return 32 if has_feature("avx2") else 16


def _host_features() -> str:
    return str(codegen.get_host_cpu_features())  # type: ignore[no-untyped-call]


@cache
def _prefer_wide_vectors() -> None:
    """Let Numba use all of AVX-512, unless someone has chosen a processor by ``NUMBA_CPU_NAME`` or its features.

    Numba reads this when it compiles for the first time. The choice is part of the disk cache's key.
    """
    if config.CPU_NAME is not None or config.CPU_FEATURES is not None or platform.machine() not in X86:
        return
    features = _host_features()
    if "+avx512f" in features.split(","):
        from llvmlite.binding import get_host_cpu_name

        config.CPU_NAME, config.CPU_FEATURES = get_host_cpu_name(), f"{features},-{NARROW}"


def _watch_neighbours(compiled: Any, path: Path) -> None:
    """Make the disk cache forget a kernel when any file of its folder changes: kernels call those beside them.

    So it does when the vectors that all of them are made of change.

    Numba itself looks at the one file that a kernel is written in.
    """
    held: Any = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if hasattr(held, "_source_stamp"):
        held._source_stamp = (held._source_stamp, _folder_stamp(path.parent))


@cache
def _folder_stamp(folder: Path) -> bytes:
    stamp = hashlib.sha256()
    for path in (Path(__file__), Path(__file__).with_name("vectors.py"), *sorted(folder.glob("*.py"))):
        stamp.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return stamp.digest()
