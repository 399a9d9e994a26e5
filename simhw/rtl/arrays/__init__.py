"""Systolic arrays as circuits: wiring around PEs, the streams that feed them, and their comparison with the emulator.

>>> array = systolic_array("int8_mac", rows=2, columns=2)
>>> [port.name for port in array.circuit.outputs]
['sum_0', 'valid_0', 'sum_1', 'valid_1']
"""

from __future__ import annotations

from simhw.rtl.arrays.base import SystolicArray
from simhw.rtl.arrays.bench import run_gemms
from simhw.rtl.arrays.catalog import Dequantizer, dataflows, systolic_array
from simhw.rtl.arrays.check import ShapeReport, check_array, predicted_cycles, random_problem, random_shapes
from simhw.rtl.arrays.feeds import Problem

__all__ = [
    "Dequantizer",
    "Problem",
    "ShapeReport",
    "SystolicArray",
    "check_array",
    "dataflows",
    "predicted_cycles",
    "random_problem",
    "random_shapes",
    "run_gemms",
    "systolic_array",
]
