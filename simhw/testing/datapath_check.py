"""``check_datapath``: another model of a whole matrix product against the definition in exact fractions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators.rounding import FLOAT32, round_to_precision
from simhw.accumulators.scaled import ScaledAccumulator
from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.definition import define, define_stored
from simhw.gemm.engine import prepare_weights
from simhw.gemm.operand import Operand
from simhw.gemm.register import returns_register
from simhw.gemm.stored import StoredScale
from simhw.testing.classes import InputClass
from simhw.testing.dot_check import LENGTHS, as_number, define_case, describe
from simhw.testing.matmul_cases import MatmulCase, matmul_cases
from simhw.testing.report import Disagreement, Input, Number, Report, Tally, same
from simhw.testing.shrinking import DotCase, shrink

Matmul = Callable[..., Any]
"""``(a_codes, b_codes, c, **scales) -> (m, n) values``, as :func:`simhw.matmul` without its datapath."""


def check_datapath(
    datapath: str | Datapath,
    *,
    matmul: Matmul,
    tries: int = 300,
    lengths: tuple[int, ...] = LENGTHS,
    addend: bool = False,
    seed: int = 0,
) -> Report:
    """Return where another model of a datapath's matrix product differs from its definition.

    Small matrices whose rows and columns stress the accumulator (cancellation, saturation, alignment loss, spread
    exponents, infinities and NaN); every output is judged. A wrong output is shrunk to one short dot product where it
    stays wrong there.

    Args:
        datapath: name or record.
        matmul: the candidate, called as ``matmul(a_codes, b_codes, c, **scales)`` with arrays of codes ``(m, k)`` and
            ``(k, n)``; ``c`` is None unless ``addend``; ``scales`` (the keyword arguments of :func:`simhw.matmul`) is
            empty but for datapaths with groups of weights or blocks, where half the cases have scales, and for those
            that requantize, where all have.
        tries: number of products.
        lengths: values of k.
        addend: whether some cases have a ``c``.
        seed: of the draws.

    Raises:
        InputError: unknown datapath, or a result of another shape.

    >>> import simhw
    >>> check_datapath("mxfp4", matmul=lambda a, b, c, **s: simhw.matmul(a, b, "mxfp4", c, **s), tries=20).agrees
    True
    """
    record = datapath if isinstance(datapath, Datapath) else get_datapath(datapath)
    tally = Tally()
    plain: dict[int, DotCase] = {}
    for case in matmul_cases(record, tries, lengths, addend, seed):
        expected = define_matmul(case.a, case.b, record, case.c, case.scales)
        got = _call(matmul, case.a, case.b, case.c, case.scales)
        classes = (case.stress,) if case.c is None else (case.stress, InputClass.ADDEND)
        for i, j in np.ndindex(got.shape):
            right, made = expected[i][j], as_number(got[i, j].item())
            if same(right, made, sign_of_zero=False):
                tally.add(classes)
                continue
            dot = _dot_case(case, record, i, j)
            wrong = _with_scales(describe(dot, classes, right, made), case, i, j)
            plain[id(wrong)] = dot
            tally.add(classes, wrong, (bool(case.scales), dot.size))
    first = tally.smallest
    if first is not None:
        first = _shrunk(matmul, record, plain[id(first)], first)
    coverage = f"{tries} products with k up to {max(lengths)}"
    return tally.report(f"matrix product on {record.name}", coverage, first)


def define_matmul(
    a: NDArray[Any], b: NDArray[Any], datapath: Datapath, c: NDArray[np.float32] | None, scales: dict[str, Any]
) -> list[list[Number]]:
    """Return what :func:`simhw.matmul` must return for ``(m, k) x (k, n)`` codes, in fractions."""
    left, right = _operands(a, b, datapath, scales)
    right = prepare_weights(right, datapath)
    if datapath.requantize is not None:
        return _define_stored(left, right, datapath, c, scales)
    if isinstance(datapath.accumulator, ScaledAccumulator):
        return _define_scaled(left, right, datapath.accumulator, c)
    groups = max(left.groups, right.groups) > 1 or any(
        s is not None for o in (left, right) for s in (o.group_scale, o.row_scale, o.zero_point)
    )
    if groups:
        values = define(left, right, replace(datapath, output="fp32"))[0]
        return [[as_number(value) for value in row] for row in values.tolist()]
    whole = returns_register(left, right)
    rows = []
    for i in range(a.shape[0]):
        row = []
        for j in range(b.shape[1]):
            dot = DotCase(
                a=tuple(left.codes[0, i].tolist()),
                b=tuple(right.codes[0, j].tolist()),
                c=0.0 if c is None else float(c[i, j]),
                a_format=left.format,
                b_format=right.format,
            )
            exact = define_case(datapath.accumulator, dot)
            rounded = isinstance(exact, Fraction) and not whole
            row.append(round_to_precision(exact, FLOAT32) if rounded and isinstance(exact, Fraction) else exact)
        rows.append(row)
    return rows


def _define_stored(
    a: Operand, b: Operand, datapath: Datapath, c: NDArray[np.float32] | None, scales: dict[str, Any]
) -> list[list[Number]]:
    """Return the integers that requantized sums are stored as."""
    stored = StoredScale(scale=scales["output_scale"], zero_point=scales.get("output_zero_point", 0))
    return [
        [
            Fraction(define_stored(a, b, datapath, (0, i, j), stored, 0 if c is None else int(c[i, j])))
            for j in range(b.codes.shape[1])
        ]
        for i in range(a.codes.shape[1])
    ]


def _define_scaled(
    a: Operand, b: Operand, accumulator: ScaledAccumulator, c: NDArray[np.float32] | None
) -> list[list[Number]]:
    """Return the sums of an accumulator that takes the block scales itself."""
    ones = [1.0] * -(-a.codes.shape[2] // accumulator.scale_block)
    x, y = (operand.integers()[0].astype(np.float64).tolist() for operand in (a, b))
    s, t = (
        [ones] * len(rows) if operand.group_scale is None else operand.group_scale[0].astype(np.float64).tolist()
        for operand, rows in ((a, x), (b, y))
    )
    return [
        [accumulator.dot_scaled(x[i], y[j], s[i], t[j], 0.0 if c is None else float(c[i, j])) for j in range(len(y))]
        for i in range(len(x))
    ]


def _operands(a: NDArray[Any], b: NDArray[Any], datapath: Datapath, scales: dict[str, Any]) -> tuple[Operand, Operand]:
    """Return codes and scales as the engine holds them."""
    k = a.shape[1]
    block = datapath.block_size
    size = scales.get("group_size") or (min(block, k) if block else None)
    groups = 1 if size is None else -(-k // size)
    a_scales, b_scales, zero = (scales.get(name) for name in ("a_scales", "b_scales", "zero_points"))
    per_row = a_scales is not None and a_scales.shape[1] == 1 and block is None
    if b_scales is None and size is not None:
        b_scales = np.ones((groups, b.shape[1]), np.float32)
    left = Operand(
        codes=np.ascontiguousarray(a)[None],
        format=datapath.activation,
        group_size=None if a_scales is None or per_row else size,
        group_scale=None if a_scales is None or per_row else a_scales[None],
        row_scale=a_scales[None, :, 0] if a_scales is not None and per_row else None,
        zero_point=np.full((1, a.shape[0], 1), scales["a_zero_point"], np.int32) if "a_zero_point" in scales else None,
    )
    right = Operand(
        codes=np.ascontiguousarray(b.T)[None],
        format=datapath.weight,
        group_size=size,
        group_scale=None if b_scales is None or size is None else np.ascontiguousarray(b_scales.T)[None],
        row_scale=None if b_scales is None or size is not None else b_scales,
        zero_point=None if zero is None else np.ascontiguousarray(zero.T)[None].astype(np.int32),
    )
    return left, right


def _call(
    matmul: Matmul, a: NDArray[Any], b: NDArray[Any], c: NDArray[np.float32] | None, scales: dict[str, Any]
) -> NDArray[Any]:
    got = np.asarray(matmul(a.copy(), b.copy(), c, **scales))
    if got.shape != (a.shape[0], b.shape[1]):
        raise InputError(
            f"the matrix product of shapes {a.shape} and {b.shape} has shape {got.shape}, "
            f"must be {(a.shape[0], b.shape[1])}; return one value per output"
        )
    return got


def _dot_case(case: MatmulCase, datapath: Datapath, i: int, j: int) -> DotCase:
    return DotCase(
        a=tuple(case.a[i].tolist()),
        b=tuple(case.b[:, j].tolist()),
        c=0.0 if case.c is None else float(case.c[i, j]),
        a_format=datapath.activation,
        b_format=datapath.weight,
    )


def _with_scales(wrong: Disagreement, case: MatmulCase, i: int, j: int) -> Disagreement:
    """Add the scales of one output to its record."""
    found: dict[str, tuple[float, ...]] = {}
    for name, array in case.scales.items():
        if np.ndim(array) == 0:
            found[name] = (float(array),)
        else:
            line = array[i] if name == "a_scales" else array[:, j]
            found[name] = tuple(float(value) for value in line)
    extra = tuple(Input(name=name, values=values) for name, values in found.items())
    return replace(wrong, inputs=tuple(itertools.chain(wrong.inputs, extra)))


def _shrunk(matmul: Matmul, datapath: Datapath, case: DotCase, found: Disagreement) -> Disagreement:
    """Return the disagreement as one short dot product without scales, or as it was found if that one agrees."""

    def outcome(dot: DotCase) -> tuple[Number, Number]:
        a = np.array([dot.a], get_element_format(dot.a_format).code_dtype)
        b = np.array([dot.b], get_element_format(dot.b_format).code_dtype).T
        c = np.full((1, 1), dot.c, np.float32) if dot.c else None
        right = define_matmul(a, b, datapath, c, {})[0][0]
        return right, as_number(_call(matmul, a, b, c, {})[0, 0].item())

    def fails(dot: DotCase) -> bool:
        right, made = outcome(dot)
        return math.isfinite(right) and not same(right, made, sign_of_zero=False)

    if datapath.requantize is not None or not fails(case):
        return found
    smallest = shrink(case, fails)
    return describe(smallest, found.classes, *outcome(smallest))
