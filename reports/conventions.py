"""What the figures of a run rest on, in words, for cycles of different conventions do not compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simhw.arrays.base import Overlap
from simhw.reports.names import part_name
from simhw.rows import ENERGY_PARTS, Row

DATAFLOWS = {
    "output_stationary": "each PE keeps one output and sums over k",
    "weight_stationary": "each PE keeps one weight while activations stream past",
    "input_stationary": "each PE keeps one activation while weights stream past",
}

OVERLAPS = {
    Overlap.NONE: "each fold of the array is loaded, filled, streamed and drained before the next begins",
    Overlap.PER_FOLD: "a fold drains while its last PEs still compute; fill and drain count in every fold",
    Overlap.DOUBLE_BUFFERED: "a fold loads or drains while its neighbour streams; fill and drain count once",
    Overlap.ONCE: "fill and drain count once per matrix product, the most that a design could hide",
}

WAITING = "vector steps wait until the array has finished"
PIPELINED = "vector steps work on one part of the array's results while it computes the next"


def conventions(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return pairs of a term and what it means in these rows (of one network)."""
    return [
        ("Amount", _each(f"{row.samples:,} samples, {row.units:,} {row.unit}s" for row in rows)),
        ("PE array", _each(f"{row.rows} rows x {row.columns} columns" for row in rows)),
        ("Dataflow", _each(_explained(row.dataflow, DATAFLOWS.get(row.dataflow)) for row in rows)),
        ("Overlap", _each(_explained(row.overlap, _overlap(row.overlap)) for row in rows)),
        ("Technology", _each(row.technology for row in rows)),
        (
            "Speed-up, energy ratio",
            "cycles and energy of fp16 on the same rows x columns, divided by those of the datapath; a dash "
            "where fp16 did not run. Arrays of equally many PEs differ in area, which stands beside them",
        ),
        (
            "Sizes",
            "cycles, words and energy are those of one sample: one image, or one sequence of tokens, alone on the "
            "array; the metric is over all samples",
        ),
        (
            "DRAM",
            "weights come in once with their scales and zero points; activations and results cross only where a "
            "tensor does not fit into its SRAM buffer (256 KiB activations, 128 KiB weights, 128 KiB results)",
        ),
        (
            "Leakage and standby",
            "circuits leak where synthesis stands for them, else 0; "
            + _each(
                f"DRAM {row.dram or 'of the technology'} at rest: {row.dram_static_source or 'not counted'}; "
                f"for the cycles of a sample at {row.clock_mhz:g} MHz"
                for row in rows
            ),
        ),
        (
            "Energy",
            f"the total is the sum of its parts: {', '.join(part_name(part) for part in ENERGY_PARTS)}",
        ),
        ("SQNR", "power of the float reference over power of the difference to it, 10 log10, in dB"),
        (
            "Host seconds",
            "time this computer took to emulate the run; nothing about the hardware under study",
        ),
    ]


def _each(texts: Iterable[str]) -> str:
    """Join the different ones of several texts."""
    return "; ".join(dict.fromkeys(texts))


def _explained(name: str, words: str | None) -> str:
    name = name.replace("_", " ")
    return name if words is None else f"{name}: {words}"


def _overlap(name: str) -> str | None:
    """Return what a name such as ``per_fold, vector unit pipelined`` means."""
    known = {overlap.value: words for overlap, words in OVERLAPS.items()}
    array, _, others = name.partition(", ")
    if array not in known:
        return None
    vector = PIPELINED if "vector unit pipelined" in others else WAITING
    return f"{known[array]}; {vector}"
