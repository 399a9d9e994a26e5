"""Weights that a file stores as codes: what DequantizeLinear of a constant stands for, kept beside its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simhw.errors import InputError
from simhw.formats import IntegerFormat, get_element_format
from simhw.gemm.operand import Operand
from simhw.graph.base import Array, Node, Ref
from simhw.graph.frontends.codes import exchanges_axes
from simhw.graph.frontends.rewrite import TURNED
from simhw.graph.network import StoredWeight

TYPES = ("int8", "uint8", "int4", "uint4", "int2", "uint2")


def stored_weights(
    before: Sequence[Node], after: Sequence[Node], constants: Mapping[str, Array]
) -> dict[str, StoredWeight]:
    """Return the weights of linear layers that were codes, by the name of the constant that holds their values.

    Args:
        before: the nodes while DequantizeLinear is among them.
        after: the nodes with weights as constants.
        constants: of both.
    """
    by_name = {node.name: node for node in before}
    found = {}
    for node in after:
        if node.operator != "linear" or not isinstance(node.args[1], Ref):
            continue
        name = node.args[1].name
        turned = name.endswith(TURNED)
        source = by_name.get(name.removesuffix(TURNED) if turned else name)
        if source is not None and exchanges_axes(source):
            turned, source = not turned, by_name.get(source.args[0].name)
        if source is not None and source.operator == "dequantize_linear":
            operand = _operand(source, turned, constants)
            if operand is not None:
                found[name] = StoredWeight(operand=operand)
    return found


def _operand(node: Node, turned: bool, constants: Mapping[str, Array]) -> Operand | None:
    """Return codes ``(1, n, k)`` with scales per row, or per group along k; None for what no array takes so."""
    codes, scale, zero, axis, block, kind = node.args
    values, scales = (constants[argument.name] for argument in (codes, scale))
    zeros = None if zero is None else constants[zero.name].astype(np.int32)
    if kind not in TYPES or values.ndim != 2:
        return None
    axis %= 2
    if turned:
        values, scales, zeros = values.T, _turn(scales), None if zeros is None else _turn(zeros)
        axis = 1 - axis
    n, k = values.shape
    if kind == "uint8":  # as int8 of the same differences
        values, kind = values.astype(np.int32) - 128, "int8"
        zeros = (np.zeros(1, np.int32) if zeros is None else zeros) - 128
    form = get_element_format(kind)
    assert isinstance(form, IntegerFormat)
    bits = np.asarray(values.astype(np.int32) & (1 << form.bits) - 1, form.code_dtype)[None]
    zero_bits = 0 if zeros is None else form.bits
    if not block:
        if scales.size not in (1, n) or (scales.size > 1 and axis != 0):
            return None
        points = None if zeros is None else np.broadcast_to(zeros.reshape(1, -1, 1), (1, n, 1)).copy()
        rows = np.broadcast_to(scales.reshape(1, -1), (1, n)).astype(np.float32)
        return Operand(codes=bits, format=kind, row_scale=rows, zero_point=points, zero_point_bits=zero_bits)
    groups = -(-k // block)
    if axis != 1 or scales.shape != (n, groups) or block > k:
        return None
    try:
        return Operand(
            codes=bits,
            format=kind,
            group_size=int(block),
            group_scale=np.ascontiguousarray(scales, np.float32)[None],
            zero_point=None if zeros is None else np.ascontiguousarray(zeros)[None],
            zero_point_bits=zero_bits,
        )
    except InputError:  # zero points of another shape
        return None


def _turn(values: Any) -> Any:
    return values.T if values.ndim == 2 else values
