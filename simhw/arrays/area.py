"""Area of an array: its PEs, and the dequantizers that its columns share."""

from __future__ import annotations

from dataclasses import dataclass

from simhw.arrays.base import check_positive
from simhw.costs import CostTable
from simhw.pes import Dequantizers, ProcessingElement


@dataclass(frozen=True, kw_only=True)
class ArrayArea:
    """Area by part, in square micrometres (a block's own dequantizer counts with the PEs)."""

    pes_um2: float
    dequantizers_um2: float

    @property
    def total_um2(self) -> float:
        """Sum of the parts."""
        return self.pes_um2 + self.dequantizers_um2


def array_area_um2(
    pe: ProcessingElement,
    table: CostTable,
    *,
    rows: int,
    columns: int,
    accumulator_bits: int,
    group_size: int,
) -> ArrayArea:
    """Return the area of ``rows`` x ``columns`` PEs and of one dequantizer per column, where the PE needs
    any.

    Raises:
        InputError: a size below 1, or an accumulator that cannot hold one product.
    """
    for what, value in (("rows", rows), ("columns", columns), ("group size", group_size)):
        check_positive(what, value)
    parts = pe.dequantize_parts(group_size)
    shared = parts.output if pe.dequantizers is Dequantizers.PER_BLOCK else parts.all()
    return ArrayArea(
        pes_um2=rows * columns * pe.area_um2(table, accumulator_bits),
        dequantizers_um2=columns * table.total_area_um2(shared),
    )
