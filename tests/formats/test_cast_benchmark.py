"""The benchmark of casts runs and reports every kernel that the README's table names."""

import importlib.util
import sys
from pathlib import Path

PATH = Path(__file__).parents[2] / "benchmarks" / "casts.py"


def test_every_row_is_measured(capsys):
    specification = importlib.util.spec_from_file_location("casts_benchmark", PATH)
    assert specification is not None
    assert specification.loader is not None
    casts = importlib.util.module_from_spec(specification)
    sys.modules["casts_benchmark"] = casts
    specification.loader.exec_module(casts)
    rows = casts.rows(elements=1 << 15, rounds=2)
    assert [row.kernel.split(" -> ")[1] for row in rows] == [*casts.CASTS, *casts.BLOCKS]
    for row in rows:
        assert row.elements_per_second > 0
        assert row.copy_ratio > 0
        assert row.goal in (0.25, 0.5)
        assert all(ratio > 0 for ratio in row.peer_ratios.values())
    assert {"torch to()", "ml_dtypes astype"} <= set(rows[0].peer_ratios)
    assert capsys.readouterr().out == ""
