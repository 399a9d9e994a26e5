"""Names, families and their limits."""

import dataclasses
import pickle

import pytest

from simhw.errors import InputError
from simhw.formats import (
    BlockFormat,
    ElementFormat,
    FloatFormat,
    IntegerFormat,
    block_format,
    codebook_format,
    fixed_point_format,
    float_format,
    format_names,
    get_block_format,
    get_element_format,
    get_format,
    integer_format,
    p3109_format,
)
from simhw.formats.catalog import ALIASES


def test_every_name_of_the_catalogue_is_its_records_name():
    names = format_names()
    assert len(names) == len(set(names))
    for name in names:
        record = get_format(name)
        assert record.name == name == name.lower()
        assert record.source
        assert get_format(record) is record
        assert pickle.loads(pickle.dumps(record)) == record
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.name = "other"  # type: ignore[misc]


def test_the_catalogue_holds_what_users_ask_for():
    asked = "e4m3 e5m2 e4m3_ieee e3m4 e4m3fnuz e5m2fnuz e4m3b11fnuz e3m2 e2m3 e2m1 e8m0 bf16 fp16 tf32 fp32"
    asked += " flint4 abfloat4 nf4 mxfp8_e4m3 mxfp8_e5m2 mxfp6_e3m2 mxfp6_e2m3 mxfp4 mxint8 nvfp4"
    asked += " " + " ".join(f"int{bits} uint{bits}" for bits in range(2, 33))
    assert set(asked.split()) <= set(format_names())


def test_aliases_lead_to_the_catalogue():
    for alias, name in ALIASES.items():
        assert get_format(alias) is get_format(name)
    assert get_format("mxfp8").name == "mxfp8_e4m3"
    assert get_format("float8_e4m3fn").name == "e4m3"


@pytest.mark.parametrize(
    "name",
    [
        "e5m10", "e6m9", "ue5m3", "e4m3b5", "e4m3b-2", "e3m4fn", "e3m4fnuz", "e3m4f", "e3m4i", "e3m4in", "e3m4inuz",
        "e3m4_ftz", "ue4m4b3fn_ftz", "sfix16_en8", "ufix8_e2", "sfix4_en0", "sfix8_en6_symmetric", "int8_symmetric",
        "p3109_k6p3sf", "p3109_k8p8ue", "e2m1_e4m3_b16", "e2m1_e4m3_b16_tensor", "int4_fp16_b128",
        "e4m3_ieee_e8m0_b8", "p3109_k6p3sf_e8m0_b32", "mxint8_element_fp32_b64",
    ],
)  # fmt: skip
def test_names_of_families_are_read_as_they_are_written(name):
    assert get_format(name).name == name


def test_binary_is_another_spelling_of_p3109():
    assert get_format("binary8p4se") == p3109_format(bits=8, precision=4)
    assert get_format("binary8p4uf").name == "p3109_k8p4uf"


def test_family_functions_take_what_names_say():
    assert integer_format(bits=8) == get_format("int8")
    assert fixed_point_format(bits=16, fraction_bits=8) == get_format("sfix16_en8")
    fmt = float_format(exponent_bits=5, mantissa_bits=3, signed=False, infinity=False, nan="all_ones")
    assert fmt == get_format("ue5m3fn")
    assert float_format(exponent_bits=4, mantissa_bits=3, name="mine").name == "mine"
    element, scale = get_element_format("e2m1"), get_element_format("e4m3")
    assert isinstance(scale, FloatFormat)
    assert block_format(element=element, scale=scale, block_size=16) == get_format("e2m1_e4m3_b16")


def test_fixed_point_is_an_integer_times_a_power_of_two():
    fmt = get_element_format("sfix8_en6")
    assert isinstance(fmt, IntegerFormat)
    assert (float(fmt.max_value), float(fmt.min_value), fmt.lsb_exponent) == (127 / 64, -2.0, -6)
    assert get_element_format("ufix8_e2").max_value == 255 * 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: get_format("e4m4x"), "nearest: e4m3"),
        (lambda: get_format("int33"), r"width of int33 is 33 bits, must be 2\.\.32"),
        (lambda: get_format("int1"), "must be 2..32"),
        (lambda: get_format("e12m3"), r"exponent_bits of e12m3 is 12, must be 1\.\.11"),
        (lambda: get_format("e0m3"), "exponent_bits of e0m3 is 0"),
        (lambda: get_format("e8m31"), "31 mantissa bits"),
        (lambda: get_format("e8m24"), r"33 bits in all, must be 0\.\.30 and 2\.\.32"),
        (lambda: get_format("e4m0"), "take nan='all_ones'"),
        (lambda: get_format("e11m3b4000"), "within float64"),
        (lambda: get_format("ue4m3fnuz"), "no sign bit"),
        (lambda: get_format("p3109_k8p8se"), r"precision of a P3109 format of 8 bits is 8, must be 1\.\.7"),
        (lambda: get_format("p3109_k16p8se"), r"must be 2\.\.15"),
        (lambda: get_format("e2m1_e8m0_b0"), "block_size of e2m1_e8m0_b0 is 0"),
        (lambda: get_format("e2m1_int8_b4"), "not known"),
        (lambda: get_format("sfix8_en600"), "fraction_bits"),
        (lambda: get_element_format("nvfp4"), "nvfp4 is a block format"),
        (lambda: get_block_format("int8"), "int8 is an element format"),
        (lambda: float_format(exponent_bits=4, mantissa_bits=3, infinity=False), "'ieee' without infinity"),
        (lambda: float_format(exponent_bits=4, mantissa_bits=3, nan="none?"), "nan is 'none"),
        (lambda: float_format(exponent_bits=1, mantissa_bits=0, nan="negative_zero"), "no finite value besides zero"),
        (lambda: codebook_format(name="x", values=[]), "has 0 values"),
        (
            lambda: block_format(element=codebook_format(name="n", values=[-2, -1]), scale=_e8m0(), block_size=4),
            "no positive value",
        ),
    ],
)
def test_impossible_formats_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def _e8m0() -> FloatFormat:
    fmt = get_element_format("e8m0")
    assert isinstance(fmt, FloatFormat)
    return fmt


def test_records_know_their_storage():
    assert [get_element_format(name).code_dtype for name in ("e2m1", "int9", "tf32")] == ["u1", "u2", "u4"]
    assert get_block_format("mxfp4").bits_per_element == 4.25
    assert get_block_format("nvfp4").bits_per_element == 4.5
    kinds = {type(get_format(name)).__mro__[-2] for name in format_names()}
    assert kinds == {ElementFormat, BlockFormat}
