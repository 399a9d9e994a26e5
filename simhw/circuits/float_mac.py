"""Records of PEs with an fp32 accumulator: exact product, one rounding per addition, in the order of k.

A new sum starts from +0, to which the first product is added like all others: a chain of fused multiply-adds, as in
:class:`simhw.accumulators.Ieee`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simhw.circuits.base import Circuit, Port
from simhw.circuits.float_sums import Doubles, Integers, add_to_fp32, values
from simhw.circuits.mac_record import mac_circuit
from simhw.formats.element import ElementFormat
from simhw.formats.floating import FloatFormat
from simhw.formats.integer import IntegerFormat

if TYPE_CHECKING:
    from simhw.circuits.mac import Update

TOTAL = Port(name="total", bits=32, meaning="sum, fp32")


def float_mac(
    *, name: str, variant: str, source: str, activation_format: FloatFormat, weight_format: FloatFormat | IntegerFormat
) -> Circuit:
    """Return the circuit of a PE that adds products with a floating-point activation to an fp32 sum."""

    def update() -> Update:
        from simhw.circuits import float_update

        if isinstance(weight_format, IntegerFormat):
            return float_update.multiply_float_by_integer(activation_format, weight_signed=weight_format.is_signed)
        return float_update.multiply_floats(activation_format, weight_format)

    product = "significands multiplied in carry-save form"
    if isinstance(weight_format, IntegerFormat):
        product = "significand shifted and added in carry-save form"
    return fp32_mac_circuit(
        name=name,
        variant=variant,
        description=f"{product}, product normalised, one-path fp32 adder, one rounding to nearest even",
        source=source,
        parameters={},
        activation=_operand("activation", activation_format),
        weight=_operand("weight", weight_format),
        products=lambda activations, weights: exact_products(
            values(activations, activation_format), values(weights, weight_format)
        ),
        update=update,
    )


def fp32_mac_circuit(
    *,
    name: str,
    variant: str,
    description: str,
    source: str,
    parameters: Mapping[str, int | str],
    activation: Port,
    weight: Port,
    products: Callable[[Integers, Integers], Doubles],
    update: Callable[[], Update],
) -> Circuit:
    """Return the circuit of a PE in the frame with an fp32 total; ``products`` are its exact products by codes."""

    def next_total(activations: Integers, weights: Integers, first: Integers, total: Integers) -> Integers:
        return add_to_fp32(np.where(first == 1, 0, total), products(activations, weights))

    return mac_circuit(
        name=name,
        variant=variant,
        description=description,
        source=source,
        parameters=parameters,
        activation=activation,
        weight=weight,
        total=TOTAL,
        next_total=next_total,
        update=update,
    )


def exact_products(activations: Doubles, weights: Doubles) -> NDArray[np.float64]:
    """Return products, exact in float64 for significands that share 53 bits and exponents that share 11."""
    with np.errstate(invalid="ignore"):
        return activations * weights


def _operand(role: str, fmt: ElementFormat) -> Port:
    return Port(name=role, bits=fmt.bits, meaning=fmt.name)
