"""Block formats: elements that share a scale, as in OCP MX and NVFP4."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from simhw.errors import InputError
from simhw.formats.element import ElementFormat, power_of_two
from simhw.formats.floating import FloatFormat
from simhw.formats.rounding import ScaleRule


@dataclass(frozen=True, kw_only=True)
class BlockFormat:
    """``value = element * scale * tensor_scale``, with one scale per ``block_size`` neighbours on an axis.

    Attributes:
        name: catalogue name, or the name that :func:`simhw.formats.block_format` gave it.
        element: format of the elements.
        scale: format of the scale of each block.
        block_size: elements per scale; the last block of a row may be shorter.
        has_tensor_scale: whether one float32 scale multiplies the whole tensor as well (NVFP4).
        scale_rule: how the scale follows from the block's largest magnitude unless the caller chooses.
        scale_minimum_exponent: AMAX scales are at least two to this; None: the smallest positive one.
        source: where the format is defined.
    """

    name: str
    element: ElementFormat
    scale: FloatFormat
    block_size: int
    source: str
    has_tensor_scale: bool = False
    scale_rule: ScaleRule = ScaleRule.FLOOR
    scale_minimum_exponent: int | None = None

    def __post_init__(self) -> None:
        if self.block_size < 1:
            raise InputError(f"block_size of {self.name} is {self.block_size}, must be at least 1")
        if self.element.max_value <= 0:
            raise InputError(f"element of {self.name} has no positive value; take another format")
        for part in (self.element, self.scale):
            if part.significand_bits > 26 or part.max_integer.bit_length() > 300 or part.lsb_exponent < -300:
                raise InputError(
                    f"{part.name} in {self.name} has {part.significand_bits} significant bits from "
                    f"2**{part.lsb_exponent} on, must have at most 26, from 2**-300 on"
                )

    @property
    def smallest_scale(self) -> Fraction:
        """Lower bound of AMAX scales: never zero, because elements are divided by the scale."""
        if self.scale_minimum_exponent is not None:
            return power_of_two(self.scale_minimum_exponent)
        has_smaller = self.scale.has_zero and self.scale.has_subnormals
        return power_of_two(self.scale.lsb_exponent) if has_smaller else self.scale.smallest_normal

    @property
    def bits_per_element(self) -> float:
        """Storage per element with the share of its scale, tensor scale not counted."""
        return self.element.bits + self.scale.bits / self.block_size
