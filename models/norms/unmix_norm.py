"""UnMix-TNS (Tomar et al., Un-mixing test-time normalization statistics, arXiv 2405.14949): K statistics, unmixed.

Each sample is normalised by its own statistics mixed with those of K components that start around the stored ones; the
components then move towards the samples that are like them. Equations as in devavratTomar/unmixtns (``UnMixTNS2d``).
Samples are normalised by themselves, but what the components are depends on all before: no step of an imported network.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

TEMPERATURE = 0.07
SHARE = 0.5
"""Of the stored variance that the components' means are spread by; the rest stays theirs."""


class UnMixNorm2d(nn.Module):
    """Batch norm by unmixed statistics.

    ``p = softmax(cos(mean_sample, mean_k) / 0.07)`` over the K components; component k seen by the sample is
    ``(1 - p_k) component_k + p_k sample``, mean and variance alike; the sample is normalised by the mixture of the K:
    ``mean = mean_k(mean_k)``, ``var = mean_k(var_k) + var_k(mean_k)``. Then each component moves by ``momentum`` times
    the mean over samples of ``p_k (sample - component_k)``.

    Args:
        norm: a batch norm with stored statistics.
        components: K.
        momentum: of the components; the published one is the norm's own, 0.1, for batches of 64.
        seed: of the normal deviations that the components' means start with.

    Raises:
        ValueError: no stored statistics, or no component.
    """

    means: Tensor
    variances: Tensor

    def __init__(self, norm: nn.BatchNorm2d, components: int = 16, momentum: float = 0.1, seed: int = 0) -> None:
        super().__init__()
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError("the batch norm stores no statistics (track_running_stats=False); components need them")
        if components < 1:
            raise ValueError(f"components are {components}, must be 1 or more; 16 are published")
        self.norm, self.momentum = norm, momentum
        means, variances = norm.running_mean.repeat(components, 1), norm.running_var.repeat(components, 1)
        if components > 1:
            drawn = torch.randn(means.shape, generator=torch.Generator().manual_seed(seed), dtype=means.dtype)
            means = means + math.sqrt(SHARE * components / (components - 1)) * variances.sqrt() * drawn
            variances = (1 - SHARE) * variances
        self.register_buffer("means", means)
        self.register_buffer("variances", variances)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(batch, channels, height, width)``, then move the components."""
        variance, mean = torch.var_mean(x, dim=(2, 3), unbiased=False)
        p = self._likeness(mean)
        seen_means = (1 - p) * self.means + p * mean[:, None]
        seen_variances = (1 - p) * self.variances + p * variance[:, None]
        spread, middle = torch.var_mean(seen_means, dim=1, unbiased=False)
        root = torch.sqrt(seen_variances.mean(dim=1) + spread + self.norm.eps)
        with torch.no_grad():
            self.means += self.momentum * (p * (mean[:, None] - self.means)).mean(dim=0)
            self.variances += self.momentum * (p * (variance[:, None] - self.variances)).mean(dim=0)
        normed = (x - middle[:, :, None, None]) / root[:, :, None, None]
        if not self.norm.affine:
            return normed
        return normed * self.norm.weight.reshape(1, -1, 1, 1) + self.norm.bias.reshape(1, -1, 1, 1)

    def _likeness(self, mean: Tensor) -> Tensor:
        """Return ``(batch, K, 1)`` probabilities of the components for sample means ``(batch, channels)``."""
        with torch.no_grad():
            cosine = functional.normalize(mean, dim=1) @ functional.normalize(self.means, dim=1).T
            return torch.softmax(cosine / TEMPERATURE, dim=1)[:, :, None]
