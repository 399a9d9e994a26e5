"""What the emulator makes of a GEMM, as the codes that an array's sums are: the other side of every comparison."""

from __future__ import annotations

import numpy as np

from simhw.accumulators import Exact, Ieee
from simhw.circuits.codes import to_code
from simhw.circuits.float_mac import TOTAL
from simhw.circuits.float_sums import fp32_codes, fp32_values
from simhw.circuits.codes import to_signed
from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.gemm.accumulate import accumulate
from simhw.gemm.datapath import Datapath
from simhw.gemm.operand import Operand
from simhw.rtl.arrays.base import Integers, SystolicArray, total_port
from simhw.rtl.arrays.streams import Problem

EXACT_FLOAT32 = 1 << 24
"""Integers up to here are exact in fp32."""


def datapath_of(array: SystolicArray) -> Datapath:
    """Return the datapath of an array's PE: the formats of its operands, and its accumulator."""
    activation, weight = (port.meaning for port in array.pe.inputs[:2])
    return Datapath(
        name=array.pe.name,
        description=f"the PE {array.pe.name}",
        activation=activation,
        weight=weight,
        attention=weight,
        pe=array.pe.name.split("_carry")[0],
        accumulator=Ieee() if total_port(array.pe) == TOTAL else Exact(),
        output="fp32",
        scheme="none",
        source=array.pe.source,
    )


def emulate(array: SystolicArray, problem: Problem) -> Integers:
    """Return the codes ``(m, n)`` of the sums that the emulator computes.

    Rounding accumulators sum in chains of the array's rows where weights are stationary. Of integer sums, the low bits
    are compared that the array's register has. The all-integer dequantizer is the emulator's fp32 one with integer
    scales, as long as every sum is exact in fp32.

    Raises:
        InputError: scales of the all-integer form that no zero point explains, or sums beyond 2^24 there.
    """
    a, b = _operands(array, problem)
    chain = array.rows if array.record.sums_along_rows else None
    totals = accumulate(a, b, datapath_of(array), chain=chain)
    if totals.sums.dtype.kind != "i" and (array.stage is None or not array.stage.linear):
        sums = totals.to_float32()[0]
        if array.stage is None and total_port(array.pe) != TOTAL:
            return _integers(array, totals.whole()[0])
        return fp32_codes(sums)
    whole = totals.whole()[0]
    if array.stage is not None:
        if np.abs(whole).max() > EXACT_FLOAT32:
            raise InputError(
                f"a sum is {np.abs(whole).max():.0f}, the emulator's fp32 sum holds integers up to {EXACT_FLOAT32}; "
                "choose smaller scales or a shorter k"
            )
        return to_code(whole.astype(np.int64), array.stage.result.bits)
    return _integers(array, whole)


def same_codes(array: SystolicArray, ours: Integers, theirs: Integers) -> bool:
    """Return whether codes are the same; all NaN of an fp32 sum count as one."""
    if total_port(array.pe) != TOTAL and (array.stage is None or array.stage.linear):
        return bool((ours == theirs).all())
    return bool((_canonical(ours) == _canonical(theirs)).all())


def _canonical(codes: Integers) -> Integers:
    return np.where(codes < 0, codes, fp32_codes(fp32_values(np.abs(codes)).astype(np.float32)))


def _integers(array: SystolicArray, values: np.ndarray) -> Integers:
    """Return exact sums as the code of the PE's register: an integer in units of the formats' last places."""
    formats = [get_element_format(port.meaning) for port in array.pe.inputs[:2]]
    unit = sum(int(form.lsb_exponent) for form in formats)
    return to_code(np.ldexp(values, -unit).astype(np.int64), total_port(array.pe).bits)


def _operands(array: SystolicArray, problem: Problem) -> tuple[Operand, Operand]:
    activation, weight = (port.meaning for port in array.pe.inputs[:2])
    a = Operand(codes=_codes(problem.activations, activation), format=activation)
    weights = _codes(problem.weights.T, weight)
    if problem.group_size is None:
        return a, Operand(codes=weights, format=weight)
    scale, zero = _scales(array, problem)
    return a, Operand(
        codes=weights,
        format=weight,
        group_size=problem.group_size,
        group_scale=np.ascontiguousarray(scale.T[None], np.float32),
        zero_point=np.ascontiguousarray(zero.T[None], np.int32),
    )


def _codes(codes: Integers, form: str) -> np.ndarray:
    width = get_element_format(form).bits
    return np.ascontiguousarray(codes[None].astype(np.uint8 if width <= 8 else np.uint16))


def _scales(array: SystolicArray, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return scale values and zero points ``(groups, n)``."""
    assert array.stage is not None
    if not array.stage.linear:
        return fp32_values(problem.scales["scale"]), problem.scales["zero"]
    scale, scaled_zero = (to_signed(problem.scales[name], 8) for name in ("scale", "scaled_zero"))
    zero = np.where(scale == 0, 0, -scaled_zero // np.where(scale == 0, 1, scale))
    if (zero * scale != -scaled_zero).any():
        raise InputError(
            "a scaled zero point is no multiple of its scale, so no zero point explains it; choose zero points, and "
            "let scaled_zero be -scale * zero"
        )
    return scale.astype(np.float64), zero
