"""The parts that every circuit of the machine is counted in.

A processing element, a dequantizer or a vector unit says *which parts it is made of*; a ``CostTable`` says
what one use of a part costs in one technology. So a circuit is described once and priced in any technology.

Significand widths include the hidden bit (fp16 has 11, bfloat16 8, fp32 24).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from simhw.errors import InputError


class _CountedPart:
    """Checks that every size of a part is a positive integer."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 1:
                raise InputError(
                    f"{type(self).__name__}.{field.name} is {value}, must be at least 1; "
                    "leave the part out where it is not needed"
                )


@dataclass(frozen=True, kw_only=True)
class IntegerMultiply(_CountedPart):
    """An integer multiplier of ``a_bits`` by ``b_bits``; the full product leaves it."""

    a_bits: int
    b_bits: int


@dataclass(frozen=True, kw_only=True)
class IntegerAdd(_CountedPart):
    """A carry-propagate adder or subtractor of ``bits``."""

    bits: int


@dataclass(frozen=True, kw_only=True)
class BitwiseAnd(_CountedPart):
    """A row of ``bits`` two-input gates, as selects one shifted addend by one bit of a weight."""

    bits: int


@dataclass(frozen=True, kw_only=True)
class FloatMultiply(_CountedPart):
    """A floating-point multiplier of two operands of one format."""

    exponent_bits: int
    significand_bits: int


@dataclass(frozen=True, kw_only=True)
class FloatAdd(_CountedPart):
    """A floating-point adder: align, add, normalise, round."""

    exponent_bits: int
    significand_bits: int


@dataclass(frozen=True, kw_only=True)
class Shift(_CountedPart):
    """A barrel shifter, ``bits`` wide, by any of ``positions`` distances; a constant shift is wiring."""

    bits: int
    positions: int


@dataclass(frozen=True, kw_only=True)
class Register(_CountedPart):
    """``bits`` flip-flops that take a new value."""

    bits: int


@dataclass(frozen=True, kw_only=True)
class Shared(_CountedPart):
    """One ``part`` that ``lanes`` multiply-accumulate lanes share: each of them bears 1 / ``lanes`` of it."""

    part: Part
    lanes: int


Part = IntegerMultiply | IntegerAdd | BitwiseAnd | FloatMultiply | FloatAdd | Shift | Register | Shared
