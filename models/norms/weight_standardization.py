"""Weight standardization: the norm is applied to a convolution's weight, so inference has none of it left.

Plain (Qiao et al., arXiv 1903.10520), to be followed by a group or batch-channel norm; and scaled by the fan-in and a
gain, as networks without norms have it (Brock et al., arXiv 2101.08692; Zhuang and Lyu, FedWon, arXiv 2306.05879).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

RELU_GAIN = (2 / (1 - 1 / torch.pi)) ** 0.5
"""The gain that keeps the variance through a ReLU (arXiv 2101.08692)."""


class _StandardizedConv2d(nn.Conv2d):
    """A convolution that standardises its weight in every pass; the importer computes the weight once."""

    def standardized(self) -> Tensor:
        """Return the weight that the convolution is made with."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(batch, channels, height, width)``."""
        return functional.conv2d(
            x, self.standardized(), self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def folded(self) -> nn.Conv2d:
        """Return the plain convolution with the same result."""
        plain = nn.Conv2d(
            self.in_channels,
            self.out_channels,
            self.kernel_size,  # type: ignore[arg-type]
            self.stride,  # type: ignore[arg-type]
            self.padding,  # type: ignore[arg-type]
            self.dilation,  # type: ignore[arg-type]
            self.groups,
            bias=self.bias is not None,
            device=self.weight.device,
            dtype=self.weight.dtype,
        )
        plain.weight = nn.Parameter(self.standardized().detach())
        if self.bias is not None:
            plain.bias = nn.Parameter(self.bias.detach().clone())
        return plain.train(self.training)

    def _centred(self) -> tuple[Tensor, Tensor]:
        """Return the weight less its mean, and its variance, per filter."""
        centred = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        return centred, centred.pow(2).mean(dim=(1, 2, 3), keepdim=True)


class WeightStandardizedConv2d(_StandardizedConv2d):
    """``W' = (W - mean) / sqrt(variance + eps)`` per filter."""

    def __init__(self, *args: Any, eps: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.eps = eps

    def standardized(self) -> Tensor:
        """Return the standardised weight."""
        centred, variance = self._centred()
        return centred * torch.rsqrt(variance + self.eps)


class ScaledWeightStandardizedConv2d(_StandardizedConv2d):
    """``W' = gain gamma (W - mean) / sqrt(max(N variance, eps))`` per filter, N its number of weights.

    Args:
        args, kwargs: of ``nn.Conv2d``.
        gamma: fixed, by the activation before; 1 for a linear one.
        eps: least ``N variance``, as the authors' code of arXiv 2101.08692 has it.
    """

    def __init__(self, *args: Any, gamma: float = RELU_GAIN, eps: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gamma, self.eps = gamma, eps
        self.gain = nn.Parameter(torch.ones(self.out_channels, 1, 1, 1))

    def standardized(self) -> Tensor:
        """Return the standardised weight."""
        centred, variance = self._centred()
        fan_in = self.weight[0].numel()
        return centred * (torch.rsqrt((variance * fan_in).clamp(min=self.eps)) * self.gamma * self.gain)
