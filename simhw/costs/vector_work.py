"""Float operations of a function that is applied element by element or row by row: softmax, norms, activations."""

from __future__ import annotations

from dataclasses import dataclass

from simhw.costs.base import CostTable
from simhw.costs.parts import FloatAdd, FloatMultiply

_ADD = FloatAdd(exponent_bits=8, significand_bits=24)
_MULTIPLY = FloatMultiply(exponent_bits=8, significand_bits=24)


@dataclass(frozen=True, kw_only=True)
class VectorWork:
    """Work of a vector step.

    Attributes:
        adds, multiplies: float32 operations per element of its largest operand (divisions, roots as multiplications).
        passes: how often an element goes through the pipelined vector unit.
    """

    adds: float = 0.0
    multiplies: float = 0.0
    passes: int = 1

    @property
    def operations(self) -> float:
        """Operations per element."""
        return self.adds + self.multiplies

    def energy_pj(self, table: CostTable) -> float:
        """Return the energy per element in picojoules."""
        return self.adds * table.energy_pj(_ADD) + self.multiplies * table.energy_pj(_MULTIPLY)


REQUANTIZATION = VectorWork(adds=1, multiplies=1)
"""Per activation: compare for the largest magnitude, multiply by the reciprocal scale."""
