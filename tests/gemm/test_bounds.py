"""Error bounds and widths: no sum, random or adversarial, lies outside, and hand-made sums come near."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.accumulators import Aligned, Chunked, Exact, Ieee, LsbTruncated, Pairwise, PartialSums, Saturate, Tree
from simhw.accumulators.amd_fused import AmdFused
from simhw.accumulators.catalog import accumulator_names, get_accumulator
from simhw.accumulators.matrix_cores import matrix_core
from simhw.accumulators.rounding import BFLOAT16, FLOAT16, FLOAT32
from simhw.accumulators.scaled import ScaledAligned, ScaledGroups
from simhw.accumulators.tensor_cores import recorded, tensor_core
from simhw.accumulators.vpmaddubsw import Vpmaddubsw
from simhw.errors import InputError
from simhw.formats import decode, encode
from simhw.gemm.bounds import error_bound, register_limit, sum_width
from simhw.gemm.datapaths import datapath_names, get_datapath
from simhw.gemm.one_dot import define_dot
from simhw.strategies import gemm_operands
from simhw.testing import InputClass
from simhw.testing.operands import STRESSES, stressed_codes

ROUNDING = {
    "fp32": (Ieee(), ("fp16", "fp16")),
    "fp32, products rounded": (Ieee(fused=False), ("fp32", "bf16")),
    "fp16": (Ieee(precision=FLOAT16), ("e4m3", "e4m3")),
    "bf16": (Ieee(precision=BFLOAT16), ("e5m2", "e4m3")),
    "pairwise fp16": (Pairwise(precision=FLOAT16), ("e2m3", "e2m3")),
    "tree of 8": (Tree(width=8, precision=FLOAT16), ("e2m1", "e3m2")),
    "cdna1": (AmdFused(block=4), ("fp16", "fp16")),
    "cdna2": (matrix_core("cdna2", "fp16"), ("fp16", "fp16")),
    "cdna3": (matrix_core("cdna3", "bf16"), ("bf16", "bf16")),
    "cdna3 fp8": (matrix_core("cdna3", "e4m3fnuz"), ("e4m3fnuz", "e4m3fnuz")),
    "blackwell mxfp8": (ScaledAligned(minimum_exponents=(-6, -6)), ("e4m3", "e4m3")),
    "blackwell nvfp4": (ScaledGroups(scale_block=16, scale_format="ue4m3"), ("e2m1", "e2m1")),
    "cut": (LsbTruncated(bits=5, every=8), ("int8", "int8")),
    "hopper e4m3": (tensor_core("hopper", "e4m3", "fp32"), ("e4m3", "e4m3")),
    "hopper e5m2 fp16": (tensor_core("hopper", "e5m2", "fp16"), ("e5m2", "e5m2")),
    "ampere bf16": (tensor_core("ampere", "bf16", "fp32"), ("bf16", "bf16")),
    "volta fp16": (tensor_core("volta", "fp16", "fp16"), ("fp16", "fp16")),
    "recorded b200": (recorded("b200", "e4m3", "fp32"), ("e4m3", "e4m3")),
    "recorded h100 fp16": (recorded("h100", "e4m3", "fp16"), ("e4m3", "e4m3")),
    "promoted": (Chunked(inner=tensor_core("hopper", "e4m3", "fp32"), every=64), ("e4m3", "e4m3")),
}


def within(accumulator, formats, a, b, c=0.0):
    """Check one sum; True if it was finite and in the range of the register."""
    x, y = (decode(codes, name).astype(np.float64).tolist() for codes, name in ((a, formats[0]), (b, formats[1])))
    terms = [Fraction(p) * Fraction(q) for p, q in zip(x, y, strict=True)]
    magnitudes = sum(map(abs, terms)) + abs(Fraction(c))
    bound = error_bound(accumulator, len(x), formats)
    largest = getattr(accumulator, "result", getattr(accumulator, "precision", FLOAT32)).largest
    if bound is None or magnitudes + bound.at(magnitudes) >= largest:
        return False
    result = define_dot(accumulator, x, y, c, formats=formats)
    assert math.isfinite(result)
    assert abs(Fraction(result) - sum(terms) - Fraction(c)) <= bound.at(magnitudes)
    return True


@pytest.mark.parametrize("name", ROUNDING)
def test_no_stressed_sum_lies_outside(name):
    accumulator, formats = ROUNDING[name]
    rng = np.random.default_rng(11)
    checked = 0
    for index in range(120):
        k = int(rng.choice([1, 2, 7, 8, 9, 31, 33, 65, 130]))
        if index % 3:
            a, b = stressed_codes(STRESSES[index % len(STRESSES)], k, *formats, rng)
        else:  # values around one, whose sums stay in the range of every register
            spread = 2.0 ** rng.integers(-3, 3, k)
            a, b = (encode(rng.standard_normal(k) * spread, name) for name in formats)
        c = 0.0 if "cut" in name else float(np.float16(rng.standard_normal() * 2.0 ** rng.integers(-9, 9)))
        checked += within(accumulator, formats, a, b, c * (index % 2))
    assert checked > 20


@settings(max_examples=150)
@given(st.sampled_from(sorted(ROUNDING)).flatmap(lambda name: st.tuples(st.just(name), operands_of(name))))
def test_no_drawn_sum_lies_outside(case):
    name, operands = case
    accumulator, formats = ROUNDING[name]
    within(accumulator, formats, operands.a[0], operands.b[:, 0])


def operands_of(name):
    return gemm_operands(ROUNDING[name][1], max_m=1, max_n=1, max_k=70)


def test_the_bounds_are_no_more_than_a_few_times_too_wide():
    """Sums built to lose as much as they can: one large product, the others just below the cut or the half unit."""
    core = tensor_core("hopper", "e4m3", "fp32")
    # 2^8 and 31 x 2^-6 (1 - 2^-3): all but the first are cut off entirely (unit 2^(8 - 13)).
    a, b = [16.0] + [0.109375] * 31, [16.0] + [0.25] * 31
    exact = sum(x * y for x, y in zip(a, b, strict=True))
    lost = exact - float(core.dot(a, b))
    bound = error_bound(core, 32, ("e4m3", "e4m3"))
    assert lost == 31 * 0.109375 * 0.25
    assert lost > 0.5 * float(bound.relative) * exact

    # 2048 + 1 + 1 + ... in fp16: every 1 is half a unit and goes to even, i.e. is lost.
    a, b = [2048.0] + [1.0] * 100, [1.0] * 101
    assert float(Ieee(precision=FLOAT16).dot(a, b)) == 2048
    bound = error_bound(Ieee(precision=FLOAT16), 101, ("e5m2", "e5m2"))
    assert 100 <= bound.at(Fraction(2148)) <= 120


def test_bounds_by_hand():
    assert error_bound(Exact(), 10**6, ("int8", "int8")).at(Fraction(10**9)) == 0
    u = Fraction(1, 1 << 24)
    assert error_bound(Ieee(), 99, ("e4m3", "e4m3")).relative == 100 * u / (1 - 100 * u)
    assert error_bound(LsbTruncated(bits=4, every=8), 17, ("int8", "uint4")).absolute == 3 * 16
    # 2^11 roundings of half a unit in fp16: nothing can be said.
    assert error_bound(Ieee(precision=FLOAT16), 2048, ("e4m3", "e4m3")) is None
    relative = error_bound(tensor_core("hopper", "e4m3", "fp32"), 4096, ("e4m3", "e4m3")).relative
    assert relative == 128 * (33 * Fraction(1, 1 << 13) + Fraction(1, 1 << 13))


@pytest.mark.parametrize("name", datapath_names())
def test_every_datapath_has_a_bound(name):
    datapath = get_datapath(name)
    formats = (datapath.activation, datapath.multiplier_weight or datapath.weight)
    assert error_bound(datapath.accumulator, 128, formats) is not None


def test_amd_bounds_are_near_what_can_be_lost():
    """One product of 1 and seven just below the cut at 2^-24 of fp16: CDNA3 loses all seven."""
    core = matrix_core("cdna3", "fp16")
    a, b = [1.0] + [2.0**-12 * (2 - 2**-10)] * 7, [1.0] + [2.0**-13] * 7
    exact = sum(Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True))
    lost = exact - Fraction(core.dot(a, b))
    bound = error_bound(core, 8, ("fp16", "fp16"))
    assert lost == exact - 1
    assert bound.relative * exact / 2 < lost < bound.relative * exact  # no operand is subnormal


@pytest.mark.parametrize("name", accumulator_names())
def test_every_accumulator_of_the_catalogue_has_a_bound(name):
    accumulator = get_accumulator(name).accumulator
    bound = error_bound(accumulator, 128, ("int8", "int8"))
    assert bound is not None
    assert bound.formula
    assert bound.relative >= 0 <= bound.absolute


@pytest.mark.parametrize(
    ("formats", "k"), [(("int8", "int8"), 5), (("int8", "uint4"), 128), (("uint4", "uint4"), 3), (("e2m1", "int4"), 7)]
)
def test_widths_hold_the_extreme_sums_and_are_needed(formats, k):
    a, b = (decode(np.arange(1 << (8 if name == "int8" else 4)), name).astype(float) for name in formats)
    products = np.outer(a, b)
    width = sum_width(k, formats)
    unit = 2.0**width.unit_exponent
    low, high = k * products.min() / unit, k * products.max() / unit
    assert -(2 ** (width.bits - 1)) <= low
    assert high <= 2 ** (width.bits - 1) - 1
    assert high > 2 ** (width.bits - 2) - 1 or low < -(2 ** (width.bits - 2))
    assert width.largest_sum == k * width.largest_product == k * np.abs(products).max()


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("formats", [("int4", "int4"), ("int4", "uint4"), ("int8", "uint4")])
def test_register_limit_is_the_first_k_that_overflows(bits, formats):
    limit = register_limit(Exact(bits=bits), formats)
    a, b = (decode(np.arange(1 << (8 if name == "int8" else 4)), name).astype(float) for name in formats)
    products = np.outer(a, b)
    top, bottom = 2 ** (bits - 1) - 1, -(2 ** (bits - 1))

    def overflows(k):
        return k * products.max() > top or k * products.min() < bottom

    assert overflows(limit)
    assert limit == 1 or not overflows(limit - 1)
    assert register_limit(Saturate(bits=bits), formats) == limit


def test_other_registers():
    assert register_limit(Exact(), ("int8", "int8")) is None
    assert register_limit(Vpmaddubsw(), ("uint8", "int8")) == 2
    assert register_limit(Vpmaddubsw(), ("uint4", "int8")) == 1 + 2**31 // (15 * 128)
    assert register_limit(PartialSums(every=16), ("int8", "int8")) == 2
    assert register_limit(PartialSums(every=16), ("int4", "int4")) == (2**31 - 1) // 64 + 1
    assert register_limit(LsbTruncated(bits=4, every=8), ("int8", "int8")) is None
    assert register_limit(Ieee(precision=FLOAT16), ("e2m1", "e2m1")) == 65504 // 36 + 1
    assert isinstance(register_limit(tensor_core("hopper", "e4m3", "fp32"), ("e4m3", "e4m3")), int)


def test_k_below_one_is_refused():
    with pytest.raises(InputError, match="k is 0, must be at least 1"):
        error_bound(Exact(), 0, ("int8", "int8"))
    with pytest.raises(InputError, match="k is -1, must be at least 1"):
        sum_width(-1, ("int8", "int8"))


def test_aligned_is_covered_for_every_stress():
    assert {InputClass.CANCELLATION, InputClass.ALIGNMENT} <= set(STRESSES)
    assert isinstance(ROUNDING["hopper e4m3"][0], Aligned)
