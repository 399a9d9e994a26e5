"""What a shape is, what an inference of it is, and the work that follows: GEMMs, convolutions and vector steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from enum import Enum

from simhw.arrays import Gemm
from simhw.arrays.base import check_positive
from simhw.arrays.convolution import Convolution
from simhw.errors import InputError


class WorkKind(Enum):
    """Where the operands of a step come from, or that it has no GEMM."""

    WEIGHTS = "weights"
    """The second operand is a weight."""
    ATTENTION = "attention"
    """Both operands are activations: the second one is a key or a value."""
    VECTOR = "vector"
    """A step of the vector unit."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """One step of an inference, with all steps that are equal to it.

    Attributes:
        name: what it computes.
        count: how many equal steps there are.
        layer: the GEMM or convolution of one of them; None for vector steps.
        kind: where its operands come from.
        function: of a vector step, a name of ``simhw.workloads.functions``.
        elements: that one vector step works on.
        makes_keys: whether the results are keys or values, which the cache stores.
    """

    name: str
    count: int = 1
    layer: Gemm | Convolution | None = None
    kind: WorkKind = WorkKind.WEIGHTS
    function: str = ""
    elements: int = 0
    makes_keys: bool = False

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all of them."""
        if self.layer is None:
            return 0
        gemm = self.layer.gemm if isinstance(self.layer, Convolution) else self.layer
        return gemm.macs * self.count


def vector(name: str, function: str, elements: int, count: int = 1) -> Work:
    """Return a step of the vector unit."""
    return Work(name=name, count=count, kind=WorkKind.VECTOR, function=function, elements=elements)


class Phase(Enum):
    """Which part of an inference runs."""

    PREFILL = "prefill"
    """All tokens of the input at once; encoders and vision models have nothing else."""
    DECODE = "decode"
    """One new token per sequence, beside a cache of the keys and values of all tokens before it."""


@dataclass(frozen=True, kw_only=True)
class Inference:
    """One pass of a network.

    Attributes:
        phase: which part.
        batch: sequences or images.
        tokens: of each sequence (prefill); None: the shape's own number, for those that have one.
        context: tokens before the new one, whose keys and values are cached (decode).

    Raises:
        InputError: a number that is not positive, or that the phase does not have.
    """

    phase: Phase = Phase.PREFILL
    batch: int = 1
    tokens: int | None = None
    context: int | None = None

    def __post_init__(self) -> None:
        check_positive("batch", self.batch)
        for name in ("tokens", "context"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        if self.phase is Phase.DECODE and self.tokens is not None:
            raise InputError(
                f"tokens is {self.tokens} in the phase decode, which makes one token per sequence; give the context"
            )
        if self.phase is Phase.DECODE and self.context is None:
            raise InputError("the phase decode needs the context, the number of cached tokens; give it")
        if self.phase is Phase.PREFILL and self.context is not None:
            raise InputError(f"context is {self.context} in the phase prefill, which has no cache; give the tokens")


@dataclass(frozen=True, kw_only=True)
class Shape(ABC):
    """A network by its sizes.

    Attributes:
        name: entry name, equal to the file name.
        description: one sentence.
        source: the published configuration.
    """

    name: str
    description: str
    source: str

    def __post_init__(self) -> None:
        from simhw.records import normalize

        normalize(self)
        for field in fields(self):
            if field.type == "str" and not getattr(self, field.name):
                raise InputError(f"shape {self.name!r} has an empty {field.name}; fill it in")

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Weights, biases and norms, each stored number once."""

    @property
    def cached_words_per_token(self) -> int:
        """Keys and values that a token leaves in the cache, in words; 0 without one."""
        return 0

    @property
    def is_decoder(self) -> bool:
        """Whether tokens are made one by one."""
        return False

    @abstractmethod
    def work(self, inference: Inference) -> list[Work]:
        """Return the steps of an inference.

        Raises:
            InputError: a phase that the network does not have, or more tokens than its positions.
        """

    def macs(self, inference: Inference) -> int:
        """Return the multiply-accumulates of an inference."""
        return sum(step.macs for step in self.work(inference))

    def refuse_decode(self, inference: Inference) -> None:
        """Raise InputError where an encoder is asked to decode."""
        if inference.phase is Phase.DECODE:
            raise InputError(f"{self.name} makes no tokens one by one, it has the phase prefill only; choose it")
