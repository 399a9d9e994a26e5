"""A GEMM on an array of processing elements: sizes, conventions, and the record of what it takes.

Array: ``rows`` x ``columns`` PEs. GEMM: ``(m, k) x (k, n)``; activations are ``(m, k)``, weights ``(k,
n)``. A GEMM larger than the array runs in *folds*. Every fold is charged as if the array were full (the
SCALE-Sim convention).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from simhw.errors import InputError

MOST_CYCLES = 2**63 - 1
"""Counts stay below this, so that tables of them fit in int64."""


@dataclass(frozen=True, kw_only=True)
class Gemm:
    """``batch`` independent products ``(m, k) x (k, n)``, each with weights of its own.

    Raises:
        InputError: a size is not a positive integer.
    """

    m: int
    n: int
    k: int
    batch: int = 1

    def __post_init__(self) -> None:
        for name in ("m", "n", "k", "batch"):
            check_positive(f"gemm {name}", getattr(self, name))

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.m * self.n * self.k * self.batch


class Overlap(Enum):
    """What may happen at the same time; the same GEMM differs by a factor of 1.7 between conventions."""

    NONE = "none"
    """Nothing: a fold is loaded, filled, streamed and drained, each after the other, then the next begins."""
    PER_FOLD = "per_fold"
    """The convention of SCALE-Sim: outputs of an output-stationary fold drain while its last PEs still
    compute; fill and drain are exposed in every fold. Weight-stationary folds have nothing to hide: same
    as ``NONE``."""
    DOUBLE_BUFFERED = "double_buffered"
    """Every PE has a second stationary register, so that a fold is loaded (weights) or drained (outputs)
    while the neighbouring fold streams; ``rows`` cycles are needed for it, and what exceeds the stream is
    exposed. Fill and drain of the array are exposed once."""
    ONCE = "once"
    """Fill and drain are charged once per GEMM and every fold takes its stream alone, however short it is:
    the idealisation of analytical tools."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What a GEMM takes on an array.

    Attributes:
        dataflow: entry name of the dataflow.
        overlap: the convention that the cycles follow.
        rows: of the array.
        columns: of the array.
        folds: how many times the array is filled, over the whole batch.
        cycles_per_fold: cycles of one fold alone (of the first, where folds differ).
        compute_cycles: all folds under the convention, without stalls.
        dequantize_stall_cycles: cycles that the array waits for its dequantizers.
        utilization: share of PE cycles that do work, 0..1.
        sram_activation_reads: operands read, in words of one activation.
        sram_weight_reads: in words of one weight.
        sram_output_writes: outputs and partial sums written, in words of one output.
        sram_output_reads: partial sums read back.
        dram_activation_words: compulsory traffic: each activation once.
        dram_weight_words: each weight once.
        dram_output_words: each output once.
        weight_streams: how often each weight enters the array.
        summation_chunk: products that are summed before that sum joins the output; None: all k in one chain.
        summation_order: the same as a sentence.
    """

    dataflow: str
    overlap: Overlap
    rows: int
    columns: int
    folds: int
    cycles_per_fold: int
    compute_cycles: int
    dequantize_stall_cycles: int
    utilization: float
    sram_activation_reads: int
    sram_weight_reads: int
    sram_output_writes: int
    sram_output_reads: int
    dram_activation_words: int
    dram_weight_words: int
    dram_output_words: int
    weight_streams: int
    summation_chunk: int | None
    summation_order: str

    @property
    def cycles(self) -> int:
        """Compute cycles and stalls."""
        return self.compute_cycles + self.dequantize_stall_cycles

    @property
    def dram_words(self) -> int:
        """Compulsory DRAM traffic in words of all three operands."""
        return self.dram_activation_words + self.dram_weight_words + self.dram_output_words


def check_positive(what: str, value: int) -> None:
    """Refuse what is not a positive integer.

    Raises:
        InputError: ``value`` is not an int of at least 1.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(
            f"{what} is {value!r}, must be an integer of at least 1; give the size as a whole number"
        )


def check_choice(what: str, value: object, choices: type[Enum]) -> None:
    """Refuse what is not a member of an enum.

    Raises:
        InputError: ``value`` is something else, such as the member's name as a string.
    """
    if not isinstance(value, choices):
        members = ", ".join(f"{choices.__name__}.{choice.name}" for choice in choices)
        raise InputError(f"{what} is {value!r}, must be one of {members}; give the member, not its name")


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient rounded up."""
    return -(-numerator // denominator)
