"""Rankings over published ranges: every claim against evaluating the energies at many points of the ranges."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simhw.cli
from simhw.costs import load_table
from simhw.costs.ranges import ConstantRange, published_ranges, read_ranges
from simhw.errors import InputError
from simhw.sensitivity import describe, sensitivity

TABLE = load_table("horowitz_45nm")
PARTS = ("multiply", "accumulate", "vector", "weight_sram_read", "dram_read", "dequantize")
energies = st.dictionaries(
    st.sampled_from("abcd"),
    st.fixed_dictionaries({part: st.floats(0, 1e6).map(lambda x: round(x, 1)) for part in PARTS}),
    min_size=2,
)


def ends(constant: ConstantRange) -> tuple[float, float]:
    own = constant.in_table(TABLE)
    return min(constant.low, own) / own, max(constant.high, own) / own


def total(parts: dict[str, float], factors: dict[str, float]) -> float:
    of_part = {part: factors[constant.name] for constant in published_ranges() for part in constant.parts}
    return sum(value * of_part.get(part, 1.0) for part, value in parts.items())


@given(designs=energies)
def test_certain_pairs_hold_at_every_corner_and_others_fail_at_one(designs: dict):
    found = sensitivity(designs, TABLE)
    corners = [
        dict(zip((c.name for c in published_ranges()), factors, strict=True))
        for factors in itertools.product(*(ends(c) for c in published_ranges()))
    ]
    for better, worse in itertools.combinations(found.ranking, 2):
        margins = [total(designs[worse], corner) - total(designs[better], corner) for corner in corners]
        scale = 1e-9 * max(1.0, *(total(designs[worse], corner) for corner in corners))
        if (better, worse) in found.certain:
            assert min(margins) > -scale
        else:
            assert min(margins) <= scale


@given(designs=energies)
def test_flips_are_where_the_order_turns(designs: dict):
    found = sensitivity(designs, TABLE)
    for flip in found.flips:
        own = flip.constant.in_table(TABLE)

        def margin(value: float, flip=flip, own=own) -> float:
            factors = {c.name: value / own if c is flip.constant else 1.0 for c in published_ranges()}
            return total(designs[flip.worse], factors) - total(designs[flip.better], factors)

        scale = 1e-6 * (1 + abs(total(designs[flip.worse], dict.fromkeys([c.name for c in published_ranges()], 1.0))))
        assert abs(margin(flip.at)) <= scale
        step = 1.01 if flip.above else 0.99
        assert margin(flip.at * step) <= scale
        assert margin(flip.at / step) >= -scale


def test_by_hand():
    """At 20.3 pJ per bit a saves DRAM and wins; below the crossing b, which saves multiplications, does."""
    designs = {"a": {"multiply": 100.0, "dram_read": 203.125}, "b": {"multiply": 50.0, "dram_read": 406.25}}
    found = sensitivity(designs, TABLE)
    assert found.ranking == ("a", "b")
    assert found.certain == ()
    (dram,) = found.flips
    assert (dram.constant.name, dram.above) == ("dram", False)
    assert dram.at == pytest.approx(20.3125 * 50 / 203.125)
    text = describe(found)
    assert "b needs less than a below 5 pJ for a bit from or to DRAM" in text
    assert "0 of 1 pairs keep their order" in text


def test_the_published_ranges_span_what_is_said_of_them():
    spans = {constant.name: constant.high / constant.low for constant in published_ranges()}
    assert spans["dram"] > 30
    assert round(spans["mac"]) == 29
    assert all(np.isfinite(constant.in_table(TABLE)) for constant in published_ranges())


GOOD = """[[range]]
name = "mac"
what = "w"
unit = "pJ"
parts = ["multiply"]
low = 1
low_source = "a"
high = 2
high_source = "b"
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("low = 1", "low = 3"), "must be positive, in pJ, with a source"),
        (('"a"', '""'), "with a source for both ends"),
        (('unit = "pJ"', 'unit = "nJ"'), "in pJ"),
        (("low = 1\n", ""), "lacks 'low'"),
        (('"mac"', '"adder"'), "of no known constant"),
        (("high = 2", "high = 2\nnode = 7"), "has the unknown 'node'"),
    ],
)
def test_ranges_without_source_or_unit_are_refused(change: tuple[str, str], message: str):
    assert read_ranges(GOOD)[0].high == 2
    with pytest.raises(InputError, match=message):
        read_ranges(GOOD.replace(*change))


def test_commands(tmp_path, capsys):
    table = tmp_path / "layers.csv"
    table.write_text("name,m,n,k\nx,64,64,64\n")
    cost = ["cost", "--gemms", str(table), "--area-mm2", "0.2"]
    assert simhw.cli.main([*cost, "--sensitivity", "--against", "fp16_mac"]) == 0
    seen = capsys.readouterr()
    assert "ranking by energy, least first: int8_mac, fp16_mac" in seen.err
    assert seen.out.splitlines()[1].startswith("x,64,64,64,")
    assert simhw.cli.main([*cost, "--against", "fp16_mac"]) == 2
    assert "--against names PEs to compare with, but --sensitivity was not given" in capsys.readouterr().err
    assert simhw.cli.main([*cost, "--rows", "4"]) == 2
    assert "--rows and a budget were both given" in capsys.readouterr().err
    assert simhw.cli.main(["size", "int8_mac", "mxfp4_dot", "--area-mm2", "0.1", "--sides", "any"]) == 0
    assert "mxfp4_dot" in capsys.readouterr().out
    assert simhw.cli.main(["size", "int8_mac", "--area-mm2", "0.1", "--sides", "round"]) == 2
    assert "sides is 'round', must be one of square, powers_of_two, any" in capsys.readouterr().err
    words = ["run", "--model", "fashion_resnet", "--samples", "1", "--datapath", "fp16", "--datapath", "w8a8_int8"]
    assert simhw.cli.main([*words, "--sensitivity"]) == 0
    assert "fashion_resnet: ranking by energy, least first: w8a8_int8, fp16" in capsys.readouterr().out
