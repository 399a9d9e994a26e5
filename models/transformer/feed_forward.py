"""Feed-forwards that work on every token alone: dense, and a mixture of experts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from simhw.models.transformer.config import TransformerConfig


class Dense(nn.Module):
    """``down(gelu(up(x)))``."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.stream, config.hidden, bias=config.bias)
        self.down = nn.Linear(config.hidden, config.stream, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., stream)`` to the same shape."""
        return self.down(functional.gelu(self.up(x)))  # type: ignore[no-any-return]


class MixtureOfExperts(nn.Module):
    """``sum over the chosen experts of p_e * expert_e(x)``, p the softmax of the router, the others' share left out.

    Shapes do not depend on the data: every expert works on every token, and the shares of those not chosen are 0. The
    result is that of a machine that leaves them out; the work counted here is that of all experts.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.chosen = config.chosen_experts
        self.router = nn.Linear(config.stream, config.experts, bias=config.bias)
        self.experts = nn.ModuleList(Dense(config) for _ in range(config.experts))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., stream)`` to the same shape."""
        shares = choose(functional.softmax(self.router(x), dim=-1), self.chosen).unbind(-1)
        parts = [expert(x) * share.unsqueeze(-1) for expert, share in zip(self.experts, shares, strict=True)]
        total: Tensor = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


def choose(probabilities: Tensor, count: int) -> Tensor:
    """Return the largest ``count`` probabilities of the last axis in their places, 0 elsewhere."""
    values, places = probabilities.topk(count, dim=-1)
    return torch.zeros_like(probabilities).scatter(-1, places, values)


def balance_loss(logits: Tensor, chosen: int) -> Tensor:
    """Return ``experts * sum(f_e * P_e)`` of router logits ``(tokens, experts)``: 1 when all experts are used alike.

    f is the share of choices that fall on an expert, P its mean probability (Switch Transformers, arXiv 2101.03961,
    equation 4; f is over all chosen experts).
    """
    probabilities = functional.softmax(logits, dim=-1)
    used = (choose(probabilities, chosen) > 0).to(logits.dtype).mean(0) / chosen
    return logits.shape[-1] * (used * probabilities.mean(0)).sum()
