"""The strategies draw what they promise, shrink to small cases, and are found by Hypothesis without an import."""

import math
import os
import subprocess
import sys
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, find, given, settings
from hypothesis import strategies as st

import simhw
from simhw import strategies
from simhw.accumulators import Accumulator, Exact
from simhw.errors import InputError
from simhw.formats import (
    BlockFormat,
    CodebookFormat,
    ElementFormat,
    FloatFormat,
    IntegerFormat,
    ScaleRule,
    decode,
    decode_exact,
    encode,
    encode_exact,
    get_element_format,
    quantize_block_exact,
    quantize_blocks,
    round_to,
)
from simhw.gemm.datapath import Datapath
from simhw.hypothesis_plugin import register
from simhw.pes import ProcessingElement
from simhw.testing import InputClass

register()
BRIEF = settings(max_examples=60)


@BRIEF
@given(strategies.element_formats().flatmap(lambda fmt: st.tuples(st.just(fmt), strategies.values(fmt))))
def test_casts_of_any_format_equal_the_definition(case):
    fmt, value = case
    assert encode(np.float32(value), fmt) == encode_exact(value, fmt)


@BRIEF
@given(st.data())
def test_values_are_of_the_asked_type(data):
    fmt = data.draw(strategies.element_formats())
    for dtype in (np.float32, np.float64):
        value = data.draw(strategies.values(fmt, dtype=dtype))
        assert math.isnan(value) or float(dtype(value)) == value
        assert fmt.has_nan or not math.isnan(value)


@BRIEF
@given(strategies.element_formats().flatmap(lambda fmt: st.tuples(st.just(fmt), strategies.codes(fmt))))
def test_codes_decode(case):
    fmt, code = case
    value, exact = decode([code], fmt)[0], decode_exact(code, fmt)
    assert value == exact or math.isnan(value)


@given(strategies.codes("e5m2", specials=False), strategies.code_arrays("e4m3", (2, 3), specials=False))
def test_codes_without_specials(code, array):
    assert math.isfinite(decode([code], "e5m2")[0])
    assert np.isfinite(decode(array, "e4m3")).all()
    assert (array.dtype, array.shape) == (np.uint8, (2, 3))


@BRIEF
@given(st.data())
def test_blocks_equal_the_definition(data):
    name = data.draw(st.sampled_from(["mxfp4", "mxfp8_e4m3", "mxfp6_e3m2", "mxint8"]))
    block = data.draw(strategies.blocks(name))
    made = quantize_blocks(block, name)
    assert block.dtype == np.float32
    scale, codes = quantize_block_exact(block.tolist(), made.format, ScaleRule.FLOOR)
    assert (made.scales.tolist(), made.codes.tolist()) == ([scale], codes)


def test_blocks_reach_the_corner_where_a_float32_logarithm_rounds_up():
    """The largest magnitude a little below a power of two: floor(log2()) in float32 is one too large."""

    def wrong(block):
        amax = np.abs(block).max()
        assume(amax > 2.0**-100)
        scale, _ = quantize_block_exact(block.tolist(), strategies_format, ScaleRule.FLOOR)
        with np.errstate(all="ignore"):
            theirs = np.floor(np.log2(np.float32(amax))) - 2 + 127
        return theirs != scale

    strategies_format = quantize_blocks(np.ones(1), "mxfp4").format
    thorough = settings(max_examples=1000, database=None)
    found = find(strategies.blocks("mxfp4"), wrong, settings=thorough, random=Random(1))
    assert len(found) <= 4
    assert 1 - 2.0**-20 < math.frexp(np.abs(found).max())[0] < 1  # a few units below a power of two


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(strategies.accumulators(), st.data())
def test_accumulators_have_names_and_sum_nothing_but_the_operands(accumulator, data):
    operands = data.draw(strategies.gemm_operands(("int4", "uint4"), max_m=1, max_n=1, max_k=6))
    a = decode(operands.a[0], "int4").astype(float).tolist()
    b = decode(operands.b[:, 0], "uint4").astype(float).tolist()
    exact = sum(Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True))
    result = float(accumulator.dot(a, b))
    assert accumulator.name
    # Six products of int4 and uint4 stay below 2^10: registers of 8 bits and cut bits are what may differ.
    assert result == exact or accumulator.kind in {"saturate", "lsb_truncated", "aligned", "exact"}


@pytest.mark.parametrize("stress", [InputClass.CANCELLATION, InputClass.SATURATION, InputClass.ALIGNMENT])
def test_operands_stress_what_they_say(stress):
    @settings(max_examples=30)
    @given(strategies.gemm_operands("hopper_e4m3_fp32", stress=stress))
    def check(operands):
        a, b = decode(operands.a, "e4m3").astype(float), decode(operands.b, "e4m3").astype(float)
        m, k = a.shape
        products = a[:, :, None] * b
        assert simhw.matmul(operands.a, operands.b).shape == (m, b.shape[1])
        if stress is InputClass.SATURATION:
            assert (products > 0).all()
            assert products.min() > 2.0**8
        if stress is InputClass.CANCELLATION and k % 2 == 0:
            assert (products.sum(axis=1) == 0).all()

    check()


def test_cases_shrink_to_readable_ones():
    quiet = settings(database=None)
    assert find(strategies.formats(), lambda fmt: True, settings=quiet, random=Random(1)).name == "int2"  # noqa: ARG005
    assert find(strategies.values("e2m1"), lambda value: value > 3.25, settings=quiet, random=Random(1)) == 4.0
    tie = find(
        strategies.values("e4m3"),
        lambda v: not math.isnan(v) and round_to(v, "e4m3") != round_to(v, "e4m3", rounding="nearest_away"),
        settings=quiet,
        random=Random(1),
    )
    assert abs(tie) == 2.0**-10
    operands = find(
        strategies.gemm_operands("hopper_e4m3_fp32", max_k=8, max_m=2, max_n=2),
        lambda o: (simhw.matmul(o.a, o.b) != simhw.matmul(o.a, o.b, "blackwell_e4m3_fp32")).any(),
        settings=settings(max_examples=300, database=None),
        random=Random(1),
    )
    assert operands.a.shape[0] == operands.b.shape[1] == 1
    assert operands.a.shape[1] <= 6
    assert isinstance(find(strategies.accumulators(), lambda a: True, settings=quiet, random=Random(1)), Exact)  # noqa: ARG005


@pytest.mark.parametrize(
    "kind",
    [
        FloatFormat,
        IntegerFormat,
        CodebookFormat,
        ElementFormat,
        BlockFormat,
        Datapath,
        Accumulator,
        ProcessingElement,
    ],
)
def test_from_type(kind):
    @settings(max_examples=10)
    @given(st.from_type(kind))
    def check(thing):
        assert thing.name
        if kind is not Accumulator:
            assert isinstance(thing, kind)

    check()


PLUGIN = """
import sys
from hypothesis import strategies as st, given, settings
assert "numba" not in sys.modules and "torch" not in sys.modules
assert "simhw.strategies.formats" not in sys.modules
from simhw.formats import FloatFormat
from simhw.gemm.datapath import Datapath
@settings(max_examples=5, database=None)
@given(st.from_type(FloatFormat), st.from_type(Datapath))
def check(fmt, datapath):
    assert isinstance(fmt, FloatFormat) and isinstance(datapath, Datapath)
check()
print("found")
"""


def test_hypothesis_finds_the_strategies_by_entry_point(tmp_path):
    """The metadata of an installed package names the hook; nothing of simhw.strategies is imported before use."""
    info = tmp_path / "simhw_plugin_test-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: simhw-plugin-test\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[hypothesis]\nsimhw = simhw.hypothesis_plugin:register\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", PLUGIN], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "found\n", done.stderr


def test_the_package_declares_the_entry_point():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["hypothesis"] == {"simhw": "simhw.hypothesis_plugin:register"}


def test_without_hypothesis_the_error_says_what_to_install():
    code = "import sys; sys.modules['hypothesis'] = None\nimport simhw.strategies"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "simhw.strategies needs Hypothesis, which is not installed; pip install simhw[test]" in done.stderr


def test_bad_widths_are_refused():
    with pytest.raises(InputError, match=r"widths are 9..4 bits, must lie in 2..32"):
        strategies.element_formats(min_bits=9, max_bits=4)
    with pytest.raises(InputError, match="format is 'e9x9'"):
        strategies.values("e9x9")
    assert get_element_format("e4m3").bits == 8
