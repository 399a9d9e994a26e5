"""The work of dequantization: one rule for every design, so that none of them gets it for free.

Where scales meet the numbers decides how many operations a GEMM ``(m, k) x (k, n)`` takes. With groups of
g along k (G = ceil(k / g) of them), an array of R rows, C columns:

=================== ================================================================================
before multiply     one per weight that enters the array: n k ceil(m / R) output-stationary, where weights
                    stream again for every row of folds; n k weight-stationary, where each is loaded once;
                    n k ceil(m / C) input-stationary, where columns hold rows of activations
after group         m n G scale multiplies, m n G zero-point multiply-adds, and m k additions for the sums of
                    activations, once for every time that an activation enters the array: m k ceil(n / C)
                    output- and weight-stationary, m k input-stationary
every design        m n for the scales of token and channel on the finished output
=================== ================================================================================

So dequantizing after the group takes fewer scale multiplies than before the multiplier while m < g, and more
beyond. All counts are of the whole batch.

**Stalls.** A dequantizer takes one value per cycle. Before the multiplier it sees one weight per column and
cycle, and on outputs one per column and cycle: it keeps up. After the group, weight-stationary, every
column hands down one sum per cycle: it keeps up too. After the group, output-stationary, R PEs of a column
finish a group in R consecutive cycles (row r one cycle after row r - 1, by the skew), and the column's
dequantizer takes R cycles for them. Row 0 finishes the next group its length of cycles later; where that is
sooner, the streams pause before it (a bubble that travels with the skew), so that a group of l cycles that
follows another one costs max(0, R - l) extra. The first group after an idle array follows none; a ragged last
group counts with its own, shorter length. Dequantizers of their own for each block never stall.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simhw.arrays.base import Gemm, Overlap, as_size, ceil_div, choose, larger
from simhw.costs import CostTable
from simhw.errors import InputError
from simhw.pes import Dequantization, DequantizationParts, Dequantizers, ProcessingElement
from simhw.pes.price import group_dequantizer, group_sum_pj


@dataclass(frozen=True, kw_only=True)
class DequantizationWork:
    """Operations of each kind; ``DequantizationParts`` has the parts of one of each.

    Attributes:
        weight_operations: weights dequantized before the multiplier.
        scale_operations: group sums scaled and added to their output.
        zero_point_operations: zero point times sum of activations, subtracted from a group sum.
        activation_sum_operations: additions that form the sums of activations.
        output_operations: finished outputs scaled.
    """

    weight_operations: int = 0
    scale_operations: int = 0
    zero_point_operations: int = 0
    activation_sum_operations: int = 0
    output_operations: int = 0

    def energy_pj(self, parts: DequantizationParts, table: CostTable) -> float:
        """Return the energy of all operations in picojoules."""
        return (
            self.weight_operations * table.total_energy_pj(parts.weight)
            + self.scale_operations * table.total_energy_pj(parts.scale)
            + self.zero_point_operations * table.total_energy_pj(parts.zero_point)
            + self.activation_sum_operations * table.total_energy_pj(parts.activation_sum)
            + self.output_operations * table.total_energy_pj(parts.output)
        )


def dequantization_energy_pj(
    work: DequantizationWork, pe: ProcessingElement, group_size: int, table: CostTable
) -> float:
    """Return the energy of all operations in picojoules, group sums by the synthesised dequantizer where there is one.

    That circuit corrects zero points too, so it takes its energy with or without them.
    """
    parts = pe.dequantize_parts(group_size)
    if group_dequantizer(pe, table) is None:
        return work.energy_pj(parts, table)
    rest = replace(work, scale_operations=0, zero_point_operations=0)
    return rest.energy_pj(parts, table) + work.scale_operations * group_sum_pj(pe, table, group_size)


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """How dequantization cuts a GEMM.

    Attributes:
        dequantization: where scales meet the numbers.
        dequantizers: how many dequantizers the array has.
        group_size: length of a group along k, or None: one group is all of k.
    """

    dequantization: Dequantization = Dequantization.NONE
    dequantizers: Dequantizers = Dequantizers.PER_COLUMN
    group_size: int | None = None

    def __post_init__(self) -> None:
        if self.group_size is not None:
            object.__setattr__(self, "group_size", as_size("group size", self.group_size))

    def lengths(self, k: int) -> tuple[int, int, int]:
        """Return the length of a whole group, how many there are before the last, and the length of the last.

        Raises:
            InputError: a group is longer than k.
        """
        if self.group_size is None:
            return k, 0, k
        if np.any(np.greater(self.group_size, k)):
            raise InputError(
                f"group size is {self.group_size}, must be 1..{np.min(k)}, the length of k; "
                "give a smaller group or leave it out"
            )
        whole = ceil_div(k, self.group_size) - 1
        return self.group_size, whole, k - whole * self.group_size

    @property
    def after_group(self) -> bool:
        """Whether sums leave the accumulators at the end of each group."""
        return self.dequantization is Dequantization.AFTER_GROUP


def dequantization_work(
    gemm: Gemm,
    *,
    grouping: Grouping,
    weight_streams: int,
    columns: int,
    zero_points: bool = True,
    activation_streams: int | None = None,
) -> DequantizationWork:
    """Return the dequantization operations of a GEMM.

    Args:
        gemm: sizes.
        grouping: where scales meet the numbers, and the groups along k.
        weight_streams: how often each weight enters the array (``Schedule.weight_streams``).
        columns: of the array.
        zero_points: False for symmetric weights, which need neither zero-point work nor sums of activations.
        activation_streams: how often each activation enters the array (``Schedule.activation_streams``);
            None: once per column fold, as where weights or outputs are stationary.
    """
    outputs = gemm.batch * gemm.m * gemm.n
    match grouping.dequantization:
        case Dequantization.NONE:
            return DequantizationWork()
        case Dequantization.AFTER_ACCUMULATION:
            return DequantizationWork(output_operations=outputs)
        case Dequantization.BEFORE_MULTIPLY:
            return DequantizationWork(
                weight_operations=gemm.batch * gemm.k * gemm.n * weight_streams, output_operations=outputs
            )
        case Dequantization.AFTER_GROUP:
            _, whole, _ = grouping.lengths(gemm.k)
            sums = outputs * (whole + 1)
            streams = ceil_div(gemm.n, columns) if activation_streams is None else activation_streams
            activations = gemm.batch * gemm.m * gemm.k * streams
            return DequantizationWork(
                scale_operations=sums,
                zero_point_operations=sums if zero_points else 0,
                activation_sum_operations=activations if zero_points else 0,
                output_operations=outputs,
            )


def output_stationary_stalls(
    gemm: Gemm, *, grouping: Grouping, rows: int, folds: int, passes: int, overlap: Overlap
) -> int:
    """Return the cycles that an output-stationary array waits for its dequantizers (derivation in the
    module).

    Args:
        gemm: sizes.
        grouping: where scales meet the numbers, and the groups along k.
        rows: of the array.
        folds: over the whole batch.
        passes: cycles of one multiply-accumulate.
        overlap: where folds follow each other without a gap, the first group of a fold follows the last of
        the
            fold before.
    """
    if not grouping.after_group or grouping.dequantizers is not Dequantizers.PER_COLUMN:
        return 0
    length, whole, last = grouping.lengths(gemm.k)
    waits_whole = larger(0, rows - length * passes)
    waits_last = larger(0, rows - last * passes)
    first = choose(whole > 0, waits_whole, waits_last)
    inside = whole * waits_whole + waits_last - first
    if overlap in (Overlap.NONE, Overlap.PER_FOLD):
        return folds * inside
    # A short double-buffered fold waits for its outputs anyway: that part is compute, not a stall.
    already = larger(0, rows - gemm.k * passes) if overlap is Overlap.DOUBLE_BUFFERED else 0
    return folds * inside + (folds - 1) * (first - already)
