"""Codes in a stream of bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.formats import decode, encode, get_element_format, pack_codes, unpack_codes


def test_nibbles_in_both_orders():
    assert pack_codes([0x1, 0x2, 0x3], "e2m1").tolist() == [0x21, 0x03]
    assert pack_codes([0x1, 0x2, 0x3], "e2m1", order="big").tolist() == [0x12, 0x30]


def test_two_bit_and_six_bit_codes():
    assert pack_codes([1, 2, 3, 0], "int2").tolist() == [0b00_11_10_01]
    assert pack_codes([1, 2, 3, 0], "uint2", order="big").tolist() == [0b01_10_11_00]
    # Four 6-bit codes are three bytes; in little order they make one 24-bit little-endian number.
    codes = [0b000001, 0b100000, 0b111111, 0b010101]
    number = sum(code << (6 * place) for place, code in enumerate(codes))
    assert pack_codes(codes, "e2m3").tolist() == list(number.to_bytes(3, "little"))
    number = sum(code << (6 * (3 - place)) for place, code in enumerate(codes))
    assert pack_codes(codes, "e3m2", order="big").tolist() == list(number.to_bytes(3, "big"))


def test_torch_unpacks_pairs_of_nibbles_as_we_pack_them():
    torch = pytest.importorskip("torch")
    codes = encode(np.array([0.5, -6.0, 3.0, 1.0]), "e2m1")
    packed = pack_codes(codes, "e2m1")
    pairs = torch.from_numpy(packed).view(torch.float4_e2m1fn_x2)
    assert pairs.view(torch.uint8).numpy().tolist() == [codes[0] | codes[1] << 4, codes[2] | codes[3] << 4]
    with pytest.raises(InputError, match="unpack_codes"):
        encode(pairs, "e4m3")


@given(
    name=st.sampled_from(["int2", "int3", "e2m1", "uint5", "e2m3", "int7", "e4m3", "int11", "fp16", "tf32", "fp32"]),
    order=st.sampled_from(["little", "big"]),
    shape=st.tuples(st.integers(0, 4), st.integers(0, 17)),
    seed=st.integers(0, 1000),
)
def test_unpacking_gives_back_what_was_packed(name, order, shape, seed):
    fmt = get_element_format(name)
    codes = np.random.default_rng(seed).integers(0, fmt.code_count, shape).astype(fmt.code_dtype)
    packed = pack_codes(codes, name, order=order)
    assert packed.dtype == np.uint8
    assert packed.shape == (shape[0], -(-shape[1] * fmt.bits // 8))
    again = unpack_codes(packed, name, shape[1], order=order)
    assert again.dtype == fmt.code_dtype
    assert (again == codes).all()


@given(name=st.sampled_from(["int2", "e2m1", "e2m3", "int7", "int11"]), codes=st.lists(st.integers(0, 3), max_size=9))
def test_the_stream_is_one_number(name, codes):
    bits = get_element_format(name).bits
    number = sum(code << (bits * place) for place, code in enumerate(codes))
    packed = pack_codes(np.array(codes, dtype=np.uint8), name)
    assert int.from_bytes(packed.tobytes(), "little") == number


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack_codes(3, "e2m1"), "no axis"),
        (lambda: pack_codes([16], "e2m1"), "code is 16"),
        (lambda: pack_codes([1], "e2m1", order="middle"), "must be one of: little, big"),
        (
            lambda: unpack_codes(np.zeros(2, np.uint8), "e2m1", 5),
            "have 2 bytes on the last axis, must have 3 for 5 codes",
        ),
        (lambda: unpack_codes(np.zeros(2, np.int32), "e2m1", 4), "must be an array of uint8"),
        (lambda: unpack_codes(np.zeros(0, np.uint8), "e2m1", -1), "bytes"),
    ],
)
def test_bad_streams_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_packed_codes_decode_to_the_same_values():
    values = np.random.default_rng(0).standard_normal((3, 21))
    codes = encode(values, "e3m2")
    again = unpack_codes(pack_codes(codes, "e3m2"), "e3m2", 21)
    assert (decode(again, "e3m2") == decode(codes, "e3m2")).all()
