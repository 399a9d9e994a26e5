"""``simhw.matmul`` and ``simhw.plan``: one matrix product on one datapath, bit for bit as the hardware returns it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import IntegerAccumulator
from simhw.errors import InputError
from simhw.formats import FloatFormat, IntegerFormat, QuantizedBlocks, decode, get_element_format
from simhw.gemm.accumulate import Totals, accumulate
from simhw.gemm.addend import take_addend, take_bias
from simhw.gemm.codes import take_codes
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.engine import behind_accumulator, prepare_weights
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Codes, Operand
from simhw.gemm.paths.exact import fuse_short_groups
from simhw.gemm.plan import plan_sum
from simhw.gemm.register import integer_bits, returns_register
from simhw.gemm.scales import Axes, Scaling, choose_group_size, scale_columns, scale_rows
from simhw.gemm.stored import StoredScale, store_integers

FLOAT32_INTEGERS = 24
"""Integers of up to 24 bits are exact in float32."""


@dataclass(frozen=True, kw_only=True)
class MatmulPlan:
    """Which kernel a product of this shape can always use.

    Attributes:
        kernel: the kernel that runs for each group of k.
        why: the proof that it gives the bits of the datapath's definition.
        datapath: its name.
        m, n, k: the shape ``(m, k) x (k, n)``.
        group_size: products per sum; the sums of several groups are added in fp32, in the order of the groups.
    """

    kernel: str
    why: str
    datapath: str
    m: int
    n: int
    k: int
    group_size: int


def matmul(
    a_codes: Any,
    b_codes: Any,
    datapath: str | Datapath = "hopper_e4m3_fp32",
    c: Any = None,
    *,
    a_scales: Any = None,
    b_scales: Any = None,
    zero_points: Any = None,
    a_zero_point: int = 0,
    group_size: int | None = None,
    output_scale: float | None = None,
    output_zero_point: int = 0,
) -> NDArray[Any]:
    """Return ``a @ b (+ c)`` as the datapath's accumulator returns it; no output format rounds it again.

    ``Datapath.output`` is what a network layer stores; here the result is the accumulator's own: fp32 (or the fp16 of
    a ``..._fp16`` preset) for floating-point accumulators, the register of an integer one. With scales, the order of
    the steps is that of :class:`simhw.gemm.datapath.Datapath`, in fp32. Infinities and NaN follow IEEE 754.

    Args:
        a_codes: codes of the first operand's format, ``(..., m, k)``: integers, or an array of the NumPy, ml_dtypes
            or torch dtype with that encoding; or what :func:`simhw.quantize_blocks` made, blocks along the last axis.
        b_codes: codes of the second operand's format, ``(..., k, n)``, likewise, blocks along the last axis but one.
            Leading axes broadcast as those of :func:`numpy.matmul`.
        datapath: name (see ``simhw list datapaths``) or record.
        c: addend, broadcast to the result; values of the result's format. Only for accumulators that have one, and
            for datapaths that requantize, whose int32 bias it is.
        a_scales: values, ``(..., m, 1)`` (one per row), or ``(..., m, groups)`` where groups of k have their own.
        b_scales: values, ``(..., 1, n)``, or ``(..., groups, n)`` with ``group_size``.
        zero_points: integers to subtract from b's integers, shaped as ``b_scales``.
        a_zero_point: integer to subtract from all of a's integers (asymmetric activations).
        group_size: k per group; block datapaths (MX, NVFP4) have their own. None: all of k is one group.
        output_scale: scale of the results, for datapaths that requantize (TFLite, ONNX Runtime, ...) and only for them.
        output_zero_point: their zero point.

    Returns:
        ``(..., m, n)``, float32; the integers of the output format where the datapath requantizes; float64 where both
        operands are integers, nothing is scaled and the largest possible sum needs more than 24 bits, so that an int32
        register comes back whole.

    Raises:
        InputError: codes, shapes, scales or an addend that the datapath does not take, each with what it does take.

    >>> import simhw
    >>> simhw.matmul(simhw.encode([[1.0, 2.0]], "e4m3"), simhw.encode([[0.5], [4.0]], "e4m3"))
    array([[8.5]], dtype=float32)
    """
    record = _record(datapath)
    a_codes, a_scales, a_factor = _open_blocks(a_codes, a_scales, record.activation, axis=-1, argument="a_codes")
    b_codes, b_scales, b_factor = _open_blocks(b_codes, b_scales, record.weight, axis=-2, argument="b_codes")
    rows, a_format = take_codes(a_codes, (record.activation,), "a_codes")
    columns, b_format = take_codes(b_codes, weight_formats(record), "b_codes")
    lead = _check_shapes(rows, columns)
    m, k, n = *rows.shape[-2:], columns.shape[-1]
    shape = (*lead, m, n)
    stored = _stored_scale(record, output_scale, output_zero_point)
    addend = None if c is None or stored is not None else take_addend(c, shape, record.accumulator)
    bias = None if c is None or stored is None else take_bias(c, shape).reshape(-1, m, n)
    if 0 in shape or (k == 0 and stored is None):
        return np.zeros(shape, np.float32) if addend is None else addend
    if k == 0:
        raise InputError(f"k is 0, {record.name} requantizes sums of at least 1 product; give a longer sum")
    block = record.block_size
    size = choose_group_size(group_size, block, k)
    a_axes, b_axes = (Axes(lead=lead, rows=count, k=k, group_size=size) for count in (m, n))
    a_scaling = scale_rows(a_scales, a_axes, factor=a_factor, per_group=block is not None)
    b_scaling = scale_columns(b_scales, zero_points, b_axes, factor=b_factor)
    a = _operand(rows, a_format, lead, None if a_scaling.group is None else size, a_scaling)
    if a_zero_point:
        a = _with_zero_point(a, a_zero_point, record)
    b = prepare_weights(_operand(columns.swapaxes(-1, -2), b_format, lead, size, b_scaling), record)
    totals = accumulate(a, b, record, None if addend is None else addend.reshape(-1, m, n))
    if stored is not None:
        return store_integers(totals, a, b, record, stored, bias)[0].astype(np.float32).reshape(shape)
    return _values(totals, a, b).reshape(shape)


def plan(
    m: int, n: int, k: int, datapath: str | Datapath = "hopper_e4m3_fp32", *, group_size: int | None = None
) -> MatmulPlan:
    """Return which kernel a product ``(m, k) x (k, n)`` runs on, and why its bits are those of the definition.

    Only the bounds of the formats are used, no data: it holds for all finite operands. Operands whose values are
    known to be smaller may run on a faster kernel; infinities and NaN run on the definition.

    Args:
        m: rows of the first operand.
        n: columns of the second operand.
        k: length of the sum.
        datapath: name or record.
        group_size: as in :func:`matmul`.

    Raises:
        InputError: a size below 1, an unknown datapath, a sum that its accumulator cannot hold.

    >>> plan(64, 64, 512, datapath="w8a8_int8").why
    'any partial sum is an integer below 2^24 units of 2^0, exact in fp32 (2^24) in every order of summation'
    """
    record = _record(datapath)
    for label, size in (("m", m), ("n", n), ("k", k)):
        if size < 1:
            raise InputError(f"{label} is {size}, must be at least 1; give the sizes of (m, k) x (k, n)")
    group = choose_group_size(group_size, record.block_size, k) or k
    chosen = plan_sum(record.accumulator, group, *format_extents(record))
    chosen = fuse_short_groups(chosen, record.accumulator, group, -(-k // group))
    return MatmulPlan(kernel=chosen.kernel, why=chosen.why, datapath=record.name, m=m, n=n, k=k, group_size=group)


def _with_zero_point(a: Operand, zero_point: int, datapath: Datapath) -> Operand:
    """Return an operand whose codes all have one zero point."""
    if isinstance(datapath.accumulator, IntegerAccumulator) or not isinstance(
        get_element_format(a.format), IntegerFormat
    ):
        raise InputError(
            f"a_zero_point is {zero_point}, datapath {datapath.name} sums {a.format} codes as they are; "
            "quantize activations symmetrically"
        )
    form = get_element_format(a.format)
    if not form.min_value <= zero_point <= form.max_value:
        raise InputError(
            f"a_zero_point is {zero_point}, must be {form.min_value}..{form.max_value}; it is a value of {a.format}"
        )
    return replace(a, zero_point=np.full((*a.codes.shape[:2], a.groups), zero_point, np.int32))


def _stored_scale(datapath: Datapath, scale: float | None, zero_point: int) -> StoredScale | None:
    """Return how results are stored, None where the datapath does not requantize."""
    if datapath.requantize is None:
        if scale is not None or zero_point:
            raise InputError(
                f"output_scale is {scale} and output_zero_point {zero_point}, datapath {datapath.name} does not "
                "requantize; leave them out"
            )
        return None
    if scale is None:
        raise InputError(f"output_scale is missing, datapath {datapath.name} stores {datapath.output} codes; give it")
    return StoredScale(scale=float(scale), zero_point=zero_point)


def _values(totals: Totals, a: Operand, b: Operand) -> NDArray[Any]:
    """Return the sums with row scales; an integer register that fp32 might not hold comes whole in fp64."""
    if returns_register(a, b) and integer_bits(a, b) > FLOAT32_INTEGERS:
        return totals.whole()
    if a.row_scale is None and b.row_scale is None:
        return totals.to_float32()
    return behind_accumulator(totals, a, b)[0]


def format_extents(datapath: Datapath) -> tuple[Extent, Extent]:
    """Return what the formats alone say of a datapath's operands, for finite values."""
    names = (datapath.activation, datapath.multiplier_weight or datapath.weight)
    first, second = (
        Extent(
            unit=fmt.lsb_exponent,
            largest=fmt.max_integer,
            smallest_exponent=fmt.lsb_exponent,
            significand_bits=fmt.mantissa_bits + 1 if isinstance(fmt, FloatFormat) else fmt.max_integer.bit_length(),
        )
        for fmt in map(get_element_format, names)
    )
    return first, second


def weight_formats(datapath: Datapath) -> tuple[str, ...]:
    """Return the formats of the second operand: the weights', its signed twin, and that of keys and values."""
    twin = ("int4",) if datapath.weight == "uint4" else ()
    return tuple(dict.fromkeys((datapath.weight, *twin, datapath.attention)))


def _record(datapath: str | Datapath) -> Datapath:
    return datapath if isinstance(datapath, Datapath) else get_datapath(datapath)


def _open_blocks(given: Any, scales: Any, wanted: str, *, axis: int, argument: str) -> tuple[Any, Any, float]:
    """Return codes, scale values and tensor scale of a block-quantized tensor; other things as they are."""
    if not isinstance(given, QuantizedBlocks):
        return given, scales, 1.0
    if scales is not None:
        raise InputError(f"{argument} bring the scales of {given.format.name} with them; leave their scales out")
    if given.format.element.name != wanted:
        raise InputError(f"{argument} are {given.format.name}, must have {wanted} elements; quantize them to such")
    if given.axis != given.codes.ndim + axis:
        raise InputError(
            f"{argument} have blocks along axis {given.axis} of {given.codes.ndim}, must have them along k; "
            f"call quantize_blocks with axis={axis}"
        )
    return given.codes, decode(given.scales, given.format.scale), float(given.tensor_scale)


def _check_shapes(a: Codes, b: Codes) -> tuple[int, ...]:
    """Return the leading shape of the result."""
    for label, array, wanted in (("a_codes", a, "(..., m, k)"), ("b_codes", b, "(..., k, n)")):
        if array.ndim < 2:
            raise InputError(f"{label} have shape {array.shape}, must be {wanted}; reshape a vector to a row or column")
    if a.shape[-1] != b.shape[-2]:
        raise InputError(
            f"operands have shapes {a.shape} and {b.shape}, must be (..., m, k) and (..., k, n) with the same k, "
            f"here {a.shape[-1]} and {b.shape[-2]}; transpose one of them"
        )
    try:
        return np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise InputError(
            f"operands have shapes {a.shape} and {b.shape}, whose leading axes do not broadcast; make them equal or 1"
        ) from None


def _operand(rows: Codes, name: str, lead: tuple[int, ...], group_size: int | None, scaling: Scaling) -> Operand:
    """Return one operand as ``(batch, rows, k)`` with its scales."""
    spread = np.broadcast_to(rows, (*lead, *rows.shape[-2:]))
    return Operand(
        codes=np.ascontiguousarray(spread.reshape(math.prod(lead), *rows.shape[-2:])),
        format=name,
        group_size=group_size,
        group_scale=scaling.group,
        row_scale=scaling.row,
        zero_point=scaling.zero_point,
    )
