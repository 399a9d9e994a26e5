"""Accumulators of any width by name: what the grammar means, and what it refuses."""

import numpy as np
import pytest

from simhw.accumulators import Exact, Ieee, PartialSums, Saturate
from simhw.accumulators.catalog import get_accumulator
from simhw.accumulators.families import register_bits
from simhw.accumulators.rounding import FLOAT16, Rounding, float_precision
from simhw.errors import InputError
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.matmul import matmul


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("int20_saturate", Saturate(bits=20)),
        ("int20_wrap", Exact(bits=20)),
        ("int12_partial_8", PartialSums(inner_bits=12, every=8, outer_bits=32)),
        ("int12_partial_8_saturate", PartialSums(inner_bits=12, every=8, outer_bits=32, saturating=True)),
        ("e5m10", Ieee(precision=FLOAT16)),
        ("e4m7_toward_zero", Ieee(precision=float_precision(4, 7, Rounding.TOWARD_ZERO))),
    ],
)
def test_names_of_families(name, record):
    entry = get_accumulator(name)
    assert entry.name == name
    assert entry.accumulator.kind == record.kind
    assert entry.accumulator.dot([3.0, 2.0, -1.0], [5.0, 7.0, 2.0]) == record.dot([3.0, 2.0, -1.0], [5.0, 7.0, 2.0])
    assert entry.accumulator.name == record.name or name.startswith("e5m10")


def test_a_literal_of_the_catalogue_is_the_same_by_grammar():
    assert get_accumulator("int16_saturate").accumulator == Saturate(bits=16)
    assert get_accumulator("e6m9").accumulator == Ieee(precision=float_precision(6, 9))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("int1_wrap", r"accumulator int1_wrap has 1 bits, must be 2\.\.64"),
        ("int65_saturate", r"has 65 bits, must be 2\.\.64"),
        ("int20_saturated", r"'int20_saturated', which is not known.*any width: int<bits>_wrap"),
        ("e0m3", "exponent bits"),
    ],
)
def test_refusals(name, message):
    with pytest.raises(InputError, match=message):
        get_accumulator(name)


@pytest.mark.parametrize(
    ("name", "bits"),
    [("int20_saturate", 20), ("int18_wrap", 18), ("int16_partial_16", 32), ("exact", None), ("fp16", None)],
)
def test_register_bits(name, bits):
    assert register_bits(get_accumulator(name).accumulator) == bits


def test_a_datapath_with_another_accumulator():
    datapath = get_datapath("w8a8_int8", accumulator="int17_saturate")
    a, b = np.full((1, 9), -128, np.int8), np.full((9, 1), 127, np.int8)
    assert matmul(a, b, datapath)[0, 0] == -(2**16)
    chained = get_datapath("w4a8_mixpe", accumulator="int14_wrap")
    assert not chained.accumulator_from_group
    x, q = np.full((1, 5), 127, np.int8), np.full((5, 1), 15)
    assert matmul(x, q, chained)[0, 0] == (5 * 127 * 15 + 2**13) % 2**14 - 2**13
    with pytest.raises(InputError, match="accumulator is 'fp16', that of blackwell_nvfp4_fp32 takes the scales of its"):
        get_datapath("blackwell_nvfp4_fp32", accumulator="fp16")
