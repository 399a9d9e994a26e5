"""Presets of real hardware: every recorded row through the public door, specials, block scales, refusals."""

import numpy as np
import pytest

import simhw
from simhw.accumulators.matrix_cores import matrix_core
from simhw.accumulators.tensor_cores import tensor_core
from simhw.errors import InputError
from simhw.formats import decode, encode, get_element_format
from simhw.gemm.accumulate import accumulate
from simhw.gemm.datapaths import datapath_names, get_datapath
from simhw.gemm.definition import define
from simhw.gemm.engine import multiply
from simhw.gemm.operand import Operand
from simhw.gemm.presets import presets

RECORDED = [name for name in datapath_names() if name.startswith("recorded_")]
GPUS = {"ada": "Ada"}


def load(vectors, name):
    """Return operands, addend and result of a recorded set, float32, or None where the file has no such result."""
    _, gpu, form, result = name.split("_")
    label = form.upper() if form in ("e4m3", "e5m2") else form
    with np.load(vectors / f"{GPUS.get(gpu, gpu.upper())}_{label}.npz") as data:
        a, b, c, d = (data[key].view(np.float32) for key in ("a", "b", "c", f"d_{result}"))
    if result == "fp16":
        c = c.astype(np.float16).astype(np.float32)
    return a, b, c, d


@pytest.mark.parametrize("name", RECORDED)
def test_preset_returns_every_recorded_row(vectors, name):
    a, b, c, d = load(vectors, name)
    form = get_datapath(name).activation
    left, right = encode(a, form)[:, None, :], encode(b, form)[:, :, None]
    np.testing.assert_array_equal(decode(left, form)[:, 0], a)  # the recorded words are values of the format
    got = simhw.matmul(left, right, name, c=c[:, None, None])[:, 0, 0]
    np.testing.assert_array_equal(got.view(np.uint32), d.view(np.uint32))


def test_there_is_a_preset_for_every_recorded_result(vectors):
    found = set()
    for path in vectors.glob("*.npz"):
        with np.load(path) as data:
            found |= {f"recorded_{path.stem.lower()}_{key[2:]}" for key in data if key.startswith("d_")}
    assert found == set(RECORDED)
    assert len(RECORDED) == 48


def test_names_are_unique_and_say_what_is_multiplied():
    made = presets()
    assert len({preset.name for preset in made}) == len(made)
    for preset in made:
        result = preset.name.rsplit("_", 1)[1]
        assert preset.output in ({"fp16": {"fp16"}, "fp32": {"bf16", "fp32"}}[result])
        assert preset.source


SPECIALS = [name for name in datapath_names() if name.endswith("_fp32") and not name.startswith(("recorded", "rtx"))]
SPECIALS = [name for name in SPECIALS if get_element_format(get_datapath(name).activation).has_infinity]


@pytest.mark.parametrize("name", SPECIALS)
def test_infinity_and_nan_reach_only_their_rows_and_columns(name):
    """Other outputs keep the bits that they have without specials; the plan's kernel is not given up for them."""
    datapath = get_datapath(name)
    rng = np.random.default_rng(0)
    form = get_element_format(datapath.activation)
    weight = get_element_format(datapath.weight)
    a = encode(rng.standard_normal((1, 5, 70)), form)
    b = encode(rng.standard_normal((1, 6, 70)), weight)
    b[0, 5, 3] = 0
    clean = accumulate(Operand(codes=a, format=form.name), Operand(codes=b, format=weight.name), datapath).to_float32()
    a[0, 1, 3], a[0, 2, 65] = form.infinity_code, form.nan_code
    b[0, 4, 7] = weight.infinity_code | weight.sign_bit if weight.infinity_code else 0
    got = accumulate(Operand(codes=a, format=form.name), Operand(codes=b, format=weight.name), datapath).to_float32()[0]
    rows, columns = [0, 3, 4], [0, 1, 2, 3, 5]
    np.testing.assert_array_equal(got[np.ix_(rows, columns)], clean[0][np.ix_(rows, columns)])
    x, y = decode(a[0], form).astype(np.float64), decode(b[0], weight).astype(np.float64)
    with np.errstate(invalid="ignore"):
        terms = x[:, None, :] * y[None, :, :]
        expected = terms.sum(axis=2)
    special = ~np.isfinite(expected)
    assert special.sum() > 10
    np.testing.assert_array_equal(got[special], expected[special].astype(np.float32))
    assert np.isnan(got[1, 5])  # infinity times zero
    assert (got.view(np.uint32)[np.isnan(got)] == 0x7FFFFFFF).all()


def test_an_overflowed_fp16_sum_meets_the_other_infinity():
    """The register holds +infinity after its first block; minus infinity in a later one makes NaN."""
    datapath = get_datapath("hopper_fp16_fp16")
    a = np.zeros((1, 1, 32), np.float32)
    a[0, 0, :16], a[0, 0, 31] = 60000, -np.inf
    left = Operand(codes=encode(a, "fp16", overflow="infinity"), format="fp16")
    right = Operand(codes=encode(np.ones_like(a), "fp16"), format="fp16")
    assert np.isnan(accumulate(left, right, datapath).to_float32()).all()
    first = Operand(codes=left.codes[:, :, :16], format="fp16")
    assert (
        accumulate(first, Operand(codes=right.codes[:, :, :16], format="fp16"), datapath).to_float32()[0, 0, 0]
        == np.inf
    )


def test_a_truncating_register_overflows_to_infinity():
    big = encode(np.full((1, 1, 8), 3e38, np.float32), "bf16")
    got = accumulate(
        Operand(codes=big, format="bf16"), Operand(codes=big, format="bf16"), get_datapath("ampere_bf16_fp32")
    ).to_float32()
    assert got[0, 0, 0] == np.inf


@pytest.mark.parametrize("name", [n for n in datapath_names() if "_mxfp" in n or "_nvfp" in n])
def test_negative_zero_becomes_zero(name):
    datapath = get_datapath(name)
    sign = get_element_format(datapath.activation).sign_bit
    left = Operand(codes=np.full((1, 2, 40), sign, np.uint8), format=datapath.activation)
    right = Operand(codes=np.zeros((1, 2, 40), np.uint8), format=datapath.weight)
    c = np.full((1, 2, 2), -0.0, np.float32)
    assert (accumulate(left, right, datapath, c).to_float32().view(np.uint32) == 0).all()


@pytest.mark.parametrize(
    "name", [n for n in datapath_names() if n.startswith("blackwell") and ("_mx" in n or "_nv" in n)]
)
@pytest.mark.parametrize("k", [1, 15, 33, 64, 97])
def test_block_scaled_engine_equals_definition_at_any_k(name, k):
    datapath = get_datapath(name)
    rules = datapath.accumulator
    rng = np.random.default_rng(k)
    form = get_element_format(datapath.activation)
    groups = -(-k // rules.scale_block)

    def operand(rows):
        codes = rng.integers(0, form.code_count, (1, rows, k)).astype(np.uint8)
        codes[~np.isfinite(decode(codes, form))] = 0
        scale_codes = rng.integers(0, 126, (1, rows, groups)) if rules.scale_format == "ue4m3" else None
        scale_codes = rng.integers(100, 150, (1, rows, groups)) if scale_codes is None else scale_codes
        scale = decode(scale_codes.astype(np.uint8), rules.scale_format).astype(np.float32)
        size = min(rules.scale_block, k)
        return Operand(codes=codes, format=form.name, group_size=size, group_scale=scale)

    a, b = operand(3), operand(4)
    got = multiply(a, b, datapath)
    np.testing.assert_array_equal(got.values.astype(np.float64), define(a, b, datapath))


def test_scales_that_the_hardware_has_not_are_refused():
    def operand(scale, size=16):
        codes = np.ones((1, 1, 32), np.uint8)
        groups = 32 // size
        values = np.full((1, 1, groups), scale, np.float32)
        return Operand(codes=codes, format="e2m1", group_size=size, group_scale=values)

    nvfp4 = get_datapath("blackwell_nvfp4_fp32")
    with pytest.raises(InputError, match=r"a scale is 0\.3.*, which ue4m3 has not"):
        multiply(operand(0.3), operand(1.0), nvfp4)
    with pytest.raises(InputError, match="group size is 32, the accumulator takes one scale per 16"):
        multiply(operand(1.0, 32), operand(1.0, 32), nvfp4)


def test_hardware_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="cdna1 matrix cores have no e4m3fnuz operands, they take fp32, fp16, bf16"):
        matrix_core("cdna1", "e4m3fnuz")
    with pytest.raises(InputError, match=r"matrix core is 'cdna9'.*nearest: cdna"):
        matrix_core("cdna9", "fp16")
    with pytest.raises(InputError, match="operands are fp16 and bf16, only two FP8 formats can be mixed"):
        matrix_core("cdna3", "fp16", "bf16")
    with pytest.raises(InputError, match="operands are fp16 and e4m3, only FP8, FP6 and FP4 formats can be mixed"):
        tensor_core("hopper", "fp16", "fp32", "e4m3")
