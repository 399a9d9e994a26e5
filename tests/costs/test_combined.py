"""A technology of several sources: which of them prices what, against invented figures."""

import dataclasses
from pathlib import Path

import pytest

from simhw.arrays import DequantizationWork, array_area, dequantization_energy_pj
from simhw.costs import GateCounts, IntegerAdd, Register, count_all_gates, load_table, parse_table
from simhw.costs.combined import CombinedTable, combine, parse_combination, structures
from simhw.costs.synthesised import parse_synthesis
from simhw.errors import InputError
from simhw.pes import get_pe
from simhw.pes.price import price

SPEC = {
    "description": "invented for tests",
    "combined": {
        "synthesis": "test",
        "gates": "gates_28nm",
        "memory": "jouppi_7nm",
        "reference": {
            "pe": "int8_mac",
            "accumulator_bits": 32,
            "full_adders": 88,
            "ands": 64,
            "xors": 0,
            "multiplexers": 0,
            "flip_flops": 48,
        },
    },
}
TEXT = (Path(__file__).parent / "synthetic.toml").read_text("utf-8")
GATES, MEMORY = load_table("gates_28nm"), load_table("jouppi_7nm")
TABLE = combine(
    "mixed", parse_combination(SPEC, "mixed"), synthesis=parse_synthesis(TEXT, "test"), gates=GATES, memory=MEMORY
)


def test_the_reference_costs_in_gates_what_was_synthesised():
    pe = get_pe("int8_mac")
    parts = (*pe.multiply_parts, *pe.accumulate_parts(32))
    assert TABLE.total_area_um2(parts) == pytest.approx(80)
    assert TABLE.total_energy_pj(parts) == pytest.approx(0.4)
    assert count_all_gates(parts) == GateCounts(full_adders=88, ands=64, flip_flops=48)
    assert TABLE.area_factor == pytest.approx(80 / GATES.total_area_um2(parts))
    assert TABLE.energy_factor == pytest.approx(0.4 / GATES.total_energy_pj(parts))


@pytest.mark.parametrize(
    ("name", "bits", "area_um2", "energy_pj", "variant"),
    [
        ("int8_mac", 32, 80.0, 0.4, "carry_save"),
        ("mixpe_w4a8", 20, 40.0, 0.2, "carry_save"),
        ("mixpe_w4a8", 32, 60.0, 0.25, "carry_save"),
    ],
)
def test_an_entry_is_the_price_of_its_pe(name, bits, area_um2, energy_pj, variant):
    found = price(get_pe(name), TABLE, bits)
    assert found.area_um2 == area_um2
    assert found.energy_pj == pytest.approx(energy_pj)
    assert found.source == f"synthesised, {name} {variant}, {bits} accumulator bits"


@pytest.mark.parametrize(
    ("name", "bits", "circuit", "area_um2"),
    [("w4a8_dequantize_first", 32, "int8_mac", 80), ("mixpe_w4a8_progressive", 20, "mixpe_w4a8", 40)],
)
def test_pes_that_differ_around_them_are_one_circuit(name, bits, circuit, area_um2):
    """The first has an entry of its own, with a dequantizer in every PE: another design, and not its price."""
    found = price(get_pe(name), TABLE, bits)
    assert found.area_um2 == area_um2
    assert found.source.startswith(f"synthesised, {circuit} carry_save")
    assert found.energy_pj == pytest.approx(price(get_pe(circuit), TABLE, bits).energy_pj)


def test_circuits_beside_the_pe_and_of_other_sizes_never_stand_for_it():
    """Both are smaller than the PE, and one has exactly the width asked for."""
    beside = [e for e in TABLE.synthesis.entries("mixpe_w4a8") if e not in structures(TABLE.synthesis, "mixpe_w4a8")]
    assert {(e.variant, e.parameters["weight_signed"]) for e in beside} == {
        ("carry_save", 1),
        ("integer_dequantizer", 0),
    }
    assert price(get_pe("mixpe_w4a8"), TABLE, 32).area_um2 == 60
    assert price(get_pe("mixpe_w4a8"), TABLE, 20).area_um2 == 40


def test_energy_is_divided_as_in_the_parts():
    pe = get_pe("mixpe_w4a8")
    found = price(pe, TABLE, 20)
    assert found.multiply_pj / found.accumulate_pj == pytest.approx(
        pe.multiply_energy_pj(TABLE) / pe.accumulate_energy_pj(TABLE, 20)
    )
    assert found.registers_pj / found.multiply_pj == pytest.approx(
        TABLE.energy_pj(Register(bits=12)) / pe.multiply_energy_pj(TABLE)
    )


@pytest.mark.parametrize(("bits", "entry_bits"), [(21, 20), (16, 20), (40, 32)])
def test_another_width_is_the_nearest_entry_and_gates(bits, entry_bits):
    found, entry = price(get_pe("mixpe_w4a8"), TABLE, bits), price(get_pe("mixpe_w4a8"), TABLE, entry_bits)
    bit = (IntegerAdd(bits=1), Register(bits=1))
    extra = bits - entry_bits
    assert found.area_um2 == pytest.approx(entry.area_um2 + extra * TABLE.total_area_um2(bit))
    assert found.energy_pj == pytest.approx(entry.energy_pj + extra * TABLE.total_energy_pj(bit))
    assert found.source.endswith(f"{entry_bits} accumulator bits and {extra:+d} bits in gates")


def test_a_pe_without_entry_is_counted_in_gates():
    pe = get_pe("fp16_mac")
    found = price(pe, TABLE, 32)
    assert found.source == "parts of mixed"
    assert found.area_um2 == pytest.approx(pe.area_um2(GATES, 32) * TABLE.area_factor)
    assert found.multiply_pj == pytest.approx(pe.multiply_energy_pj(GATES) * TABLE.energy_factor)


def test_a_block_unit_pays_for_its_scale_once():
    """640 um2 and 0.1 pJ per product of 32 lanes, the scale unit within."""
    pe = get_pe("mxfp4_dot")
    found = price(pe, TABLE, 14)
    scale_pj = TABLE.total_energy_pj(pe.dequantize_parts(32).scale)
    assert found.area_um2 == 20
    assert scale_pj > 0
    assert found.energy_pj + scale_pj / 32 == pytest.approx(0.1)


def test_a_second_operand_in_two_passes_costs_two_entries():
    """The entry is one pass: the PE's own, narrow weights."""
    assert get_pe("mixpe_w4a8").cycles_per_product(8) == 2
    assert price(get_pe("mixpe_w4a8"), TABLE, 20).energy_pj == pytest.approx(0.2)


def test_memories_are_those_of_the_third_table():
    assert TABLE.sram_pj_per_bit(256, write=False) == MEMORY.sram_pj_per_bit(256, write=False)
    assert TABLE.dram_pj_per_bit() == MEMORY.dram_pj_per_bit()
    assert TABLE.dram_kinds() == MEMORY.dram_kinds()
    assert (TABLE.node_nm, TABLE.voltage_v) == (7, 0.7)


def test_the_shipped_technology_is_scaled_to_its_own_int8_pe():
    table, pe = load_table("asap7_7nm_synthesised_mixed"), get_pe("int8_mac")
    assert isinstance(table, CombinedTable)
    entry = table.synthesis.find("int8_mac", accumulator_bits=32)
    parts = (*pe.multiply_parts, *pe.accumulate_parts(32))
    assert table.total_area_um2(parts) == pytest.approx(entry.area_um2)
    assert table.total_energy_pj(parts) == pytest.approx(entry.energy_pj_per_mac)
    assert price(pe, table, 32).area_um2 == entry.area_um2
    assert "mixed" in table.name


@pytest.mark.parametrize("name", ["int8_mac", "mixpe_w4a8", "int4_mac"])
def test_the_default_structure_of_the_shipped_table_is_its_best(name):
    """Or a rival would be compared with less than the best int8, int4 or shift-and-add PE."""
    table = load_table("asap7_7nm_synthesised_mixed")
    assert isinstance(table, CombinedTable)
    for bits in {entry.accumulator_bits for entry in structures(table.synthesis, name)}:
        found = [
            e.area_um2 * e.energy_pj_per_mac for e in structures(table.synthesis, name) if e.accumulator_bits == bits
        ]
        assert found[0] == min(found)


def test_a_pe_whose_cycles_depend_on_the_data_is_counted_in_gates():
    table = load_table("asap7_7nm_synthesised_mixed")
    assert price(get_pe("bit_serial_booth"), table, 24).source == "parts of asap7_7nm_synthesised_mixed"


def test_a_unit_of_several_products_per_cycle_is_priced_whole():
    """bit_serial: two products per cycle by sixteen lanes in eight cycles."""
    table = load_table("asap7_7nm_synthesised_mixed")
    assert isinstance(table, CombinedTable)
    entry = table.synthesis.find("bit_serial")
    found = price(get_pe("bit_serial"), table, 32)
    assert found.area_um2 == entry.area_um2
    assert found.energy_pj == pytest.approx(entry.energy_pj_per_mac * entry.lanes / entry.cycles)


def test_every_source_is_named():
    origins = dict(TABLE.sources)
    assert origins["SRAM and DRAM"] == "jouppi_7nm"
    assert origins["PEs with an entry"].startswith("synthesis test: int8_mac, mixpe_w4a8")
    assert any("gates_28nm" in origin and "equals its synthesis" in origin for origin in origins.values())
    assert TABLE.gates is not None
    assert all("gates_28nm" in gate.source for gate in TABLE.gates.prices)


def test_an_array_takes_its_pes_from_synthesis_and_its_dequantizers_from_gates():
    pe = get_pe("mixpe_w4a8")
    found = array_area(pe, TABLE, dataflow="output_stationary", rows=8, columns=4, accumulator_bits=20, group_size=128)
    parts = pe.dequantize_parts(128)
    assert found.pes_um2 == 32 * 40
    assert found.dequantizers_um2 == pytest.approx(
        4 * TABLE.total_area_um2((*parts.zero_point, *parts.scale)) + 8 * TABLE.total_area_um2(parts.activation_sum)
    )


@pytest.mark.parametrize(
    ("name", "variant"), [("mixpe_w4a8", "float_dequantizer"), ("mixpe_w4a8_progressive", "integer_dequantizer")]
)
def test_a_synthesised_dequantizer_stands_at_the_edge_of_the_array(name, variant):
    """Scale and zero point of a group sum are one circuit; sums of activations and outputs are counted in gates."""
    table, pe = load_table("asap7_7nm_synthesised_mixed"), get_pe(name)
    assert isinstance(table, CombinedTable)
    entry = table.synthesis.find("mixpe_w4a8", variant)
    parts = pe.dequantize_parts(128)
    sizes = {"rows": 8, "columns": 4, "accumulator_bits": 20, "group_size": 128}
    found = array_area(pe, table, dataflow="output_stationary", **sizes)
    assert found.dequantizers_um2 == pytest.approx(4 * entry.area_um2 + 8 * table.total_area_um2(parts.activation_sum))
    work = DequantizationWork(
        scale_operations=3, zero_point_operations=3, activation_sum_operations=5, output_operations=7
    )
    assert dequantization_energy_pj(work, pe, 128, table) == pytest.approx(
        3 * entry.energy_pj_per_mac
        + 5 * table.total_energy_pj(parts.activation_sum)
        + 7 * table.total_energy_pj(parts.output)
    )
    assert dequantization_energy_pj(work, pe, 128, GATES) == work.energy_pj(parts, GATES)


def test_a_table_without_synthesis_is_not_asked_for_it():
    assert not isinstance(GATES, CombinedTable)
    assert price(get_pe("int8_mac"), GATES, 32).source == "parts of gates_28nm"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory": "jouppi_7nm", "gates": None}, "misses or does not know 'gates'"),
        ({"speed": 1}, "misses or does not know 'speed'"),
        (
            {"reference": {"pe": "int8_mac"}},
            "reference of cost table 'mixed' misses or does not know 'accumulator_bits'",
        ),
        (
            {"reference": {**SPEC["combined"]["reference"], "ands": -1}},
            "ands of reference of cost table 'mixed' is -1, must be an integer from 0",
        ),
    ],
)
def test_a_combination_states_exactly_its_keys(change, message):
    combined = {key: value for key, value in {**SPEC["combined"], **change}.items() if value is not None}
    with pytest.raises(InputError, match=message):
        parse_combination({**SPEC, "combined": combined}, "mixed")


def test_memories_of_another_node_are_refused():
    with pytest.raises(InputError, match="combines PEs of 7 nm with memories of 45 nm, must be of one node"):
        _combined(memory=load_table("horowitz_45nm"))


def test_gates_come_from_a_table_of_gates():
    with pytest.raises(InputError, match="takes gates from 'jouppi_7nm', which prices none"):
        _combined(gates=MEMORY)


def test_a_reference_that_was_not_synthesised_is_refused():
    spec = dataclasses.replace(parse_combination(SPEC, "mixed"), reference_pe="fp16_mac")
    with pytest.raises(InputError, match="pe in synthesis table 'test' is 'fp16_mac', which is not known"):
        combine("mixed", spec, synthesis=TABLE.synthesis, gates=GATES, memory=MEMORY)


def test_an_unknown_synthesis_is_refused_when_the_table_loads():
    text = """
description = "invented"
[combined]
synthesis = "nowhere"
gates = "gates_28nm"
memory = "jouppi_7nm"
[combined.reference]
pe = "int8_mac"
accumulator_bits = 32
full_adders = 1
ands = 1
xors = 0
multiplexers = 0
flip_flops = 0
"""
    with pytest.raises(InputError, match="synthesis table is 'nowhere', which is not known"):
        parse_table(text, "mixed")


def _combined(**changed):
    tables = {"synthesis": TABLE.synthesis, "gates": GATES, "memory": MEMORY, **changed}
    return combine("mixed", parse_combination(SPEC, "mixed"), **tables)
