"""Weights dequantized one by one before the multiplier: the rival of dequantization after the group."""

from __future__ import annotations

import numpy as np

from simhw.errors import InputError
from simhw.formats import encode, get_element_format
from simhw.gemm.operand import Operand


def dequantize_before_multiplier(weights: Operand, target: str) -> Operand:
    """Return ``weights`` in the multiplier's format, each weight rounded once.

    * ``fp16``: ``fp16(scale * (q - zero))``; with fp16 group scales the product is exact before that rounding.
    * ``int8``: one scale per row is chosen, ``max |scale * (q - zero)| / 127``; a weight becomes
      ``clamp(round(ratio * (q - zero)))`` with ``ratio = fp32(group scale / row scale)``.

    Every step is rounded to nearest even in fp32. Raises InputError for another target.
    """
    integers = weights.integers().astype(np.float32)
    size = weights.group_size or integers.shape[2]
    scale = weights.group_scale
    if scale is None:
        scale = np.ones((*integers.shape[:2], 1), np.float32)
    spread = np.repeat(scale, size, axis=2)[:, :, : integers.shape[2]]
    if target == "fp16":
        codes = encode(spread * integers, get_element_format("fp16"))
        return Operand(codes=codes, format="fp16", row_scale=weights.row_scale)
    if target != "int8":
        raise InputError(f"multiplier format is {target!r}, weights can be dequantized to int8 or fp16")
    row_scale = np.abs(spread * integers).max(axis=2) / np.float32(127)
    row_scale = np.where(row_scale == 0, np.float32(1), row_scale)
    ratio = np.repeat(scale / row_scale[:, :, None], size, axis=2)[:, :, : integers.shape[2]]
    codes = encode(np.clip(np.rint(ratio * integers), -127, 127), get_element_format("int8"))
    if weights.row_scale is not None:
        row_scale = row_scale * weights.row_scale
    return Operand(codes=codes, format="int8", row_scale=row_scale)
