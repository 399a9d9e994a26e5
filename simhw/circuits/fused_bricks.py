"""Bit Fusion's unit: 16 bricks of 2 x 2 bits, a tree that shifts by the widths of the operands, an accumulator.

Slices of 2 bits lie side by side in the operand registers, product after product, each product's operands lowest slice
first: a mode with operands of a and w bits uses 64 / w bits of activations and 64 / a bits of weights.

A brick has a number of four bits, two for its place along the activation (u, v) and two along the weight (u, v). Of
two place bits an 8-bit operand uses both to number its slices, a 4-bit operand the lower one (v), a 2-bit operand
none; place bits that number no slice number the product. So the tree adds along v with a shift of 2 where 4 or 8 bits
are fused, along u with a shift of 4 where 8 are, and without a shift where neighbours belong to other products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simhw.circuits.base import Circuit, Codes, Port, check_accumulator
from simhw.circuits.codes import to_code, to_signed
from simhw.circuits.mac_record import Integers, frame_circuit

if TYPE_CHECKING:
    from simhw.circuits.mac import FrameUpdate

REGISTER_BITS = 32
WIDTH_BITS = (2, 4, 8, 8)
"""Operand width by mode code."""


def fused_products(codes: Codes) -> Integers:
    """Return the sum of the products that the unit makes in one clock, by the mode of each vector."""
    total = np.zeros_like(codes["activation"])
    for a_mode, a_bits in enumerate(WIDTH_BITS):
        for w_mode, w_bits in enumerate(WIDTH_BITS):
            chosen = (codes["activation_mode"] == a_mode) & (codes["weight_mode"] == w_mode)
            products = sum(
                _element(codes, "activation", a_bits, product) * _element(codes, "weight", w_bits, product)
                for product in range(64 // (a_bits * w_bits))
            )
            total = np.where(chosen, products, total)
    return total


def _element(codes: Codes, operand: str, bits: int, product: int) -> Integers:
    code = codes[operand] >> (product * bits) & ((1 << bits) - 1)
    return np.where(codes[f"{operand}_signed"] == 1, to_signed(code, bits), code)


def fused_bricks(*, name: str, variant: str, source: str, accumulator_bits: int) -> Circuit:
    """Return the circuit of a fusion unit; its accumulator wraps at its width.

    Args:
        name: of the module.
        variant: which structure.
        source: where the structure comes from.
        accumulator_bits: width of the accumulator.

    Raises:
        InputError: the accumulator cannot hold one product, or is wider than a port may be.
    """
    check_accumulator(accumulator_bits, 2 * max(WIDTH_BITS), "a product of int8 and int8")

    def next_total(codes: Codes, first: Integers, total: Integers) -> Integers:
        return to_code(np.where(first == 1, 0, total) + fused_products(codes), accumulator_bits)

    def update() -> FrameUpdate:
        from simhw.circuits.fused_bricks_update import fuse

        return fuse

    return frame_circuit(
        name=name,
        variant=variant,
        description="16 multipliers of 3 x 3 bits, four levels of adders with shifts by mode, accumulator",
        source=source,
        parameters={"accumulator_bits": accumulator_bits},
        operands=(
            Port(name="activation", bits=REGISTER_BITS, meaning="activations side by side, 2, 4 or 8 bits each"),
            Port(name="weight", bits=REGISTER_BITS, meaning="weights side by side, 2, 4 or 8 bits each"),
            Port(name="activation_mode", bits=2, meaning="width of activations: 0 2 bits, 1 4 bits, 2 and 3 8 bits"),
            Port(name="weight_mode", bits=2, meaning="width of weights, likewise"),
            Port(name="activation_signed", bits=1, meaning="activations are two's complement"),
            Port(name="weight_signed", bits=1, meaning="weights are two's complement"),
        ),
        forwarded=("activation", "weight"),
        total=Port(name="total", bits=accumulator_bits, meaning=f"sum, int{accumulator_bits}, wraps"),
        next_total=next_total,
        update=update,
    )
