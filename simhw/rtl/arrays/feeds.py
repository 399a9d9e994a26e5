"""How the codes of a GEMM become what the ports of an array take, clock by clock: *beats*.

A beat is what enters a row and a column in one clock. Most PEs take one element of k per beat; some take several
neighbours at once, some take an element, or several, over many beats. To the array all are sums over beats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simhw.circuits.codes import to_signed
from simhw.errors import InputError

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """A GEMM in codes.

    Attributes:
        activations: ``(m, k)``.
        weights: ``(k, n)``.
        group_size: k per group; None where nothing has groups.
        scales: codes ``(groups, n)`` of each scale port of dequantizers; of block scales those of the weights so, and
            those of the activations ``(m, groups)``.
    """

    activations: Integers
    weights: Integers
    group_size: int | None = None
    scales: dict[str, Integers] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(m, n, k)``."""
        return self.activations.shape[0], self.weights.shape[1], self.activations.shape[1]

    @property
    def groups(self) -> int:
        """Number of groups, the last may be shorter."""
        return -(-self.shape[2] // (self.group_size or self.shape[2]))


class Beats(NamedTuple):
    """Codes by port: ``(m, beats)`` from the left, ``(beats, columns)`` from above."""

    activation: dict[str, Integers]
    weight: dict[str, Integers]

    @property
    def length(self) -> int:
        """Number of beats."""
        return int(next(iter(self.activation.values())).shape[1])


class Feed:
    """Base of all feeds: what a PE takes per beat, and which scales come with a problem.

    Attributes:
        lanes: neighbours along k in one word.
        passes: beats of one word.
        has_groups: whether a problem has groups whose scales enter beside the operands.
    """

    lanes: int = 1
    passes: int = 1
    has_groups: bool = False

    def beats(self, problem: Problem, columns: slice) -> Beats:
        """Return the codes for a fold of columns."""
        raise NotImplementedError

    def scale_shapes(self, problem: Problem) -> dict[str, tuple[int, int]]:  # noqa: ARG002
        """Return the shapes of the scales that enter beside the operands."""
        return {}

    def check(self, problem: Problem) -> None:
        """Refuse groups or scales that do not fit.

        Raises:
            InputError: they do not.
        """
        wanted = self.scale_shapes(problem)
        given = {name: codes.shape for name, codes in problem.scales.items()}
        if given != wanted:
            raise InputError(f"scales are {given}, must be {wanted}; give one per group and row or column")


@dataclass(frozen=True)
class Plain(Feed):
    """One element of k per beat."""

    def beats(self, problem: Problem, columns: slice) -> Beats:
        """Return the operands as they are."""
        return Beats({"activation": problem.activations}, {"weight": problem.weights[:, columns]})


@dataclass(frozen=True)
class Dequantized(Feed):
    """One element of k per beat, beside each weight the scale and zero point of its group."""

    has_groups = True

    def beats(self, problem: Problem, columns: slice) -> Beats:
        """Return the operands, scales repeated for each weight of a group."""
        plain = Plain().beats(problem, columns)
        assert problem.group_size is not None
        groups = np.arange(problem.shape[2]) // problem.group_size
        return Beats(
            plain.activation,
            {**plain.weight, **{name: codes[groups][:, columns] for name, codes in problem.scales.items()}},
        )

    def scale_shapes(self, problem: Problem) -> dict[str, tuple[int, int]]:
        """Return one scale and zero point per group and column."""
        return dict.fromkeys(("scale", "zero"), (problem.groups, problem.shape[1]))


@dataclass(frozen=True)
class Packed(Feed):
    """Several narrow elements side by side in one word, as Bit Fusion takes them: the first one lowest."""

    activation_bits: int
    weight_bits: int
    lanes: int

    def beats(self, problem: Problem, columns: slice) -> Beats:
        """Return words of neighbours along k."""
        activations = _words(problem.activations, self.lanes)
        weights = _words(problem.weights[:, columns].T, self.lanes)
        return Beats(
            {"activation": _side_by_side(activations, self.activation_bits)},
            {"weight": _side_by_side(weights, self.weight_bits).T},
        )


@dataclass(frozen=True)
class BitPlanes(Feed):
    """One bit of several activations per beat, the lowest first, while their weights stay (Stripes)."""

    passes: int
    lanes: int

    def beats(self, problem: Problem, columns: slice) -> Beats:
        """Return bit planes beside their place, and each word of weights once for every plane."""
        m, _, _ = problem.shape
        words = _words(problem.activations, self.lanes)  # (m, words, lanes)
        planes = words[:, :, None, :] >> np.arange(self.passes)[:, None] & 1
        activation = _side_by_side(planes, 1).reshape(m, -1)
        place = np.broadcast_to(np.tile(np.arange(self.passes), words.shape[1]), activation.shape)
        weights = _words(problem.weights[:, columns].T, self.lanes)  # (columns, words, lanes)
        return Beats(
            {"activation": activation, "place": place, "negative": (place == self.passes - 1).astype(np.int64)},
            {f"weight_{lane}": np.repeat(weights[:, :, lane], self.passes, axis=1).T for lane in range(self.lanes)},
        )


@dataclass(frozen=True)
class Terms(Feed):
    """One nonzero Booth digit of a weight per beat; the columns of a fold stay in lockstep with the slowest."""

    weight_format: str

    def beats(self, problem: Problem, columns: slice) -> Beats:
        """Return each activation as often as the slowest of its weights has terms, and the terms of each column."""
        terms = [[self._terms(int(code)) for code in row] for row in problem.weights[:, columns]]
        slowest = [max(1, *map(len, row)) for row in terms]
        weight = np.zeros((sum(slowest), len(terms[0])), np.int64)
        for row, start in zip(terms, np.cumsum([0, *slowest[:-1]]), strict=True):
            for column, found in enumerate(row):
                weight[start : start + len(found), column] = found
        return Beats({"activation": np.repeat(problem.activations, slowest, axis=1)}, {"term": weight})

    def _terms(self, code: int) -> list[int]:
        from simhw.pes.bit_serial_booth import booth_digits

        digits = enumerate(booth_digits(code, self.weight_format))
        return [1 | (digit < 0) << 1 | (abs(digit) == 2) << 2 | place << 3 for place, digit in digits if digit]


@dataclass(frozen=True)
class Blocks(Feed):
    """A block of elements per beat with the scale of each operand."""

    lanes: int
    has_groups = True

    def beats(self, problem: Problem, columns: slice) -> Beats:
        """Return blocks, the last one filled with zeros."""
        activations = _words(problem.activations, self.lanes)
        weights = _words(problem.weights[:, columns].T, self.lanes)
        lanes = range(self.lanes)
        return Beats(
            {
                **{f"activation_{lane}": activations[:, :, lane] for lane in lanes},
                "activation_scale": problem.scales["activation_scale"],
            },
            {
                **{f"weight_{lane}": weights[:, :, lane].T for lane in lanes},
                "weight_scale": problem.scales["weight_scale"][:, columns],
            },
        )

    def scale_shapes(self, problem: Problem) -> dict[str, tuple[int, int]]:
        """Return one scale per block and row of activations, or column of weights."""
        m, n, _ = problem.shape
        return {"activation_scale": (m, problem.groups), "weight_scale": (problem.groups, n)}

    def check(self, problem: Problem) -> None:
        """Refuse blocks of another size."""
        if problem.group_size != self.lanes:
            raise InputError(f"group size is {problem.group_size}, must be {self.lanes}, the block of this PE")
        super().check(problem)


def weight_integers(codes: Integers, form: str) -> Integers:
    """Return the integers of weight codes (``int4``, ``uint4``, ``int8``, ...)."""
    return codes if form.startswith("u") else to_signed(codes, int(form.removeprefix("int")))


def _words(rows: Integers, lanes: int) -> Integers:
    """Return ``(rows, words, lanes)`` of ``(rows, k)``, the last word filled with zeros."""
    count, k = rows.shape
    words = np.zeros((count, -(-k // lanes) * lanes), np.int64)
    words[:, :k] = rows
    return words.reshape(count, -1, lanes)


def _side_by_side(words: Integers, bits: int) -> Integers:
    """Return each word's lanes in one code, the first lowest."""
    return np.asarray((words << np.arange(words.shape[-1]) * bits).sum(axis=-1), np.int64)
