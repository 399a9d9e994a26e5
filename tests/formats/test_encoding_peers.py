"""encode against ml_dtypes, torch and gfloat: other people's code, the same bits."""

import gfloat
import ml_dtypes
import numpy as np
import pytest
import torch
from gfloat import formats as gformats
from gfloat.types import RoundMode

from simhw.formats import decode, encode, encode_exact, get_element_format, p3109_format
from simhw.formats.rounding import Overflow, Rounding

STRIDE = 257
"""Prime, so that all low mantissa patterns occur: 16.7 million of all float32 bit patterns."""

PEERS = {
    "e4m3": (ml_dtypes.float8_e4m3fn, "nan"),
    "e5m2": (ml_dtypes.float8_e5m2, "infinity"),
    "e2m1": (ml_dtypes.float4_e2m1fn, "saturate"),
    "e4m3_ieee": (ml_dtypes.float8_e4m3, "infinity"),
    "e3m4": (ml_dtypes.float8_e3m4, "infinity"),
    "e4m3fnuz": (ml_dtypes.float8_e4m3fnuz, "nan"),
    "e5m2fnuz": (ml_dtypes.float8_e5m2fnuz, "nan"),
    "e4m3b11fnuz": (ml_dtypes.float8_e4m3b11fnuz, "nan"),
    "e2m3": (ml_dtypes.float6_e2m3fn, "saturate"),
    "e3m2": (ml_dtypes.float6_e3m2fn, "saturate"),
    "bf16": (ml_dtypes.bfloat16, "infinity"),
}


def words(first: int, last: int, stride: int) -> np.ndarray:
    """float32 values of every ``stride``-th bit pattern."""
    return np.arange(first, last, stride, dtype=np.uint64).astype(np.uint32).view(np.float32)


def agree(name: str, values: np.ndarray) -> None:
    """Compare under the peer's overflow policy, and under ours after clamping what goes to the peer."""
    fmt = get_element_format(name)
    dtype, policy = PEERS[name]
    numbers = ~np.isnan(values)
    if not fmt.has_nan:
        values = values[numbers]  # ml_dtypes makes -0 of NaN, we refuse it
        numbers = np.ones(values.size, bool)
    largest = np.float32(float(fmt.max_value))
    with np.errstate(invalid="ignore", over="ignore"):
        theirs = values.astype(dtype).view(fmt.code_dtype)
        clamped = np.clip(values, -largest, largest).astype(dtype).view(fmt.code_dtype)
    if name == "bf16":
        theirs, clamped = (np.where(numbers, codes, 0x7FC0 | (codes & 0x8000)) for codes in (theirs, clamped))
    assert (encode(values, name, overflow=policy) == theirs).all()
    assert (encode(values, name) == clamped).all()


@pytest.mark.parametrize("name", PEERS)
def test_ml_dtypes_on_a_stride_of_all_float32(name):
    agree(name, words(0, 1 << 32, STRIDE))


@pytest.mark.parametrize("name", PEERS)
def test_ml_dtypes_on_every_tie_and_its_neighbours(name):
    fmt = get_element_format(name)
    magnitudes = np.arange(fmt.max_code + 1)
    values = decode(magnitudes, name).astype(np.float64)
    ties = ((values[1:] + values[:-1]) / 2).astype(np.float32)
    around = np.concatenate(
        [values.astype(np.float32), ties, np.nextafter(ties, np.float32(0)), np.nextafter(ties, np.float32(np.inf))]
    )
    agree(name, np.concatenate([around, -around]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e2m1"])
def test_ml_dtypes_on_all_float32(name):
    for first in range(0, 1 << 32, 1 << 24):
        agree(name, words(first, first + (1 << 24), 1))


def test_ml_dtypes_half_of_all_finite_values():
    values = words(0, 1 << 32, STRIDE)
    values = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        theirs = values.astype(np.float16).view(np.uint16)
    assert (encode(values, "fp16", overflow="infinity") == theirs).all()


def test_float64_inputs_round_once_as_in_ml_dtypes():
    rng = np.random.default_rng(11)
    values = rng.standard_normal(400_000) * 2.0 ** rng.integers(-20, 12, 400_000)
    for name in ["e4m3", "e5m2", "e2m1", "e3m4"]:
        dtype, policy = PEERS[name]
        with np.errstate(over="ignore"):
            theirs = values.astype(dtype).view(np.uint8)
        # ml_dtypes goes through float32: leave out what that step moves.
        untouched = values.astype(np.float32) == values
        assert (encode(values, name, overflow=policy)[untouched] == theirs[untouched]).all()
        singles = values.astype(np.float32).astype(np.float64)
        with np.errstate(over="ignore"):
            assert (encode(singles, name, overflow=policy) == singles.astype(dtype).view(np.uint8)).all()


def test_integers_as_numpy_rounds_and_clips():
    values = words(0, 1 << 32, STRIDE * 5)
    values = values[~np.isnan(values)]
    for bits in (2, 4, 8, 16):
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        expected = np.clip(np.rint(values), low, high).astype(np.int32) & ((1 << bits) - 1)
        assert (encode(values, f"int{bits}") == expected).all()
        expected = np.clip(np.rint(values), 0, (1 << bits) - 1).astype(np.int32)
        assert (encode(values, f"uint{bits}") == expected).all()


def test_torch_casts_of_finite_values_within_range():
    values = words(0, 1 << 32, STRIDE * 7)
    for name, dtype in [
        ("e4m3", torch.float8_e4m3fn),
        ("e5m2", torch.float8_e5m2),
        ("e4m3fnuz", torch.float8_e4m3fnuz),
        ("e5m2fnuz", torch.float8_e5m2fnuz),
        ("bf16", torch.bfloat16),
        ("fp16", torch.float16),
    ]:
        fmt = get_element_format(name)
        inside = values[np.abs(values) <= np.float32(float(fmt.max_value))]
        theirs = torch.from_numpy(inside).to(dtype).view(torch.uint8 if fmt.bits == 8 else torch.uint16).numpy()
        assert (encode(inside, name) == theirs).all()


MODES = {
    Rounding.NEAREST_EVEN: RoundMode.TiesToEven,
    Rounding.NEAREST_AWAY: RoundMode.TiesToAway,
    Rounding.TOWARD_ZERO: RoundMode.TowardZero,
    Rounding.UP: RoundMode.TowardPositive,
    Rounding.DOWN: RoundMode.TowardNegative,
}


@pytest.mark.parametrize("rounding", MODES)
@pytest.mark.parametrize("extended", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_gfloat_on_the_p3109_family(signed, extended, rounding, boundary_points):
    for bits, precision in [(8, 1), (8, 3), (8, 4), (8, 7), (6, 3), (5, 2), (4, 2)]:
        ours = p3109_format(bits=bits, precision=precision, signed=signed, extended=extended)
        signedness = gfloat.types.Signedness.Signed if signed else gfloat.types.Signedness.Unsigned
        domain = gfloat.Domain.Extended if extended else gfloat.Domain.Finite
        theirs = gformats.format_info_p3109(bits, precision, signedness, domain)
        points = boundary_points(ours)[:: 5 if bits == 8 else 1]
        points = points[(points >= 0) if not signed else np.ones(points.size, bool)]
        if rounding is Rounding.NEAREST_AWAY:
            # gfloat adds 1/2 to the fraction in float64, which rounds the last value below a tie up to the tie.
            with np.errstate(over="ignore"):
                points = points[points.astype(np.float32) == points]
        for saturate in (True, False):
            policy = "saturate" if saturate else "infinity" if extended else "nan"
            made = encode(points, ours, rounding=rounding, overflow=policy)
            for point, code in zip(points.tolist(), made.tolist(), strict=True):
                value = gfloat.round_float(theirs, point, MODES[rounding], sat=saturate)
                assert code == gfloat.encode_float(theirs, value), (ours.name, point)


def test_gfloat_stochastic_rounding_with_the_same_random_bits(boundary_points):
    for name, theirs in [("e4m3", gformats.format_info_ocp_e4m3), ("e2m1", gformats.format_info_ocp_e2m1)]:
        fmt = get_element_format(name)
        points = boundary_points(fmt)
        points = points[np.abs(points) <= float(fmt.max_value)][::7]
        for draw in (0, 1, 100, 255):
            for point in points.tolist():
                value = gfloat.round_float(
                    theirs, point, RoundMode.StochasticFastest, sat=True, srbits=draw, srnumbits=8
                )
                # gfloat adds the draw to the uncut fraction in float64: equal unless the cut fraction is what decides.
                ours = encode_exact(point, fmt, Rounding.STOCHASTIC, Overflow.SATURATE, draw=draw, draw_bits=8)
                assert ours == gfloat.encode_float(theirs, value), (point, draw)
