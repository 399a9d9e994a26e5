"""Arrays as streams of events: every word that enters or leaves a lane, in its cycle.

A lane is a row or column of the array seen from its edge; it carries one word per cycle. Each kernel walks over
the folds, puts every word on its lane, and starts the next fold as early as the convention and the lanes
allow. No cycle count is computed: it is the last event. A word that would meet another one on its lane makes
the kernel return -1 cycles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

NONE, PER_FOLD, DOUBLE_BUFFERED, ONCE = 0, 1, 2, 3
"""Conventions, as ``Overlap``."""


@kernel
def queue(rows: int, columns: int) -> int:
    """Return in which cycle the last sum of a group leaves one dequantizer; the first comes in cycle 0.

    Row r of column c comes in cycle r + c; one leaves per cycle.
    """
    waiting, left, cycle = 0, 0, -1
    while left < rows * columns:
        cycle += 1
        for column in range(columns):
            if 0 <= cycle - column < rows:
                waiting += 1
        if waiting:
            waiting -= 1
            left += 1
    return cycle


@kernel
def output_stationary(
    m: int,
    n: int,
    k: int,
    batch: int,
    rows: int,
    columns: int,
    passes: int,
    overlap: int,
    group: int,
    share: int,
    spacing: int,
    registers: int,
) -> NDArray[np.int64]:
    """Walk over an output-stationary array.

    Args:
        m: rows of activations.
        n: columns of weights.
        k: length of the sums.
        batch: products.
        rows: of the array.
        columns: of the array.
        passes: cycles of one multiply-accumulate.
        overlap: the convention.
        group: sums leave after each ``group`` of k (``group == k``: once).
        share: columns whose sums leave through one dequantizer, one per cycle; bubbles then hold the streams back.
            0: sums never wait.
        spacing: cycles between two elements of k, at least ``passes``: the weights of as many columns pass one
            dequantizer before.
        registers: that a sum passes behind its PE, one cycle each.

    Returns:
        ``[cycles, folds, activation reads, weight reads, output writes, output reads, busy PE cycles]``.
    """
    activation_lane = np.full(rows, -1, np.int64)  # last cycle in which a word passed
    weight_lane = np.full(columns, -1, np.int64)
    output_lane = np.full(columns, -1, np.int64)
    counts = np.zeros(7, np.int64)
    start, last, seen = 0, -1, -1  # ``last`` leaves a PE, ``seen`` stands behind the registers
    column_free = 0  # first cycle in which the dequantizer of column 0 takes row 0's next group
    for _ in range(batch):
        for j in range(0, n, columns):
            for i in range(0, m, rows):
                if counts[1]:
                    if overlap in (NONE, PER_FOLD):
                        start, column_free = last + 1, 0
                    elif overlap == DOUBLE_BUFFERED:
                        # the first sum of row 0 finds the bus after the last sum of the fold before
                        start = max(activation_lane[0] + 1, output_lane[0] + 1 - (k * passes - 1))
                    else:
                        start = activation_lane[0] + 1
                used_rows, used_columns = min(rows, m - i), min(columns, n - j)
                now = start
                for element in range(k):
                    if share and (element % group == 0):
                        length = min(group, k - element) * passes
                        now = max(now, column_free - length + 1)
                        column_free = now + length - 1 + rows * share
                    for step in range(passes):
                        # lanes beyond the edge carry zeros, so that the fold is charged as if it were full
                        for row in range(rows):
                            if activation_lane[row] >= now + row:
                                counts[0] = -1
                                return counts
                            activation_lane[row] = now + row
                        for column in range(columns):
                            if weight_lane[column] >= now + column:
                                counts[0] = -1
                                return counts
                            weight_lane[column] = now + column
                        counts[2] += used_rows
                        counts[3] += used_columns if step == 0 else 0
                        counts[6] += used_rows * used_columns
                        now += 1
                    for _ in range(passes, spacing):  # lanes idle until the next weights are there
                        for row in range(rows):
                            activation_lane[row] = now + row
                        for column in range(columns):
                            weight_lane[column] = now + column
                        now += 1
                last = max(last, now - 1 + rows - 1 + columns - 1)
                counts[4] += used_rows * used_columns
                first_out = now - 1  # row 0, column 0
                if share > 1:
                    for column in range(0, columns, share):
                        width = min(share, columns - column)
                        last = max(last, first_out + column + queue(rows, width))
                if overlap == NONE:  # the finished fold is shifted up and out, a row per cycle
                    last += rows + registers
                elif overlap != ONCE:
                    for column in range(columns):
                        if output_lane[column] >= first_out + column:
                            counts[0] = -1
                            return counts
                        output_lane[column] = first_out + column + rows - 1
                seen = last if overlap == NONE else last + registers
                counts[1] += 1
    counts[0] = seen + 1
    return counts


@kernel
def chained(
    stream: int,
    across: int,
    k_lengths: NDArray[np.int64],
    batch: int,
    rows: int,
    columns: int,
    passes: int,
    overlap: int,
    load_spacing: int,
    spacing: int,
    end_spacing: int,
    registers: int,
) -> NDArray[np.int64]:
    """Walk over an array whose sums flow down the rows: weight- or input-stationary.

    Args:
        stream: what passes by (m of weight-, n of input-stationary).
        across: what is held side by side (n, or m).
        k_lengths: elements of k that no fold crosses (groups, or all of k).
        batch: products.
        rows: of the array.
        columns: of the array.
        passes: rows that one element of k occupies.
        overlap: the convention.
        load_spacing: cycles between two rows of a load.
        spacing: cycles between two elements of the stream.
        end_spacing: the same in the folds that end a group.
        registers: that a sum passes behind its chain, one cycle each.

    Returns:
        ``[cycles, folds, streamed reads, held reads, output writes, output reads, busy PE cycles]``; streamed
        words count once for every row that they enter, held words once for every column.
    """
    load_lane = np.full(columns, -1, np.int64)
    stream_lane = np.full(rows, -1, np.int64)
    output_lane = np.full(columns, -1, np.int64)
    counts = np.zeros(7, np.int64)
    load, begin, last, seen = 0, 0, -1, -1
    for _ in range(batch):
        for j in range(0, across, columns):
            used_columns = min(columns, across - j)
            written = False
            for length in k_lengths:
                for i in range(0, length * passes, rows):
                    used_rows = min(rows, length * passes - i)
                    each = end_spacing if i + rows >= length * passes else spacing
                    if overlap in (NONE, PER_FOLD):
                        load = last + 1
                        begin = load + rows * load_spacing
                    elif overlap == DOUBLE_BUFFERED:
                        # behind the front of the running stream, into the second register of each PE
                        load = begin if counts[1] else 0
                        begin = max(stream_lane[0] + 1, load + rows * load_spacing)
                    else:
                        begin = stream_lane[0] + 1 if counts[1] else rows * load_spacing
                        if load_spacing > 1 and counts[1]:
                            begin = max(begin, load_lane[0] + 1 + rows * load_spacing)
                        load = begin - rows * load_spacing
                    for column in range(columns):
                        if overlap != ONCE or load_spacing > 1:
                            if load_lane[column] >= load + column:
                                counts[0] = -1
                                return counts
                            load_lane[column] = load + column + rows * load_spacing - 1
                    counts[3] += used_rows * used_columns
                    for row in range(rows):
                        for element in range(stream):
                            if stream_lane[row] >= begin + row + element * each:
                                counts[0] = -1
                                return counts
                            stream_lane[row] = begin + row + (element + 1) * each - 1
                    counts[2] += used_rows * stream
                    counts[6] += used_rows * used_columns * stream
                    for column in range(columns):
                        for element in range(stream):
                            cycle = begin + rows - 1 + column + element * each
                            if output_lane[column] >= cycle:
                                counts[0] = -1
                                return counts
                            output_lane[column] = cycle + each - 1
                            last = max(last, output_lane[column])
                            seen = max(seen, output_lane[column] + registers)
                    if overlap == NONE:  # nothing of the next fold moves before all results stand
                        last = seen
                    counts[4] += used_columns * stream
                    counts[5] += used_columns * stream if written else 0
                    written = True
                    counts[1] += 1
    counts[0] = seen + 1
    return counts
