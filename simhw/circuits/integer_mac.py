"""Integer multiply-accumulate PEs: operands of any width and sign, in any of four structures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simhw.circuits.base import Circuit, Port, check_accumulator
from simhw.circuits.codes import to_code, to_signed
from simhw.circuits.mac_record import mac_circuit

if TYPE_CHECKING:
    from simhw.circuits.mac import Update


class IntegerStructure(Enum):
    """How product and accumulation are built; the value is the sentence that describes it."""

    CARRY_SAVE = "one AND per pair of bits, compressed together with the accumulator, one carry-propagate adder"
    """Shift-and-add for an unsigned weight, Baugh-Wooley for a signed one."""
    BOOTH = "weight recoded to radix 4, rows compressed together with the accumulator, one carry-propagate adder"
    """Half as many rows, each of which chooses among five multiples."""
    ADDERS = "gated and shifted activations, added by a tree of adders, and an adder for the accumulator"
    """Shift-and-add to the letter: every addition finishes its carries."""
    MULTIPLIER = "activation * weight + total, left to the synthesis tool"
    """Behavioural code."""


SIGNED_STRUCTURES = {
    "carry_save": IntegerStructure.CARRY_SAVE,
    "booth": IntegerStructure.BOOTH,
    "naive": IntegerStructure.MULTIPLIER,
}
"""Variants of PEs whose operands are both two's complement, by name, the default first."""


@dataclass(frozen=True, kw_only=True)
class Integer:
    """An operand: two's complement or unsigned, of some width."""

    bits: int
    signed: bool

    @property
    def name(self) -> str:
        """The name of the format."""
        return f"{'int' if self.signed else 'uint'}{self.bits}"

    def values(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what codes stand for."""
        return to_signed(codes, self.bits) if self.signed else codes


def integer_mac(
    *,
    name: str,
    variant: str,
    source: str,
    structure: IntegerStructure,
    activation: Integer,
    weight: Integer,
    accumulator_bits: int,
) -> Circuit:
    """Return the circuit of an integer PE, whose accumulator wraps at its width.

    Raises:
        InputError: the accumulator cannot hold one product, or is wider than a port may be.
    """
    least = activation.bits + weight.bits
    check_accumulator(accumulator_bits, least, f"a product of {activation.name} and {weight.name}")

    def next_total(
        activations: NDArray[np.int64], weights: NDArray[np.int64], first: NDArray[np.int64], total: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        product = activation.values(activations) * weight.values(weights)
        # Sums modulo 2^64 are the same modulo any smaller power of two.
        return to_code(np.where(first == 1, 0, total) + product, accumulator_bits)

    def update() -> Update:
        from simhw.circuits import integer_update

        signs = {"activation_signed": activation.signed, "weight_signed": weight.signed}
        match structure:
            case IntegerStructure.CARRY_SAVE:
                return integer_update.carry_save(**signs)
            case IntegerStructure.BOOTH:
                return integer_update.booth(**signs)
            case IntegerStructure.ADDERS:
                return integer_update.adders(**signs)
            case IntegerStructure.MULTIPLIER:
                return integer_update.multiply_then_add(**signs)

    return mac_circuit(
        name=name,
        variant=variant,
        description=structure.value,
        source=source,
        parameters={"activation": activation.name, "weight": weight.name, "accumulator_bits": accumulator_bits},
        activation=Port(name="activation", bits=activation.bits, meaning=activation.name),
        weight=Port(name="weight", bits=weight.bits, meaning=weight.name),
        total=Port(name="total", bits=accumulator_bits, meaning=f"sum, int{accumulator_bits}, wraps"),
        next_total=next_total,
        update=update,
    )
