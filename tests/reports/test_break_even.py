"""Where dequantizing after the group pays, against counts and energies written out here."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.arrays import array_area
from simhw.costs import IntegerAdd, IntegerMultiply, load_table
from simhw.pes import get_pe
from simhw.reports.break_even import (
    AFTER,
    GROUPS,
    INTEGER,
    TOKENS,
    break_even,
    least_group,
    ratio_grid,
    shared_area,
    tokens_of_equal_dequantization,
)

TABLES = [load_table(name) for name in ("gates_28nm", "horowitz_45nm")]
GATES = TABLES[0]
sizes = st.integers(1, 300)


@given(m=sizes, n=sizes, k=sizes, group=sizes, rows=st.integers(1, 64))
def test_operations(m, n, k, group, rows):
    """k n weights once, or once for every fold of rows; m n group sums, each scaled and corrected."""
    group = min(group, k)
    found = break_even(m, n, k, group, GATES, rows=rows)
    assert found.kept.scale_operations == k * n
    assert found.edge.scale_operations == k * n * math.ceil(m / rows)
    assert found.after.scale_operations == found.after.zero_point_operations == m * n * math.ceil(k / group)


@given(m=st.integers(1, 1024), n=sizes, groups=st.integers(1, 8), group=st.sampled_from([16, 32, 64, 128]))
def test_scale_operations_cross_where_tokens_equal_the_group(m, n, groups, group):
    found = break_even(m, n, groups * group, group, GATES)
    assert (found.after.scale_operations < found.kept.scale_operations) == (m < group)
    assert (2 * found.after.scale_operations < found.kept.scale_operations) == (2 * m < group)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_energy_by_hand(table):
    """m = 3, n = 5, k = 256, g = 128: 1,280 weights, 30 group sums, 768 activations."""
    found = break_even(3, 5, 256, 128, table)
    weight = table.total_energy_pj((IntegerAdd(bits=5), IntegerMultiply(a_bits=5, b_bits=8), IntegerAdd(bits=13)))
    parts = get_pe("mixpe_w4a8").dequantize_parts(128)
    after = 30 * table.total_energy_pj((*parts.scale, *parts.zero_point))
    after += 768 * table.total_energy_pj(parts.activation_sum)
    assert found.kept.dequantize_pj == found.edge.dequantize_pj == pytest.approx(1280 * weight)
    assert found.after.dequantize_pj == pytest.approx(after)
    int8, mixpe = get_pe("int8_mac"), get_pe("mixpe_w4a8")
    for design, pe, bits in ((found.kept, int8, 32), (found.edge, int8, 32), (found.after, mixpe, 20)):
        mac = pe.multiply_energy_pj(table) + pe.accumulate_energy_pj(table, bits)
        assert design.mac_pj == pytest.approx(3 * 5 * 256 * mac)
    bit, written = (table.sram_pj_per_bit(128, write=write) for write in (False, True))
    assert found.after.weight_sram_pj == found.edge.weight_sram_pj == pytest.approx(1280 * 4 * bit)
    assert found.kept.weight_sram_pj == pytest.approx(1280 * 8 * (bit + written))
    assert found.after.total_pj == found.after.dequantize_pj + found.after.mac_pj + found.after.weight_sram_pj


@pytest.mark.parametrize("name", [AFTER, INTEGER])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@given(n=st.integers(1, 5000), group=st.sampled_from(GROUPS))
def test_dequantization_takes_equal_energy_at_the_tokens_said(table, n, group, name):
    """Both are linear in tokens: below the break-even after the group takes less, above it more."""
    tokens = tokens_of_equal_dequantization(n, group, table, name)
    below, above = (
        break_even(m, n, 2 * group, group, table, name=name)
        for m in (max(1, math.floor(tokens)), math.ceil(tokens) + 1)
    )
    assert tokens < 1 or below.after.dequantize_pj <= below.kept.dequantize_pj * (1 + 1e-9)
    assert above.after.dequantize_pj > above.kept.dequantize_pj


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("n", [8, 128, 4096])
@pytest.mark.parametrize("name", [AFTER, INTEGER])
def test_from_the_least_group_on_it_pays_for_any_tokens(table, n, name):
    """PEs and dequantization alone, without the weights' memory: at a million tokens nothing else is left."""
    least = least_group(n, table, name)
    assert least is not None
    many = 1_000_000

    def pays(group):
        found = break_even(many, n, group, group, table, name=name)
        return found.after.dequantize_pj + found.after.mac_pj <= found.kept.dequantize_pj + found.kept.mac_pj

    assert pays(least)
    assert not pays(least // 2)


def test_the_map_has_the_ratios_of_its_axes():
    grid = ratio_grid(64, 1024, GATES, total=False)
    assert (len(grid), {len(line) for line in grid}) == (len(GROUPS), {len(TOKENS)})
    found = break_even(TOKENS[3], 64, 1024, GROUPS[1], GATES)
    assert grid[1][3] == found.after.dequantize_pj / found.kept.dequantize_pj
    total = ratio_grid(64, 1024, GATES, total=True)
    assert total[1][3] == found.after.total_pj / found.kept.total_pj


@pytest.mark.parametrize("rows", [4, 32, 128])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_areas_are_those_of_whole_arrays(rows, table):
    """A square array's area over its PEs, output-stationary with and weight-stationary without a register per PE."""
    for dataflow, running_sums in (("output_stationary", True), ("weight_stationary", False)):
        found = shared_area(table, 128, running_sums=running_sums, rows=(rows,))
        for name, bits, area in (("mixpe_w4a8", 20, found.after_um2), ("w4a8_dequantize_first", 32, found.first_um2)):
            whole = array_area(
                get_pe(name),
                table,
                dataflow=dataflow,
                rows=rows,
                columns=rows,
                accumulator_bits=bits,
                group_size=128,
            )
            assert area[0] == pytest.approx(whole.total_um2 / rows**2)


def test_fewest_rows_are_the_first_below_each_level():
    found = shared_area(GATES, 128, running_sums=False, rows=(4, 8, 16, 32, 64, 128))
    assert found.least_rows == 32
    assert found.after_um2[2] > found.int8_um2 > found.after_um2[3]
    none = shared_area(GATES, 128, running_sums=False, rows=(4,))
    assert (none.least_rows, none.least_rows_first) == (None, None)
