"""A layer on an array with memories: the array's schedule and the tiling that its buffers and DRAM force on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from simhw.arrays import Gemm, Overlap, Schedule, get_dataflow, schedule
from simhw.arrays.base import check_positive
from simhw.arrays.convolution import Convolution, Window
from simhw.errors import InputError
from simhw.memory import Memory, Precision, TileProblem, Tiling, best_tiling
from simhw.pes import Dequantization, Dequantizers


@dataclass(frozen=True, kw_only=True)
class ArraySettings:
    """The array; fields as the arguments of ``simhw.arrays.schedule``."""

    dataflow: str = "output_stationary"
    rows: int = 32
    columns: int = 32
    overlap: Overlap = Overlap.PER_FOLD
    passes: int = 1
    lanes: int = 1
    activation_stays: bool = False
    dequantization: Dequantization = Dequantization.NONE
    dequantizers: Dequantizers | int = Dequantizers.PER_COLUMN
    group_size: int | None = None

    def schedule(self, gemm: Gemm) -> Schedule:
        """Return what the array alone takes for ``gemm``; a group longer than k is one group."""
        group = self.group_size
        return schedule(
            gemm,
            dataflow=self.dataflow,
            rows=self.rows,
            columns=self.columns,
            overlap=self.overlap,
            passes=self.passes,
            lanes=self.lanes,
            activation_stays=self.activation_stays,
            dequantization=self.dequantization,
            dequantizers=self.dequantizers,
            group_size=None if group is None else _smaller(group, gemm.k),
        )


@dataclass(frozen=True, kw_only=True)
class LayerPlan:
    """What a layer takes.

    Attributes:
        gemm: sizes.
        schedule: the array with operands always at hand.
        tiling: what memory makes of it.
        total_cycles: of the layer.
        utilization: share of PE cycles that do work, 0..1.
    """

    gemm: Gemm
    schedule: Schedule
    tiling: Tiling
    total_cycles: int
    utilization: float

    @property
    def stall_cycles(self) -> int:
        """Cycles beyond the array's own: waiting for dequantizers, buffers and DRAM, and folds cut into tiles."""
        return self.total_cycles - self.schedule.compute_cycles


@lru_cache(maxsize=65536)
def plan_layer(
    layer: Gemm | Convolution,
    array: ArraySettings,
    precision: Precision = Precision(),  # noqa: B008
    memory: Memory = Memory(),  # noqa: B008
) -> LayerPlan:
    """Return the best plan of a layer; equal layers are planned once.

    A tile is scheduled by the array's closed form. In a tile that is one fold of the array, the stream may be
    cut at no cost: its pieces follow each other. Where a buffer delivers less per cycle than the array takes, the
    whole array advances at the pace of that buffer.

    Raises:
        InputError: unknown names, sizes below 1, buffers that do not hold the smallest tile, or counts beyond int64.
    """
    get_dataflow(array.dataflow)
    check_positive("rows", array.rows)
    check_positive("columns", array.columns)
    gemm = layer.gemm if isinstance(layer, Convolution) else layer
    alone = array.schedule(gemm)
    pace = _pace(array, precision, memory)
    problem = TileProblem(
        m=gemm.m,
        n=gemm.n,
        k=gemm.k,
        batch=gemm.batch,
        **_geometry(array, gemm),
        stream_cycles=lambda length: pace * _stream_cycles(array, length),
        cycles=lambda m, n, k: _tile_cycles(array, pace, m, n, k),
        fill_cycles=pace * alone.cycles - gemm.batch * int(_tile_cycles(array, pace, [gemm.m], gemm.n, gemm.k)[0]),
        words=_window_words(layer.window) if isinstance(layer, Convolution) else _all_words,
    )
    tiling = best_tiling(problem, precision, memory)
    pe_cycles = tiling.cycles * array.rows * array.columns
    if pe_cycles >= 2**63:
        raise InputError(
            f"{gemm} takes {tiling.cycles} cycles with these memories, counts end at 2**63; split the GEMM"
        )
    return LayerPlan(
        gemm=gemm,
        schedule=alone,
        tiling=tiling,
        total_cycles=tiling.cycles,
        utilization=gemm.macs * array.passes / (pe_cycles * array.lanes),
    )


def _geometry(array: ArraySettings, gemm: Gemm) -> dict[str, Any]:
    """Return the smallest tile, the stream's direction, and how k may be cut."""
    rows, columns = array.rows, array.columns
    group = array.group_size if array.dequantization is Dequantization.AFTER_GROUP else None
    if array.dataflow == "output_stationary":
        word = min(array.lanes, gemm.k)
        return {"least": (min(gemm.m, rows), min(gemm.n, columns), word), "stream": 2, "group": group, "chain": None}
    held = min(
        max(1, rows // array.passes) * array.lanes, gemm.k if group is None else min(group, gemm.k)
    )  # of k, in the rows
    along_k = held if group is None or group % held == 0 else min(group, gemm.k)
    common = {"group": group, "chain": held}
    if array.dataflow == "weight_stationary":
        return {"least": (1, min(gemm.n, columns), along_k), "stream": 0, **common}
    return {"least": (min(gemm.m, columns), 1, along_k), "stream": 1, **common}


def _stream_cycles(array: ArraySettings, length: Any) -> Any:
    """Return the cycles in which ``length`` elements stream past a fold: along k in words of the PE's lanes."""
    if array.dataflow != "output_stationary":
        return length
    group = array.group_size if array.dequantization is Dequantization.AFTER_GROUP else None
    whole, rest = (0, length) if group is None else (length // group, length % group)
    words = whole * -(-(group or 0) // array.lanes) + -(-rest // array.lanes)
    return words * array.passes


def _tile_cycles(array: ArraySettings, pace: int, m: Any, n: Any, k: Any) -> Any:
    """Return the cycles of a tile that follows another one."""
    one, two = (array.schedule(Gemm.many(m=m, n=n, k=k, batch=batch)).cycles for batch in (1, 2))
    return pace * (two - one)


def port_bits(array: ArraySettings, precision: Precision) -> tuple[int, int, int]:
    """Return the bits of a word for the whole array: of activations, of weights, of outputs or partial sums."""
    rows, columns = array.rows, array.columns
    lanes, passes = array.lanes, array.passes
    activation, weight = precision.activation_bits * lanes, precision.weight_bits * lanes
    if array.activation_stays:
        activation = -(-activation // passes)
    if array.dataflow == "output_stationary":  # a weight stays for all passes
        weight = -(-weight // passes)
    partial = columns * max(precision.accumulator_bits, precision.output_bits)
    match array.dataflow:
        case "output_stationary":
            return rows * activation, columns * weight, columns * precision.output_bits
        case "weight_stationary":
            return rows * activation, columns * weight, partial
        case _:
            return columns * activation, rows * weight, partial


def _pace(array: ArraySettings, precision: Precision, memory: Memory) -> int:
    """Return in how many cycles the slowest buffer delivers what the array takes in one."""
    activation, weight, output = port_bits(array, precision)
    if array.dataflow != "output_stationary":
        output *= 2  # partial sums are read and written back
    supply = (memory.activation.bits_per_cycle, memory.weight.bits_per_cycle, memory.output.bits_per_cycle)
    demand = (activation, weight, output)
    return max(1 if bits is None else -(-wanted // bits) for wanted, bits in zip(demand, supply, strict=True))


def _all_words(m: Any, k: Any) -> Any:
    return m * k


def _window_words(window: Window) -> Any:
    """Return how many distinct pixels a tile of a convolution touches, at most.

    A tile of m is a run of output pixels; the rows of the image below them overlap and are held once, at full
    width. That is exact for whole images and never too small for parts of one.
    """
    pixels = window.output_height * window.output_width
    row_words = window.touched_columns * window.channels
    image_words = window.touched_rows * row_words

    def words(m: Any, k: Any) -> Any:
        output_rows = np.where(m % window.output_width == 0, m // window.output_width, m // window.output_width + 2)
        image_rows = np.minimum(
            output_rows * window.filter_height,
            (output_rows - 1) * window.stride + (window.filter_height - 1) * window.dilation + 1,
        )
        aligned = (m % pixels == 0) | (pixels % m == 0)
        images = np.minimum(window.images, np.where(aligned, -(-m // pixels), -(-m // pixels) + 1))
        region = images * np.minimum(image_words, image_rows * row_words)
        return np.minimum(m * k, region)

    return words


def _smaller(group: int, k: Any) -> Any:
    return min(group, k) if isinstance(k, int) else np.minimum(group, k)
