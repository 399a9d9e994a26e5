"""A network of integers: steps on int8 codes, and what the codes of its ends mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.integers.scaling import HIGHEST, LOWEST

Codes = NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What a code means: ``(code - zero_point) * scale``."""

    scale: float
    zero_point: int

    @classmethod
    def of_range(cls, low: float, high: float) -> Quantity:
        """Return the quantity whose codes span a range that includes zero."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32((high - low) / (HIGHEST - LOWEST))) or 1.0
        return cls(scale=scale, zero_point=int(np.clip(round(LOWEST - low / scale), LOWEST, HIGHEST)))

    def encode(self, values: NDArray[Any]) -> Codes:
        """Return the codes of real numbers, nearest, ties to even."""
        codes: Codes = np.clip(np.rint(values / self.scale) + self.zero_point, LOWEST, HIGHEST).astype(np.int8)
        return codes

    def decode(self, codes: Codes) -> NDArray[np.float32]:
        """Return what codes stand for."""
        return ((codes.astype(np.int32) - self.zero_point) * np.float32(self.scale)).astype(np.float32)


class Step(Protocol):
    """One step: codes to codes, with integers alone."""

    def run(self, *codes: Codes) -> Codes:
        """Return the step's codes."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """A step in the network.

    Attributes:
        name: of its result.
        label: as reports print it.
        operator: that it stands for, with what was fused into it.
        inputs: names of results that it takes.
        step: what it does.
    """

    name: str
    label: str
    operator: str
    inputs: tuple[str, ...]
    step: Step


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNetwork:
    """Steps in order, from the codes of the input to those of the output.

    Attributes:
        input_name: under which the steps take the input.
        input, output: what the codes at both ends mean.
        steps: in order; the last one makes the output.
        rule: how sums are scaled.
    """

    input_name: str
    input: Quantity
    output: Quantity
    steps: tuple[Placed, ...]
    rule: str
    last: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        last = {name: index for index, placed in enumerate(self.steps) for name in placed.inputs}
        object.__setattr__(self, "last", last)

    def run(self, codes: Codes, observe: Callable[[Placed, Codes], None] | None = None) -> Codes:
        """Return the output's codes for ``(samples, ...)`` codes of the input.

        Raises:
            InputError: the input is no array of int8.
        """
        if codes.dtype != np.int8:
            raise InputError(f"input codes are {codes.dtype}, must be int8; encode the input first")
        values: dict[str, Codes] = {self.input_name: codes}
        for index, placed in enumerate(self.steps):
            result = placed.step.run(*(values[name] for name in placed.inputs))
            if observe is not None:
                observe(placed, result)
            values[placed.name] = result
            for name in placed.inputs:
                if self.last[name] == index:
                    values.pop(name, None)
        return values[self.steps[-1].name]

    def __call__(self, inputs: NDArray[Any], batch: int = 64) -> NDArray[np.float32]:
        """Return real logits for real inputs: encoded, run on integers, decoded."""
        parts = [self.run(self.input.encode(inputs[start : start + batch])) for start in range(0, len(inputs), batch)]
        return self.output.decode(np.concatenate(parts))
