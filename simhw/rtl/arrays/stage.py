"""Dequantization at the foot of a column, and how the sums of a PE fit into it."""

from __future__ import annotations

from dataclasses import dataclass

from simhw.circuits import Circuit, Port
from simhw.circuits.float_dequantizer import float_dequantizer
from simhw.circuits.group_dequantizer import integer_dequantizer
from simhw.errors import InputError
from simhw.formats.catalog import FP16
from simhw.pes.base import signed_bits
from simhw.rtl.arrays.base import sum_bits, total_port, widths

_FROM_WITHIN = frozenset({"group_sum", "activation_sum", "first", "enable"})
"""Inputs of a dequantizer that come from within the array; the others are scales and zero points."""
RUNNING_BITS = 32
"""Of the all-integer form's sum over groups."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A dequantizer behind a PE.

    Attributes:
        name: of the form, part of the array's name.
        dequantizer: its circuit, one group's sum per clock.
        one: code of the weight 1, which makes a PE sum activations.
        sum_bits: low bits of a PE's total that are the sum (flags may stand above).
        group_size: most products of a group, for which registers are wide enough.
        linear: whether parts of a group may be dequantized one by one, because nothing is rounded.
    """

    name: str
    dequantizer: Circuit
    one: int
    sum_bits: int
    group_size: int
    linear: bool

    @property
    def scales(self) -> tuple[Port, ...]:
        """Ports that carry scales and zero points."""
        return tuple(port for port in self.dequantizer.inputs if port.name not in _FROM_WITHIN)

    @property
    def group_bits(self) -> int:
        """Width at which the dequantizer takes a group's sum."""
        return widths(self.dequantizer)["group_sum"]

    @property
    def activation_bits(self) -> int:
        """Width at which it takes a sum of activations."""
        return widths(self.dequantizer)["activation_sum"]

    @property
    def result(self) -> Port:
        """The running sum."""
        return total_port(self.dequantizer)


def integer_stage(pe: Circuit, group_size: int) -> Stage:
    """Return the all-integer dequantizer behind ``mixpe_w4a8``: scale and scaled zero point are int8.

    Behind a PE whose multiplier is left to synthesis, those of the dequantizer are too.

    Raises:
        InputError: the PE sums no integers.
    """
    bits = _integer_sum(pe)
    return Stage(
        name="integer_dequantizer",
        dequantizer=integer_dequantizer(
            name=f"{pe.name}_integer_dequantizer",
            variant="integer_dequantizer",
            source="progressive group quantization of QServe, arXiv 2405.04532",
            behavioural=pe.variant == "multiplier",
            group_bits=bits,
            activation_bits=_activation_bits(group_size),
            total_bits=RUNNING_BITS,
        ),
        one=1,
        sum_bits=bits,
        group_size=group_size,
        linear=True,
    )


def float_stage(pe: Circuit, group_size: int) -> Stage:
    """Return the dequantizer with fp32 scales behind ``mixpe_w4a8`` or the fixed-point ``mixpe_w4a16``.

    A sum of uint4 x fp16 does not leave room for the zero point, so the dequantizer subtracts it one bit wider.

    Raises:
        InputError: the PE sums neither integers nor fixed point.
    """
    if pe.name == "mixpe_w4a16":
        bits = sum_bits(pe)
        group_bits, activation_bits, unit = bits + 1, bits, FP16.lsb_exponent
    else:
        bits = group_bits = _integer_sum(pe)
        activation_bits, unit = _activation_bits(group_size), 0
    return Stage(
        name="float_dequantizer",
        dequantizer=float_dequantizer(
            name=f"{pe.name}_float_dequantizer",
            variant="float_dequantizer",
            source="MixPE, arXiv 2411.16158",
            group_bits=group_bits,
            activation_bits=activation_bits,
            unit=unit,
        ),
        one=1,
        sum_bits=bits,
        group_size=group_size,
        linear=False,
    )


def _integer_sum(pe: Circuit) -> int:
    if not pe.name.startswith("mixpe_w4a8"):
        raise InputError(
            f"{pe.name} has no dequantizer of this form behind it; choose mixpe_w4a8 (integer or float scales) or "
            "mixpe_w4a16 (float scales)"
        )
    return total_port(pe).bits


def _activation_bits(group_size: int) -> int:
    return signed_bits(-128 * group_size, 127 * group_size)
