"""The record of the E2M1 multiply-accumulate PE: an integer accumulator in units of 1/4 that wraps at its width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simhw.circuits.base import Circuit, Port, check_accumulator
from simhw.circuits.codes import to_code
from simhw.circuits.float_units import Integers, in_units
from simhw.circuits.mac_record import mac_circuit
from simhw.formats.catalog import E2M1

if TYPE_CHECKING:
    from simhw.circuits.mac import Update

LEAST_BITS = 9
"""144 with a sign."""


def quarters(activations: Integers, weights: Integers) -> Integers:
    """Return exact products of E2M1 codes in units of 1/4."""
    return in_units(activations, E2M1)[0] * in_units(weights, E2M1)[0]


def fp4_mac(*, name: str, variant: str, source: str, accumulator_bits: int) -> Circuit:
    """Return the circuit.

    Raises:
        InputError: the accumulator cannot hold one product, or is wider than a port may be.
    """
    check_accumulator(accumulator_bits, LEAST_BITS, "a product of two e2m1")

    def next_total(activations: Integers, weights: Integers, first: Integers, total: Integers) -> Integers:
        return to_code(np.where(first == 1, 0, total) + quarters(activations, weights), accumulator_bits)

    def update() -> Update:
        from simhw.circuits.fp4_update import accumulate_quarters

        return accumulate_quarters

    return mac_circuit(
        name=name,
        variant=variant,
        description="2 x 2-bit significand product, shifted by both exponents, one carry-propagate adder",
        source=source,
        parameters={"accumulator_bits": accumulator_bits},
        activation=Port(name="activation", bits=E2M1.bits, meaning=E2M1.name),
        weight=Port(name="weight", bits=E2M1.bits, meaning=E2M1.name),
        total=Port(name="total", bits=accumulator_bits, meaning=f"int{accumulator_bits} sum in units of 1/4, wraps"),
        next_total=next_total,
        update=update,
    )
