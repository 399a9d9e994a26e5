"""The record of a PE that sums products of a float and an integer weight exactly, in fixed point.

The accumulator counts in units of the activation format's least subnormal number. Infinities and NaN have no place in
it; two flags above the sum remember them: bit ``sum_bits`` is set by a +infinity, the one above it by a -infinity, both
by a NaN (so that +infinity and -infinity make NaN, in any order). Such a product leaves the sum below as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simhw.circuits.base import Circuit, Port
from simhw.circuits.codes import to_code, to_signed
from simhw.circuits.float_units import Integers, in_units
from simhw.circuits.mac_record import mac_circuit
from simhw.errors import InputError
from simhw.formats.floating import FloatFormat
from simhw.formats.integer import IntegerFormat

if TYPE_CHECKING:
    from simhw.circuits.mac import Update

FLAGS = 2
"""Bits above the sum."""
WIDEST_SUM = 61
"""A port has at most 63 bits, two are flags."""


def fixed_point_mac(
    *,
    name: str,
    variant: str,
    source: str,
    activation_format: FloatFormat,
    weight_format: IntegerFormat,
    sum_bits: int,
    parameters: dict[str, int | str],
) -> Circuit:
    """Return the circuit of a PE whose sum wraps at ``sum_bits``, which is wide enough for a group without wrapping.

    Raises:
        InputError: the sum is wider than a port may be.
    """
    if sum_bits > WIDEST_SUM:
        raise InputError(
            f"the group sum of {name} needs {sum_bits} bits, a register has at most {WIDEST_SUM} and two flags; "
            "choose a smaller group"
        )

    mask = (1 << sum_bits) - 1

    def next_total(activations: Integers, weights: Integers, first: Integers, total: Integers) -> Integers:
        old = np.where(first == 1, 0, total)
        units, special, not_number = in_units(activations, activation_format)
        factor = to_signed(weights, weight_format.bits) if weight_format.is_signed else weights
        added = to_code((old & mask) + np.where(special, 0, units * factor), sum_bits)
        undefined = not_number | (special & (factor == 0))
        positive = special & ((units < 0) == (factor < 0))
        flags = (undefined | positive) * 1 + (undefined | (special & ~positive)) * 2
        following: Integers = added | (old >> sum_bits | flags) << sum_bits
        return following

    def update() -> Update:
        from simhw.circuits.fixed_point_update import shift_into_sum

        return shift_into_sum(activation_format, weight_signed=weight_format.is_signed, sum_bits=sum_bits)

    unit = f"units of 2^{activation_format.lsb_exponent}"
    return mac_circuit(
        name=name,
        variant=variant,
        description=f"significand shifted and added, placed by its exponent into a fixed-point sum in {unit}",
        source=source,
        parameters=parameters,
        activation=Port(name="activation", bits=activation_format.bits, meaning=activation_format.name),
        weight=Port(name="weight", bits=weight_format.bits, meaning=weight_format.name),
        total=Port(
            name="total",
            bits=sum_bits + FLAGS,
            meaning=f"int{sum_bits} sum in {unit}, wraps; above it flags of +infinity and -infinity (both: NaN)",
        ),
        next_total=next_total,
        update=update,
    )
