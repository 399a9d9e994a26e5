"""Energy and area: parts that circuits are counted in, and tables that price them in a technology."""

from simhw.costs.base import Confidence, CostTable, Entry, Quantity
from simhw.costs.combined import CombinedTable, WholePE
from simhw.costs.gate_library import GateLibrary, GatePrice
from simhw.costs.gates import GateCounts, count_all_gates, count_gates
from simhw.costs.loader import load_table, parse_table, table_names
from simhw.costs.parts import (
    BitwiseAnd,
    FloatAdd,
    FloatMultiply,
    IntegerAdd,
    IntegerMultiply,
    Part,
    Register,
    Shared,
    Shift,
)
from simhw.costs.vector_work import REQUANTIZATION, VectorWork

__all__ = [
    "REQUANTIZATION",
    "BitwiseAnd",
    "CombinedTable",
    "Confidence",
    "CostTable",
    "Entry",
    "FloatAdd",
    "FloatMultiply",
    "GateCounts",
    "GateLibrary",
    "GatePrice",
    "IntegerAdd",
    "IntegerMultiply",
    "Part",
    "Quantity",
    "Register",
    "Shared",
    "Shift",
    "VectorWork",
    "WholePE",
    "count_all_gates",
    "count_gates",
    "load_table",
    "parse_table",
    "table_names",
]
