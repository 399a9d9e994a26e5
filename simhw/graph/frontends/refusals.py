"""What an operator's name does not show: arguments under which a step is not a function of each sample alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import fx

_TRAIN = {"dropout.default": 2, "batch_norm.default": 5}
"""Position of the argument that says whether the operator trains."""
_REDUCED = ("mean.dim", "mean.default", "softmax.int", "_softmax.default")
_NORMS = ("layer_norm.default", "rms_norm.default")


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
    """Whether the operator reduces over the axis of symbolic length, which is the sample."""
    if overload not in (*_REDUCED, *_NORMS):
        return False
    sizes = _shape(node.args[0])
    given = _argument(node, 1)
    if overload in _NORMS:
        axes: Sequence[int] = range(-len(given), 0)
    elif overload == "mean.default" or given in (None, []):
        axes = range(len(sizes))
    else:
        axes = given if isinstance(given, (list, tuple)) else (given,)
    return any(not isinstance(sizes[axis], int) for axis in axes)


def _shape(value: Any) -> Sequence[Any]:
    found: Sequence[Any] = value.meta["val"].shape
    return found
