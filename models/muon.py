"""Muon: momentum whose step is made orthogonal by a Newton-Schulz iteration (K. Jordan, 2024)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor


def orthogonal(gradients: Tensor) -> Tensor:
    """Return the nearest (semi-)orthogonal matrices, roughly, of ``(count, rows, columns)``.

    Five steps of the quintic iteration with Jordan's coefficients, which push every singular value into about
    0.7 .. 1.2; that is near enough for an optimizer step.
    """
    x = gradients.mT if gradients.shape[1] < gradients.shape[2] else gradients
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x.mT @ x
        x = 3.4445 * x + x @ (-4.7750 * gram + 2.0315 * gram @ gram)
    flipped: Tensor = x.mT if gradients.shape[1] < gradients.shape[2] else x
    return flipped


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; matrices of one shape go together, which is faster on a CPU."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], *, lr: float, momentum: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step for all parameters."""
        assert closure is None
        for group in self.param_groups:
            alike: dict[torch.Size, list[tuple[torch.nn.Parameter, Tensor]]] = defaultdict(list)
            for parameter in group["params"]:
                velocity = self.state[parameter].setdefault("velocity", torch.zeros_like(parameter))
                velocity.lerp_(parameter.grad, 1 - group["momentum"])
                alike[parameter.shape].append((parameter, parameter.grad.lerp(velocity, group["momentum"])))
            for shape, members in alike.items():
                rate = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                steps = orthogonal(torch.stack([gradient for _, gradient in members]))
                for (parameter, _), change in zip(members, steps, strict=True):
                    parameter.sub_(change, alpha=rate)
