"""Where dequantizing after the group pays, against dequantizing every weight first: operations and energy.

Three designs of one GEMM ``(m, k) x (k, n)`` with uint4 weights in groups of g and int8 activations:

* **first, kept**: every weight is dequantized once, k n operations, and kept at 8 bits; the array reads those.
* **first, at the edge**: weights stay at 4 bits and are dequantized whenever they enter the array, which an
  output-stationary array of R rows makes them do ceil(m / R) times.
* **after the group**: m n k / g group sums are scaled and corrected by their zero point (two multiplications), and m k
  activations are summed up for it. The scales are floats, or integers within a float per column.

Scale operations alone: after the group takes fewer than first, kept, while m < g; with the zero points' multiplications
while m < g / 2; fewer than first, at the edge, while m / ceil(m / R) < g, which is R < g for many tokens. Neither n nor
k decides. In energy the inner loop counts too: a 4-bit PE saves d per multiply-accumulate, so that with scale s, zero
point z and sum of activations a (shared by n columns), after the group pays for **every** m as soon as
g >= (s + z) / (d - a / n).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from simhw.arrays import Gemm, Grouping, dequantization_work
from simhw.costs import CostTable
from simhw.pes import get_pe
from simhw.pes.price import group_dequantizer_um2, group_sum_pj, price

FIRST, AFTER, INTEGER = "w4a8_dequantize_first", "mixpe_w4a8", "mixpe_w4a8_progressive"
"""The PEs: a weight dequantized to int8, float scales behind the group, integer scales behind the group."""
WEIGHT_KIB = 128
"""SRAM buffer of weights, as in MixPE's simulator."""
INT8_BITS = 32
"""Accumulator of the int8 multiplier."""
TOKENS = tuple(2**i for i in range(13))
GROUPS = (16, 32, 64, 128, 256, 512)
LARGEST_GROUP = 4096
SHAPES = ((128, 384), (4096, 4096), (4096, 11008))
"""(n, k): the layer of the comparison, and two of a language model of seven billion parameters (Llama 2 7B)."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """Operations and energy of one design.

    Attributes:
        scale_operations: weights or group sums scaled.
        zero_point_operations: multiplications by zero points beside them.
        dequantize_pj: all of dequantization, without the output's own scales.
        mac_pj: the PEs.
        weight_sram_pj: weights read by the array, and written where they are kept.
    """

    scale_operations: int
    zero_point_operations: int
    dequantize_pj: float
    mac_pj: float
    weight_sram_pj: float

    @property
    def total_pj(self) -> float:
        """Sum of the parts."""
        return self.dequantize_pj + self.mac_pj + self.weight_sram_pj


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """The three designs of one GEMM."""

    m: int
    n: int
    k: int
    group: int
    kept: Design
    edge: Design
    after: Design


def break_even(m: int, n: int, k: int, group: int, table: CostTable, *, rows: int = 32, name: str = AFTER) -> BreakEven:
    """Return operations and energies of the three designs on an array of ``rows`` rows.

    ``name`` is that of the PE that dequantizes after the group.
    """
    gemm = Gemm(m=m, n=n, k=k)
    streams = -(-m // rows)
    first, after = get_pe(FIRST), get_pe(name)
    sram = table.sram_pj_per_bit(WEIGHT_KIB, write=False)
    first_mac = gemm.macs * price(first, table, INT8_BITS).energy_pj

    def before(times: int) -> tuple[int, float]:
        grouping = Grouping(dequantization=first.dequantization, dequantizers=first.dequantizers)
        work = dequantization_work(gemm, grouping=grouping, weight_streams=times, columns=1)
        return work.weight_operations, work.weight_operations * table.total_energy_pj(
            first.dequantize_parts(group).weight
        )

    (once, once_pj), (often, often_pj) = before(1), before(streams)
    grouping = Grouping(dequantization=after.dequantization, dequantizers=after.dequantizers, group_size=group)
    work = dequantization_work(gemm, grouping=grouping, weight_streams=streams, activation_streams=1, columns=1)
    parts = after.dequantize_parts(group)
    after_pj = work.scale_operations * group_sum_pj(
        after, table, group
    ) + work.activation_sum_operations * table.total_energy_pj(parts.activation_sum)
    return BreakEven(
        m=m,
        n=n,
        k=k,
        group=group,
        kept=Design(
            scale_operations=once,
            zero_point_operations=0,
            dequantize_pj=once_pj,
            mac_pj=first_mac,
            weight_sram_pj=8 * n * k * (streams * sram + table.sram_pj_per_bit(WEIGHT_KIB, write=True)),
        ),
        edge=Design(
            scale_operations=often,
            zero_point_operations=0,
            dequantize_pj=often_pj,
            mac_pj=first_mac,
            weight_sram_pj=4 * n * k * streams * sram,
        ),
        after=Design(
            scale_operations=work.scale_operations,
            zero_point_operations=work.zero_point_operations,
            dequantize_pj=after_pj,
            mac_pj=gemm.macs * price(after, table, after.group_accumulator_bits(group)).energy_pj,
            weight_sram_pj=4 * n * k * streams * sram,
        ),
    )


def tokens_of_equal_dequantization(n: int, group: int, table: CostTable, name: str = AFTER) -> float:
    """Return the m at which dequantization after the group takes the energy of dequantizing every weight once."""
    first, parts = get_pe(FIRST).dequantize_parts(group), get_pe(name).dequantize_parts(group)
    per_group = group_sum_pj(get_pe(name), table, group) / group
    return table.total_energy_pj(first.weight) / (per_group + table.total_energy_pj(parts.activation_sum) / n)


def least_group(n: int, table: CostTable, name: str = AFTER) -> int | None:
    """Return the least power of two g from which the inner loop's saving exceeds all dequantization after the group.

    None: no group up to ``LARGEST_GROUP`` does.
    """
    first = price(get_pe(FIRST), table, INT8_BITS).energy_pj
    for group in (1 << i for i in range(1, LARGEST_GROUP.bit_length())):
        after = get_pe(name)
        parts = after.dequantize_parts(group)
        saved = first - price(after, table, after.group_accumulator_bits(group)).energy_pj
        per_mac = group_sum_pj(after, table, group) / group
        if per_mac + table.total_energy_pj(parts.activation_sum) / n <= saved:
            return group
    return None


@dataclass(frozen=True, kw_only=True)
class SharedArea:
    """Area of one PE with its share of an array's edge, by the array's rows."""

    rows: tuple[int, ...]
    after_um2: tuple[float, ...]
    first_um2: tuple[float, ...]
    int8_um2: float

    @property
    def least_rows(self) -> int | None:
        """Fewest rows at which the PE that dequantizes after the group is smaller than the int8 multiplier alone."""
        return next((r for r, a in zip(self.rows, self.after_um2, strict=True) if a < self.int8_um2), None)

    @property
    def least_rows_first(self) -> int | None:
        """Fewest rows at which it is smaller than the one that dequantizes first."""
        pairs = zip(self.rows, self.after_um2, self.first_um2, strict=True)
        return next((r for r, a, f in pairs if a < f), None)


def shared_area(
    table: CostTable, group: int, *, running_sums: bool, rows: tuple[int, ...], name: str = AFTER
) -> SharedArea:
    """Return areas per PE for square arrays of ``rows`` rows, with or without a register per PE for scaled sums.

    An output-stationary array needs that register where the dequantizer returns scaled sums to their PE; without it the
    sums wait in the output buffer.
    """
    from simhw.arrays.area import RUNNING_SUM

    first, after = get_pe(FIRST), get_pe(name)
    own = price(after, table, after.group_accumulator_bits(group)).area_um2
    parts = after.dequantize_parts(group)
    column = group_dequantizer_um2(after, table, group) + table.total_area_um2(parts.activation_sum)
    weight = table.total_area_um2(first.dequantize_parts(group).weight)
    first_own = price(first, table, INT8_BITS).area_um2
    register = table.area_um2(RUNNING_SUM) if running_sums else 0.0
    return SharedArea(
        rows=rows,
        after_um2=tuple(own + register + column / r for r in rows),
        first_um2=tuple(first_own + weight / r for r in rows),
        int8_um2=price(get_pe("int8_mac"), table, INT8_BITS).area_um2,
    )


def ratio_grid(n: int, k: int, table: CostTable, *, total: bool, name: str = AFTER) -> list[list[float]]:
    """Return energy after the group over first, kept: rows by ``GROUPS``, columns by ``TOKENS``."""

    def ratio(m: int, group: int) -> float:
        found = break_even(m, n, k, group, table, name=name)
        pair = (found.after, found.kept)
        above, below = (d.total_pj if total else d.dequantize_pj for d in pair)
        return above / below if below else math.inf

    return [[ratio(m, group) for m in TOKENS] for group in GROUPS]
