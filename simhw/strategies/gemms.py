"""Strategies for accumulators, datapaths, and the operands that stress them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from simhw.accumulators import (
    Accumulator,
    Chunked,
    Exact,
    Ieee,
    LsbTruncated,
    Pairwise,
    PartialSums,
    Saturate,
    Split,
    Tree,
)
from simhw.accumulators.rounding import FLOAT16, FLOAT32, FLOAT32_TOWARD_ZERO
from simhw.accumulators.tensor_cores import TENSOR_CORES, tensor_core
from simhw.formats import get_element_format
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import datapath_names, get_datapath
from simhw.testing.classes import InputClass
from simhw.testing.operands import STRESSES, code_table

PRECISIONS = (FLOAT32, FLOAT16, FLOAT32_TOWARD_ZERO)


@dataclass(frozen=True, kw_only=True, eq=False)
class GemmOperands:
    """Codes of one product ``(m, k) x (k, n)``, as :func:`simhw.matmul` takes them.

    Attributes:
        a: ``(m, k)``.
        b: ``(k, n)``.
        a_format, b_format: what they are codes of.
        stress: what they stress.
    """

    a: NDArray[Any]
    b: NDArray[Any]
    a_format: str
    b_format: str
    stress: InputClass


def datapaths() -> st.SearchStrategy[Datapath]:
    """Return the datapaths of the catalogue; shrinks to fp32."""
    return st.sampled_from(datapath_names()).map(get_datapath)


@st.composite
def accumulators(draw: st.DrawFn) -> Accumulator:
    """Return accumulators of every kind and width; shrinks to the exact one."""
    short = st.integers(1, 16)
    precision = st.sampled_from(PRECISIONS)
    kinds: list[st.SearchStrategy[Any]] = [
        st.builds(Exact, bits=st.one_of(st.none(), st.integers(8, 64))),
        st.builds(Ieee, precision=precision, fused=st.booleans()),
        st.builds(Saturate, bits=st.integers(8, 40)),
        st.builds(Pairwise, precision=precision, split=st.sampled_from(Split)),
        st.builds(Tree, width=st.sampled_from([1, 2, 4, 8, 16]), precision=precision),
        st.builds(PartialSums, inner_bits=st.integers(16, 24), every=short, saturating=st.booleans()),
        st.builds(LsbTruncated, bits=st.integers(0, 12), every=short),
        _tensor_cores(),
        st.builds(Chunked, inner=st.one_of(st.just(Exact()), st.builds(Ieee, precision=precision)), every=short),
    ]
    made: Accumulator = draw(st.one_of(kinds))
    return made


@st.composite
def _tensor_cores(draw: st.DrawFn) -> Accumulator:
    """Return tensor cores as they are, and with other block lengths and fraction bits."""
    architecture = draw(st.sampled_from(list(TENSOR_CORES)))
    operands = draw(st.sampled_from(list(TENSOR_CORES[architecture].blocks)))
    result = draw(st.sampled_from(["fp32", "fp16"])) if operands not in ("bf16", "tf32") else "fp32"
    native = tensor_core(architecture, operands, result)
    if draw(st.booleans()):
        return replace(native, block=2 * draw(st.integers(1, 16)), fraction_bits=draw(st.integers(8, 26)))
    return native


@st.composite
def gemm_operands(
    draw: st.DrawFn,
    datapath: str | Datapath | tuple[str, str] = ("e4m3", "e4m3"),
    *,
    max_m: int = 3,
    max_n: int = 3,
    max_k: int = 40,
    stress: InputClass | None = None,
    specials: bool = False,
) -> GemmOperands:
    """Return operands that stress an accumulator in one way, or in any.

    * ``InputClass.CANCELLATION``: every row of a ends with its beginning negated, b with its beginning repeated;
    * ``InputClass.SATURATION``: codes from the largest eighth, all products of one sign;
    * ``InputClass.ALIGNMENT``: one large pair per sum, all others small;
    * ``InputClass.SPREAD``: any codes, so that products of all exponents meet.

    Args:
        datapath: name or record, or a pair of element formats.
        max_m, max_n, max_k: largest sizes, at least 1.
        stress: one of the four; None draws one.
        specials: whether codes of infinity and NaN occur (with SPREAD).

    Shrinks to one output, few products, codes of zero.
    """
    names = datapath if isinstance(datapath, tuple) else _formats(datapath)
    m, n, k = (draw(st.integers(1, most)) for most in (max_m, max_n, max_k))
    kind = draw(st.sampled_from(tuple(reversed(STRESSES)))) if stress is None else stress
    tables = [code_table(get_element_format(name).name) for name in names]
    pools = [_pools(name, kind, specials) for name in names]
    large = draw(st.integers(0, k - 1)) if kind is InputClass.ALIGNMENT else None

    def line(table_index: int) -> list[int]:
        small, top = pools[table_index]
        drawn = draw(st.lists(st.sampled_from(small), min_size=k, max_size=k))
        if large is not None:
            drawn[large] = draw(st.sampled_from(top))
        return drawn

    a = np.array([line(0) for _ in range(m)], tables[0].format.code_dtype)
    b = np.array([line(1) for _ in range(n)], tables[1].format.code_dtype).T
    if kind is InputClass.CANCELLATION and k > 1:
        half = k // 2
        a[:, k - half :] = tables[0].negated(a[:, :half].astype(np.uint32))
        b = b.copy()
        b[k - half :] = b[:half]
    return GemmOperands(a=a, b=np.ascontiguousarray(b), a_format=names[0], b_format=names[1], stress=kind)


def _formats(datapath: str | Datapath) -> tuple[str, str]:
    record = datapath if isinstance(datapath, Datapath) else get_datapath(datapath)
    return record.activation, record.weight


def _pools(name: str, kind: InputClass, specials: bool) -> tuple[list[int], list[int]]:
    """Return the codes that a stress draws from, and the large ones, simple codes first."""
    table = code_table(get_element_format(name).name)
    ranked = table.by_magnitude.tolist()
    eighth = max(1, len(ranked) // 8)
    top = ranked[-eighth:]
    if kind is InputClass.SATURATION:
        positive = set(table.finite[table.values > 0].tolist())
        return [code for code in top if code in positive] or top, top
    if kind is InputClass.ALIGNMENT:
        return ranked[: max(2, len(ranked) // 2)], top
    return ranked + (table.special.tolist() if specials else []), top
