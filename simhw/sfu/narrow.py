"""Any unit with narrow input and output: what enters is rounded to a format, and so is what leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simhw.formats import Overflow, get_element_format, round_to
from simhw.sfu.base import FloatArray, Parameters, SpecialFunctionUnit


@dataclass(frozen=True, kw_only=True)
class NarrowUnit(SpecialFunctionUnit):
    """A unit between two conversions to and from a narrow format.

    Attributes:
        inner: the unit between them; ``definition`` and ``kernel`` are its own.
        narrow_format: of what enters and what leaves; both saturate, minus infinity too.
    """

    inner: SpecialFunctionUnit
    narrow_format: str

    def apply(self, rows: FloatArray) -> FloatArray:
        """Return the function of ``(rows, k)`` float32 values, each rounded to the format before and after."""
        narrow = round_to(rows, self.narrow_format, infinite=Overflow.SATURATE)
        return round_to(self.inner.apply(narrow), self.narrow_format, infinite=Overflow.SATURATE)

    def loaded(self, parameters: Parameters) -> NarrowUnit:
        """Return this unit with a norm's parameters, which stay as they are: the formats are those of the values."""
        inner = self.inner.loaded(parameters)
        return replace(self, inner=inner, definition=inner.definition, kernel=inner.kernel)


def with_format(unit: SpecialFunctionUnit, name: str, joint: str) -> NarrowUnit:
    """Return a unit with an element format at its input and its output.

    Raises:
        InputError: the format is not known, or has blocks.
    """
    narrow = get_element_format(name).name
    fields = {field: getattr(unit, field) for field in SpecialFunctionUnit.__dataclass_fields__}
    made = NarrowUnit(**fields, inner=unit, narrow_format=narrow)
    return replace(
        made,
        name=f"{unit.name}{joint}{narrow}",
        description=f"{unit.description}; input and output in {narrow}",
        input_format=narrow,
        output_format=narrow,
        input_scale=None,
        output_scale=None,
    )
