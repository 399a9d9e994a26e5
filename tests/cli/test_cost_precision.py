"""``simhw cost``: operand widths, dequantizers and the vector unit, against counts written out here."""

import csv
import io
import math

import pytest

import simhw.cli

GEMM = "name,m,n,k\nffn,128,768,768\n"
FILL = 32 + 32 - 2
FOLDS = 4 * 24


@pytest.fixture
def cost(tmp_path, capsys):
    path = tmp_path / "layers.csv"
    path.write_text(GEMM)

    def run(*options, code=0):
        assert simhw.cli.main(["cost", "--gemms", str(path), *options]) == code
        captured = capsys.readouterr()
        return captured.err if code else next(csv.DictReader(io.StringIO(captured.out)))

    return run


@pytest.mark.parametrize(
    ("pe", "activation", "weight", "per_cycle"),
    [
        ("bitfusion", 8, 8, 1),
        ("bitfusion", 8, 4, 2),
        ("bitfusion", 4, 4, 4),
        ("bitfusion", 2, 2, 16),
        ("bitfusion", 16, 8, 0.5),
        ("bit_serial", 8, 8, 2),
        ("bit_serial", 3, 8, 16 / 3),
        ("mixpe_w4a8", 8, 4, 1),
        ("mixpe_w4a8", 8, 8, 0.5),
    ],
)
def test_throughput_follows_the_operands(cost, pe, activation, weight, per_cycle):
    row = cost("--pe", pe, "--activation-bits", str(activation), "--weight-bits", str(weight))
    lanes, passes = (per_cycle, 1) if per_cycle == int(per_cycle) else (16, 3) if per_cycle > 1 else (1, 1 / per_cycle)
    assert int(row["compute_cycles"]) == FOLDS * (math.ceil(768 / lanes) * passes + FILL)
    assert float(row["products_per_cycle"]) == per_cycle
    assert (row["activation_bits"], row["weight_bits"]) == (str(activation), str(weight))
    assert int(row["dram_weight_bits"]) == 768 * 768 * weight
    assert int(row["dram_activation_bits"]) == 128 * 768 * activation
    assert 0 < float(row["utilization"]) <= 1
    assert int(row["stall_cycles"]) == 0


@pytest.mark.parametrize("dataflow", ["output_stationary", "weight_stationary", "input_stationary"])
@pytest.mark.parametrize("options", [("bitfusion", "8", "4"), ("bit_serial", "3", "8")])
def test_lanes_and_memory_meet_in_every_dataflow(cost, dataflow, options):
    pe, activation, weight = options
    widths = ("--pe", pe, "--activation-bits", activation, "--weight-bits", weight, "--dataflow", dataflow)
    free, tight = (cost(*widths, *more) for more in ((), ("--bandwidth", "8", "--ofmap-kb", "8")))
    assert free["stall_cycles"] == "0"
    moved = sum(int(value) for name, value in tight.items() if name.startswith("dram_") and name.endswith("_bits"))
    assert int(tight["total_cycles"]) >= max(int(tight["compute_cycles"]), moved / (8 * int(activation)))


def test_scales_and_zero_points_cross_beside_the_codes(cost):
    row = cost("--pe", "mixpe_w4a8", "--group-size", "128", "--scale-bits", "16", "--zero-point-bits", "4")
    assert int(row["dram_weight_bits"]) == 768 * 768 * 4
    assert int(row["dram_scale_bits"]) == 768 * 6 * 16
    assert int(row["dram_zero_point_bits"]) == 768 * 6 * 4
    assert row["dram_activation_scale_bits"] == "0"
    assert cost("--pe", "mxfp4_dot")["dram_activation_scale_bits"] == str(128 * 24 * 8)


def test_fewer_dequantizers_stall(cost):
    grouped = ("--pe", "mixpe_w4a8", "--group-size", "32", "--scale-bits", "16")
    rows = [cost(*grouped, *more) for more in ((), *(("--dequantizers", n) for n in ("per_block", "32", "16", "1")))]
    assert [row["dequantizers"] for row in rows] == ["per_column", "per_block", "32", "16", "1"]
    stalls = [int(row["dequantize_stall_cycles"]) for row in rows]
    # 24 groups of 32 cycles; 16 dequantizers take 64 for each, and 31 more for the last
    assert stalls[:4] == [0, 0, 0, FOLDS * (23 * 32 + 31)]
    assert stalls[4] > stalls[3]
    assert all(int(row["stall_cycles"]) >= stall for row, stall in zip(rows, stalls, strict=True))
    operations = 128 * 768 * 24 + 128 * 768  # a scale for each group, one for each output
    assert {int(row["dequantize_operations"]) for row in rows} == {operations}
    assert {row["dequantization"] for row in rows} == {"after_group"}


def test_one_rule_before_in_and_after(cost):
    """Operations: each weight for every fold of rows; each product's weight; each output of a group."""
    first = ("--pe", "w4a8_dequantize_first", "--group-size", "128", "--scale-bits", "16")
    before, inside = cost(*first), cost(*first, "--dequantization", "in_pe")
    outputs = 128 * 768
    assert int(before["dequantize_operations"]) == 768 * 768 * 4 + outputs
    assert int(inside["dequantize_operations"]) == 128 * 768 * 768 + outputs
    assert (before["dequantizers"], inside["dequantizers"]) == ("per_column", "per_pe")
    held = cost(*first, "--dequantization", "in_pe", "--dataflow", "weight_stationary")
    assert int(held["dequantize_operations"]) == 768 * 768 + outputs
    slow = cost(*first, "--dequantizers", "8")  # a weight every four cycles
    assert int(slow["dequantize_stall_cycles"]) == FOLDS * 3 * 768
    assert cost()["dequantizers"] == "none"


def test_outputs_are_requantized(cost):
    plain, beside = (
        cost("--vector-lanes", "16", *more) for more in ((), ("--vector-overlap", "pipelined", "--overlap", "once"))
    )
    alone = cost()
    assert (alone["vector_cycles"], alone["vector_lanes"], alone["energy_vector_pj"]) == ("0", "none", "0.0")
    own = 128 * 768 // 16
    assert int(plain["vector_cycles"]) == own
    assert int(plain["total_cycles"]) == int(alone["total_cycles"]) + own
    assert int(beside["vector_cycles"]) == own // FOLDS  # one chunk of the faster stage
    assert (beside["vector_lanes"], beside["vector_overlap"]) == ("16", "pipelined")
    assert float(plain["energy_vector_pj"]) == pytest.approx(128 * 768 * (0.9 + 3.7))


def test_outputs_and_partial_sums_have_widths_of_their_own(cost):
    """Narrower partial sums leave room for longer tiles, which load weights less often."""
    small = ("--dataflow", "weight_stationary", "--ofmap-kb", "8", "--ifmap-kb", "8", "--bandwidth", "4")
    wide, narrow = cost(*small), cost(*small, "--output-bits", "16", "--accumulator-bits", "24")
    assert int(narrow["dram_output_bits"]) == 128 * 768 * 16 == 2 * int(wide["dram_output_bits"])
    assert (narrow["output_bits"], narrow["accumulator_bits"]) == ("16", "24")
    assert float(narrow["energy_accumulate_pj"]) < float(wide["energy_accumulate_pj"])
    fast = cost(*small, "--accumulator-bits", "16")
    assert int(fast["total_cycles"]) < int(wide["total_cycles"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--pe", "bitfusion", "--weight-bits", "5"), "operands have 8 x 5 bits, bitfusion executes 2 x 2"),
        (("--activation-bits", "4"), "operands have 4 x 8 bits, int8_mac executes 8 x 8"),
        (("--pe", "w4a8_dequantize_first", "--weight-bits", "8"), "w4a8_dequantize_first dequantizes uint4 weights"),
        (("--dequantizers", "4"), "dequantizers is 4, but int8_mac dequantizes after_accumulation"),
        (("--pe", "mixpe_w4a8", "--dequantizers", "64"), r"dequantizers is 64, must be 1..32"),
        (("--pe", "mixpe_w4a8", "--dequantizers", "0"), "dequantizers is 0, must be one of"),
        (("--pe", "mixpe_w4a8", "--dequantizers", "all"), "must be one of per_column, per_block, a number"),
        (("--dequantization", "in_pe"), "dequantization is 'in_pe', int8_mac does it after_accumulation"),
        (("--dequantization", "inside"), "dequantization is 'inside', must be one of none, "),
        (("--vector-lanes", "0"), "lanes of the vector unit is 0, must be an integer of at least 1"),
        (("--vector-overlap", "pipelined"), "vector overlap is 'pipelined', but no vector unit was given"),
        (("--vector-lanes", "4", "--vector-overlap", "x"), "vector overlap is 'x', must be one of none, pipelined"),
        (("--vector-lanes", "4", "--vector-overlap", "pipelined", "--overlap", "none"), "nothing happens at the same"),
        (("--activation-bits", "0"), "activation_bits is 0, must be an integer of at least 1"),
        (("--output-bits", "0"), "output_bits is 0, must be an integer of at least 1"),
        (("--accumulator-bits", "8"), "accumulator_bits is 8, must be 16..64"),
        (("--compat", "scalesim3", "--accumulator-bits", "24"), "--accumulator-bits was given together with --compat"),
        (("--compat", "scalesim3", "--vector-lanes", "4"), "--vector-lanes was given together with --compat scalesim3"),
        (("--compat", "scalesim3", "--dequantizers", "4"), "--dequantizers was given together with --compat scalesim3"),
    ],
)
def test_contradictions_are_refused(cost, options, message):
    assert message in cost(*options, code=2)
