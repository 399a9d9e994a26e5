"""A stored scale and shift per channel, folded into the linear layer that comes next: the same function, one step less.

Batch norms *behind* a layer fold by ``torch.nn.utils.fusion`` (``fuse_conv_bn_eval``, ``fuse_linear_bn_eval``).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class StoredNorm(Protocol):
    """A norm whose inference form is ``x * scale + shift`` per channel."""

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return ``(scale, shift)``, each of shape ``(channels,)``."""
        ...


def batch_norm_affine(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return ``(scale, shift)`` of a batch norm with stored statistics.

    Raises:
        ValueError: it stores no statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("the batch norm stores no statistics (track_running_stats=False); it cannot be folded")
    scale = torch.rsqrt(norm.running_var + norm.eps)
    scale = scale if norm.weight is None else scale * norm.weight
    shift = -norm.running_mean * scale
    return scale.detach(), (shift if norm.bias is None else shift + norm.bias).detach()


def fold_into_next(affine: tuple[Tensor, Tensor], layer: nn.Linear) -> nn.Linear:
    """Return the linear layer that takes ``x`` for the given one's ``x * scale + shift``.

    ``W' = W diag(scale)``, ``b' = b + W shift``.

    Raises:
        ValueError: the layer has another number of inputs than the norm has channels.
    """
    scale, shift = affine
    if scale.shape != (layer.in_features,):
        raise ValueError(f"the norm has {scale.numel()} channels, the layer {layer.in_features} inputs; give its next")
    weight = layer.weight.detach()
    folded = nn.Linear(layer.in_features, layer.out_features, device=weight.device, dtype=weight.dtype)
    bias = weight @ shift if layer.bias is None else layer.bias.detach() + weight @ shift
    folded.weight, folded.bias = nn.Parameter(weight * scale), nn.Parameter(bias)
    return folded
