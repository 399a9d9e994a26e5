"""The machine of a run: the array, its buffers, the vector unit, and the conventions of its cycles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from simhw.arrays import Overlap, VectorOverlap, VectorUnit, check_overlaps
from simhw.arrays.static_power import CLOCK_MHZ, StaticPower, check_clock, static_power
from simhw.costs import CostTable, load_table
from simhw.pes import ProcessingElement


class Quantizers(Enum):
    """Who quantizes the activations of a GEMM; the energy is the same."""

    PORT = "port"
    """A quantizer at the port of the activation buffer, which keeps up with it: no cycles."""
    VECTOR_UNIT = "vector_unit"
    """The vector unit, as any other function."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The array and what stands around it.

    Attributes:
        rows, columns: of the PE array.
        dataflow: entry name (see ``simhw list dataflows``).
        overlap: convention for fill, drain and loads.
        technology: energy and area table (see ``simhw list technologies``).
        dram: kind of DRAM; None: the technology's default.
        clock_mhz: of the array, for what leaks and stands by meanwhile.
        activation_kib, weight_kib, output_kib: SRAM buffers; the defaults are those of the MixPE artifact.
        lanes_per_column: lanes of the vector unit per array column; each takes one element per cycle and pass.
        vector_overlap: whether vector steps run while the array computes.
        quantizers: who quantizes the activations of a GEMM.

    Raises:
        InputError: the overlaps of array and vector unit contradict each other, or the clock is not positive.
    """

    rows: int = 32
    columns: int = 32
    dataflow: str = "output_stationary"
    overlap: Overlap = Overlap.PER_FOLD
    technology: str = "horowitz_45nm"
    dram: str | None = None
    clock_mhz: float = CLOCK_MHZ
    activation_kib: int = 256
    weight_kib: int = 128
    output_kib: int = 128
    lanes_per_column: int = 4
    vector_overlap: VectorOverlap = VectorOverlap.NONE
    quantizers: Quantizers = Quantizers.PORT

    def __post_init__(self) -> None:
        check_overlaps(self.overlap, self.vector_overlap)
        check_clock(self.clock_mhz)

    @property
    def overlap_name(self) -> str:
        """The conventions of all cycles as one text: that of the array, and what departs from a plain vector unit."""
        parts = [self.overlap.value]
        if self.vector_overlap is not VectorOverlap.NONE:
            parts.append(f"vector unit {self.vector_overlap.value}")
        if self.quantizers is not Quantizers.PORT:
            parts.append("quantization on the vector unit")
        return ", ".join(parts)

    @cached_property
    def vector_unit(self) -> VectorUnit:
        """The vector unit beside the array."""
        return VectorUnit(lanes=self.lanes_per_column * self.columns, overlap=self.vector_overlap)

    @cached_property
    def table(self) -> CostTable:
        """The technology's table."""
        return load_table(self.technology)

    def static_power(self, pe: ProcessingElement, accumulator_bits: int) -> StaticPower:
        """Return the power that an array of ``pe`` and its DRAM take whether they compute or wait.

        Raises:
            InputError: nobody prices that kind of DRAM.
        """
        return static_power(
            pe,
            self.table,
            rows=self.rows,
            columns=self.columns,
            accumulator_bits=accumulator_bits,
            dram=self.dram,
        )
