"""Whole networks on int8 codes: no floating-point operation between the codes of the input and those of the logits.

A network in float32 with calibration data becomes an ``IntegerNetwork``: weights, biases, multipliers and shifts as
integers, computed once. It then runs on integers alone, as a microcontroller or an NPU without a floating-point unit.
"""

from __future__ import annotations

from simhw.integers.build import build_network
from simhw.integers.network import IntegerNetwork, Quantity
from simhw.integers.scaling import INTEGER_RULES

__all__ = ["INTEGER_RULES", "IntegerNetwork", "Quantity", "build_network"]
