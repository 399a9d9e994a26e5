"""What holds for every processing element, found by file name."""

import itertools
import subprocess
import sys

import pytest

from simhw.costs import Register, load_table, table_names
from simhw.errors import InputError
from simhw.formats import get_format
from simhw.pes import Dequantization, get_pe, pe_names

TABLES = [load_table(name) for name in table_names()]
EXPECTED = {
    "bf16_mac",
    "fp16_mac",
    "fp32_mac",
    "fp8_aligned",
    "fp8_mac",
    "int8_mac",
    "mixpe_w4a16",
    "mixpe_w4a8",
    "mxfp4_dot",
    "mxfp8_dot",
    "nvfp4_dot",
    "w4a16_dequantize_first",
    "w4a8_dequantize_first",
}


OTHER_REGISTERS = {
    "ant_flint4": 2 * (4 + 2),  # integer and shift
    "bit_serial": 16 * (1 + 8),  # 16 lanes of one activation bit and a weight
    "bit_serial_booth": 8 + 5,  # a term in place of the weight
    "bitfusion": 32 + 32,  # 16 slices of 2 bits of either operand
    "lut_dot": 4,  # one bit of four weights; activations lie in the shared table
    "olive_pair": 2 * (4 + 3),  # integer and shift
    "tender": 4 + 4 + 1,  # the shift travels with the activation
}
"""Registers of PEs that do not hold one code of each operand."""


def _bits(pe):
    return pe.group_accumulator_bits(pe.block_size or 128)


def test_all_are_found():
    assert set(pe_names()) >= EXPECTED


@pytest.mark.parametrize("name", pe_names())
def test_an_entry_is_complete(name):
    pe = get_pe(name)
    assert pe.name == name
    assert pe.description
    assert len(pe.source) > 5
    assert (pe.activation_format, pe.weight_format) in pe.products
    for activation, weight in pe.products:
        assert get_format(activation).name == activation
        assert pe.cycles_per_product(get_format(weight).bits, get_format(activation).bits) > 0
    if pe.stored_weight_format is not None:
        assert pe.dequantization is Dequantization.BEFORE_MULTIPLY
        assert pe.cycles_per_product(get_format(pe.stored_weight_format).bits) == 1
    assert pe.signals
    for signal in pe.signals:
        assert signal.bits >= 1
        assert len(signal.worst_case) >= len("-8..7")
    both = get_format(pe.activation_format).bits + get_format(pe.weight_format).bits
    assert pe.register_bits == OTHER_REGISTERS.get(name, both)


@pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
@pytest.mark.parametrize("name", pe_names())
def test_energy_and_area_are_the_sum_of_the_parts(name, table):
    pe = get_pe(name)
    bits = _bits(pe)
    registers = table.energy_pj(Register(bits=pe.register_bits))
    multiplier = sum(table.energy_pj(part) for part in pe.multiplier)
    assert pe.multiply_energy_pj(table) == pytest.approx(registers + multiplier, rel=1e-12)  # order of additions
    assert pe.accumulate_energy_pj(table, bits) == sum(table.energy_pj(p) for p in pe.accumulate_parts(bits))
    parts = (*pe.multiply_parts, *pe.accumulate_parts(bits))
    assert pe.area_um2(table, bits) >= sum(table.area_um2(part) for part in parts) > 0


@pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
def test_a_narrow_pe_costs_less_than_the_one_it_replaces(table):
    """The PE alone; what its dequantizer adds is the array's account."""
    order = ["mixpe_w4a8", "int8_mac", "fp16_mac", "fp32_mac"]
    for small, large in itertools.pairwise(order):
        one, other = get_pe(small), get_pe(large)
        assert one.area_um2(table, _bits(one)) < other.area_um2(table, _bits(other))
        assert one.multiply_energy_pj(table) < other.multiply_energy_pj(table)
        assert one.accumulate_energy_pj(table, _bits(one)) <= other.accumulate_energy_pj(table, _bits(other))


def test_a_wider_accumulator_costs_more():
    table, pe = load_table("horowitz_45nm"), get_pe("mixpe_w4a8")
    assert pe.accumulate_energy_pj(table, 32) > pe.accumulate_energy_pj(table, 20)
    assert pe.area_um2(table, 32) - pe.area_um2(table, 20) == pytest.approx(
        (137 - (67 + (137 - 67) * 4 / 16)) + 12 * 5.98
    )


@pytest.mark.parametrize(
    ("name", "weight_bits", "passes"),
    [
        ("mixpe_w4a8", 4, 1),
        ("mixpe_w4a8", 8, 2),
        ("mixpe_w4a16", 8, 2),
        ("w4a8_dequantize_first", 4, 1),
        ("w4a8_dequantize_first", 8, 1),
        ("int8_mac", 8, 1),
    ],
)
def test_passes(name, weight_bits, passes):
    assert get_pe(name).cycles_per_product(weight_bits) == passes


def test_widths_that_a_pe_lacks_are_refused():
    with pytest.raises(InputError, match="operands have 8 x 16 bits, mixpe_w4a8 executes 8 x 4, 8 x 8; choose another"):
        get_pe("mixpe_w4a8").cycles_per_product(16)


def test_unknown_pe_names_the_nearest():
    with pytest.raises(InputError, match="pe is 'mixpe_w4a9', which is not known; nearest: mixpe_w4a8"):
        get_pe("mixpe_w4a9")


def test_listing_imports_no_kernels():
    code = (
        "import sys; import simhw.arrays as arrays, simhw.costs as costs, simhw.pes as pes\n"
        "[pes.get_pe(name) for name in pes.pe_names()]\n"
        "[arrays.get_dataflow(name) for name in arrays.dataflow_names()]\n"
        "[costs.load_table(name) for name in costs.table_names()]\n"
        "print(sorted({'numba', 'torch'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
