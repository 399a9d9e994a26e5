"""A network as data: nodes in the order of execution, each naming an operator of ``simhw.graph.ops``."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork as VectorWork
from simhw.gemm.operand import Operand
from simhw.gemm.windows import Windows

if TYPE_CHECKING:
    from simhw.graph.network import StoredWeight

Array = NDArray[Any]
FloatArray = NDArray[np.float32]
NO_WORK = VectorWork()


@dataclass(frozen=True)
class Ref:
    """An argument that is the value of another node, an input or a constant."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Node:
    """One step.

    Attributes:
        name: unique within the graph; later nodes refer to its value by it.
        operator: name in ``simhw.graph.ops``.
        args, kwargs: arguments in the order of the operator's reference function; values of other nodes as Ref.
        label: what reports print: the module path, made unique.
        source: line of the user's module that made this node, empty where unknown.
    """

    name: str
    operator: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """A network with its weights.

    Attributes:
        inputs: names of the input values; each has the sample as its first axis.
        nodes: in the order of execution.
        outputs: names of the returned values.
        constants: weights and buffers by name.
        stored: weights that the file stores as codes, by the name of the constant with their values.
        scores: of each attention, by its first step: scores of one sample; beyond any bound where lengths vary.
        one_sample: whether it holds for one sample at a time only.
    """

    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Array]
    stored: Mapping[str, StoredWeight] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    one_sample: bool = False


class Kind(enum.Enum):
    """Which unit of the machine a step runs on."""

    MATMUL = "matmul"
    """The PE array, in the datapath's arithmetic."""
    VECTOR = "vector"
    """The vector unit, in float32."""
    MOVE = "move"
    """Addressing only: no value changes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Matmul:
    """A step as a GEMM ``a @ b.T + bias``.

    Attributes:
        a: activations ``(batch, m, k)`` float32.
        b: weights, keys or values ``(batch, n, k)`` float32.
        bias: ``(n,)`` (or ``(batch, 1, n)``), or None.
        rows_per_scale: consecutive rows of ``a`` that one activation scale covers where scales are per token
            (a convolution: all pixels of one image).
        samples_in_batch: whether samples of the input multiply ``batch`` (attention) or ``m`` (all others).
        finish: turns the product ``(batch, m, n)`` into the step's output.
        codes: both operands as the network itself fixes them, whose exact sums ``finish`` takes; a datapath of another
            format quantizes ``a`` and ``b`` instead. None: the network fixes none.
    """

    a: FloatArray
    b: FloatArray
    bias: FloatArray | None
    rows_per_scale: int
    samples_in_batch: bool
    finish: Callable[[FloatArray], Array]
    codes: tuple[Operand, Operand] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(batch, m, k)``."""
        batch, m, k = self.a.shape
        return batch, m, k


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution:
    """A step as a GEMM whose activations are windows of images, which need not be there all at once.

    Attributes:
        x: ``(batch, channels, height, width)`` float32.
        b: weights ``(groups, n, k)`` float32; k runs over kernel rows, kernel columns, channels.
        bias: ``(groups * n,)``, or None.
        windows: how they slide.
        finish: turns the result ``(batch, groups * n, height, width)`` into the step's output.
    """

    x: FloatArray
    b: FloatArray
    bias: FloatArray | None
    windows: Windows
    finish: Callable[[FloatArray], FloatArray] = lambda result: result
    samples_in_batch: ClassVar[bool] = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(batch, m, k)`` of the GEMM: groups, one row for each pixel of the result."""
        return self.windows.groups, len(self.x) * self.windows.pixels, self.b.shape[2]

    def as_matmul(self) -> Matmul:
        """Return the GEMM with all activations: what the step means. A scale covers all pixels of one image."""
        groups, n = self.b.shape[:2]
        shape = (len(self.x), *self.windows.output, groups * n)
        return Matmul(
            a=self.windows.patches(self.windows.pad(self.x)),
            b=self.b,
            bias=self.bias if self.bias is None or groups == 1 else self.bias.reshape(groups, 1, n),
            rows_per_scale=self.windows.pixels,
            samples_in_batch=self.samples_in_batch,
            finish=lambda product: self.finish(
                np.ascontiguousarray(product.transpose(1, 0, 2).reshape(shape).transpose(0, 3, 1, 2))
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Operator:
    """What a step computes.

    Attributes:
        name: entry name.
        aten: overloads of PyTorch's ATen that this operator stands for.
        reference: the float32 reference on NumPy arrays; its parameters are those of the ATen schema.
        kind: which unit runs it.
        work: float operations per element, for the vector unit.
        lower: for matmuls, the same arguments as a GEMM or a convolution.
        weight: for matmuls, position of the argument that is a constant weight; None where both are activations.
    """

    name: str
    aten: tuple[str, ...]
    reference: Callable[..., Any]
    kind: Kind
    work: VectorWork = NO_WORK
    lower: Callable[..., Matmul | Convolution] | None = None
    weight: int | None = None


def columns(inputs: Array) -> list[Array]:
    """Return the inputs of a network: the array itself, or the fields of a structured one where it has several."""
    if inputs.dtype.names is None:
        return [inputs]
    return [np.ascontiguousarray(inputs[name]) for name in inputs.dtype.names]


def references(value: Any) -> list[str]:
    """Return the names that an argument refers to, in nested tuples too."""
    if isinstance(value, Ref):
        return [value.name]
    if isinstance(value, tuple):
        return [name for item in value for name in references(item)]
    return []


def inputs_of(node: Node) -> list[str]:
    """Return the names that a node reads."""
    return references((*node.args, *node.kwargs.values()))


def resolve(node: Node, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the node's arguments with values in place of references."""

    def of(argument: Any) -> Any:
        if isinstance(argument, Ref):
            return values[argument.name]
        if isinstance(argument, tuple):
            return tuple(of(item) for item in argument)
        return argument

    return [of(argument) for argument in node.args], {key: of(value) for key, value in node.kwargs.items()}
