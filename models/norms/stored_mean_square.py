"""What norms by a stored mean square per channel share: ``y = weight * x / sqrt(mean_square + eps) + bias``.

No mean is subtracted, and nothing depends on the vector itself: the norm folds into the next linear layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from simhw.models.norms.folding import fold_into_next


class StoredMeanSquare(nn.Module):
    """Scale and shift of each channel of the last axis, from a running mean square.

    In training mode each forward pass first updates the statistics and then uses them as constants: gradients do not
    pass through them. The papers' gradients are not built; this is enough to train and to have statistics. As a step
    of a network it is a batch norm with mean 0, and runs on the units of one.
    """

    mean_square: Tensor
    batches: Tensor

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.width = width
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("mean_square", torch.ones(width))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(batch, ..., width)``."""
        if self.training:
            self.observe(x)
        # A copy where gradients need it: the next pass changes the statistics in place.
        square = self.mean_square.clone() if self.training else self.mean_square
        channels, mean = x.transpose(1, -1), torch.zeros_like(square)
        normed = functional.batch_norm(channels, mean, square, self.weight, self.bias, False, 0.0, self.eps)
        return normed.transpose(1, -1)

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return ``(scale, shift)`` per channel."""
        return (torch.rsqrt(self.mean_square + self.eps) * self.weight).detach(), self.bias.detach()

    def fold_into(self, layer: nn.Linear) -> nn.Linear:
        """Return the linear layer that does what this norm and ``layer`` do; see ``fold_into_next``."""
        return fold_into_next(self.affine(), layer)

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        """Take a batch ``(..., width)`` into the statistics."""
        self.batches += 1
        self.update(x.detach().reshape(-1, self.width).pow(2).mean(0))

    def update(self, square: Tensor) -> None:
        """Take one batch's mean square ``(width,)`` into the running one; ``batches`` counts it already."""
        raise NotImplementedError
