"""The work of dequantization: one rule for every design, so that none of them gets it for free.

Where scales meet the numbers decides how many operations a GEMM ``(m, k) x (k, n)`` takes. With groups of
g along k (G = ceil(k / g) of them), an array of R rows, C columns:

=================== ================================================================================
before multiply     one per weight that enters the array: n k ceil(m / R) output-stationary, where weights
                    stream again for every row of folds; n k weight-stationary, where each is loaded once;
                    n k ceil(m / C) input-stationary, where columns hold rows of activations
in the PE           one per weight that a PE takes: m n k where weights stream past it (output- and
                    input-stationary), n k weight-stationary, where it holds the dequantized weight
after group         m n G scale multiplies, m n G zero-point multiply-adds, and m k additions for the sums of
                    activations, once for every time that an activation enters the array: m k ceil(n / C)
                    output- and weight-stationary, m k input-stationary
every design        m n for the scales of token and channel on the finished output
=================== ================================================================================

So dequantizing after the group takes fewer scale multiplies than before the multiplier while m < g, and more
beyond. All counts are of the whole batch.

How many dequantizers there are decides area and stalls (``simhw.arrays.stalls``), never the number of operations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simhw.arrays.base import Gemm, as_size, ceil_div
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

    @property
    def operations(self) -> int:
        """All of them."""
        return (
            self.weight_operations
            + self.scale_operations
            + self.zero_point_operations
            + self.activation_sum_operations
            + self.output_operations
        )

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
        dequantizers: how many dequantizers the array has: one per column or block, or a number of them, at most one
            per column, which neighbouring columns then share.
        group_size: length of a group along k, or None: one group is all of k.

    Raises:
        InputError: a number or a group size below 1, or dequantizers that are neither.
    """

    dequantization: Dequantization = Dequantization.NONE
    dequantizers: Dequantizers | int = Dequantizers.PER_COLUMN
    group_size: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.dequantizers, Dequantizers):
            _check_dequantizers(self.dequantizers)
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

    def share(self, lanes: int) -> int:
        """Return how many of ``lanes`` neighbouring lanes one dequantizer serves."""
        return 1 if isinstance(self.dequantizers, Dequantizers) else ceil_div(lanes, self.dequantizers)

    def check_columns(self, columns: int) -> None:
        """Refuse more dequantizers than an array has columns.

        Raises:
            InputError: there are more.
        """
        if isinstance(self.dequantizers, Dequantizers):
            return
        fewest = int(np.min(columns))
        if self.dequantizers > fewest:
            raise InputError(
                f"dequantizers is {self.dequantizers}, must be 1..{fewest}, at most one for each column; give fewer, "
                "or per_column or per_block"
            )

    @property
    def after_group(self) -> bool:
        """Whether sums leave the accumulators at the end of each group."""
        return self.dequantization is Dequantization.AFTER_GROUP


def _check_dequantizers(value: object) -> None:
    names = ", ".join(f"Dequantizers.{choice.name}" for choice in Dequantizers)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(
            f"dequantizers is {value!r}, must be one of {names} or an integer of at least 1; give how many there are"
        )


def dequantization_work(
    gemm: Gemm,
    *,
    grouping: Grouping,
    weight_streams: int,
    columns: int,
    zero_points: bool = True,
    activation_streams: int | None = None,
    held_weights: bool = False,
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
        held_weights: whether a PE keeps its weight (weight-stationary); matters where it dequantizes it itself.
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
        case Dequantization.IN_PE:
            weights = gemm.batch * gemm.k * gemm.n
            return DequantizationWork(
                weight_operations=weights if held_weights else weights * gemm.m, output_operations=outputs
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
