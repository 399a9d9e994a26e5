"""Whole GEMMs through arrays as circuits: results equal the emulator's, cycles the closed form's, over many shapes."""

import numpy as np
import pytest

from simhw.arrays import Overlap
from simhw.circuits.codes import to_code, to_signed
from simhw.gemm.matmul import matmul
from simhw.rtl.arrays import Dequantizer, Problem, check_array, predicted_cycles, run_gemms
from simhw.rtl.arrays.bench import simulate_gates
from simhw.rtl.arrays.streams import CONVENTIONS

DATAFLOWS = ("output_stationary", "weight_stationary")
SMALL = {"rows": 3, "columns": 2}
GROUPED = {**SMALL, "dequantizer": Dequantizer.INTEGER, "group_size": 24}
FLOAT = {**SMALL, "dequantizer": Dequantizer.FLOAT, "group_size": 24}


def _assert_equal(reports):
    wrong = [report for report in reports if not report.equal]
    assert not wrong, f"{len(wrong)} of {len(reports)} GEMMs differ, the first: {wrong[0]}"


@pytest.mark.parametrize("overlap", CONVENTIONS)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize(
    ("pe", "options"),
    [
        ("int8_mac", {"rows": 1, "columns": 1}),
        ("int8_mac", {"rows": 4, "columns": 3}),
        ("int4_mac", SMALL),
        ("fp4_mac", SMALL),
        ("fp8_mac", SMALL),
        ("bf16_mac", SMALL),
        ("mixpe_w4a8", SMALL),
        ("mixpe_w4a8", GROUPED),
        ("mixpe_w4a8", FLOAT),
        ("w4a8_dequantize_first", SMALL),
        ("bitfusion", {**SMALL, "weight": "int4"}),
        ("bit_serial", {**SMALL, "activation": "int4"}),
        ("bit_serial_booth", SMALL),
        ("nvfp4_dot", {"rows": 2, "columns": 2}),
    ],
)
def test_results_and_cycles_over_64_shapes(make_array, make_problems, pe, options, dataflow, overlap):
    array = make_array(pe, dataflow=dataflow, **options)
    _assert_equal(check_array(array, make_problems(array, 64), overlap=overlap))


@pytest.mark.slow
@pytest.mark.parametrize("overlap", CONVENTIONS)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize(
    ("pe", "options"),
    [
        ("fp16_mac", SMALL),
        ("fp8_mac", {**SMALL, "variant": "e5m2"}),
        ("fp8_mac", {**SMALL, "variant": "e4m3_e5m2"}),
        ("int8_mac", {**SMALL, "variant": "booth"}),
        ("mixpe_w4a8", {**GROUPED, "rows": 1, "columns": 5}),
        ("mixpe_w4a8", {**GROUPED, "rows": 5, "columns": 1}),
        ("mixpe_w4a16", SMALL),
        ("mixpe_w4a16", {**SMALL, "variant": "fp32"}),
        ("mixpe_w4a16", FLOAT),
        ("w4a8_dequantize_first", {**SMALL, "weight": "int4"}),
        ("w4a16_dequantize_first", SMALL),
        ("bitfusion", SMALL),
        ("bitfusion", {**SMALL, "activation": "uint4", "weight": "int4"}),
        ("bitfusion", {**SMALL, "activation": "int2", "weight": "uint2"}),
        ("bit_serial", SMALL),
        ("bit_serial_booth", {**SMALL, "weight": "uint4"}),
        ("bit_serial_booth", {**SMALL, "weight": "int4"}),
        ("mxfp4_dot", SMALL),
        ("nvfp4_dot", SMALL),
    ],
)
def test_results_and_cycles_over_256_shapes(make_array, make_problems, pe, options, dataflow, overlap):
    array = make_array(pe, dataflow=dataflow, **options)
    _assert_equal(check_array(array, make_problems(array, 256), overlap=overlap))


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_8x8_array_with_64_64_64(make_array, dataflow):
    """64 GEMMs side by side, the size that a trial of the same array was measured with."""
    array = make_array(
        "mixpe_w4a8", rows=8, columns=8, dataflow=dataflow, dequantizer=Dequantizer.INTEGER, group_size=32
    )
    from simhw.rtl.arrays import random_problem

    rng = np.random.default_rng(0)
    reports = check_array(array, [random_problem(array, 64, 64, 64, rng=rng, group_size=32) for _ in range(64)])
    _assert_equal(reports)
    # 64 folds of 64 clocks; fill and drain of the array once; two registers of the dequantizer.
    expected = {"output_stationary": 64 * 64 + 7 + 7 + 2, "weight_stationary": 8 + 64 * 64 + 7 + 7 + 2}
    assert {report.cycles for report in reports} == {expected[dataflow]}


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_all_integer_sums_are_those_of_plain_integers(make_array, dataflow):
    """Any scale and any scaled zero point, the extremes among them; the running sum wraps at 32 bits."""
    array = make_array("mixpe_w4a8", dataflow=dataflow, **GROUPED)
    rng = np.random.default_rng(7)
    m, n, k, group = 4, 5, 60, 24
    problems, expected = [], []
    for case in range(32):
        a, b = rng.integers(0, 256, (m, k)), rng.integers(0, 16, (k, n))
        scale, zero = rng.integers(0, 256, (2, 3, n))
        if case < 8:  # worst cases: every operand at an end of its range
            a[:], b[:], scale[:], zero[:] = (0x80, 0x7F)[case & 1], 15, (0x80, 0x7F)[case >> 1 & 1], 0x80
        problems.append(
            Problem(activations=a, weights=b, group_size=group, scales={"scale": scale, "scaled_zero": zero})
        )
        x, s, z = to_signed(a, 8), to_signed(scale, 8), to_signed(zero, 8)
        total = sum(
            s[g] * (x[:, ks] @ b[ks]) + z[g] * x[:, ks].sum(axis=1, keepdims=True)
            for g, ks in enumerate(slice(start, start + group) for start in range(0, k, group))
        )
        expected.append(to_code(total, 32))
    for outcome, total in zip(run_gemms(array, problems), expected, strict=True):
        assert (outcome.product == total).all()


def test_float_dequantizer_is_simhw_matmul(make_array):
    """The public door: codes, scales and zero points as a user gives them, fp32 results bit for bit."""
    array = make_array("mixpe_w4a8", dataflow="output_stationary", **FLOAT)
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 256, (5, 50)), rng.integers(0, 16, (50, 3))
    scale, zero = rng.random((3, 3)).astype(np.float32), rng.integers(0, 16, (3, 3))
    codes = {"scale": scale.view(np.uint32).astype(np.int64), "zero": zero}
    (outcome,) = run_gemms(array, [Problem(activations=a, weights=b, group_size=24, scales=codes)])
    result = matmul(
        a.astype(np.uint8), b.astype(np.uint8), "w4a8_mixpe", b_scales=scale, zero_points=zero, group_size=24
    )
    assert (outcome.product == result.view(np.uint32)).all()


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_special_values_and_signed_zeros_pass_through(make_array, dataflow):
    """All codes of E4M3, NaN among them; products of bf16 below fp32's range, whose sums are -0."""
    array = make_array("fp8_mac", dataflow=dataflow, **SMALL)
    a, b = np.arange(256).reshape(16, 16), np.arange(256).reshape(16, 16).T[:, ::3].copy()
    _assert_equal(check_array(array, [Problem(activations=a, weights=b)]))
    array = make_array("bf16_mac", dataflow=dataflow, **SMALL)
    tiny, infinite, nan, zero = 0x0001, 0x7F80, 0x7FC0, 0x8000
    column = np.array([[tiny], [0x8000 | tiny], [infinite], [0x8000 | infinite], [nan], [zero], [0x3F80]])
    wide = np.concatenate([column, column, column], axis=1)
    problems = [Problem(activations=wide[:, :k], weights=wide[:k].copy()) for k in (1, 2, 3)]
    _assert_equal(check_array(array, problems))


def test_one_pe_that_multiplies_once_takes_one_cycle(make_array):
    array = make_array("int8_mac", rows=1, columns=1)
    (outcome,) = run_gemms(array, [Problem(activations=np.array([[3]]), weights=np.array([[5]]))])
    assert (outcome.cycles, outcome.product.tolist()) == (1, [[15]])


def test_clocks_are_measured_not_assumed(make_array, make_problems):
    """A circuit whose results come one clock late is counted one cycle longer, and differs."""
    array = make_array("int8_mac", **SMALL)

    def late(array, inputs, loops, outputs):
        found = simulate_gates(array, inputs, loops, outputs)
        return {name: np.concatenate([np.zeros_like(codes[:1]), codes]) for name, codes in found.items()}

    problems = make_problems(array, 8)
    for problem, outcome in zip(problems, run_gemms(array, problems, simulator=late), strict=True):
        assert outcome.cycles == predicted_cycles(array, problem, Overlap.DOUBLE_BUFFERED) + 1
