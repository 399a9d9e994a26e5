"""Datapaths with other registers than the exact one: the engine against the definition, zero points included."""

from dataclasses import replace

import numpy as np
import pytest

from simhw.accumulators import Chunked, Cut, Ieee, LsbTruncated, Pairwise, PartialSums, Saturate, Tree, Where
from simhw.accumulators.rounding import FLOAT16
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.definition import define
from simhw.gemm.engine import multiply
from simhw.gemm.matmul import matmul, plan
from simhw.gemm.operand import Operand

ACCUMULATORS = (
    Saturate(bits=15),
    PartialSums(inner_bits=12, every=3, outer_bits=18),
    PartialSums(inner_bits=12, every=3, outer_bits=14, saturating=True),
    LsbTruncated(bits=5, every=8, cut=Cut.TOWARD_ZERO, where=Where.ACCUMULATOR),
)


@pytest.mark.parametrize("accumulator", ACCUMULATORS, ids=lambda a: a.kind)
def test_zero_points_are_subtracted_behind_the_register(accumulator):
    rng = np.random.default_rng(7)
    weights = Operand(
        codes=rng.integers(0, 16, (1, 5, 100), dtype=np.uint8),
        format="uint4",
        group_size=32,
        group_scale=np.exp2(rng.integers(-3, 3, (1, 5, 4))).astype(np.float32),
        zero_point=rng.integers(0, 16, (1, 5, 4)).astype(np.int32),
    )
    activations = Operand(codes=rng.integers(60, 128, (1, 4, 100), dtype=np.uint8), format="int8")
    datapath = replace(get_datapath("w4a8_mixpe"), accumulator=accumulator, accumulator_from_group=False)
    got = multiply(activations, weights, datapath).values
    np.testing.assert_array_equal(got.astype(np.float64), define(activations, weights, datapath))
    assert (got != multiply(activations, weights, get_datapath("w4a8_mixpe")).values).any()


@pytest.mark.parametrize(
    "accumulator",
    [
        Ieee(precision=FLOAT16),
        Pairwise(precision=FLOAT16),
        Tree(width=8),
        Chunked(inner=Ieee(precision=FLOAT16), every=16),
    ],
    ids=lambda a: a.kind,
)
def test_float_registers_in_a_datapath(accumulator):
    rng = np.random.default_rng(8)
    a, b = (
        Operand(
            codes=rng.integers(0, 0x58, (1, rows, 70), dtype=np.uint8)
            | (rng.integers(0, 2, (1, rows, 70)) << 7).astype(np.uint8),
            format="e4m3",
        )
        for rows in (4, 5)
    )
    datapath = replace(get_datapath("fp8_e4m3_fp32"), accumulator=accumulator)
    np.testing.assert_array_equal(multiply(a, b, datapath).values.astype(np.float64), define(a, b, datapath))


def test_formats_alone_prove_the_fp16_register_of_fp8_operands():
    datapath = replace(get_datapath("fp8_e4m3_fp32"), accumulator=Ieee(precision=FLOAT16))
    chosen = plan(64, 64, 64, datapath=datapath)
    fused = chosen.kernel == "chain_half_fused_fp32"  # where the processor multiplies and adds in fp16
    assert fused or chosen.kernel in ("chain_half_fp32", "chain_nearest_fp32")
    assert ("fused multiply-adds round once" if fused else "11 + 11 + 1 <= 24") in chosen.why


@pytest.mark.parametrize("accumulator", ACCUMULATORS, ids=lambda a: a.kind)
def test_matmul_subtracts_zero_points_behind_the_register_too(accumulator):
    rng = np.random.default_rng(9)
    datapath = replace(get_datapath("w4a8_mixpe"), accumulator=accumulator, accumulator_from_group=False)
    x, q = rng.integers(60, 128, (3, 50)), rng.integers(0, 16, (50, 4))
    zeros = rng.integers(0, 16, (1, 4))
    held = [[accumulator.dot_integers(row.tolist(), column.tolist()) for column in q.T] for row in x]
    expected = np.array(held) - x.sum(axis=1)[:, None] * zeros
    np.testing.assert_array_equal(matmul(x.astype(np.int8), q, datapath, zero_points=zeros), expected)
