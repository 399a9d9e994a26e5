"""Dequantization after a group without floating point: scale and zero point of the group are int8.

For each group, s (sum of q x) - s z (sum of x) is added to the output's sum, with the group's scale s and the product
-s z stored beside it, both int8. One float scale per channel follows once, outside. Two multipliers and an adder: all
their partial products and the old sum are one bit heap, as in the PEs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simhw.circuits.base import Circuit, Codes, Port
from simhw.circuits.codes import to_code, to_signed
from simhw.circuits.mac_record import Integers, frame_circuit

if TYPE_CHECKING:
    from simhw.circuits.mac import FrameUpdate

SCALE_BITS = 8


def integer_dequantizer(
    *, name: str, variant: str, source: str, behavioural: bool, group_bits: int, activation_bits: int, total_bits: int
) -> Circuit:
    """Return the circuit of an all-integer dequantizer, one group's sum per clock; its sum wraps at its width.

    Args:
        name: of the module.
        variant: which structure.
        source: where the arithmetic comes from.
        behavioural: leave multipliers and adders to synthesis.
        group_bits: width of sum of q x.
        activation_bits: width of sum of x.
        total_bits: width of the sum over groups.
    """
    bits = {
        "group_sum": group_bits,
        "activation_sum": activation_bits,
        "scale": SCALE_BITS,
        "scaled_zero": SCALE_BITS,
    }

    def next_total(codes: Codes, first: Integers, total: Integers) -> Integers:
        value = {port: to_signed(codes[port], width) for port, width in bits.items()}
        term = value["scale"] * value["group_sum"] + value["scaled_zero"] * value["activation_sum"]
        return to_code(np.where(first == 1, 0, total) + term, total_bits)

    def update() -> FrameUpdate:
        from simhw.circuits import integer_update

        return integer_update.two_products(fused=not behavioural)

    structure = (
        "left to the synthesis tool"
        if behavioural
        else "Booth rows of both products, compressed together with the accumulator, one carry-propagate adder"
    )
    return frame_circuit(
        name=name,
        variant=variant,
        description=f"total + scale * group_sum + scaled_zero * activation_sum, {structure}",
        source=source,
        parameters={"group_bits": group_bits, "activation_bits": activation_bits, "total_bits": total_bits},
        operands=(
            Port(name="group_sum", bits=group_bits, meaning=f"sum of q x over a group, int{group_bits}"),
            Port(name="activation_sum", bits=activation_bits, meaning=f"sum of x, int{activation_bits}"),
            Port(name="scale", bits=SCALE_BITS, meaning="scale s of the group, int8"),
            Port(name="scaled_zero", bits=SCALE_BITS, meaning="-s z, int8"),
        ),
        forwarded=(),
        total=Port(name="total", bits=total_bits, meaning=f"sum over groups, int{total_bits}, wraps"),
        next_total=next_total,
        update=update,
    )
