"""The conformance checks agree with what is right and find seeded faults, with a small example of each."""

import ctypes
import math
from dataclasses import replace
from fractions import Fraction

import gfloat
import ml_dtypes
import numpy as np
import pytest
import torch
from gfloat.formats import format_info_ocp_e4m3, format_info_p3109

import simhw
from simhw.accumulators import Addend, Exact, Ieee, Saturate
from simhw.accumulators.rounding import FLOAT16, FLOAT32
from simhw.accumulators.tensor_cores import tensor_core
from simhw.errors import InputError
from simhw.formats import decode, encode, get_element_format, p3109_format, round_to
from simhw.pes import get_pe, pe_names
from simhw.testing import (
    InputClass,
    boundary_codes,
    boundary_values,
    check_accumulator,
    check_datapath,
    check_format,
    check_pe,
    elementwise,
)

E4M3 = get_element_format("e4m3")


# Casts


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name in ("e4m3", "e2m1", "uint8", "e8m0", "nf4") for dtype in (np.float32, np.float64)]
    + [("e2m1", np.float16), ("e3m4", ml_dtypes.bfloat16)],
)
def test_our_own_casts_agree(name, dtype):
    report = check_format(name, encode=lambda v: encode(v, name), decode=lambda c: decode(c, name), dtype=dtype)
    assert report.agrees, report
    assert report.tried > 2 * get_element_format(name).code_count


@pytest.mark.parametrize("rounding", ["nearest_away", "toward_zero", "up", "down", "to_odd"])
def test_our_own_roundings_agree(rounding):
    report = check_format("e3m2", encode=lambda v: encode(v, "e3m2", rounding=rounding), rounding=rounding)
    assert report.agrees, report


def test_other_libraries_agree_where_they_say_so():
    cast = check_format(
        "e4m3",
        encode=lambda v: v.astype(ml_dtypes.float8_e4m3fn),
        decode=lambda c: c.view(ml_dtypes.float8_e4m3fn).astype(np.float32),
        overflow="nan",
    )
    assert cast.agrees, cast
    assert check_format("e4m3", encode=lambda v: torch.from_numpy(v).to(torch.float8_e4m3fn)).agrees
    info = format_info_ocp_e4m3
    model = elementwise(lambda value: gfloat.round_float(info, value, sat=True))
    assert check_format("e4m3", round_to=model, dtype=np.float64).agrees
    ours, theirs = p3109_format(bits=6, precision=3), format_info_p3109(6, 3)
    assert check_format(ours, decode=elementwise(lambda code: gfloat.decode_float(theirs, code).fval)).agrees


def wrong(name, alter, **policies):
    return check_format(name, encode=lambda v: alter(encode(v, name, **policies).copy(), v), **policies)


def test_ties_away_are_found():
    report = check_format("e4m3", encode=lambda v: encode(v, "e4m3", rounding="nearest_away"))
    assert report.wrong == report.counts[InputClass.TIE].wrong == 126
    # The tie with the fewest digits is half the smallest subnormal.
    assert report.first.inputs[0].values == (2.0**-10,)
    assert (report.first.expected, report.first.got) == (0, Fraction(2) ** -9)
    assert (report.first.expected_code, report.first.got_code, report.first.ulps) == (0, 1, 1.0)
    text = str(report)
    assert "encode of e4m3 (nearest_even, saturate): 126 of" in text
    assert "smallest disagreement (tie, subnormal):" in text
    assert "0.0009765625" in text
    assert "0.001953125  (code 0x1), +1 ulp" in text


def test_missing_subnormals_are_found():
    report = check_format("e4m3", encode=lambda v: encode(v, "e4m3fn_ftz"))
    assert report.wrong == report.counts[InputClass.SUBNORMAL].wrong > 0
    assert report.first.inputs[0].values[0] < 2.0**-6


def test_wrong_saturation_is_found():
    report = wrong("e4m3", lambda codes, v: np.where(np.abs(v) > 448, 0x7F, codes).astype(np.uint8))
    assert set(report.examples) == {InputClass.OVERFLOW, InputClass.INFINITY}
    assert report.first.expected == 448
    assert math.isnan(report.first.got)
    assert report.first.ulps is None
    assert "nan  (code 0x7f)" in str(report)


def test_lost_sign_of_zero_is_found():
    report = wrong("e2m1", lambda codes, v: np.where(codes == 8, 0, codes).astype(np.uint8))  # noqa: ARG005
    assert report.counts[InputClass.SIGNED_ZERO].wrong == 1
    assert report.first.inputs[0].values[0] == 0
    assert math.copysign(1, report.first.expected) == -1


def test_double_rounding_is_found():
    """Through fp16 first: values just beside a tie of E4M3 fall onto it and go the wrong way."""
    report = check_format("e4m3", encode=lambda v: encode(np.clip(v, -1e4, 1e4).astype(np.float16), "e4m3"))
    assert report.counts[InputClass.NEAR_TIE].wrong > 50
    assert report.counts[InputClass.TIE].wrong == 0
    assert report.counts[InputClass.EXACT].wrong == 0


def test_nan_made_a_number_is_found():
    report = wrong("e5m2", lambda codes, v: np.where(np.isnan(v), 0x7B, codes).astype(np.uint8))
    assert report.wrong == report.counts[InputClass.NAN].wrong == 1


def test_wrong_decode_is_found():
    def without_subnormals(codes):
        return np.where((codes & 0x78) == 0, 0.0, decode(codes, "e4m3"))

    report = check_format("e4m3", decode=without_subnormals)
    assert report.counts[InputClass.SUBNORMAL].wrong == 14
    assert report.counts[InputClass.SIGNED_ZERO].wrong == 1  # it makes +0 of -0
    assert report.coverage == "every input"


def test_fake_quantizer_is_checked_by_value():
    assert check_format("e2m1", round_to=lambda v: round_to(v, "e2m1")).agrees
    report = check_format("e2m1", round_to=lambda v: round_to(v, "e2m1") + 0.0)
    assert report.wrong == report.counts[InputClass.SIGNED_ZERO].wrong + report.counts[InputClass.SUBNORMAL].wrong


def test_a_model_in_c():
    """A function from the C library through ctypes: rint rounds to nearest even."""
    rint = ctypes.CDLL(None).rint
    rint.restype, rint.argtypes = ctypes.c_double, [ctypes.c_double]
    model = elementwise(lambda value: max(-128, min(127, int(rint(max(-1e6, min(1e6, value)))))) % 256)
    assert check_format("int8", encode=model).agrees
    round_away = ctypes.CDLL(None).round
    round_away.restype, round_away.argtypes = ctypes.c_double, [ctypes.c_double]
    model = elementwise(lambda value: max(-128, min(127, int(round_away(max(-1e6, min(1e6, value)))))) % 256)
    report = check_format("int8", encode=model)
    assert report.wrong == report.counts[InputClass.TIE].wrong
    assert check_format("int8", encode=model, rounding="nearest_away").agrees


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing was given to check, must be encode="),
        ({"encode": np.asarray, "rounding": "stochastic"}, "rounding is 'stochastic'"),
        ({"encode": np.asarray, "rounding": "nearest"}, "rounding is 'nearest', must be one of"),
        ({"encode": lambda v: (v[:3] > 0).astype(np.uint8)}, r"encode returned an array of shape \(3,\), must be"),
        ({"encode": np.asarray, "dtype": np.int8}, "dtype is int8, must be float64, float32"),
        ({"encode": lambda v: v}, "codes have dtype float32"),
        ({"encode": lambda v: np.full(v.shape, 300)}, "code is 300, must be 0..255 for e4m3"),
    ],
)
def test_check_format_refuses(arguments, message):
    with pytest.raises(InputError, match=message):
        check_format("e4m3", **arguments)


def test_boundary_values_hold_what_matters():
    found = set(boundary_values("e4m3", dtype=np.float64).tolist())
    tie = 1.0625
    near = {math.nextafter(tie, 2), math.nextafter(tie, 0), float(np.nextafter(np.float32(tie), np.float32(2)))}
    assert {tie, 448.0, 464.0, 480.0, 2.0**-9, 2.0**-10, 0.0, math.inf, -math.inf, *near} <= found
    singles = boundary_values("e4m3")
    assert singles.dtype == np.float32
    assert len(np.unique(singles[np.isfinite(singles)])) == np.isfinite(singles).sum() - 1  # +0 and -0
    assert len(boundary_values("e2m1", dtype=np.float16)) == 65536 - 2 * 1023  # every input but NaN
    assert boundary_codes("fp16").size < 4000
    assert {0, 1, 0x3FF, 0x400, 0x7BFF, 0x7C00, 0x7C01, 0x7FFF, 0x8000} <= set(boundary_codes("fp16").tolist())


# Accumulators


def test_definitions_agree_with_themselves_and_numpy():
    def chain(a, b, c):
        total = np.float32(c)
        for x, y in zip(a, b, strict=True):
            total = np.float32(total + np.float32(x * y))
        return total

    with np.errstate(all="ignore"):
        assert check_accumulator(Ieee(), dot=chain, tries=300).agrees
        report = check_accumulator(Ieee(), dot=lambda a, b, c: np.float32(a @ b + c), tries=300)
    assert report.wrong > 0
    assert report.counts[InputClass.ONE_PRODUCT].wrong == 0


CORE = tensor_core("hopper", "e4m3", "fp32")
FAULTS = {
    "one fraction bit less": replace(CORE, fraction_bits=12),
    "one fraction bit more": replace(CORE, fraction_bits=14),
    "blocks of 16": replace(CORE, block=16),
    "nearest even": replace(CORE, result=FLOAT32),
    "addend last": replace(CORE, addend=Addend.AFTER),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_in_a_tensor_core_are_found(fault):
    report = check_accumulator(CORE, dot=FAULTS[fault].dot, tries=400, pairs=256)
    assert report.wrong > 0
    first = report.first
    assert len(first.inputs[0].values) <= (33 if fault == "blocks of 16" else 4)
    a, b, c = (operand.values for operand in first.inputs)
    assert float(CORE.dot(a, b, c[0])) == float(first.expected)
    assert float(FAULTS[fault].dot(a, b, c[0])) == float(first.got) != float(first.expected)
    assert "smallest disagreement" in str(report)


def test_an_integer_register_one_bit_short_is_found():
    def dot(bits):
        return lambda a, b, c: Saturate(bits=bits).dot(a, b, c)

    assert check_accumulator(Saturate(bits=20), dot=dot(20), formats=("int8", "int8"), tries=200, pairs=100).agrees
    report = check_accumulator(Saturate(bits=20), dot=dot(19), formats=("int8", "int8"), tries=200, pairs=100)
    assert set(report.examples) >= {InputClass.SATURATION}
    report = check_accumulator(Exact(bits=18), dot=dot(18), formats=("int8", "uint4"), tries=200, pairs=100)
    assert report.wrong > 0


def test_specials_and_addends_are_tried():
    report = check_accumulator(CORE, dot=CORE.dot, tries=100, pairs=10, formats=("e5m2", "e5m2"))
    assert {InputClass.SPECIALS, InputClass.ADDEND, InputClass.CANCELLATION} <= set(report.counts)
    without = check_accumulator(CORE, dot=CORE.dot, tries=100, pairs=10, addend=False)
    assert InputClass.ADDEND not in without.counts

    def forgets(a, b, c):  # noqa: ARG001
        return CORE.dot(a, b)

    report = check_accumulator(CORE, dot=forgets, tries=100, pairs=10)
    assert report.wrong == report.counts[InputClass.ADDEND].wrong > 0


def test_check_accumulator_refuses():
    with pytest.raises(InputError, match="the dot product returned None, must be one number"):
        check_accumulator(CORE, dot=lambda a, b, c: None, tries=1)  # noqa: ARG005
    with pytest.raises(InputError, match="tries is 0"):
        check_accumulator(CORE, dot=CORE.dot, tries=0)


# Datapaths


def test_a_datapath_with_a_narrow_register_is_found():
    def rival(a, b, c, **scales):
        assert not scales
        return simhw.matmul(a, b, "hopper_e4m3_fp32", c)

    assert check_datapath("hopper_e4m3_fp32", matmul=rival, tries=60, addend=True).agrees
    report = check_datapath("blackwell_e4m3_fp32", matmul=rival, tries=60)
    assert report.wrong > 0
    assert len(report.first.inputs[0].values) <= 3
    assert len(report.first.inputs[0].codes) == len(report.first.inputs[1].codes)


def test_a_forgotten_zero_point_is_found():
    def forgets(a, b, c, **scales):
        scales.pop("zero_points", None)
        return simhw.matmul(a, b, "w4a8_mixpe", c, **scales)

    report = check_datapath("w4a8_mixpe", matmul=forgets, tries=40)
    assert report.wrong > 0
    assert {operand.name for operand in report.first.inputs} >= {"b_scales", "zero_points", "group_size"}


def test_a_wrong_output_of_a_tile_is_found():
    def corner(a, b, c, **scales):
        out = simhw.matmul(a, b, "bf16", c, **scales).copy()
        if out.size > 1:
            out[-1, -1] += 1
        return out

    report = check_datapath("bf16", matmul=corner, tries=40)
    assert 0 < report.wrong < report.tried


def test_check_datapath_refuses():
    with pytest.raises(InputError, match=r"the matrix product of shapes .* has shape"):
        check_datapath("bf16", matmul=lambda a, b, c: np.zeros(3), tries=2)  # noqa: ARG005
    with pytest.raises(InputError, match="datapath is 'bf17'"):
        check_datapath("bf17", matmul=np.matmul)


# PEs


@pytest.mark.parametrize("name", pe_names())
def test_every_pe_agrees(name):
    report = check_pe(name)
    assert report.agrees, report
    small = get_element_format(get_pe(name).activation_format).bits <= 8
    assert report.coverage.startswith("every pair of codes") is small


@pytest.mark.parametrize("formats", [("int8", "int4"), ("int8", "int8")])
def test_every_pairing_of_mixpe(formats):
    report = check_pe("mixpe_w4a8", activation_format=formats[0], weight_format=formats[1])
    assert report.agrees
    assert report.coverage == "every pair of codes"


def test_a_wrong_shift_is_found():
    def shifted(a_code, w_code):
        a = a_code - 256 if a_code > 127 else a_code
        return sum(a << min(place, 2) for place in range(4) if w_code >> place & 1)

    report = check_pe("mixpe_w4a8", product=shifted)
    assert report.wrong == 255 * 8
    activation, weight = report.first.inputs
    assert (activation.values, weight.values) == ((1,), (8,))
    assert (report.first.expected, report.first.got) == (8, 4)


def test_a_lost_sign_is_found():
    def unsigned(a_code, w_code):
        return (a_code & 0x7F) * (w_code - 256 if w_code > 127 else w_code)

    assert check_pe("int8_mac", product=unsigned).wrong == 128 * 255


def test_check_pe_refuses():
    with pytest.raises(InputError, match="pe is 'mixpe'"):
        check_pe("mixpe")
    with pytest.raises(InputError, match="was given e4m3 x uint4"):
        check_pe("mixpe_w4a8", activation_format="e4m3")
    with pytest.raises(InputError, match="returned 'x', must be one number"):
        check_pe("mixpe_w4a8", product=lambda a, w: "x")  # noqa: ARG005


def test_float16_register_against_numpy_float16():
    def chain(a, b, c):
        total = np.float16(c)
        for x, y in zip(a, b, strict=True):
            # E2M1 products are exact in float16, so that rounding the sum is the only rounding.
            total = np.float16(total + np.float16(x * y))
        return total

    accumulator = Ieee(precision=FLOAT16)
    assert check_accumulator(accumulator, dot=chain, formats=("e2m1", "e2m1"), tries=200).agrees
