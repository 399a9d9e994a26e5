"""Systolic arrays cycle by cycle, with every operand in a named register: slow, and free of any formula.

Each function moves real numbers through the array, checks that no wire carries two values in one cycle, and
returns the product it computed with the cycles that passed. The closed forms are judged by these counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Count:
    """What a run took."""

    product: np.ndarray
    cycles: int = 0
    busy: int = 0
    activation_reads: int = 0
    weight_reads: int = 0
    output_writes: int = 0
    output_reads: int = 0
    bubbles: int = 0
    folds: int = 0


def tiles(size, step):
    """Ranges of ``step`` that cover ``size``, the last one ragged."""
    return [range(start, min(start + step, size)) for start in range(0, size, step)]


def output_stationary(a, b, rows, columns, *, double_buffered=False, shift_out=False, group=None):
    """Run ``a @ b``. Activations move right, weights down; what is finished leaves on one bus per column.

    Args:
        a: ``(m, k)`` integers.
        b: ``(k, n)`` integers.
        rows: of the array.
        columns: of the array.
        double_buffered: start the next fold as soon as its sums find the bus free.
        shift_out: no bus; a complete fold is shifted up and out, one row per cycle.
        group: sums leave after each ``group`` elements of k. Where two would meet on a bus, bubbles that
            travel with the skew hold the streams back.
    """
    (m, k), n = a.shape, b.shape[1]
    folds = [(mine, yours) for yours in tiles(n, columns) for mine in tiles(m, rows)]
    count = Count(product=np.zeros((m, n), dtype=np.int64), folds=len(folds))
    taken = set()
    start, last = 0, -1
    for index, (mine, yours) in enumerate(folds):
        if index and not double_buffered:
            start = last + 1
        stream = []
        for piece in tiles(k, group or k):
            while any((start + len(stream) + len(piece) - 1 + r, 0) in taken for r in range(rows)):
                stream.append(None)
                count.bubbles += 1
            stream.extend(piece)
            taken.update((start + len(stream) - 1 + r, 0) for r in range(rows))
        end = _stream_outputs(a, b, mine, yours, rows, columns, stream, group or k, count)
        last = start + end + (rows if shift_out else 0)
        start += len(stream)
    count.cycles = last + 1
    return count


def _stream_outputs(a, b, mine, yours, rows, columns, stream, group, count):
    """Move one fold through the array; return the cycle (from its start) in which the last sum leaves."""
    k = a.shape[1]
    right = [[None] * columns for _ in range(rows)]
    down = [[None] * columns for _ in range(rows)]
    sums = np.zeros((rows, columns), dtype=np.int64)
    seen = np.zeros((rows, columns), dtype=int)
    cycle = -1
    while (seen < k).any():
        cycle += 1
        for r in reversed(range(rows)):
            for c in reversed(range(columns)):
                right[r][c] = right[r][c - 1] if c else _enter(stream, cycle - r, mine, r, a, count, "activation")
                down[r][c] = down[r - 1][c] if r else _enter(stream, cycle - c, yours, c, b.T, count, "weight")
        leaving = []
        for r in range(rows):
            for c in range(columns):
                if right[r][c] is None:
                    assert down[r][c] is None
                    continue
                assert right[r][c][0] == down[r][c][0], "operands of different k met"
                sums[r, c] += right[r][c][1] * down[r][c][1]
                seen[r, c] += 1
                count.busy += r < len(mine) and c < len(yours)
                if seen[r, c] % group == 0 or seen[r, c] == k:
                    leaving.append(c)
        assert len(leaving) == len(set(leaving)), "two sums on one bus"
    for r, i in enumerate(mine):
        for c, j in enumerate(yours):
            count.product[i, j] = sums[r, c]
            count.output_writes += 1
    return cycle


def _enter(stream, position, lanes, lane, operand, count, kind):
    """What enters a lane: (k, value), or None for a bubble; lanes beyond a ragged edge carry zeros."""
    if not 0 <= position < len(stream) or stream[position] is None:
        return None
    if lane >= len(lanes):
        return (stream[position], 0)
    setattr(count, f"{kind}_reads", getattr(count, f"{kind}_reads") + 1)
    return (stream[position], int(operand[lanes[lane], stream[position]]))


def weight_stationary(a, b, rows, columns, *, double_buffered=False, group=None):
    """Run ``a @ b``. Weights are shifted down into place, activations move right, partial sums down.

    Args:
        a: ``(m, k)`` integers.
        b: ``(k, n)`` integers.
        rows: of the array.
        columns: of the array.
        double_buffered: a second weight register per PE is filled behind the front of the running stream.
        group: no fold crosses a multiple of ``group`` along k.
    """
    (m, k), n = a.shape, b.shape[1]
    pieces = [
        range(outer.start + inner.start, outer.start + inner.stop)
        for outer in tiles(k, group or k)
        for inner in tiles(len(outer), rows)
    ]
    folds = [(piece, yours) for yours in tiles(n, columns) for piece in pieces]
    count = Count(product=np.zeros((m, n), dtype=np.int64), folds=len(folds))
    written = np.zeros((m, n), dtype=int)
    active = [[None] * columns for _ in range(rows)]  # (fold, row, weight)
    shadow = [[None] * columns for _ in range(rows)]
    right = [[None] * columns for _ in range(rows)]  # (fold, row of a, value)
    partial = [[None] * columns for _ in range(rows)]
    loads, streams = {0: 0}, {}  # first cycle of the load and of the stream of each fold
    outputs = 0
    cycle = -1
    while outputs < len(folds) * m * columns:
        cycle += 1
        _start(cycle, loads, streams, len(folds), rows, m, columns, outputs, double_buffered)
        for r in reversed(range(rows)):
            for c in reversed(range(columns)):
                right[r][c] = right[r][c - 1] if c else _inject(a, folds, streams, cycle - r, r, count)
                above = partial[r - 1][c] if r else 0
                partial[r][c] = None
                if right[r][c] is None:
                    continue
                fold, i, value = right[r][c]
                if active[r][c] is None or active[r][c][0] != fold:
                    active[r][c] = shadow[r][c]
                assert active[r][c][:2] == (fold, r), "a stream met the weights of another fold or row"
                assert above is not None, "an activation met no partial sum"
                partial[r][c] = above + value * active[r][c][2]
                piece, yours = folds[fold]
                count.busy += r < len(piece) and c < len(yours)
                if r == rows - 1:
                    outputs += 1
                    if c < len(yours):
                        j = yours[c]
                        count.output_reads += written[i, j] > 0
                        count.output_writes += 1
                        count.product[i, j] += partial[r][c]
                        written[i, j] += 1
        for fold, begin in loads.items():
            _shift_weights(shadow, b, folds[fold], fold, cycle - begin, rows, columns, count)
    count.cycles = cycle + 1
    return count


def _start(cycle, loads, streams, folds, rows, m, columns, outputs, double_buffered):
    """Decide whether a load or a stream begins in this cycle."""
    fold = len(streams)
    if not double_buffered and fold and fold not in loads and outputs == fold * m * columns:
        loads[fold] = cycle
    loaded = fold in loads and cycle >= loads[fold] + rows
    free = not fold or cycle >= streams[fold - 1] + m
    if fold < folds and loaded and free:
        streams[fold] = cycle
        if double_buffered and fold + 1 < folds:
            loads[fold + 1] = cycle


def _inject(a, folds, streams, position, lane, count):
    """The activation that enters a lane: (fold, row of a, value), or None."""
    for fold, begin in streams.items():
        i = position - begin
        if 0 <= i < a.shape[0]:
            piece = folds[fold][0]
            if lane >= len(piece):
                return (fold, i, 0)
            count.activation_reads += 1
            return (fold, i, int(a[i, piece[lane]]))
    return None


def _shift_weights(shadow, b, fold_ranges, fold, step, rows, columns, count):
    """Shift a fold's weights one row down: the last row enters first, a column one cycle after its left."""
    piece, yours = fold_ranges
    for c in range(columns):
        if not 0 <= step - c < rows:
            continue
        for r in reversed(range(min(rows, step - c + 1))):
            shadow[r][c] = shadow[r - 1][c] if r else None
        row = rows - 1 - (step - c)
        inside = row < len(piece) and c < len(yours)
        count.weight_reads += inside
        shadow[0][c] = (fold, row, int(b[piece[row], yours[c]]) if inside else 0)
