"""Mixture-of-Depths: a router lets some tokens of a sequence pass a feed-forward (Raposo et al., arXiv 2404.02258)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from simhw.models.transformer.config import Routing, TransformerConfig
from simhw.models.transformer.feed_forward import Dense


class MixtureOfDepths(nn.Module):
    """``gate * tanh(r) * inner(x)`` for the chosen tokens and 0 for the others, r the router's weight of a token.

    The paper routes around a whole block and weights by r itself; here the feed-forward alone is routed, and the
    weight is TanhNorm's, which stays bounded (p-MoD, arXiv 2412.04449). The router sees the normed token.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.capacity, self.routing, self.gate = config.capacity, config.routing, config.gate
        self.router = nn.Linear(config.stream, 1, bias=config.bias)
        self.inner = Dense(config)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(samples, tokens, stream)`` to the same shape."""
        weight = self.router(x).squeeze(-1)
        if self.routing is Routing.THRESHOLD and not self.training:
            return self._above_zero(x, weight)
        return self._largest(x, weight)

    def _largest(self, x: Tensor, weight: Tensor) -> Tensor:
        """Work on a fixed number of tokens per sequence: only they enter the feed-forward's products."""
        count = math.ceil(self.capacity * x.shape[1])
        top, places = weight.topk(count, dim=-1)
        places = places.unsqueeze(-1).expand(-1, -1, x.shape[2])
        passed = self.inner(x.gather(1, places)) * (self.gate * torch.tanh(top)).unsqueeze(-1)
        return torch.zeros_like(x).scatter(1, places, passed)

    def _above_zero(self, x: Tensor, weight: Tensor) -> Tensor:
        """Weight the tokens below the threshold by 0: shapes do not depend on the data."""
        share = self.gate * torch.tanh(weight) * (weight > 0).to(x.dtype)
        return self.inner(x) * share.unsqueeze(-1)  # type: ignore[no-any-return]


def threshold_loss(weights: Tensor, capacity: float) -> Tensor:
    """Return the loss that moves the chosen tokens' weights above 0 and the others' below, for causal inference.

    Args:
        weights: of the router, ``(samples, tokens)``.
        capacity: share of tokens that is chosen.

    It is the binary cross-entropy of the weights as logits against being chosen (arXiv 2404.02258, section 3.5).
    """
    _, places = weights.topk(math.ceil(capacity * weights.shape[1]), dim=-1)
    target = torch.zeros_like(weights).scatter(-1, places, 1.0)
    return functional.binary_cross_entropy_with_logits(weights, target)
