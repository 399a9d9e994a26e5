"""A GEMM on an array of processing elements: sizes, conventions, and the record of what it takes.

Array: ``rows`` x ``columns`` PEs. GEMM: ``(m, k) x (k, n)``; activations are ``(m, k)``, weights ``(k,
n)``. A GEMM larger than the array runs in *folds*. Every fold is charged as if the array were full (the
SCALE-Sim convention).

**Many at once.** Wherever a size is an ``int``, a NumPy array of integers (or a list) is taken too: sizes of
many layers, of many arrays, or both, which broadcast against each other (layers along one axis, arrays along
the other). Every count that follows from them is then an int64 array of their common shape. The fields are
annotated with the type that one GEMM has; ``Gemm.many`` is the same door with the annotations of many.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from simhw.errors import InputError

MOST_CYCLES = 2**63 - 1
"""Counts stay below this, so that tables of them fit in int64."""


@dataclass(frozen=True, kw_only=True)
class Gemm:
    """``batch`` independent products ``(m, k) x (k, n)``, each with weights of its own.

    Each size is an int, or an array of ints for many GEMMs at once.

    Raises:
        InputError: a size is not a positive integer, or arrays of sizes do not broadcast.
    """

    m: int
    n: int
    k: int
    batch: int = 1

    def __post_init__(self) -> None:
        for name in ("m", "n", "k", "batch"):
            object.__setattr__(self, name, as_size(f"gemm {name}", getattr(self, name)))
        common_shape(m=self.m, n=self.n, k=self.k, batch=self.batch)

    @classmethod
    def many(cls, *, m: ArrayLike, n: ArrayLike, k: ArrayLike, batch: ArrayLike = 1) -> Gemm:
        """Return many GEMMs as one record, whose sizes are arrays that broadcast against each other."""
        sizes: dict[str, Any] = {"m": m, "n": n, "k": k, "batch": batch}
        return cls(**sizes)

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
    """What a GEMM takes on an array (many GEMMs or arrays: every count is an int64 array, see the module).

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
        activation_streams: how often each activation enters the array.
        weight_streams: how often each weight enters the array.
        summation_chunk: products that are summed before that sum joins the output; None: all k in one chain
            (of many GEMMs: an array, which has k there).
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
    activation_streams: int
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
        raise InputError(f"{what} is {value!r}, must be an integer of at least 1; give the size as a whole number")


def check_registers(value: int) -> None:
    """Refuse a number of output registers that is not an integer of at least 0.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError(
            f"output_registers is {value!r}, must be an integer of at least 0; give how many registers a sum passes"
        )


def as_size(what: str, value: Any) -> Any:
    """Return a size as an int, or as an int64 array where it is an array or a list.

    Raises:
        InputError: a size is not an integer of at least 1.
    """
    if isinstance(value, np.ndarray | list | tuple):
        return _as_sizes(what, value)
    plain = int(value) if isinstance(value, np.integer) else value
    check_positive(what, plain)
    return plain


def _as_sizes(what: str, value: Any) -> Any:
    try:
        sizes = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{what} is a list of {error}; give whole numbers in a regular array") from error
    if sizes.dtype.kind not in "iu" or sizes.size == 0:
        raise InputError(
            f"{what} is an array of {sizes.size} x {sizes.dtype}, must hold integers of at least 1; "
            "give the sizes as whole numbers that fit in int64"
        )
    if int(sizes.min()) < 1:
        check_positive(what, int(sizes.min()))
    if int(sizes.max()) > MOST_CYCLES:
        raise InputError(f"{what} is {int(sizes.max())}, must be below 2**63; split the GEMM")
    return sizes.astype(np.int64)


def common_shape(**sizes: Any) -> tuple[int, ...]:
    """Return the shape that sizes broadcast to; ``()`` where all of them are ints.

    Raises:
        InputError: they do not broadcast.
    """
    try:
        return np.broadcast_shapes(*(np.shape(size) for size in sizes.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {np.shape(size)}" for name, size in sizes.items())
        raise InputError(
            f"arrays of sizes have the shapes {shapes}, which do not broadcast; give arrays of one shape, or "
            "layers along one axis and arrays along another"
        ) from None


def check_choice(what: str, value: object, choices: type[Enum]) -> None:
    """Refuse what is not a member of an enum.

    Raises:
        InputError: ``value`` is something else, such as the member's name as a string.
    """
    if not isinstance(value, choices):
        members = ", ".join(f"{choices.__name__}.{choice.name}" for choice in choices)
        raise InputError(f"{what} is {value!r}, must be one of {members}; give the member, not its name")


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient rounded up (of arrays: of each pair)."""
    return -(-numerator // denominator)


def larger(a: int, b: int) -> int:
    """Return the larger number (of arrays: of each pair)."""
    if type(a) is int and type(b) is int:
        return max(a, b)
    found: int = np.maximum(a, b)
    return found


def choose(condition: Any, a: int, b: int) -> int:
    """Return ``a`` where the condition holds, else ``b`` (of arrays: at each place)."""
    if type(condition) is bool:
        return a if condition else b
    found: Any = np.where(condition, a, b)
    return found  # type: ignore[no-any-return]
