"""Area of an array: its PEs, and what its rows and columns share for dequantization.

Where sums leave the PEs at the end of each group, somebody keeps the running sum of the scaled ones. In an
output-stationary array that is one fp32 register per PE, and it is counted here: the integer accumulator
of such a PE is narrow because a second one exists. Weight-stationary arrays keep partial sums in the
output buffer anyway, and a block dot product unit has its fp32 sum among its own parts. Finished outputs
are scaled by the vector unit, one operation per output for every design; its area is not the array's.
"""

from __future__ import annotations

from dataclasses import dataclass

from simhw.arrays.base import check_positive
from simhw.arrays.dataflow import get_dataflow
from simhw.costs import CostTable, Register
from simhw.pes import Dequantization, Dequantizers, ProcessingElement
from simhw.pes.price import group_dequantizer_um2, price

RUNNING_SUM = Register(bits=32)
"""fp32."""


@dataclass(frozen=True, kw_only=True)
class ArrayArea:
    """Area by part, in square micrometres.

    Attributes:
        pes_um2: the PEs (a block's own dequantizer counts with them).
        dequantizers_um2: one dequantizer per column; one adder for sums of activations per row.
        running_sums_um2: registers for sums of scaled groups.
    """

    pes_um2: float
    dequantizers_um2: float
    running_sums_um2: float

    @property
    def total_um2(self) -> float:
        """Sum of the parts."""
        return self.pes_um2 + self.dequantizers_um2 + self.running_sums_um2


def array_area(
    pe: ProcessingElement,
    table: CostTable,
    *,
    dataflow: str,
    rows: int,
    columns: int,
    accumulator_bits: int,
    group_size: int,
) -> ArrayArea:
    """Return the area of ``rows`` x ``columns`` PEs with their dequantizers, for groups of ``group_size``.

    Raises:
        InputError: an unknown dataflow, a size below 1, or an accumulator that cannot hold one product.
    """
    get_dataflow(dataflow)
    for what, value in (("rows", rows), ("columns", columns), ("group size", group_size)):
        check_positive(what, value)
    parts = pe.dequantize_parts(group_size)
    in_columns = pe.dequantizers is Dequantizers.PER_COLUMN
    per_column_um2 = table.total_area_um2(parts.weight)
    per_column_um2 += (
        group_dequantizer_um2(pe, table, group_size) if in_columns else table.total_area_um2(parts.zero_point)
    )
    leaves_pe = in_columns and pe.dequantization is Dequantization.AFTER_GROUP
    running_sums = rows * columns if leaves_pe and dataflow == "output_stationary" else 0
    return ArrayArea(
        pes_um2=rows * columns * price(pe, table, accumulator_bits).area_um2,
        dequantizers_um2=columns * per_column_um2 + rows * table.total_area_um2(parts.activation_sum),
        running_sums_um2=running_sums * table.area_um2(RUNNING_SUM),
    )
