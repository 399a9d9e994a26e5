"""simhw: bit-accurate emulation of int8, FP8, FP4 and MixPE datapaths, accuracy next to cycles and energy."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simhw.arrays import Gemm, schedule
    from simhw.cost_settings import CostSettings
    from simhw.errors import InputError
    from simhw.experiment import Experiment, run, run_experiment
    from simhw.explanation import explain
    from simhw.formats import decode, encode, quantize_blocks
    from simhw.gemm.matmul import matmul, plan
    from simhw.gemm.table_products import product_table, table_products
    from simhw.rows import Row
    from simhw.workload_table import workload_cost
    from simhw.workloads import load_shape

__all__ = [
    "CostSettings",
    "Experiment",
    "Gemm",
    "InputError",
    "Row",
    "decode",
    "encode",
    "explain",
    "load_shape",
    "matmul",
    "plan",
    "product_table",
    "quantize_blocks",
    "run",
    "run_experiment",
    "schedule",
    "table_products",
    "workload_cost",
]

_HOMES = {
    "Experiment": "simhw.experiment",
    "Gemm": "simhw.arrays",
    "CostSettings": "simhw.cost_settings",
    "InputError": "simhw.errors",
    "Row": "simhw.rows",
    "decode": "simhw.formats",
    "encode": "simhw.formats",
    "explain": "simhw.explanation",
    "load_shape": "simhw.workloads",
    "matmul": "simhw.gemm.matmul",
    "plan": "simhw.gemm.matmul",
    "product_table": "simhw.gemm.table_products",
    "quantize_blocks": "simhw.formats",
    "run": "simhw.experiment",
    "run_experiment": "simhw.experiment",
    "schedule": "simhw.arrays",
    "table_products": "simhw.gemm.table_products",
    "workload_cost": "simhw.workload_table",
}


def __getattr__(name: str) -> Any:
    """Import public names when they are first used, so that ``import simhw`` costs nothing."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'simhw' has no attribute {name!r}")
