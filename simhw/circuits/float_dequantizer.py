"""Dequantization after a group in floating point: the steps of ``simhw.gemm.datapath`` from group sum to running sum.

The zero point times the sum of activations is subtracted exactly; the difference becomes fp32, is multiplied by the
group's fp32 scale and added to the running sum, each rounded once to nearest even. The first group of a sum replaces
the running sum. The scale is that of the weights' group, or its product with that of the activations' group where they
have one, rounded to fp32 before it comes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simhw.circuits.base import Circuit, Codes, Port
from simhw.circuits.block_dot import add_scaled
from simhw.circuits.codes import to_code, to_signed
from simhw.circuits.float_mac import TOTAL
from simhw.circuits.float_sums import Integers, fp32_values
from simhw.circuits.mac_record import frame_circuit

if TYPE_CHECKING:
    from simhw.circuits.mac import FrameUpdate

ZERO_BITS = 4


def float_dequantizer(
    *, name: str, variant: str, source: str, group_bits: int, activation_bits: int, unit: int = 0
) -> Circuit:
    """Return the circuit of a dequantizer, one group's sum per clock.

    Args:
        name: of the module.
        variant: which structure.
        source: where the arithmetic comes from.
        group_bits: width of sum of q x, and of the difference, which wraps at it.
        activation_bits: width of sum of x.
        unit: exponent of the power of two that sums are in units of.
    """

    def next_total(codes: Codes, first: Integers, total: Integers) -> Integers:
        group_sum = to_signed(codes["group_sum"], group_bits)
        difference = group_sum - codes["zero"] * to_signed(codes["activation_sum"], activation_bits)
        held = to_signed(to_code(difference, group_bits), group_bits)
        # int64 to float32 rounds once, to nearest even; a power of two then changes the exponent alone.
        sums = np.ldexp(held.astype(np.float32), unit)
        return add_scaled(total, first, sums, fp32_values(codes["scale"]).astype(np.float32))

    def update() -> FrameUpdate:
        from simhw.circuits.float_dequantizer_update import scale_and_add

        return scale_and_add(unit)

    return frame_circuit(
        name=name,
        variant=variant,
        description="total + scale * (group_sum - zero * activation_sum): one bit heap, fp32 multiplier, fp32 adder",
        source=source,
        parameters={"group_bits": group_bits, "activation_bits": activation_bits, "unit": unit},
        operands=(
            Port(name="group_sum", bits=group_bits, meaning=f"sum of q x over a group, int{group_bits}"),
            Port(name="activation_sum", bits=activation_bits, meaning=f"sum of x, int{activation_bits}"),
            Port(name="zero", bits=ZERO_BITS, meaning=f"zero point of the group, uint{ZERO_BITS}"),
            Port(name="scale", bits=32, meaning="scale of the group, fp32"),
        ),
        forwarded=(),
        total=TOTAL,
        next_total=next_total,
        update=update,
    )
