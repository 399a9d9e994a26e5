"""Compressed root-mean-square norm (Jiang et al., Pre-RMSNorm and Pre-CRMSNorm Transformers, arXiv 2305.14858).

A vector of zero mean is known from all its elements but one: the last is minus the sum of the others. The norm of the
compressed vector is the layer norm of the whole one, its last element left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CRMSNorm(nn.Module):
    """``x / sqrt((sum(x^2) + sum(x)^2) / (width + 1) + eps) * weight`` over the last axis.

    As steps of a network: a sum, and the RMS norm of the whole vector, on whose units it runs.
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
        whole = torch.cat((x, -x.sum(-1, keepdim=True)), -1)
        weight = torch.cat((self.weight, torch.ones_like(self.weight[:1])))
        return functional.rms_norm(whole, (self.width + 1,), weight, self.eps)[..., :-1]
