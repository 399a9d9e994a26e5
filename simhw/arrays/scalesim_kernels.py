"""What SCALE-Sim's buffers see, event by event: addresses in the order in which the array asks for them.

Read buffer (bandwidth as needed, "CALC"): words fill sets of 1/100 of the buffer in the order of their first
touch; when 50 sets are full, all of them are dropped at once. A word is read from DRAM when it is in none of
the sets since. Write buffer: words gather in lines of one word per column; when more than half of the buffer is
waiting, the line in progress is closed and half a buffer of lines is drained, one line per cycle. Only the last
line of a drain is charged by its filling, so a line closed early inside a drain counts as full.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

Counts = NDArray[np.int64]
Places = NDArray[np.int64]
"""Rows: address, image row, image column."""


@kernel
def skewed_reads(
    across: Places,
    along: Places,
    height: int,
    width: int,
    lanes: int,
    by_row_fold: bool,
    row_folds: int,
    column_folds: int,
    fold_cycles: int,
    offset: int,
    set_words: int,
    last_touch: NDArray[np.int32],
) -> tuple[int, int, int, int]:
    """Read an operand that streams past: lane l takes element t in cycle ``offset + t + l`` of a fold.

    ``across`` and ``along`` place the lanes and the elements: (address, image row, image column) of each. A word lies
    at the sum of both; one outside ``height`` x ``width`` is not asked for. Lanes come in folds of ``lanes``, which
    advance with the row folds or the column folds of the array. ``last_touch`` is scratch, one cell per address,
    filled with -1.

    Returns:
        Words read from DRAM, cycle of the first request, cycle of the last drop, number of drops.
    """
    lane_address, lane_row, lane_column = across[0], across[1], across[2]
    stream_address, stream_row, stream_column = along[0], along[1], along[2]
    total_lanes, length = lane_address.size, stream_address.size
    reads, first, dropped, epoch, held = 0, -1, -1, 0, 0
    capacity = 50 * set_words
    for column_fold in range(column_folds):
        for row_fold in range(row_folds):
            base = (column_fold * row_folds + row_fold) * fold_cycles + offset
            start = (row_fold if by_row_fold else column_fold) * lanes
            used = min(lanes, total_lanes - start)
            for step in range(length + used - 1):
                for lane in range(max(0, step - length + 1), min(used - 1, step) + 1):
                    i, t = start + lane, step - lane
                    if lane_row[i] + stream_row[t] >= height or lane_column[i] + stream_column[t] >= width:
                        continue
                    if first < 0:
                        first = base + step
                    address = lane_address[i] + stream_address[t]
                    if last_touch[address] != epoch:
                        last_touch[address] = epoch
                        reads += 1
                        held += 1
                        if held == capacity:
                            epoch += 1
                            held = 0
                            dropped = base + step
    return reads, first, dropped, epoch


@kernel
def stationary_reads(
    down: Places,
    across: Places,
    height: int,
    width: int,
    rows: int,
    columns: int,
    fold_cycles: int,
    set_words: int,
    last_touch: NDArray[np.int32],
) -> tuple[int, int, int, int]:
    """Read an operand that is shifted into place, last row of the array first; see ``skewed_reads``."""
    row_address, row_row, row_column = down[0], down[1], down[2]
    column_address, column_row, column_column = across[0], across[1], across[2]
    total_rows, total_columns = row_address.size, column_address.size
    row_folds = -(-total_rows // rows)
    reads, first, dropped, epoch, held = 0, -1, -1, 0, 0
    capacity = 50 * set_words
    for column_fold in range(-(-total_columns // columns)):
        for row_fold in range(row_folds):
            base = (column_fold * row_folds + row_fold) * fold_cycles
            for step in range(rows):
                i = row_fold * rows + rows - 1 - step
                if i >= total_rows:
                    continue
                for j in range(column_fold * columns, min((column_fold + 1) * columns, total_columns)):
                    if row_row[i] + column_row[j] >= height or row_column[i] + column_column[j] >= width:
                        continue
                    if first < 0:
                        first = base + step
                    address = row_address[i] + column_address[j]
                    if last_touch[address] != epoch:
                        last_touch[address] = epoch
                        reads += 1
                        held += 1
                        if held == capacity:
                            epoch += 1
                            held = 0
                            dropped = base + step
    return reads, first, dropped, epoch


@kernel
def output_writes(
    output_stationary: bool,
    used_rows_total: int,
    used_columns_total: int,
    length: int,
    rows: int,
    columns: int,
    fold_cycles: int,
    words: int,
) -> tuple[int, int, int, int, Counts, Counts]:
    """Write the outputs: whole outputs of each fold (output stationary) or a stream of partial sums.

    Args:
        output_stationary: whether a fold writes its rows, last first, after ``length`` elements of k.
        used_rows_total: what is mapped onto the rows of the array (m, or k).
        used_columns_total: what is mapped onto the columns (n, or m).
        length: of the stream.
        rows: of the array.
        columns: of the array; also the words of a line.
        fold_cycles: of one fold.
        words: of the buffer.

    Returns:
        Words written to DRAM, first and last cycle of the writing, stall cycles, and two arrays: the lines of
        demand that stalled and the stall cycles up to and including each.
    """
    drained_size = words // 2
    lines_per_drain = -(-drained_size // columns)
    fill = np.zeros(1024, np.int64)  # words in each line that was closed
    closed, drained, filled, free = 0, 0, 0, words
    writes, first, last, stalls, drain_end = 0, -1, -1, 0, 0
    stalled_at = np.zeros(16, np.int64)
    stalled_sum = np.zeros(16, np.int64)
    events = 0
    row_folds = -(-used_rows_total // rows)
    for column_fold in range(-(-used_columns_total // columns)):
        used_columns = min(columns, used_columns_total - column_fold * columns)
        for row_fold in range(row_folds):
            base = (column_fold * row_folds + row_fold) * fold_cycles
            if output_stationary:
                empty = rows - min(rows, used_rows_total - row_fold * rows)
                base += length - 1
                steps = rows
            else:
                empty = 0
                base += 2 * rows - 1
                steps = length
            for step in range(empty, steps + used_columns - 1):
                line = base + step
                cycle = line + stalls
                now = cycle
                count = min(used_columns - 1, step - empty) - max(0, step - steps + 1) + 1
                for _ in range(count):
                    filled += 1
                    free -= 1
                    if filled == columns:
                        fill = _close(fill, closed, filled)
                        closed += 1
                        filled = 0
                    if now < drain_end:
                        if free <= 0:
                            now = drain_end
                    elif free < words - drained_size:
                        if filled:
                            fill = _close(fill, closed, filled)
                            closed += 1
                            filled = 0
                        lines = min(lines_per_drain, closed - drained)
                        moved = (lines - 1) * columns + fill[drained + lines - 1]
                        writes += moved
                        free += moved
                        drained += lines
                        drain_end = now + lines - 1
                        first = now if first < 0 else first
                        last = drain_end
                if now > cycle:
                    stalls += now - cycle
                    if events == stalled_at.size:
                        stalled_at = np.append(stalled_at, np.zeros_like(stalled_at))
                        stalled_sum = np.append(stalled_sum, np.zeros_like(stalled_sum))
                    stalled_at[events], stalled_sum[events] = line, stalls
                    events += 1
    if filled:
        fill = _close(fill, closed, filled)
        closed += 1
    now = -(-used_columns_total // columns) * row_folds * fold_cycles - 1 + stalls
    while drained < closed:
        lines = min(lines_per_drain, closed - drained)
        writes += (lines - 1) * columns + fill[drained + lines - 1]
        drained += lines
        first = now if first < 0 else first
        last = max(last, now + lines - 1)  # a drain from before the end may still be running
        now += lines
    return writes, first, last, stalls, stalled_at[:events], stalled_sum[:events]


@kernel
def _close(fill: Counts, closed: int, filled: int) -> Counts:
    """Note how full a closed line is; the array of lines grows by doubling."""
    if closed == fill.size:
        fill = np.append(fill, np.zeros_like(fill))
    fill[closed] = filled
    return fill
