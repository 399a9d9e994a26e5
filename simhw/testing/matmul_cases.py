"""Small matrix products that stress a datapath: codes, an addend, scales."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Exact
from simhw.formats import get_element_format
from simhw.gemm.datapath import Datapath
from simhw.testing.classes import InputClass
from simhw.testing.operands import stressed_codes, stresses_of


@dataclass(frozen=True, kw_only=True, eq=False)
class MatmulCase:
    """One product ``(m, k) x (k, n)``; ``scales`` are the keyword arguments of :func:`simhw.matmul`."""

    a: NDArray[Any]
    b: NDArray[Any]
    c: NDArray[np.float32] | None
    scales: dict[str, Any]
    stress: InputClass


def matmul_cases(
    datapath: Datapath, tries: int, lengths: tuple[int, ...], addend: bool, seed: int
) -> Iterator[MatmulCase]:
    """Yield small products, short ones first."""
    rng = np.random.default_rng(seed)
    formats = (datapath.activation, datapath.weight)
    block = datapath.block_size
    stored = datapath.requantize is not None
    scaled = block is not None or datapath.weight == "uint4"
    stresses = stresses_of(*formats)
    if scaled or isinstance(datapath.accumulator, Exact):
        stresses = tuple(stress for stress in stresses if stress is not InputClass.SPECIALS)
    for index in range(tries):
        k = lengths[index * len(lengths) // tries]
        stress = stresses[index % len(stresses)]
        m, n = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        rows = [stressed_codes(stress, k, *formats, rng) for _ in range(max(m, n))]
        a = np.array([row[0] for row in rows[:m]], get_element_format(formats[0]).code_dtype)
        b = np.array([row[1] for row in rows[:n]], get_element_format(formats[1]).code_dtype).T
        c = None
        if addend and index % 3 == 0 and not (scaled and index % 2):
            c = (rng.standard_normal((m, n)) * 2.0 ** rng.integers(-8, 12)).astype(np.float16).astype(np.float32)
        scales = _draw_scales(rng, m, n, k, block) if scaled and index % 2 else {}
        if datapath.integer_scales and scales:
            scales["b_scales"] = np.maximum(np.rint(scales["b_scales"]), np.float32(1))
        if stored:
            scales = _draw_stored_scales(rng, m, n, datapath)
            c = np.rint(c) if c is not None else None
        yield MatmulCase(a=a, b=np.ascontiguousarray(b), c=c, scales=scales, stress=stress)


def _draw_scales(rng: np.random.Generator, m: int, n: int, k: int, block: int | None) -> dict[str, Any]:
    """Return scales: per block for block datapaths, else per group of weights with zero points, per row of a."""

    def powers(*shape: int) -> NDArray[np.float32]:
        return np.exp2(rng.integers(-6, 6, shape)).astype(np.float32)

    if block is not None:
        groups = -(-k // min(block, k))
        return {"a_scales": powers(m, groups), "b_scales": powers(groups, n)}
    size = int(rng.integers(1, k + 1))
    groups = -(-k // size)
    fractions = (1 + rng.random((groups, n))).astype(np.float16).astype(np.float32)
    return {
        "a_scales": powers(m, 1) * np.float32(1.25),
        "b_scales": fractions * powers(groups, n),
        "zero_points": rng.integers(0, 16, (groups, n)),
        "group_size": size,
    }


def _draw_stored_scales(rng: np.random.Generator, m: int, n: int, datapath: Datapath) -> dict[str, Any]:
    """Return scales of operands and results, and zero points, for datapaths that requantize."""
    one, columns, result = (
        (1 + rng.random(shape)).astype(np.float32) * np.float32(2.0) ** rng.integers(*exponents)
        for shape, exponents in (((1, 1), (-7, -6)), ((1, n), (-8, -7)), ((), (-10, 5)))
    )
    drawn: dict[str, Any] = {
        "a_scales": np.repeat(one, m, axis=0),
        "b_scales": columns,
        "output_scale": float(result),
        "output_zero_point": int(rng.integers(-128, 128)),
    }
    if isinstance(datapath.accumulator, Exact):
        drawn["a_zero_point"] = int(rng.integers(-128, 128))
    return drawn
