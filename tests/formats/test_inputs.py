"""What may be handed over, and what is refused with which words."""

import fractions

import ml_dtypes
import numpy as np
import pytest
import torch

from simhw.errors import InputError
from simhw.formats import decode, encode, get_element_format, quantize_blocks, view_as_dtype


class OnlyDlpack:
    """An array of another library that speaks DLPack alone."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **options: object) -> object:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


VALUES = np.array([[1.0, -0.3, 448.0], [0.0, 1e-3, -7.5]], dtype=np.float32)
CODES = encode(VALUES, "e4m3")


@pytest.mark.parametrize(
    "given",
    [
        VALUES.astype(np.float64),
        VALUES.astype(">f4"),
        VALUES.astype(">f8"),
        np.asfortranarray(VALUES),
        VALUES.repeat(3, axis=1)[:, ::3],
        VALUES[::-1][::-1],
        VALUES.tolist(),
        torch.from_numpy(VALUES.copy()),
        torch.from_numpy(VALUES.copy()).requires_grad_(),
        torch.from_numpy(VALUES.T.copy()).T,
        OnlyDlpack(VALUES.copy()),
        np.lib.stride_tricks.as_strided(VALUES.copy(), VALUES.shape, (12, 4), writeable=False),
    ],
    ids=lambda given: type(given).__name__,
)
def test_every_kind_of_array_of_the_same_values(given):
    assert (encode(given, "e4m3") == CODES).all()
    assert (quantize_blocks(given, "mxfp8").codes == quantize_blocks(VALUES, "mxfp8").codes).all()


@pytest.mark.parametrize(
    "dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn", "int4", "float8_e8m0fnu"]
)
def test_arrays_of_ml_dtypes(dtype):
    values = np.array([1.0, 2.0, 4.0, 0.5, 1.0], dtype=np.float32).astype(getattr(ml_dtypes, dtype))
    assert (encode(values, "e5m2") == encode(values.astype(np.float32), "e5m2")).all()
    assert (encode(values[::2], "int8") == encode(values.astype(np.float32)[::2], "int8")).all()


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (torch.float8_e4m3fn, "e4m3"),
        (torch.float8_e5m2, "e5m2"),
        (torch.bfloat16, "bf16"),
        (torch.float8_e8m0fnu, "e8m0"),
    ],
)
def test_torch_tensors_of_narrow_dtypes(dtype, name):
    tensor = torch.tensor([1.0, 2.0, 0.5, 128.0]).to(dtype)
    assert (encode(tensor, "e5m2") == encode(tensor.float().numpy(), "e5m2")).all()
    assert (decode(tensor, name) == tensor.float().numpy()).all()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.bool_, np.float16])
def test_integers_and_halves_are_values(dtype):
    values = np.array([0, 1, 1, 0]).astype(dtype)
    assert (encode(values, "int4") == values).all()
    assert (encode(values, "e4m3") == values * np.uint8(0x38)).all()


def test_big_integers_are_taken_while_float64_is_exact():
    assert encode(np.array([2**53, -(2**53)]), "e5m2").tolist() == [0x7B, 0xFB]
    with pytest.raises(InputError, match=r"exceed 2\*\*53"):
        encode(np.array([2**53 + 1]), "e5m2")
    with pytest.raises(InputError, match=r"exceed 2\*\*53"):
        encode(np.array([2**64 - 1], dtype=np.uint64), "e5m2")


def test_shapes_stay():
    assert encode(1.5, "e4m3").shape == ()
    assert decode(np.uint8(0x38), "e4m3").shape == ()
    assert float(decode(0x38, "e4m3")) == 1.0
    assert encode(np.zeros((0, 3)), "e4m3").shape == (0, 3)
    assert decode(np.zeros((2, 0), np.uint8), "e4m3").shape == (2, 0)
    assert decode([], "e4m3").dtype == np.float32
    assert encode(np.zeros((2, 1, 3), np.float32), "int4").shape == (2, 1, 3)


def test_codes_may_have_any_integer_dtype_and_layout():
    codes = np.arange(16)
    expected = decode(codes.astype(np.uint8), "e2m1")
    for given in (
        codes.astype(np.int8),
        codes.astype(">u2"),
        codes.astype(np.uint64),
        codes.tolist(),
        codes[::-1][::-1],
    ):
        assert (decode(given, "e2m1") == expected).all()
    assert (decode(codes.astype(np.uint8).view(ml_dtypes.float4_e2m1fn), "e2m1") == expected).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1.0, None]), "dtype object"),
        ([1.0, [2.0]], "cannot become a NumPy array"),
        (["1.5"], "must be real numbers"),
        ([1 + 2j], "dtype complex128"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "must be real numbers"),
        ([fractions.Fraction(1, 3)], "dtype object"),
        (np.array([1.0], dtype=np.longdouble), "float64 or narrower"),
        (np.zeros(2, dtype=[("a", "f4")]), "must be real numbers"),
    ],
)
def test_what_is_no_array_of_real_numbers_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        encode(values, "e4m3")


@pytest.mark.parametrize(
    ("codes", "name", "message"),
    [
        ([16], "e2m1", r"code is 16, must be 0\.\.15 for e2m1"),
        ([-1], "e4m3", r"code is -1, must be 0\.\.255"),
        (np.array([300], np.uint16), "e4m3", "code is 300"),
        (np.array([1 << 19], np.uint32), "tf32", "code is 524288"),
        ([1.0], "e4m3", "use encode for values"),
        (np.array([True]), "e4m3", "must be unsigned integers"),
        ([0], "mxfp4", "block format"),
        ([0], "e9m9x", "not known; nearest"),
        ([0], 8, "format is a int"),
    ],
)
def test_what_is_no_code_is_refused(codes, name, message):
    with pytest.raises(InputError, match=message):
        decode(codes, name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounding": "even"}, "rounding is 'even', must be one of: nearest_even, nearest_away"),
        ({"overflow": "clip"}, "overflow is 'clip', must be one of: saturate, infinity, nan, wrap"),
        ({"overflow": "wrap"}, "only integer formats"),
        ({"overflow": "infinity"}, "e4m3 has no infinity"),
        ({"infinite": "infinity"}, "e4m3 has no infinity"),
        ({"random_bits": 0}, r"random_bits is 0, must be 1\.\.32"),
        ({"random_bits": 33}, r"random_bits is 33, must be 1\.\.32"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        encode([1.0], "e4m3", **options)


def test_a_processor_that_flushes_subnormals_is_refused():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormals")
    try:
        with pytest.raises(InputError, match="flushes subnormal numbers to zero"):
            encode(np.ones(3, np.float32), "bf16")
        with pytest.raises(InputError, match="set_flush_denormal"):
            quantize_blocks(np.ones(3, np.float32), "mxfp4")
    finally:
        torch.set_flush_denormal(False)
    assert encode(np.float32(1e-45), "tf32", rounding="up") == 1


def test_infinity_cannot_wrap():
    with pytest.raises(InputError, match="1 infinities, which cannot wrap; pass infinite='saturate'"):
        encode([np.inf], "int8", overflow="wrap")
    assert encode([np.inf, 300.0], "int8", overflow="wrap", infinite="saturate").tolist() == [127, 300 - 256]
    with pytest.raises(InputError, match="int8 has not; take 'saturate' or 'wrap'"):
        encode([1.0], "int8", overflow="nan")


def test_codes_viewed_as_a_dtype():
    made = view_as_dtype(encode([1.0, -2.0], "int8"), get_element_format("int8"))
    assert made.dtype == np.int8
    assert made.tolist() == [1, -2]
    assert view_as_dtype(encode([1.5], "fp16"), get_element_format("fp16")).tolist() == [1.5]
    assert view_as_dtype(encode([7.0], "uint8"), get_element_format("uint8")).dtype == np.uint8
    with pytest.raises(InputError, match="no NumPy or ml_dtypes dtype encodes"):
        view_as_dtype([0], get_element_format("ue5m3"))
