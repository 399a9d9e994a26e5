"""What the trained language models share: crops of a text, and the loop over batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from simhw.models.muon import Muon
from simhw.models.training import one_cycle, say

MUON_RATE, ADAM_RATE = 0.02, 0.004
Draw = Callable[[float], tuple[Tensor, Tensor]]
"""Returns inputs and targets ``(batch, tokens)`` for a share of the training, 0 to 1."""


def crops(ids: Tensor, recent: float, random: torch.Generator, *, batch: int, context: int) -> tuple[Tensor, Tensor]:
    """Return inputs and targets ``(batch, context)`` at random places.

    The place at fraction p of the text is drawn with density ``recent * p ** (recent - 1)``: above 1, late
    places come more often.
    """
    places = torch.rand(batch, generator=random, dtype=torch.float64) ** (1 / recent)
    starts = (places * (len(ids) - context - 1)).long()
    rows = ids[starts[:, None] + torch.arange(context + 1)]
    return rows[:, :-1], rows[:, 1:]


def muon_and_adam(module: nn.Module, blocks: nn.Module) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices of the linear layers inside ``blocks`` and AdamW for everything else."""
    layers = [part for part in blocks.modules() if isinstance(part, nn.Linear)]
    inner = [parameter for layer in layers for parameter in layer.parameters() if parameter.ndim == 2]
    outer = [parameter for parameter in module.parameters() if all(parameter is not other for other in inner)]
    return [
        Muon(inner, lr=MUON_RATE, momentum=0.95),
        torch.optim.AdamW(outer, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def fit(
    module: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    draw: Draw,
    steps: int,
    *,
    warm_up: float = 0.02,
    clip: float | None = None,
    more_loss: Callable[[], Tensor] | None = None,
) -> None:
    """Train next-token prediction for ``steps`` batches; the rates rise over ``warm_up`` of them, then fall to zero.

    Args:
        module: in training mode.
        optimizers: each with its peak rate.
        draw: the batches.
        steps: how many.
        warm_up: share of the steps.
        clip: largest norm of the gradient, None: any.
        more_loss: called after each forward pass; its value joins the cross-entropy.
    """
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(step, steps, warm_up=warm_up))
        for optimizer in optimizers
    ]
    total, count = 0.0, 0
    for step in range(1, steps + 1):
        inputs, targets = draw(step / steps)
        loss = functional.cross_entropy(module(inputs).flatten(0, 1), targets.flatten())
        module.zero_grad()
        torch.autograd.backward(loss if more_loss is None else loss + more_loss())
        if clip is not None:
            nn.utils.clip_grad_norm_(module.parameters(), clip)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        total, count = total + float(loss.detach()), count + 1
        if step % 100 == 0 or step == steps:
            say(f"step {step}/{steps}: training loss {total / count:.4f} nats per token")
            total, count = 0.0, 0
