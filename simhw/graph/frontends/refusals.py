"""What an operator's name does not show: arguments under which a step is not a function of each sample alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import fx

_TRAIN = {"dropout.default": 2, "batch_norm.default": 5}
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
_AXIS_OR_DEFAULT = {"topk.default": (2, -1), "split.Tensor": (2, 0), "split.sizes": (2, 0), "chunk.default": (2, 0)}
"""Position of the one axis, and which it is where none is given."""
_NORMS = ("layer_norm.default", "rms_norm.default")
_PRODUCTS = ("matmul.default", "bmm.default", "mm.default")
_END = 2**63 - 1


def reason_to_refuse(node: fx.Node, overload: str) -> str | None:
    """Return what is wrong with a supported operator's arguments and what to do, or None."""
    if overload in _TRAIN and _argument(node, _TRAIN[overload]):
        if overload == "dropout.default":
            return "drops values at random (train=True); give it training=self.training, which is False at import"
        return (
            "takes the statistics of the batch (training mode), must use stored ones; "
            "keep track_running_stats=True, or give it training=False"
        )
    if _mixes_samples(node, overload):
        return "combines different samples; keep the first axis, the sample, out of it"
    return None


def _argument(node: fx.Node, position: int) -> Any:
    return node.args[position] if len(node.args) > position else None


def _mixes_samples(node: fx.Node, overload: str) -> bool:
    """Whether the operator joins or moves values along the axis of symbolic length, which is the sample."""
    if sum(not isinstance(size, int) for size in _shape(node)) > 1:
        return True  # every sample with every other
    if overload in _PRODUCTS:
        first, second = _shape(node.args[0]), _shape(node.args[1])
        return not isinstance(first[-1], int) or not isinstance(second[max(-2, -len(second))], int)
    if overload == "einsum.default":
        return _einsum_mixes(node)
    if overload == "scaled_dot_product_attention.default":
        return any(not isinstance(_shape(operand)[-2], int) for operand in node.args[:2])
    axes = _axes(node, overload)
    sizes = _shape(node.args[0]) if axes else ()
    return any(not isinstance(sizes[axis], int) for axis in axes)


def _axes(node: fx.Node, overload: str) -> Sequence[int]:
    """Return the axes of the first argument along which values are joined or moved."""
    if overload in _NORMS:
        return range(-len(node.args[1]), 0)  # type: ignore[arg-type]
    if overload == "slice.Tensor":
        start, end, step = (_argument(node, position) for position in (2, 3, 4))
        whole = start in (None, 0) and end in (None, _END) and step in (None, 1)
        return () if whole else (_argument(node, 1) or 0,)
    if overload == "index.Tensor":
        indices: Any = node.args[1]
        return [axis for axis, index in enumerate(indices) if index is not None]
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


def _einsum_mixes(node: fx.Node) -> bool:
    """Whether an axis of symbolic length is summed."""
    equation: Any = node.args[0]
    operands: Any = node.args[1]
    terms, _, result = equation.replace(" ", "").partition("->")
    return any(
        axis not in result and not isinstance(size, int)
        for term, operand in zip(terms.split(","), operands, strict=True)
        for axis, size in zip(term, _shape(operand), strict=False)
    )


def _shape(value: Any) -> Sequence[Any]:
    """Return a tensor's lengths; nothing for several results and for numbers."""
    found: Sequence[Any] = getattr(value.meta.get("val"), "shape", ())
    return found
