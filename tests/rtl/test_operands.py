"""Streams of operands: formats, groups, and that serial streams carry the dot product they stand for."""

import numpy as np
import pytest

from simhw.circuits import Circuit, Port
from simhw.errors import InputError
from simhw.formats import decode
from simhw.pes import get_circuit
from simhw.rtl.operands import GROUP, format_of, gaussian_stream, gemm_stream, given_stream, lanes
from simhw.rtl.serial_operands import random_stream


def circuit(*ports: tuple[str, int, str], cycles: int = 1, **parameters: int) -> Circuit:
    inputs = tuple(Port(name=name, bits=bits, meaning=meaning) for name, bits, meaning in ports)
    return Circuit(
        name="made_up",
        variant="v",
        description="d",
        source="s",
        parameters=parameters,
        inputs=inputs,
        state=(),
        outputs=(),
        build=lambda: None,
        step=lambda codes: {},  # noqa: ARG005
        cycles=cycles,
    )


@pytest.mark.parametrize(("fmt", "bits"), [("int8", 8), ("int4", 4), ("e4m3", 8), ("e2m1", 4)])
def test_every_group_reaches_the_largest_value(fmt, bits):
    codes = gaussian_stream(circuit(("activation", bits, fmt)), 10 * GROUP).codes["activation"]
    magnitudes = np.abs(decode(codes.astype(np.uint8), fmt)).reshape(-1, GROUP).max(axis=1)
    largest = {"int8": 127, "int4": 7, "e4m3": 448, "e2m1": 6}[fmt]
    assert set(magnitudes.tolist()) <= {float(largest)}


def test_unsigned_codes_lie_around_their_middle():
    codes = gaussian_stream(circuit(("weight", 4, "uint4")), 100 * GROUP).codes["weight"]
    assert set(codes.tolist()) == set(range(16))
    assert abs(codes.mean() - 7.5) < 0.1
    assert all(0 in group or 15 in group for group in codes.reshape(-1, GROUP))


def test_wide_floats_are_standard_normal():
    codes = gaussian_stream(circuit(("activation", 16, "fp16")), 20_000).codes["activation"]
    values = codes.astype(np.uint16).view(np.float16).astype(float)
    assert abs(values.mean()) < 0.05
    assert abs(values.std() - 1) < 0.05


def test_flags_and_group_size():
    stream = gaussian_stream(circuit(("first", 1, "starts"), ("enable", 1, "on"), group_size=3), 7)
    assert stream.codes["first"].tolist() == [1, 0, 0, 1, 0, 0, 1]
    assert stream.codes["enable"].tolist() == [1] * 7


def test_scales_stay_for_a_group():
    made = circuit(
        ("activation", 8, "int8"), ("scale", 8, "scale of the group, int8"), ("zero", 4, "zero point, uint4")
    )
    codes = gaussian_stream(made, 3 * GROUP).codes
    for name, allowed in (("scale", range(1, 16)), ("zero", range(6, 10))):
        groups = codes[name].reshape(3, GROUP)
        assert (groups == groups[:, :1]).all()
        assert set(groups[:, 0].tolist()) <= set(allowed)


def test_streams_repeat_with_the_seed_alone():
    made = get_circuit("int8_mac")
    first, again, other = (gaussian_stream(made, 300, seed=seed).codes for seed in (5, 5, 6))
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["activation"] != other["activation"]).any()


def test_operations_of_several_cycles():
    made = circuit(("activation_0", 8, "int8"), ("activation_1", 8, "int8"), cycles=4)
    assert lanes(made) == 2
    stream = given_stream(made, {"activation_0": np.array([1, 2])}, "given")
    assert stream.codes["activation_0"].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert stream.macs_per_cycle == 0.5


def test_a_gemm_output_by_output():
    made = get_circuit("int8_mac")
    activation, weight = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[7, 8, 9]])
    stream = gemm_stream(made, activation, weight, vectors=7, description="small", group_size=2)
    assert stream.codes["first"].tolist() == [1, 0, 1] * 3
    assert stream.codes["weight"].tolist() == [7, 8, 9] * 3
    rows = stream.codes["activation"].reshape(3, 3)
    assert {tuple(row) for row in rows} <= {(1, 2, 3), (4, 5, 6)}
    assert stream.description == "9 operands: small"
    with pytest.raises(InputError, match="activation has k = 3, weight has k = 2"):
        gemm_stream(made, activation, weight[:, :2], vectors=7, description="x")
    with pytest.raises(InputError, match="mxfp4_dot has the inputs"):
        gemm_stream(get_circuit("mxfp4_dot"), activation, weight, vectors=7, description="x")


def signed(codes, bits):
    return codes - (codes >> bits - 1 << bits)


def run(made: Circuit, codes) -> int:
    """The total behind all operands of one sum, by the circuit's definition."""
    state = {port.name: np.zeros(1, np.int64) for port in made.state}
    cycles = len(codes["first"])
    for cycle in range(cycles + 1):
        now = {name: values[min(cycle, cycles - 1)][None] for name, values in codes.items()}
        if cycle == cycles:
            now["enable"] = np.zeros(1, np.int64)
        after = made.step({**now, **state})
        state = {port.name: after[port.name] for port in made.state}
    return int(signed(state["total"], 32)[0])


def test_bit_planes_carry_the_dot_product():
    made = get_circuit("bit_serial")
    stream = random_stream(made, 5, seed=1)
    assert (lanes(made), stream.macs_per_cycle) == (16, 2.0)
    codes = stream.codes
    expected = 0
    for operation in range(5):
        planes = codes["activation"][8 * operation : 8 * operation + 8]
        assert codes["place"][8 * operation : 8 * operation + 8].tolist() == list(range(8))
        for lane in range(16):
            activation = sum(int(plane >> lane & 1) << place for place, plane in enumerate(planes))
            weight = codes[f"weight_{lane}"][8 * operation : 8 * operation + 8]
            assert len(set(weight.tolist())) == 1
            expected += signed(activation, 8) * signed(int(weight[0]), 8)
    assert run(made, codes) == expected


def test_terms_carry_the_dot_product():
    made = get_circuit("bit_serial_booth")
    stream = random_stream(made, 60, seed=1)
    codes = stream.codes
    assert stream.macs_per_cycle == 60 / len(codes["term"])
    expected = 0
    for activation, term in zip(codes["activation"].tolist(), codes["term"].tolist(), strict=True):
        valid, negative, doubled, place = term & 1, term >> 1 & 1, term >> 2 & 1, term >> 3
        expected += signed(activation, 8) * valid * (-1) ** negative * (1 + doubled) * 4**place
    assert run(made, codes) == expected
    assert len(codes["term"]) > 60


def test_fused_bricks_work_on_int8():
    made = get_circuit("bitfusion")
    codes = random_stream(made, 40, seed=1).codes
    products = signed(codes["activation"], 8) * signed(codes["weight"], 8)
    assert run(made, codes) == int(products.sum())


def test_formats_of_ports():
    assert format_of(Port(name="x", bits=20, meaning="sum of q x over a group, int20")).bits == 20
    assert format_of(Port(name="x", bits=7, meaning="ue4m3")).name == "ue4m3"
    assert format_of(Port(name="x", bits=5, meaning="valid, negative, int8")) is None


def test_refused():
    with pytest.raises(InputError, match=r"input term of made_up .* states no format"):
        gaussian_stream(circuit(("term", 5, "valid")), 10)
    with pytest.raises(InputError, match="vectors is 0, must be at least 1"):
        gaussian_stream(circuit(("activation", 8, "int8")), 0)


@pytest.mark.parametrize("codes", [np.array([0.5, 1.0]), np.array([[1, 2]]), np.array(["1"])])
def test_given_codes_are_integers_in_a_row(codes):
    with pytest.raises(InputError, match=r"codes of activation are an array of .* must be one-dimensional integers"):
        given_stream(get_circuit("int4_mac"), {"activation": codes}, "given")
