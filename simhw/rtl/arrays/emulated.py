"""What the emulator makes of a GEMM, as the codes that an array's sums are: the other side of every comparison."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Exact, Ieee
from simhw.circuits.codes import to_code, to_signed
from simhw.circuits.float_sums import CANONICAL_NAN, fp32_codes, fp32_values
from simhw.errors import InputError
from simhw.formats import decode, get_element_format
from simhw.gemm.accumulate import accumulate
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.dequantize_first import dequantize_before_multiplier
from simhw.gemm.operand import Codes, Operand
from simhw.pes import pe_names
from simhw.rtl.arrays.base import Integers, SystolicArray, rounds, sum_bits
from simhw.rtl.arrays.feeds import Blocks, Dequantized, Problem, weight_integers

EXACT_FLOAT32 = 1 << 24
"""Integers up to here are exact in fp32."""


def datapath_of(array: SystolicArray) -> Datapath:
    """Return the datapath of an array's PE: the formats of its operands, and its accumulator."""
    activation, weight = operand_formats(array)
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
    if isinstance(array.element.feed, Blocks):
        return _block_sums(array, problem)
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
    formats = [get_element_format(name) for name in operand_formats(array)]
    unit = sum(int(form.lsb_exponent) for form in formats)
    return to_code(np.ldexp(values, -unit).astype(np.int64), sum_bits(array.pe))


def operand_formats(array: SystolicArray) -> tuple[str, str]:
    """Return the formats of the operands as the multiplier takes them."""
    activation, weight = array.element.formats
    return activation, activation if isinstance(array.element.feed, Dequantized) else weight


def _block_sums(array: SystolicArray, problem: Problem) -> Integers:
    """Return sums of scaled block sums: block after block, or in chains of the array's rows, which join in order."""
    _, _, k = problem.shape
    step = array.rows * array.element.feed.lanes if array.record.sums_along_rows else k
    total: NDArray[np.float32] | None = None
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, k, step):
            a, b = _blocks(array, problem, slice(start, min(start + step, k)))
            chain = accumulate(a, b, get_datapath(array.pe.name.removesuffix("_dot"))).to_float32()[0]
            if array.record.sums_along_rows:
                chain = chain + np.float32(0)  # a chain begins with +0, which -0 does not survive
            total = chain if total is None else total + chain
    assert total is not None
    return fp32_codes(total)


def _blocks(array: SystolicArray, problem: Problem, part: slice) -> tuple[Operand, Operand]:
    lanes = array.element.feed.lanes
    groups = slice(part.start // lanes, -(-part.stop // lanes))
    scale = next(port.meaning for port in array.pe.inputs if port.name == "activation_scale")
    sides = (
        (problem.activations[:, part], problem.scales["activation_scale"][:, groups]),
        (problem.weights[part].T, problem.scales["weight_scale"][groups].T),
    )
    a, b = (
        Operand(
            codes=_codes(codes, array.element.formats[0]),
            format=array.element.formats[0],
            group_size=min(lanes, codes.shape[1]),
            group_scale=decode(_codes(scales, scale), scale).astype(np.float32),
        )
        for codes, scales in sides
    )
    return a, b


def _dequantized(array: SystolicArray, problem: Problem) -> Operand:
    """Return the weights as the multiplier takes them, behind the dequantizer at the head of the column."""
    assert problem.group_size is not None
    target, form = operand_formats(array)[1], array.element.formats[1]
    if target == "fp16":
        weights = Operand(
            codes=_codes(problem.weights.T, form),
            format=form,
            group_size=problem.group_size,
            group_scale=decode(_codes(problem.scales["scale"].T, "fp16"), "fp16").astype(np.float32),
            zero_point=np.ascontiguousarray(weight_integers(problem.scales["zero"], form).T[None], np.int32),
        )
        return dequantize_before_multiplier(weights, target)
    groups = np.arange(problem.shape[2]) // problem.group_size
    scale, zero = to_signed(problem.scales["scale"], 8)[groups], problem.scales["zero"][groups]
    difference = weight_integers(problem.weights, form) - weight_integers(zero, form)
    return Operand(codes=_codes(to_code(np.clip(scale * difference, -128, 127), 8).T, "int8"), format="int8")


def _operands(array: SystolicArray, problem: Problem) -> tuple[Operand, Operand]:
    activation, weight = array.element.formats
    a = Operand(codes=_codes(problem.activations, activation), format=activation)
    if isinstance(array.element.feed, Dequantized):
        return a, _dequantized(array, problem)
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
