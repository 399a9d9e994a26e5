"""Dequantization work counted one operation at a time, and what it costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.arrays import DequantizationWork, Gemm, Grouping, array_area, dataflow_names, dequantization_work, schedule
from simhw.costs import FloatMultiply, IntegerAdd, Register, load_table
from simhw.errors import InputError
from simhw.pes import Dequantization, DequantizationParts, Dequantizers, get_pe, pe_names

SIZE = st.integers(1, 12)
ARRAY = st.integers(1, 5)


def _blocks(size, step):
    return [range(start, min(start + step, size)) for start in range(0, size, step)]


def _by_hand(gemm, rows, columns, group, dataflow, dequantization, zero_points):
    """Walk over the folds as the array does and count what the dequantizers see."""
    counts = dict.fromkeys(("weight", "scale", "zero_point", "activation_sum", "output"), 0)
    if dequantization is Dequantization.NONE:
        return counts
    for _ in range(gemm.batch):
        if dequantization is Dequantization.BEFORE_MULTIPLY:
            width = {"output_stationary": rows, "input_stationary": columns}.get(dataflow, gemm.m)
            row_folds = _blocks(gemm.m, width)
            for _ in row_folds:
                for _ in range(gemm.k):
                    counts["weight"] += gemm.n
        if dequantization is Dequantization.IN_PE:
            for _ in range(1 if dataflow == "weight_stationary" else gemm.m):  # each PE sees each weight of its own
                counts["weight"] += gemm.k * gemm.n
        for column_fold in _blocks(gemm.n, gemm.n if dataflow == "input_stationary" else columns):
            for _ in range(gemm.m):
                if dequantization is Dequantization.AFTER_GROUP:
                    for part in _blocks(gemm.k, group):
                        counts["activation_sum"] += len(part) if zero_points else 0
                        counts["scale"] += len(column_fold)
                        counts["zero_point"] += len(column_fold) if zero_points else 0
                counts["output"] += len(column_fold)
    return counts


@given(
    m=SIZE,
    n=SIZE,
    k=SIZE,
    batch=st.integers(1, 3),
    rows=ARRAY,
    columns=ARRAY,
    dataflow=st.sampled_from(dataflow_names()),
    dequantization=st.sampled_from(Dequantization),
    zero_points=st.booleans(),
    data=st.data(),
)
def test_every_operation_is_counted(m, n, k, batch, rows, columns, dataflow, dequantization, zero_points, data):
    group = data.draw(st.integers(1, k), label="group")
    gemm = Gemm(m=m, n=n, k=k, batch=batch)
    found = schedule(gemm, dataflow=dataflow, rows=rows, columns=columns, dequantization=dequantization)
    work = dequantization_work(
        gemm,
        grouping=Grouping(dequantization=dequantization, group_size=group),
        weight_streams=found.weight_streams,
        columns=columns,
        zero_points=zero_points,
        activation_streams=found.activation_streams,
        held_weights=dataflow == "weight_stationary",
    )
    expected = _by_hand(gemm, rows, columns, group, dataflow, dequantization, zero_points)
    assert work == DequantizationWork(**{f"{kind}_operations": count for kind, count in expected.items()})


def test_dequantizing_after_the_group_pays_below_g_tokens():
    """m n k / g scale multiplies against k n: fewer below m = g, as many at m = g, more beyond."""
    for tokens, fewer in ((1, True), (127, True), (128, False), (512, False)):
        gemm = Gemm(m=tokens, n=64, k=256)
        before, after = (
            dequantization_work(
                gemm, grouping=Grouping(dequantization=where, group_size=128), weight_streams=1, columns=32
            )
            for where in (Dequantization.BEFORE_MULTIPLY, Dequantization.AFTER_GROUP)
        )
        assert before.weight_operations == 64 * 256
        assert (after.scale_operations < before.weight_operations) is fewer
        assert after.scale_operations == tokens * 64 * 2


def test_energy_is_operations_times_parts():
    table = load_table("horowitz_45nm")
    multiply, add = FloatMultiply(exponent_bits=8, significand_bits=24), IntegerAdd(bits=32)
    parts = DequantizationParts(scale=(multiply, add), output=(multiply,))
    work = DequantizationWork(scale_operations=10, output_operations=3, activation_sum_operations=7)
    assert work.energy_pj(parts, table) == pytest.approx(10 * (3.7 + 0.1) + 3 * 3.7)


@pytest.mark.parametrize("name", pe_names())
def test_a_pe_has_parts_for_the_work_that_its_place_of_dequantization_makes(name):
    pe = get_pe(name)
    parts = pe.dequantize_parts(pe.block_size or 128)
    assert bool(parts.weight) == (pe.dequantization is Dequantization.BEFORE_MULTIPLY)
    assert bool(parts.scale) == (pe.dequantization is Dequantization.AFTER_GROUP)
    assert (pe.dequantization is Dequantization.NONE) <= (parts == DequantizationParts())


def test_area_counts_columns_rows_and_running_sums():
    table, pe = load_table("horowitz_45nm"), get_pe("mixpe_w4a8")
    sizes = {"rows": 8, "columns": 4, "accumulator_bits": 20, "group_size": 128}
    found = array_area(pe, table, dataflow="output_stationary", **sizes)
    parts = pe.dequantize_parts(128)
    assert found.pes_um2 == 32 * pe.area_um2(table, 20)
    assert found.dequantizers_um2 == pytest.approx(
        4 * table.total_area_um2((*parts.scale, *parts.zero_point)) + 8 * table.total_area_um2(parts.activation_sum)
    )
    assert found.running_sums_um2 == 32 * table.area_um2(Register(bits=32))
    assert found.total_um2 == found.pes_um2 + found.dequantizers_um2 + found.running_sums_um2
    assert array_area(pe, table, dataflow="weight_stationary", **sizes).running_sums_um2 == 0


def test_a_block_owns_its_dequantizer():
    table, pe = load_table("horowitz_45nm"), get_pe("mxfp4_dot")
    assert pe.dequantizers is Dequantizers.PER_BLOCK
    found = array_area(pe, table, dataflow="output_stationary", rows=8, columns=4, accumulator_bits=14, group_size=32)
    assert (found.dequantizers_um2, found.running_sums_um2) == (0, 0)
    own = table.total_area_um2((*pe.multiply_parts, *pe.accumulate_parts(14)))
    scale = table.total_area_um2(pe.dequantize_parts(32).scale)
    assert found.pes_um2 == pytest.approx(32 * (own + scale / 32))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "rows is 0, must be an integer of at least 1"),
        ({"group_size": 0}, "group size is 0, must be an integer of at least 1"),
        ({"accumulator_bits": 7}, r"accumulator_bits is 7, must be 12\.\.64"),
        ({"dataflow": "row_stationary"}, "dataflow is 'row_stationary', which is not known"),
    ],
)
def test_impossible_areas_are_refused(options, message):
    arguments = {
        "dataflow": "output_stationary",
        "rows": 4,
        "columns": 4,
        "accumulator_bits": 20,
        "group_size": 128,
        **options,
    }
    with pytest.raises(InputError, match=message):
        array_area(get_pe("mixpe_w4a8"), load_table("jouppi_7nm"), **arguments)
