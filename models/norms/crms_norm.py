"""Compressed root-mean-square norm (Jiang et al., Pre-RMSNorm and Pre-CRMSNorm Transformers, arXiv 2305.14858).

A vector of zero mean is known from all its elements but one: the last is minus the sum of the others. The norm of the
compressed vector is the layer norm of the whole one, its last element left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CRMSNorm(nn.Module):
    """``x / sqrt((sum(x^2) + sum(x)^2) / (width + 1) + eps) * weight`` over the last axis.

    The published norm has no weight: there it goes into the next linear layer. One that stays 1 is that norm.

    Args:
        width: elements of the compressed vector, one less than those of the vector of zero mean.
        eps: added to the mean square.
    """

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.width = width
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(..., width)``."""
        last = x.sum(-1, keepdim=True)
        squares = x.pow(2).sum(-1, keepdim=True) + last.pow(2)
        return x * torch.rsqrt(squares / (self.width + 1) + self.eps) * self.weight
