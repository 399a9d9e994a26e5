"""A dequantizer in front of an fp16 multiply-accumulate: its result is what the weight register takes.

scale x (weight - zero) with an fp16 scale, rounded once to fp16 and saturated, as
:func:`simhw.gemm.dequantize_first.dequantize_before_multiplier` has it. A NaN becomes the one with all bits set but the
sign.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from simhw.circuits.base import Circuit, Codes, Port, require_rtl
from simhw.circuits.column_head import column_head
from simhw.circuits.float_mac import exact_products, float_mac
from simhw.circuits.float_sums import Integers, values
from simhw.circuits.mac_record import ENABLE, FIRST
from simhw.formats import encode
from simhw.formats.catalog import FP16, FP32
from simhw.formats.integer import IntegerFormat

if TYPE_CHECKING:
    from simhw.circuits.dequantizing_mac import Dequantize

NAN_CODE = 0x7FFF


def dequantize_to_fp16(*, name: str, variant: str, source: str, weight_format: IntegerFormat) -> Circuit:
    """Return the circuit of an fp16 MAC whose weights are dequantized on their way into its register."""
    mac = float_mac(name=name, variant=variant, source=source, activation_format=FP16, weight_format=FP16)
    dequantize = _definition(weight_format)

    def step(codes: Codes) -> dict[str, Integers]:
        return mac.step({**codes, "weight": dequantize(codes)})

    def build() -> Any:
        require_rtl()
        from simhw.circuits.dequantizing_mac import DequantizingMac
        from simhw.circuits.float_update import multiply_floats

        return DequantizingMac(
            operand_bits=FP16.bits,
            weight_bits=weight_format.bits,
            total_bits=FP32.bits,
            dequantize=_maker(weight_format),
            update=multiply_floats(FP16, FP16),
        )

    return Circuit(
        name=name,
        variant=variant,
        description=f"scale * ({weight_format.name} - zero), rounded to fp16 into a register; {mac.description}",
        source=source,
        parameters={"weight": weight_format.name},
        inputs=(
            mac.inputs[0],
            Port(name="weight", bits=weight_format.bits, meaning=weight_format.name),
            Port(name="scale", bits=FP16.bits, meaning="scale of the group, fp16"),
            Port(name="zero", bits=weight_format.bits, meaning=f"zero point of the group, {weight_format.name}"),
            FIRST,
            ENABLE,
        ),
        state=mac.state,
        outputs=mac.outputs,
        build=build,
        step=step,
    )


def head_to_fp16(pe: Circuit, weight_format: IntegerFormat) -> Circuit:
    """Return the dequantizer of such a MAC alone, for the head of a column of fp16 PEs."""
    return column_head(pe, bits=FP16.bits, dequantize=_definition(weight_format), maker=lambda: _maker(weight_format))


def _definition(weight_format: IntegerFormat) -> Callable[[Codes], Integers]:
    def dequantize(codes: Codes) -> Integers:
        difference = values(codes["weight"], weight_format) - values(codes["zero"], weight_format)
        products = exact_products(difference, values(codes["scale"], FP16))
        return np.where(np.isnan(products), NAN_CODE, encode(products, FP16).astype(np.int64))

    return dequantize


def _maker(weight_format: IntegerFormat) -> Dequantize:
    from simhw.circuits.dequantize_to_fp16_update import dequantize_to_fp16 as dequantizer

    return dequantizer(weight_signed=weight_format.is_signed)
