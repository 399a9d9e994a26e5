"""Synthesis tables: every key is there and of its kind, or the table does not load."""

import pytest

from simhw.costs.synthesised import load_synthesis, parse_synthesis, synthesis_names
from simhw.errors import InputError

HEADER = """
description = "PEs in a made-up library"
library = "toy"
node_nm = 7
voltage_v = 0.7
temperature_c = 25
nand2_um2 = 0.5
source = "made up"
command = "none"

[tools]
pyosys = "0"
"""
ENTRY = """
[[pe]]
pe = "int8_mac"
variant = "fused"
parameters = { accumulator_bits = 32 }
accumulator_bits = 32
lanes = 1
cycles = 1
cells = 100
flip_flops = 50
area_um2 = 75.5
nand2_equivalents = 151.0
delay_ps = 900
fast_area_um2 = 80
fast_delay_ps = 700
energy_pj_per_mac = 0.4
energy_zero_delay_pj_per_mac = 0.2
clock_energy_pj_per_mac = 0.05
leakage_nw = 120
operands = "Gaussian"
"""


def test_values():
    table = parse_synthesis(HEADER + ENTRY, "toy")
    assert (table.node_nm, table.voltage_v, table.tools) == (7.0, 0.7, {"pyosys": "0"})
    entry = table.find("int8_mac")
    assert (entry.area_um2, entry.fast_delay_ps, entry.parameters) == (75.5, 700.0, {"accumulator_bits": 32})
    assert table.find("int8_mac", "fused", 32) is entry
    assert table.entries("fp16_mac") == ()


def test_find_says_what_there_is():
    table = parse_synthesis(HEADER + ENTRY, "toy")
    with pytest.raises(InputError, match="nearest: int8_mac"):
        table.find("int8_mc")
    with pytest.raises(InputError, match=r"which has fused \(32 bits\)"):
        table.find("int8_mac", "booth")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cells = 100", "", "no 'cells'"),
        ("cells = 100", "cells = 1.5", "cells of entry 'int8_mac'.* is 1.5, must be an integer"),
        ("area_um2 = 75.5", "area = 75.5", "unknown key 'area'"),
        ("area_um2 = 75.5", "area_um2 = -1", "must be a number from 0"),
        ("leakage_nw = 120", "leakage_nw = inf", "must be a number from 0"),
        ('source = "made up"', 'source = ""', "source of synthesis table 'toy' is ''"),
        ("node_nm = 7", "node_nm =", "not valid TOML"),
        ("parameters = { accumulator_bits = 32 }", "parameters = 3", "must be a table"),
        (ENTRY, "", "has no .*pe.* entry"),
        (ENTRY, ENTRY + ENTRY, "twice with the same parameters"),
    ],
)
def test_refused(old, new, message):
    with pytest.raises(InputError, match=message):
        parse_synthesis((HEADER + ENTRY).replace(old, new), "toy")


def test_shipped_tables_load():
    for name in synthesis_names():
        assert load_synthesis(name).name == name
    with pytest.raises(InputError, match="synthesis table is 'none'"):
        load_synthesis("none")
