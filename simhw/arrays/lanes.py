"""PEs that take several products per cycle and sum them: to the array a shorter k of wider words.

A PE of L lanes multiplies L neighbours along k in one cycle and adds their sum to one accumulator, as a fusion
unit does with narrow operands. So L elements of k travel together as one word, and the closed forms hold for
ceil(k / L) such words. Where sums leave after each group, its last word is filled up with zeros, because a sum
belongs to one scale.
Words of the packed GEMM are counted back in single operands, without the zeros.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from simhw.arrays.base import Gemm, Schedule, ceil_div
from simhw.arrays.dequantize import Grouping


def pack(gemm: Gemm, grouping: Grouping, lanes: int) -> tuple[Gemm, Grouping]:
    """Return the GEMM and its groups in words of ``lanes`` elements along k.

    Raises:
        InputError: a group is longer than k.
    """
    length, whole, last = grouping.lengths(gemm.k)
    if not grouping.after_group:
        return replace(gemm, k=ceil_div(gemm.k, lanes)), replace(grouping, group_size=None)
    words = whole * ceil_div(length, lanes) + ceil_div(last, lanes)
    size = None if grouping.group_size is None else ceil_div(length, lanes)
    return replace(gemm, k=words), replace(grouping, group_size=size)


def unpack(packed: Schedule, gemm: Gemm, words: int, lanes: int, passes: int) -> Schedule:
    """Return the schedule of a packed GEMM with its operands counted one by one (all counts are linear in k)."""
    pe_cycles = packed.cycles * packed.rows * packed.columns
    chunk: Any = packed.summation_chunk
    if chunk is not None:
        chunk = chunk * lanes
        chunk = np.minimum(chunk, gemm.k) if np.ndim(chunk) else min(chunk, gemm.k)
    return replace(
        packed,
        utilization=gemm.macs * passes / (pe_cycles * lanes),
        sram_activation_reads=packed.sram_activation_reads // words * gemm.k,
        sram_weight_reads=packed.sram_weight_reads // words * gemm.k,
        dram_activation_words=packed.dram_activation_words // words * gemm.k,
        dram_weight_words=packed.dram_weight_words // words * gemm.k,
        summation_chunk=chunk,
    )
