"""Compute cycles and SRAM counts against rows recorded from scalesim 3.0.0 (beside the repository)."""

import csv
import os
from pathlib import Path

import pytest

from simhw.arrays import Gemm, Overlap, schedule

RECORDED = Path(__file__).parents[3] / "shared" / "golden" / "scalesim.csv"
DATAFLOWS = {"os": "output_stationary", "ws": "weight_stationary"}


@pytest.fixture(scope="module")
def rows():
    """Rows of the two dataflows with bandwidth as needed."""
    if not RECORDED.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{RECORDED} is missing, and CI must compare with it")
        pytest.skip(f"{RECORDED} is missing: recorded results of scalesim 3.0.0")
    with RECORDED.open(newline="") as file:
        return [
            row
            for row in csv.DictReader(file)
            if row["dataflow"] in DATAFLOWS and row["bw_mode"] == "CALC" and row["status"] == "ok"
        ]


def test_every_recorded_row_is_reproduced(rows):
    assert len(rows) > 150
    for row in rows:
        gemm = Gemm(m=int(row["M"]), n=int(row["N"]), k=int(row["K"]))
        height, width = int(row["array_rows"]), int(row["array_cols"])
        found = schedule(
            gemm,
            dataflow=DATAFLOWS[row["dataflow"]],
            rows=height,
            columns=width,
            overlap=Overlap.PER_FOLD,
        )
        assert found.compute_cycles == int(row["compute_cycles"]), row
        assert found.sram_activation_reads == int(row["sram_ifmap_reads"]), row
        assert found.sram_weight_reads == int(row["sram_filter_reads"]), row
        # scalesim counts rows + columns writes too many per output-stationary fold; its total is one low
        extra = found.folds * (height + width) if row["dataflow"] == "os" else 0
        assert found.sram_output_writes + extra == int(row["sram_ofmap_writes"]), row
        reported = 100 * gemm.macs / ((found.compute_cycles - 1) * height * width)
        assert reported == pytest.approx(float(row["overall_util_pct"]), abs=1e-6), row
