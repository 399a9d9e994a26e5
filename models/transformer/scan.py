"""The linear recurrence ``h[t] = decay[t] * h[t-1] + drive[t]`` along the second axis, from h = 0."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def scan_by_doubling(decay: Tensor, drive: Tensor) -> Tensor:
    """Return all h for ``(samples, tokens, ...)``, in ``ceil(log2(tokens))`` steps over whole tensors.

    After the step of span s every value holds the recurrence over the last 2 s tokens (Hillis and Steele, 1986). It
    exports as a few dozen steps however many tokens there are, where a loop over tokens exports each of them.
    """
    span, tokens = 1, drive.shape[1]
    while span < tokens:
        drive = drive + decay * _delayed(drive, span)
        decay = decay * _delayed(decay, span)
        span *= 2
    return drive


def _delayed(x: Tensor, span: int) -> Tensor:
    """Return x moved ``span`` tokens later, zeros before."""
    return functional.pad(x[:, : x.shape[1] - span], (0, 0) * (x.ndim - 2) + (span, 0))


def scan_in_order(decay: Tensor, drive: Tensor) -> Tensor:
    """Return the same, token by token: a third of the work, with a gradient of the same form; for training."""
    by_token: Tensor = _InOrder.apply(decay.transpose(0, 1).contiguous(), drive.transpose(0, 1).contiguous())  # type: ignore[no-untyped-call]
    return by_token.transpose(0, 1)


class _InOrder(torch.autograd.Function):
    """The recurrence along the first axis."""

    @staticmethod
    def forward(ctx: Any, decay: Tensor, drive: Tensor) -> Tensor:
        states = torch.empty_like(drive)
        states[0] = drive[0]
        for token in range(1, len(drive)):
            torch.addcmul(drive[token], decay[token], states[token - 1], out=states[token])
        ctx.save_for_backward(decay, states)
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        decay, states = ctx.saved_tensors
        of_drive = gradient.contiguous().clone()
        for token in range(len(decay) - 2, -1, -1):
            of_drive[token].addcmul_(decay[token + 1], of_drive[token + 1])
        of_decay = torch.zeros_like(decay)
        torch.mul(of_drive[1:], states[:-1], out=of_decay[1:])
        return of_decay, of_drive
