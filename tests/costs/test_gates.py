"""Gates counted per part, and what a gate costs: against a published worked example and against closed forms."""

import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.costs import (
    BitwiseAnd,
    FloatAdd,
    FloatMultiply,
    GateCounts,
    IntegerAdd,
    IntegerMultiply,
    Register,
    Shared,
    Shift,
    count_all_gates,
    count_gates,
    load_table,
    parse_table,
)
from simhw.costs.gates import GATE_KINDS
from simhw.errors import InputError
from simhw.pes import get_pe

TABLE = load_table("gates_28nm")
TEXT = (resources.files("simhw.costs.tables") / "gates_28nm.toml").read_text("utf-8")

# The worked example, from its own figures: NAND2 0.7 fF and 0.614 um2 at 0.9 V, XOR2 1.5 and 2.4 of that, DFF 3 and 6,
# a full adder of 3 NAND2 and 2 XOR2, an AND at activity 0.5.
FJ = 0.7 * 0.9**2
AND_FJ, ADDER_FJ, DFF_FJ = 0.5 * FJ, (3 + 2 * 1.5) * FJ, 3 * FJ
AND_UM2, ADDER_UM2, DFF_UM2 = 0.614, (3 + 2 * 2.4) * 0.614, 6 * 0.614


@pytest.mark.parametrize(
    ("ands", "adders", "flip_flops", "area_um2", "energy_fj"),
    [(64, 88, 48, 638, 399), (32, 47, 32, 363, 223)],
    ids=["int8 x int8 with 32 bits", "shift-add int4 x int8 with 20 bits"],
)
def test_the_worked_example(ands, adders, flip_flops, area_um2, energy_fj):
    """The published figures are rounded to whole um2 and fJ."""
    gates = GateCounts(ands=ands, full_adders=adders, flip_flops=flip_flops)
    assert TABLE.gates is not None
    area, energy = TABLE.gates.area_um2(gates), 1000 * TABLE.gates.energy_pj(gates)
    assert area == pytest.approx(ands * AND_UM2 + adders * ADDER_UM2 + flip_flops * DFF_UM2, rel=1e-12)
    assert energy == pytest.approx(ands * AND_FJ + adders * ADDER_FJ + flip_flops * DFF_FJ, rel=1e-12)
    assert (round(area), round(energy)) == (area_um2, energy_fj)


def test_the_int8_pe_is_the_worked_example():
    pe = get_pe("int8_mac")
    gates = count_all_gates((*pe.multiply_parts, *pe.accumulate_parts(32)))
    assert gates == GateCounts(ands=64, full_adders=88, flip_flops=48)
    assert round(pe.area_um2(TABLE, 32)) == 638
    assert round(1000 * (pe.multiply_energy_pj(TABLE) + pe.accumulate_energy_pj(TABLE, 32))) == 399


def test_the_shift_and_add_pe_is_the_worked_example_but_for_one_adder():
    """The example counts three rows of nine; the adder of the two halves has ten bits here."""
    pe = get_pe("mixpe_w4a8")
    bits = pe.group_accumulator_bits(128)
    gates = count_all_gates((*pe.multiply_parts, *pe.accumulate_parts(bits)))
    assert bits == 20
    assert gates == GateCounts(ands=32, full_adders=47 + 1, flip_flops=32)
    assert pe.area_um2(TABLE, bits) == pytest.approx(32 * AND_UM2 + 48 * ADDER_UM2 + 32 * DFF_UM2)


def test_a_gate_costs_what_its_cells_do():
    assert TABLE.gates is not None
    prices = {price.kind: (1000 * price.energy_pj, price.area_um2) for price in TABLE.gates.prices}
    assert prices == {
        "full_adders": pytest.approx((ADDER_FJ, ADDER_UM2)),
        "ands": pytest.approx((AND_FJ, AND_UM2)),
        "xors": pytest.approx((0.5 * 1.5 * FJ, 2.4 * 0.614)),
        "multiplexers": pytest.approx((0.5 * 3 * FJ, 3 * 0.614)),
        "flip_flops": pytest.approx((DFF_FJ, DFF_UM2)),
    }
    assert TABLE.gates.nand2_delay_ps == 47.8


@given(a=st.integers(1, 64), b=st.integers(1, 64))
def test_a_multiplier_has_a_gate_per_partial_product_and_a_row_of_adders_less(a, b):
    gates = count_gates(IntegerMultiply(a_bits=a, b_bits=b))
    assert gates.ands == a * b
    assert gates.full_adders == a * b - max(a, b)


@pytest.mark.parametrize(
    ("part", "gates"),
    [
        (IntegerAdd(bits=20), GateCounts(full_adders=20)),
        (BitwiseAnd(bits=44), GateCounts(ands=44)),
        (Register(bits=12), GateCounts(flip_flops=12)),
        (Shift(bits=20, positions=1), GateCounts()),
        (Shift(bits=20, positions=17), GateCounts(multiplexers=100)),
        (Shared(part=IntegerAdd(bits=8), lanes=32), GateCounts(full_adders=0.25)),
        # E4M3: 4 x 4 significands, 4 exponent bits, one sign; fp16 still exact in fp32
        (FloatMultiply(exponent_bits=4, significand_bits=4), GateCounts(ands=16, full_adders=12 + 4, xors=1)),
        (FloatMultiply(exponent_bits=5, significand_bits=11), GateCounts(ands=121, full_adders=110 + 5, xors=1)),
        # fp32: rounded, 24 multiplexers by one place and 32 half adders
        (
            FloatMultiply(exponent_bits=8, significand_bits=24),
            GateCounts(ands=576 + 32, full_adders=552 + 8, xors=1 + 32, multiplexers=24),
        ),
        # fp32 with 27-bit paths: 2 exponent adders and 28 bits; swap 56, two shifters of 5 stages, 27 leading zeros
        (
            FloatAdd(exponent_bits=8, significand_bits=24),
            GateCounts(
                full_adders=8 + 28 + 8,
                multiplexers=56 + 2 * 5 * 27 + 27,
                ands=24 + 27 + 32,
                xors=8 + 27 + 8 + 32,
            ),
        ),
    ],
    ids=repr,
)
def test_parts_by_hand(part, gates):
    assert count_gates(part) == gates


def test_every_kind_of_gate_has_a_price_and_a_source():
    assert TABLE.gates is not None
    assert tuple(price.kind for price in TABLE.gates.prices) == GATE_KINDS
    assert all(len(price.source) > 20 for price in TABLE.gates.prices)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "activity = 1\n",
            "activity = 1.5\n",
            "activity of gate 'full_adders' .* is 1.5, must be above 0 and at most 1",
        ),
        ("activity = 1\n", "", "gate 'full_adders' .* misses or does not know 'activity'"),
        ("xor2 = 2 }", "xor3 = 2 }", "cells of gate 'full_adders' .* known are nand2, xor2, dff"),
        ("xor2 = 2 }", "xor2 = 0 }", "xor2 of gate 'full_adders' .* is 0, must be a positive number"),
        ('name = "multiplexers"', 'name = "xors"', "gate 'xors' .* is unknown or stated twice"),
        ('name = "multiplexers"', 'name = "latches"', "gate 'latches' .* is unknown or stated twice"),
        ("delay_ps = 47.8", 'delay_ps = "fast"', "delay_ps of nand2 .* is 'fast', must be a positive number"),
        ('delay_ps = 47.8\nsource = "zigzag_imc"', 'delay_ps = 47.8\nsource = "memory"', "cites the source 'memory'"),
        (
            "[[entry]]",
            '[[entry]]\npart = "register"\nbits = 1\nenergy_pj = 1\nsource = "accelergy"\n\n[[entry]]',
            "prices gates and also register; state one of the two",
        ),
    ],
)
def test_numbers_without_sense_or_source_are_refused(old, new, message):
    assert old in TEXT
    with pytest.raises(InputError, match=message):
        parse_table(TEXT.replace(old, new, 1), "mine")


def test_a_missing_kind_of_gate_is_named():
    without = re.sub(r"\[\[gate\]\]\nname = \"multiplexers\"\n.*?\n\n", "", TEXT, flags=re.DOTALL)
    with pytest.raises(InputError, match="has no gate 'multiplexers', it needs full_adders, ands"):
        parse_table(without, "mine")
