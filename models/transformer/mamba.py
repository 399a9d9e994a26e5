"""Mamba's mixer: a selective state space between two gates (Gu and Dao, arXiv 2312.00752, section 3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from simhw.models.transformer.config import TransformerConfig
from simhw.models.transformer.scan import scan_by_doubling, scan_in_order

LEAST_STEP, LARGEST_STEP = 0.001, 0.1
"""Range of the step sizes at the beginning, as in the paper (section 3.6)."""


class Mamba(nn.Module):
    """``output(y * silu(z))``, y the state space's answer to ``silu(convolution(u))``, ``u, z = input(x)``.

    Per channel and token: ``h = exp(step * A) h + step * B x``, ``y = C h + D x``, with step, B and C from the token.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        inner, self.rank, self.state = config.inner, config.step_rank, config.state
        self.input = nn.Linear(config.stream, 2 * inner, bias=config.bias)
        self.convolution = nn.Conv1d(inner, inner, config.convolution, groups=inner, padding=config.convolution - 1)
        self.selection = nn.Linear(inner, self.rank + 2 * self.state, bias=False)
        self.step = nn.Linear(self.rank, inner)
        self.decay_log = nn.Parameter(torch.arange(1.0, self.state + 1).log().repeat(inner, 1))
        self.skip = nn.Parameter(torch.ones(inner))
        self.output = nn.Linear(inner, config.stream, bias=config.bias)

    @torch.no_grad()
    def initialise_steps(self) -> None:
        """Draw step sizes evenly in their logarithm; the bias is the inverse of the softplus."""
        low, high = math.log(LEAST_STEP), math.log(LARGEST_STEP)
        steps = torch.exp(torch.rand(len(self.skip)) * (high - low) + low)
        self.step.bias.copy_(steps + torch.log(-torch.expm1(-steps)))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(samples, tokens, stream)`` to the same shape; no token sees a later one."""
        u, z = self.input(x).chunk(2, dim=-1)
        u = self.convolution(u.transpose(1, 2))[:, :, : x.shape[1]].transpose(1, 2)
        y = self._state_space(functional.silu(u))
        return self.output(y * functional.silu(z))  # type: ignore[no-any-return]

    def _state_space(self, x: Tensor) -> Tensor:
        rank, into, out = self.selection(x).split([self.rank, self.state, self.state], dim=-1)
        step = functional.softplus(self.step(rank))
        decay = torch.exp(step.unsqueeze(-1) * -torch.exp(self.decay_log))
        drive = (step * x).unsqueeze(-1) * into.unsqueeze(-2)
        states = scan_in_order(decay, drive) if self.training else scan_by_doubling(decay, drive)
        read: Tensor = (states * out.unsqueeze(-2)).sum(-1)
        return read + x * self.skip
