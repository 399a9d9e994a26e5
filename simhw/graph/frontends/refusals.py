"""What an operator's name does not show: arguments under which a step is not a function of each sample alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import fx

_TRAIN = {"dropout.default": 2, "dropout_.default": 2, "batch_norm.default": 5}
"""Position of the argument that says whether the operator trains."""
_AXES = {
    **dict.fromkeys(("mean.dim", "mean.default", "softmax.int", "_softmax.default", "log_softmax.int"), 1),
    **dict.fromkeys(("_log_softmax.default", "sum.dim_IntList", "sum.default", "amax.default", "amin.default"), 1),
    **dict.fromkeys(("max.default", "min.default", "max.dim", "var.dim", "var.correction", "std.dim"), 1),
    **dict.fromkeys(("std.correction", "logsumexp.default", "argmax.default", "cumsum.default", "flip.default"), 1),
    **dict.fromkeys(("select.int", "index_select.default", "gather.default", "scatter.src", "scatter.value"), 1),
    **dict.fromkeys(("linalg_vector_norm.default", "roll.default"), 2),
}
"""Position of the axes that an operator reduces or moves along; without them it does so along all."""
_AXIS_OR_DEFAULT = {
    **dict.fromkeys(("topk.default", "diff.default"), (2, -1)),
    **dict.fromkeys(("split.Tensor", "split.sizes", "chunk.default"), (2, 0)),
}
"""Position of the one axis, and which it is where none is given."""
_NORMS = ("layer_norm.default", "rms_norm.default")
_PRODUCTS = ("matmul.default", "bmm.default", "mm.default")
_COUNTING = ("arange.default", "arange.start", "arange.start_step")
_PLACED = ("unsqueeze.default", "to.dtype", "to.device", "_to_copy.default", "alias.default")
"""What leaves the numbers of an index in their order along the axis of the samples."""
_END = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The number of samples, which the import leaves open, among other lengths that it may leave open.

    Attributes:
        symbol: the program's name for it; None: the module takes one number of samples only.
    """

    symbol: Any

    @classmethod
    def of_shape(cls, shape: Sequence[Any]) -> Samples:
        """Return the number of samples of an input, whose first axis they are."""
        length = shape[0]
        return cls(symbol=None if isinstance(length, int) else length.node.expr)

    def counted_in(self, size: Any) -> bool:
        """Whether an axis of this length has the samples in it, alone or joined with another axis."""
        return not isinstance(size, int) and self.symbol in size.node.expr.free_symbols

    def divide(self, size: Any) -> bool:
        """Whether each sample has the same part of that axis (of ``samples + 1`` and ``samples // 2`` none has)."""
        return self.symbol not in (size.node.expr / self.symbol).free_symbols


def reason_to_refuse(node: fx.Node, overload: str, samples: Samples) -> str | None:
    """Return what is wrong with a supported operator's arguments and what to do, or None."""
    if overload in _TRAIN and _argument(node, _TRAIN[overload]):
        if overload.startswith("dropout"):
            return "drops values at random (train=True); give it training=self.training, which is False at import"
        return (
            "takes the statistics of the batch (training mode), must use stored ones; "
            "keep track_running_stats=True, or give it training=False"
        )
    if _mixes_samples(node, overload, samples):
        return "combines different samples; keep the first axis, the sample, out of it"
    return None


def _argument(node: fx.Node, position: int) -> Any:
    return node.args[position] if len(node.args) > position else None


def _mixes_samples(node: fx.Node, overload: str, samples: Samples) -> bool:
    """Whether the operator joins or moves values along an axis whose length has the number of samples in it."""
    counted = [size for size in _shape(node) if samples.counted_in(size)]
    if len(counted) > 1 or not all(samples.divide(size) for size in counted):
        return True  # every sample with every other, or several in one place
    if overload in _PRODUCTS:
        first, second = _shape(node.args[0]), _shape(node.args[1])
        return samples.counted_in(first[-1]) or samples.counted_in(second[max(-2, -len(second))])
    if overload == "einsum.default":
        return _einsum_mixes(node, samples)
    if overload == "scaled_dot_product_attention.default":
        return any(samples.counted_in(_shape(operand)[-2]) for operand in node.args[:2])
    axes = _axes(node, overload, samples)
    sizes = _shape(node.args[0]) if axes else ()
    return any(samples.counted_in(sizes[axis]) for axis in axes)


def _axes(node: fx.Node, overload: str, samples: Samples) -> Sequence[int]:
    """Return the axes of the first argument along which values are joined or moved."""
    if overload in _NORMS:
        return range(-len(node.args[1]), 0)  # type: ignore[arg-type]
    if overload == "slice.Tensor":
        return () if _is_whole(node) else (_argument(node, 1) or 0,)
    if overload == "index.Tensor":
        indices: Any = node.args[1]
        first = 1 if _is_every_sample(indices[0], samples) else 0  # x[arange(samples), positions] is one of each
        return [axis for axis, index in enumerate(indices) if index is not None and axis >= first]
    if overload in _AXIS_OR_DEFAULT:
        position, default = _AXIS_OR_DEFAULT[overload]
        given = node.kwargs.get("dim", _argument(node, position))
        return (default if given is None else given,)
    if overload not in _AXES:
        return ()
    given = node.kwargs.get("dim", _argument(node, _AXES[overload]))
    if given is None or given == []:
        return range(len(_shape(node.args[0])))
    return given if isinstance(given, (list, tuple)) else (given,)


def _is_whole(node: fx.Node) -> bool:
    """Whether a slice leaves nothing out."""
    start, end, step = (_argument(node, position) for position in (2, 3, 4))
    return start in (None, 0) and end in (None, _END) and step in (None, 1)


def _is_every_sample(index: Any, samples: Samples) -> bool:
    """Whether an index counts the samples, 0, 1, 2, ..., each in its own place (``arange(samples)[:, None]`` too)."""
    while isinstance(index, fx.Node) and (
        _name(index) in _PLACED or (_name(index) == "slice.Tensor" and _is_whole(index))
    ):
        index = index.args[0]
    if not isinstance(index, fx.Node) or _name(index) not in _COUNTING:
        return False
    start, end, step = ((0, *index.args, 1) if len(index.args) == 1 else (*index.args, 1))[:3]
    length = end.meta.get("val") if isinstance(end, fx.Node) else end
    counted = not isinstance(length, int) and getattr(getattr(length, "node", None), "expr", None) == samples.symbol
    return counted and (start, step) == (0, 1)


def _name(node: fx.Node) -> str:
    return str(node.target).removeprefix("aten.")


def _einsum_mixes(node: fx.Node, samples: Samples) -> bool:
    """Whether the axis of the samples is summed."""
    equation: Any = node.args[0]
    operands: Any = node.args[1]
    terms, _, result = equation.replace(" ", "").partition("->")
    return any(
        axis not in result and samples.counted_in(size)
        for term, operand in zip(terms.split(","), operands, strict=True)
        for axis, size in zip(term, _shape(operand), strict=False)
    )


def _shape(value: Any) -> Sequence[Any]:
    """Return a tensor's lengths; nothing for several results and for numbers."""
    found: Sequence[Any] = getattr(value.meta.get("val"), "shape", ())
    return found
