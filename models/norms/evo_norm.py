"""EvoNorm-S0 and EvoNorm-B0 (Liu et al., Evolving Normalization-Activation Layers, arXiv 2004.02967).

Norm and activation in one: nothing follows them. Variances are those of the samples divided by their number, eps is
added before the root.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class _EvoNorm(nn.Module):
    """Scale, shift and the vector v, one per channel (axis 1) of ``(batch, channels, height, width)``."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.channels = channels
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.v = nn.Parameter(torch.ones(channels))

    def _per_channel(self, values: Tensor) -> Tensor:
        return values.reshape(1, self.channels, 1, 1)

    def _affine(self, x: Tensor) -> Tensor:
        return x * self._per_channel(self.weight) + self._per_channel(self.bias)


class EvoNormS0(_EvoNorm):
    """``x sigmoid(v x) / sqrt(var_group(x) + eps) * weight + bias``, of each sample by itself.

    Args:
        channels: axis 1.
        eps: added to the variance.
        groups: of channels, each with one variance over its pixels.

    Raises:
        ValueError: groups do not divide the channels.
    """

    def __init__(self, channels: int, eps: float = 1e-5, groups: int = 32) -> None:
        super().__init__(channels, eps)
        if channels % groups:
            raise ValueError(f"{channels} channels are not divisible by {groups} groups; choose a divisor")
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and activate ``(batch, channels, height, width)``."""
        parts = x.reshape(x.shape[0], self.groups, -1)
        inverse = torch.rsqrt(parts.var(dim=2, unbiased=False, keepdim=True) + self.eps)
        gated = (x * torch.sigmoid(x * self._per_channel(self.v))).reshape(parts.shape)
        return self._affine((gated * inverse).reshape(x.shape))


class EvoNormB0(_EvoNorm):
    """``x / max(sqrt(variance + eps), v x + sqrt(var_instance(x) + eps)) * weight + bias``.

    The first variance is the batch's, stored as in a batch norm; in training mode each pass first updates it (momentum
    0.1, unbiased) and uses the batch's own.
    """

    variance: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(channels, eps)
        self.momentum = momentum
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and activate ``(batch, channels, height, width)``."""
        variance = self._batch_variance(x) if self.training else self.variance
        stored = torch.sqrt(self._per_channel(variance) + self.eps)
        instance = torch.sqrt(x.var(dim=(2, 3), unbiased=False, keepdim=True) + self.eps)
        return self._affine(x / torch.maximum(stored, x * self._per_channel(self.v) + instance))

    def _batch_variance(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.variance.lerp_(x.var(dim=(0, 2, 3)), self.momentum)
        return x.var(dim=(0, 2, 3), unbiased=False)
