"""What ships: no scheme lets samples share, blocks are those of the formats, and bad input is one sentence."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from simhw.catalog import get_method, get_scheme
from simhw.errors import InputError
from simhw.formats import get_format
from simhw.gemm.datapaths import datapath_names, get_datapath
from simhw.quant.schemes import scheme_names
from simhw.quantize import Coding, Granularity, OperandScheme, check_fit

METHOD = get_method()
SHIPPED = [(name, operand) for name in scheme_names() for operand in ("weight", "activation", "attention")]


def samples(count: int, rows: int, k: int) -> np.ndarray:
    """Samples whose magnitudes differ by factors of ten."""
    values = np.random.default_rng(count).standard_normal((count, rows, k))
    return (values * 10.0 ** np.arange(-1, count - 1)[:, None, None]).astype(np.float32)


@pytest.mark.parametrize(("name", "operand"), SHIPPED)
def test_samples_do_not_influence_each_other(name: str, operand: str):
    scheme: OperandScheme = getattr(get_scheme(name), operand)
    values = samples(3, 4, 130)
    static = METHOD.calibrate(values, scheme) if scheme.static else None
    together = METHOD.quantize(values, scheme, rows_per_scale=2, rows_per_tensor=4, static=static)
    for sample in range(3):
        alone = METHOD.quantize(values[sample : sample + 1], scheme, rows_per_scale=2, rows_per_tensor=4, static=static)
        for part in ("codes", "row_scale", "group_scale", "zero_point"):
            whole, piece = getattr(together, part), getattr(alone, part)
            assert (whole is None) == (piece is None)
            if whole is not None:
                np.testing.assert_array_equal(whole[sample : sample + 1], piece)


@pytest.mark.parametrize(("name", "operand"), SHIPPED)
def test_codes_are_of_the_format(name: str, operand: str):
    """Element format, the scale's width in memory, and a zero point exactly where the scheme is asymmetric."""
    scheme: OperandScheme = getattr(get_scheme(name), operand)
    result = METHOD.quantize(samples(1, 3, 40), replace_group(scheme, 40))
    form = get_format(scheme.format)
    element = getattr(form, "element", form)
    assert result.format == element.name
    assert int(result.codes.max()) < 2**element.bits
    assert (result.zero_point is not None) == (not scheme.symmetric)
    stored = scheme.coding is not Coding.ALIGNED  # whose exponents exist in the array only
    assert result.scale_bits == stored * getattr(form, "scale", get_format(scheme.scale_format)).bits


def replace_group(scheme: OperandScheme, k: int) -> OperandScheme:
    if scheme.group_size is None or scheme.group_size <= k:
        return scheme
    return OperandScheme(**{**vars(scheme), "group_size": k})


@pytest.mark.parametrize(
    ("name", "dtype", "highest"), [("mxfp4", "float4_e2m1fn", 2), ("mxfp8_e4m3", "float8_e4m3fn", 8)]
)
def test_mx_blocks(name: str, dtype: str, highest: int):
    """OCP MX v1.0, 6.3: the scale is two to floor(log2 max) - emax, elements are cast and saturate; ragged too."""
    element = getattr(ml_dtypes, dtype)
    values = samples(2, 3, 72)
    result = METHOD.quantize(values, OperandScheme(format=name, granularity=Granularity.BLOCK), rows_per_tensor=3)
    assert (result.group_size, result.row_scale) == (32, None)
    for block in range(3):
        part = values[:, :, block * 32 : (block + 1) * 32].astype(np.float64)
        scale = 2.0 ** (np.floor(np.log2(np.abs(part).max(axis=2))) - highest)
        assert result.group_scale is not None
        np.testing.assert_array_equal(result.group_scale[:, :, block], scale)
        largest = float(ml_dtypes.finfo(element).max)
        expected = np.clip(part / scale[:, :, None], -largest, largest).astype(np.float32).astype(element)
        np.testing.assert_array_equal(result.codes[:, :, block * 32 : (block + 1) * 32], expected.view(np.uint8))


def test_nvfp4_has_a_scale_per_sample():
    """The fp32 scale of a tensor is max |x| / (6 * 448), of each sample alone."""
    values = samples(3, 4, 32)
    result = METHOD.quantize(values, get_scheme("nvfp4").activation, rows_per_tensor=4)
    peaks = np.abs(values.astype(np.float64)).max(axis=(1, 2))
    assert result.row_scale is not None
    np.testing.assert_array_equal(
        result.row_scale, np.repeat((peaks / (6 * 448)).astype(np.float32)[:, None], 4, axis=1)
    )


def test_plain_casts_keep_no_scale():
    values = samples(1, 2, 8)
    result = METHOD.quantize(values, get_scheme("fp16").activation)
    np.testing.assert_array_equal(result.codes, values.astype(np.float16).view(np.uint16))
    assert (result.row_scale, result.group_scale) == (None, None)


ROW = OperandScheme(format="int8")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["fp16", "w8a8_int8", "w4a8_mixpe", "w8a8_static_mse", "mxfp4", "nvfp4"])
def test_not_finite_is_refused(name: str, bad: float):
    scheme = get_scheme(name)
    values = samples(1, 2, 128)
    values[0, 1, 7] = bad
    for operand in (scheme.weight, scheme.activation):
        with pytest.raises(InputError, match=rf"holds {bad} at \[0, 1, 7\], every value must be finite; check"):
            METHOD.quantize(values, operand)
    if scheme.activation.static:
        with pytest.raises(InputError, match="calibration data holds"):
            METHOD.calibrate(values, scheme.activation)


@pytest.mark.parametrize(
    ("scheme", "shape", "message"),
    [
        (ROW, (2, 3), r"shape \(2, 3\), must be \(batch, rows, k\)"),
        (ROW, (2, 0, 3), r"shape \(2, 0, 3\), must be .* no empty axis"),
        (OperandScheme(format="int4", granularity=Granularity.GROUP, group_size=9), (1, 2, 8), r"is 9, must be 1\.\.8"),
        (OperandScheme(format="e4m3", symmetric=False), (1, 2, 8), "e4m3 has no zero point"),
    ],
)
def test_what_does_not_fit_is_refused(scheme: OperandScheme, shape: tuple[int, ...], message: str):
    with pytest.raises(InputError, match=message):
        METHOD.quantize(np.ones(shape, np.float32), scheme)


def test_rows_that_do_not_divide():
    with pytest.raises(InputError, match="6 rows cannot share scales by 4; give a divisor of 6"):
        METHOD.quantize(np.ones((2, 3, 4), np.float32), ROW, rows_per_scale=4)


def test_a_scale_beyond_its_format_is_refused():
    values = np.full((1, 1, 4), 1e6, np.float32)
    with pytest.raises(
        InputError, match=r"need a scale of 66666\.7, scale format fp16 ends at 65504; .*scales in fp32"
    ):
        METHOD.quantize(values, get_scheme("w4a8_mixpe").with_group_size(4).weight)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"granularity": Granularity.GROUP, "group_size": 0},
            "group size is 0, must be at least 1; the default is 128",
        ),
        ({"granularity": Granularity.GROUP, "group_size": -3}, "group size is -3, must be at least 1"),
        ({"granularity": Granularity.GROUP}, "group size is None with granularity 'group'"),
        ({"granularity": Granularity.ROW, "group_size": 8}, "group size is 8 with granularity 'row'"),
        ({"granularity": Granularity.ROW, "static": True}, "static scales with granularity 'row', must be 'tensor'"),
    ],
)
def test_schemes_that_make_no_sense(settings: dict[str, object], message: str):
    with pytest.raises(InputError, match=message):
        OperandScheme(format="int4", **settings)  # type: ignore[arg-type]


def test_group_size_of_a_scheme_without_groups():
    assert get_scheme("w4a8_mixpe").with_group_size(32).weight.group_size == 32
    with pytest.raises(InputError, match="scheme fp16 has no weight groups; choose a scheme with group-wise weights"):
        get_scheme("fp16").with_group_size(32)


def test_unknown_names():
    with pytest.raises(InputError, match=r"scheme is 'w8a8', which is not known; nearest: .*see 'simhw list schemes'"):
        get_scheme("w8a8")
    with pytest.raises(InputError, match="method is 'rtn', which is not known"):
        get_method("rtn")


@pytest.mark.parametrize("name", datapath_names())
def test_every_datapath_takes_its_default_scheme(name: str):
    datapath = get_datapath(name)
    check_fit(datapath, get_scheme(datapath.scheme))


@pytest.mark.parametrize(
    ("datapath", "scheme", "message"),
    [
        (
            "w8a8_int8",
            "w4a8_mixpe",
            "formats are int8 and uint4, datapath w8a8_int8 takes int8 and int8; choose a scheme",
        ),
        ("fp16", "bf16", "formats are bf16 and bf16, datapath fp16 takes fp16 and fp16"),
        (
            "fp8_e4m3_fp32",
            "mxfp8",
            "scheme mxfp8 has blocks of 32, datapath fp8_e4m3_fp32 takes no blocks; choose another",
        ),
        ("nvfp4", "mxfp4", "scheme mxfp4 has blocks of 32, datapath nvfp4 takes blocks of 16"),
        ("mxfp8", "fp8_e4m3", "scheme fp8_e4m3 has no blocks, datapath mxfp8 takes blocks of 32"),
        (
            "w4a16_mixpe",
            "w4a16_weight_only",
            "formats are fp16 and fp16, datapath w4a16_mixpe takes fp16 and int8 or uint4",
        ),
    ],
)
def test_schemes_that_do_not_fit(datapath: str, scheme: str, message: str):
    with pytest.raises(InputError, match=message):
        check_fit(get_datapath(datapath), get_scheme(scheme))
