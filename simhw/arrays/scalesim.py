"""The convention of SCALE-Sim 3.0.0, with its quirks: for comparing with published results, not for design.

Cycles, SRAM counts and utilisations follow closed forms; DRAM counts and cycles follow the events of its
buffers (``scalesim_kernels``). What the tool gets wrong is reproduced here and listed, with what
``simhw.arrays.schedule`` and ``simhw.memory`` do instead, in ``docs/scalesim.md``. Its "USER" mode (a given
bandwidth) is not reproduced beyond the compute columns, because its stalls and DRAM counts are faulty.

Source: scalesim 3.0.0 (MIT); A. Samajdar et al., SCALE-Sim, ISPASS 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.arrays.base import Gemm, Overlap, Schedule, ceil_div, check_positive
from simhw.arrays.dataflow import get_dataflow, schedule
from simhw.errors import InputError

FIRST_FILL_WORDS_PER_CYCLE = 10
"""Rate at which read buffers fill before cycle 0, a constant of the tool."""
SETS = 100
"""A read buffer is managed in hundredths; half of them are active."""
Places = NDArray[np.int64]
"""(3, words): address, image row, image column."""
LARGEST_COUNT = 2**31
"""Addresses and words beyond this would take minutes and gigabytes event by event."""


@dataclass(frozen=True, kw_only=True)
class ScalesimLayer:
    """A layer as the tool reads it from a topology file: no padding, output sizes rounded up.

    Raises:
        InputError: a size is not positive, or the filter is larger than the image.
    """

    ifmap_height: int
    ifmap_width: int
    filter_height: int
    filter_width: int
    channels: int
    filters: int
    stride_height: int = 1
    stride_width: int = 1

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            check_positive(f"layer {name}", getattr(self, name))
        for axis in ("height", "width"):
            size, taps = getattr(self, f"ifmap_{axis}"), getattr(self, f"filter_{axis}")
            if taps > size:
                raise InputError(
                    f"layer filter_{axis} is {taps}, the ifmap has {size} and SCALE-Sim knows no padding; "
                    "give the padded size of the ifmap"
                )

    @classmethod
    def of_gemm(cls, gemm: Gemm) -> ScalesimLayer:
        """Return a GEMM as the tool reads it: an image of m x k under filters of 1 x k.

        Raises:
            InputError: the GEMM has a batch, which the tool does not know.
        """
        if gemm.batch != 1:
            raise InputError(f"gemm batch is {gemm.batch}, SCALE-Sim knows only 1; give the products one by one")
        return cls(
            ifmap_height=gemm.m,
            ifmap_width=gemm.k,
            filter_height=1,
            filter_width=gemm.k,
            channels=1,
            filters=gemm.n,
        )

    @property
    def output_height(self) -> int:
        """Rows of outputs, rounded up: the last may lie partly outside the image."""
        return ceil_div(self.ifmap_height - self.filter_height + self.stride_height, self.stride_height)

    @property
    def output_width(self) -> int:
        """Columns of outputs, rounded up."""
        return ceil_div(self.ifmap_width - self.filter_width + self.stride_width, self.stride_width)

    @property
    def gemm(self) -> Gemm:
        """The GEMM that the array runs."""
        return Gemm(
            m=self.output_height * self.output_width,
            n=self.filters,
            k=self.filter_height * self.filter_width * self.channels,
        )


@dataclass(frozen=True, kw_only=True)
class ScalesimCompute:
    """The columns that do not depend on memory; they hold in the tool's "USER" mode too.

    ``compute_cycles`` is the number of cycles; the tool's own total is the index of the last one.
    """

    compute_cycles: int
    mapping_eff_pct: float
    compute_util_pct: float
    sram_ifmap_reads: int
    sram_filter_reads: int
    sram_ofmap_writes: int


@dataclass(frozen=True, kw_only=True)
class ScalesimMemory:
    """The columns that depend on memory, with bandwidth as needed ("CALC")."""

    stall_cycles: int
    total_cycles: int
    total_cycles_incl_prefetch: int
    overall_util_pct: float
    dram_ifmap_reads: int
    dram_filter_reads: int
    dram_ofmap_writes: int
    dram_ifmap_start: int
    dram_ifmap_stop: int
    dram_filter_start: int
    dram_filter_stop: int
    dram_ofmap_start: int
    dram_ofmap_stop: int


def scalesim_compute(layer: ScalesimLayer, *, dataflow: str, rows: int, columns: int) -> ScalesimCompute:
    """Return what the tool reports of the array.

    Raises:
        InputError: an unknown dataflow, or a size below 1.
    """
    found = _schedule(layer, dataflow, rows, columns)
    gemm = layer.gemm
    used = {"output_stationary": gemm.m * gemm.n, "weight_stationary": gemm.k * gemm.n}.get(dataflow, gemm.k * gemm.m)
    stream = {"output_stationary": gemm.k, "weight_stationary": gemm.m}.get(dataflow, gemm.n)
    mapping = used / (found.folds * rows * columns)
    stationary = dataflow == "output_stationary"
    # weight- and input-stationary utilisation is divided by columns - 1 cycles too many
    charged = found.cycles_per_fold + (0 if stationary else columns - 1)
    return ScalesimCompute(
        compute_cycles=found.compute_cycles,
        mapping_eff_pct=100 * mapping,
        compute_util_pct=100 * mapping * stream / charged,
        sram_ifmap_reads=found.sram_activation_reads,
        sram_filter_reads=found.sram_weight_reads,
        # rows + columns are added to the writes of each output-stationary fold
        sram_ofmap_writes=found.sram_output_writes + (found.folds * (rows + columns) if stationary else 0),
    )


def scalesim_memory(
    layer: ScalesimLayer,
    *,
    dataflow: str,
    rows: int,
    columns: int,
    ifmap_kb: int,
    filter_kb: int,
    ofmap_kb: int,
) -> ScalesimMemory:
    """Return what the tool reports of its memories when the bandwidth is as needed.

    Raises:
        InputError: an unknown dataflow, a size below 1, a layer of more than 2**31 words, or a run of a single
            cycle, which the tool divides by zero.
    """
    for what, value in (("ifmap_kb", ifmap_kb), ("filter_kb", filter_kb), ("ofmap_kb", ofmap_kb)):
        check_positive(what, value)
    found = _schedule(layer, dataflow, rows, columns)
    gemm = layer.gemm
    if max(found.sram_activation_reads, found.sram_weight_reads, found.sram_output_writes) > LARGEST_COUNT:
        raise InputError(
            f"{gemm} on {rows} x {columns} PEs moves more than {LARGEST_COUNT} words, which SCALE-Sim's buffers "
            "replay one by one; give a smaller layer or leave --compat out"
        )
    writes, first, last, stalls, stalled_at, stalled_sum = _outputs(found, gemm, ofmap_kb * 1024)
    total = found.compute_cycles - 1 + stalls
    if total == 0:
        raise InputError(
            f"{gemm} on {rows} x {columns} PEs takes one cycle, which SCALE-Sim reports as 0 and divides by; "
            "leave --compat out"
        )
    ifmap, filters = _read(found, layer, ifmap_kb * 1024 // SETS, filter_kb * 1024 // SETS)

    def shifted(line: int) -> int:
        """Return the cycle of a line of demand, later by the stalls of the lines before it."""
        before = int(np.searchsorted(stalled_at, line))
        return line + (int(stalled_sum[before - 1]) if before else 0)

    ifmap_start, ifmap_stop = _dram_cycles(ifmap, ifmap_kb * 1024 // SETS, shifted)
    filter_start, filter_stop = _dram_cycles(filters, filter_kb * 1024 // SETS, shifted)
    return ScalesimMemory(
        stall_cycles=stalls,
        total_cycles=total,
        total_cycles_incl_prefetch=last - min(ifmap_start, filter_start),
        overall_util_pct=100 * gemm.macs / (total * rows * columns),
        dram_ifmap_reads=ifmap[0],
        dram_filter_reads=filters[0],
        dram_ofmap_writes=writes,
        dram_ifmap_start=ifmap_start,
        dram_ifmap_stop=ifmap_stop,
        dram_filter_start=filter_start,
        dram_filter_stop=filter_stop,
        dram_ofmap_start=first,
        dram_ofmap_stop=last,
    )


def _schedule(layer: ScalesimLayer, dataflow: str, rows: int, columns: int) -> Schedule:
    get_dataflow(dataflow)
    return schedule(layer.gemm, dataflow=dataflow, rows=rows, columns=columns, overlap=Overlap.PER_FOLD)


def _dram_cycles(seen: tuple[int, int, int, int], set_words: int, shifted: Callable[[int], int]) -> tuple[int, int]:
    """Return first and last cycle of DRAM reads: the first fill ends before the array asks for anything."""
    reads, first, dropped, drops = seen
    if drops == 0:
        return -ceil_div(ceil_div(reads, set_words) * set_words, FIRST_FILL_WORDS_PER_CYCLE), -1
    fill = ceil_div(SETS // 2 * set_words, FIRST_FILL_WORDS_PER_CYCLE)
    return shifted(first) - fill, shifted(dropped) + 1


def _outputs(found: Schedule, gemm: Gemm, words: int) -> Any:
    from simhw.arrays.scalesim_kernels import output_writes

    mapped = {
        "output_stationary": (gemm.m, gemm.n, gemm.k),
        "weight_stationary": (gemm.k, gemm.n, gemm.m),
        "input_stationary": (gemm.k, gemm.m, gemm.n),
    }[found.dataflow]
    stationary = found.dataflow == "output_stationary"
    return output_writes(stationary, *mapped, found.rows, found.columns, found.cycles_per_fold, words)


def _read(
    found: Schedule, layer: ScalesimLayer, ifmap_set: int, filter_set: int
) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """Replay the reads of both operands."""
    from simhw.arrays.scalesim_kernels import skewed_reads, stationary_reads

    gemm, rows, columns = layer.gemm, found.rows, found.columns
    pixels, taps = _ifmap_places(layer)
    filters, inner = _plain_places(gemm.n, gemm.k), _plain_places(gemm.k, 1)
    height, width = layer.ifmap_height, layer.ifmap_width
    ifmap = np.full(height * width * layer.channels, -1, np.int32)
    weights = np.full(gemm.n * gemm.k, -1, np.int32)
    down = ceil_div(gemm.m if found.dataflow == "output_stationary" else gemm.k, rows)
    across, cycles = found.folds // down, found.cycles_per_fold
    match found.dataflow:
        case "output_stationary":
            return (
                skewed_reads(pixels, taps, height, width, rows, True, down, across, cycles, 0, ifmap_set, ifmap),
                skewed_reads(filters, inner, 1, 1, columns, False, down, across, cycles, 0, filter_set, weights),
            )
        case "weight_stationary":
            return (
                skewed_reads(taps, pixels, height, width, rows, True, down, across, cycles, rows, ifmap_set, ifmap),
                stationary_reads(inner, filters, 1, 1, rows, columns, cycles, filter_set, weights),
            )
        case _:
            return (
                stationary_reads(taps, pixels, height, width, rows, columns, cycles, ifmap_set, ifmap),
                skewed_reads(inner, filters, 1, 1, rows, True, down, across, cycles, rows, filter_set, weights),
            )


def _ifmap_places(layer: ScalesimLayer) -> tuple[Places, Places]:
    """Return (address, row, column) of every output pixel's corner and of every tap of the window."""
    pixel = np.arange(layer.gemm.m, dtype=np.int64)
    row = pixel // layer.output_width * layer.stride_height
    column = pixel % layer.output_width * layer.stride_width
    tap = np.arange(layer.gemm.k, dtype=np.int64)
    tap_row, inside = np.divmod(tap, layer.filter_width * layer.channels)
    tap_column, channel = np.divmod(inside, layer.channels)
    width, channels = layer.ifmap_width, layer.channels
    return (
        np.stack([(row * width + column) * channels, row, column]),
        np.stack([(tap_row * width + tap_column) * channels + channel, tap_row, tap_column]),
    )


def _plain_places(count: int, step: int) -> Places:
    """Return addresses ``step`` apart that are always inside."""
    places = np.zeros((3, count), dtype=np.int64)
    places[0] = np.arange(count, dtype=np.int64) * step
    return places
