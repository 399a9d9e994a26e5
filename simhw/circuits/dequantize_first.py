"""A dequantizer in front of an int8 multiply-accumulate: its result is what the weight register takes.

(weight - zero) x scale, with the fraction bits of the scale rounded off (a tie goes up: half is added, the rest falls
away) and the result saturated to int8. One subtractor, Booth rows of the 5-bit difference in a bit heap with the half,
one adder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from simhw.circuits.base import Circuit, Codes, Port, require_rtl
from simhw.circuits.codes import to_code, to_signed
from simhw.circuits.column_head import column_head
from simhw.circuits.integer_mac import Integer, IntegerStructure, integer_mac
from simhw.circuits.mac_record import ENABLE, FIRST, Integers
from simhw.errors import InputError

if TYPE_CHECKING:
    from simhw.circuits.dequantizing_mac import Dequantize
    from simhw.circuits.mac import Update

SCALE_BITS = 8
_INT8 = Integer(bits=8, signed=True)


def dequantize_first(
    *,
    name: str,
    variant: str,
    source: str,
    behavioural: bool,
    weight: Integer,
    fraction_bits: int,
    accumulator_bits: int,
) -> Circuit:
    """Return the circuit of an int8 MAC whose weights are dequantized on their way into its register.

    Raises:
        InputError: the accumulator or the fraction of the scale has a width that it cannot have.
    """
    if not 0 <= fraction_bits <= SCALE_BITS:
        raise InputError(f"fraction_bits is {fraction_bits}, must be 0..{SCALE_BITS}; the scale has {SCALE_BITS} bits")
    structure = IntegerStructure.MULTIPLIER if behavioural else IntegerStructure.CARRY_SAVE
    mac = integer_mac(
        name=name,
        variant=variant,
        source=source,
        structure=structure,
        activation=_INT8,
        weight=_INT8,
        accumulator_bits=accumulator_bits,
    )
    dequantize = _definition(weight, fraction_bits)

    def step(codes: Codes) -> dict[str, Integers]:
        return mac.step({**codes, "weight": dequantize(codes)})

    def build() -> Any:
        require_rtl()
        from simhw.circuits import integer_update
        from simhw.circuits.dequantizing_mac import DequantizingMac

        update: Update = (
            integer_update.multiply_then_add(activation_signed=True, weight_signed=True)
            if behavioural
            else integer_update.carry_save(activation_signed=True, weight_signed=True)
        )
        return DequantizingMac(
            operand_bits=_INT8.bits,
            weight_bits=weight.bits,
            total_bits=accumulator_bits,
            dequantize=_maker(weight, fraction_bits, behavioural=behavioural),
            update=update,
        )

    return Circuit(
        name=name,
        variant=variant,
        description=f"({weight.name} - zero) * scale, rounded and saturated to int8 into a register; {structure.value}",
        source=source,
        parameters={**mac.parameters, "weight": weight.name, "fraction_bits": fraction_bits},
        inputs=(
            mac.inputs[0],
            Port(name="weight", bits=weight.bits, meaning=weight.name),
            Port(name="scale", bits=SCALE_BITS, meaning=f"scale of the group, int8 / 2^{fraction_bits}"),
            Port(name="zero", bits=weight.bits, meaning=f"zero point of the group, {weight.name}"),
            FIRST,
            ENABLE,
        ),
        state=mac.state,
        outputs=mac.outputs,
        build=build,
        step=step,
    )


def head_to_int8(pe: Circuit, weight: Integer) -> Circuit:
    """Return the dequantizer of such a MAC alone, for the head of a column of int8 PEs."""
    fraction_bits = int(pe.parameters["fraction_bits"])
    return column_head(
        pe,
        bits=_INT8.bits,
        dequantize=_definition(weight, fraction_bits),
        maker=lambda: _maker(weight, fraction_bits, behavioural=pe.variant == "naive"),
    )


def _definition(weight: Integer, fraction_bits: int) -> Callable[[Codes], Integers]:
    def dequantize(codes: Codes) -> Integers:
        difference = weight.values(codes["weight"]) - weight.values(codes["zero"])
        product = difference * to_signed(codes["scale"], SCALE_BITS)
        rounded = (product + ((1 << fraction_bits) >> 1)) >> fraction_bits
        return to_code(np.clip(rounded, -128, 127), 8)

    return dequantize


def _maker(weight: Integer, fraction_bits: int, *, behavioural: bool) -> Dequantize:
    from simhw.circuits.dequantize_to_int8_update import dequantize_to_int8

    return dequantize_to_int8(weight_signed=weight.signed, fraction_bits=fraction_bits, behavioural=behavioural)
