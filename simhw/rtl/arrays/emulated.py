"""What the emulator makes of a GEMM, as the codes that an array's sums are: the other side of every comparison."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Exact, Ieee
from simhw.circuits.codes import to_code, to_signed
from simhw.circuits.float_sums import CANONICAL_NAN, fp32_codes, fp32_values
from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.gemm.accumulate import accumulate
from simhw.gemm.datapath import Datapath
from simhw.gemm.operand import Codes, Operand
from simhw.pes import pe_names
from simhw.rtl.arrays.base import Integers, SystolicArray, rounds, sum_bits
from simhw.rtl.arrays.streams import Problem

EXACT_FLOAT32 = 1 << 24
"""Integers up to here are exact in fp32."""


def datapath_of(array: SystolicArray) -> Datapath:
    """Return the datapath of an array's PE: the formats of its operands, and its accumulator."""
    activation, weight = (port.meaning for port in array.pe.inputs[:2])
    # A variant's name begins with its PE's.
    pe = max((name for name in pe_names() if array.pe.name.startswith(name)), key=len)
    return Datapath(
        name=array.pe.name,
        description=f"the PE {array.pe.name}",
        activation=activation,
        weight=weight,
        attention=weight,
        pe=pe,
        accumulator=Ieee() if rounds(array.pe) else Exact(),
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
    with np.errstate(over="ignore", invalid="ignore"):
        totals = accumulate(a, b, datapath_of(array), chain=chain)
    if is_float(array):
        return fp32_codes(totals.to_float32()[0])
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
    if is_float(array):
        ours, theirs = (np.where(_is_nan(codes), CANONICAL_NAN, codes) for codes in (ours, theirs))
    return bool((ours == theirs).all())


def is_float(array: SystolicArray) -> bool:
    """Return whether an array's results are fp32."""
    return rounds(array.pe) if array.stage is None else not array.stage.linear


def _is_nan(codes: Integers) -> NDArray[np.bool_]:
    return (codes >= 0) & (codes & 0x7FFFFFFF > 0x7F800000)


def _integers(array: SystolicArray, values: NDArray[np.float64]) -> Integers:
    """Return exact sums as the code of the PE's register: an integer in units of the formats' last places."""
    formats = [get_element_format(port.meaning) for port in array.pe.inputs[:2]]
    unit = sum(int(form.lsb_exponent) for form in formats)
    return to_code(np.ldexp(values, -unit).astype(np.int64), sum_bits(array.pe))


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


def _codes(codes: Integers, form: str) -> Codes:
    width = get_element_format(form).bits
    return np.ascontiguousarray(codes[None].astype(np.uint8 if width <= 8 else np.uint16))


def _scales(array: SystolicArray, problem: Problem) -> tuple[NDArray[np.float64], Integers]:
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
