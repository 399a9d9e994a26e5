"""How an array hands its results over to the vector unit: in how many parts, and what is left to work beside."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simhw.arrays.base import Gemm, Schedule
from simhw.arrays.vector_unit import VectorUnit
from simhw.costs import VectorWork


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """A GEMM whose results the vector unit takes over.

    Attributes:
        cycles: of the array that nothing runs beside yet; 0: there is no GEMM to run beside.
        tiles: in how many parts single results are handed over.
        rows: in how many parts whole rows of them are.
    """

    cycles: int = 0
    tiles: int = 1
    rows: int = 1

    def exposed_cycles(self, unit: VectorUnit, elements: int, work: VectorWork) -> int:
        """Return the cycles of a vector step that the array does not hide.

        A function of several passes needs whole rows, one of a single pass takes results as they come.
        """
        if not self.cycles:
            return unit.cycles(elements, work)
        chunks = self.tiles if work.passes == 1 else self.rows
        return unit.exposed_cycles(elements, work, array_cycles=self.cycles, chunks=chunks)

    def after(self, hidden: int) -> HandOver:
        """Return what is left when ``hidden`` cycles of a vector step have run beside the array."""
        return replace(self, cycles=self.cycles - hidden)


def hand_over(gemm: Gemm, found: Schedule) -> HandOver:
    """Return how the results of a GEMM come: a tile with every fold that ends a sum, rows when all their columns are
    done. Weight-stationary, every fold of columns sees all rows, so rows are done at the end of a product.
    """
    tiles = found.folds * found.dram_output_words // found.sram_output_writes
    held = {"output_stationary": found.rows, "input_stationary": found.columns}.get(found.dataflow, gemm.m)
    return HandOver(cycles=found.cycles, tiles=tiles, rows=gemm.batch * -(-gemm.m // held))
