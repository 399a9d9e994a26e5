"""PowerNorm (Shen et al., arXiv 2003.07845): a running mean square per channel, with or without its group scaling.

Statistics and group scaling follow sIncerass/powernorm, whose module scales every token by its own root mean square
before the stored one. That first step depends on the token, so only the norm without it folds.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from simhw.models.norms.stored_mean_square import StoredMeanSquare


class PowerNorm(StoredMeanSquare):
    """``y = weight * z / sqrt(mean_square + eps) + bias``, z the group-scaled x, or x itself.

    Args:
        width: channels, the last axis.
        eps: added to mean squares.
        groups: of the group scaling ``z = x / sqrt(mean_group(x^2) + eps)`` per token, 1 as published; None: z is x.
        decay: of the running mean square.
        warm_up: batches at whose beginning the cumulative mean joins the running one.

    Raises:
        ValueError: groups do not divide the width.
    """

    def __init__(
        self, width: int, eps: float = 1e-5, groups: int | None = 1, decay: float = 0.9, warm_up: int = 10_000
    ) -> None:
        super().__init__(width, eps)
        if groups is not None and width % groups:
            raise ValueError(f"width {width} is not divisible by {groups} groups; choose a divisor of it, or None")
        self.groups, self.decay, self.warm_up = groups, decay, warm_up

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(..., width)``."""
        return super().forward(x if self.groups is None else self._group_scaled(x, self.groups))

    def _group_scaled(self, x: Tensor, groups: int) -> Tensor:
        part = self.width // groups
        if groups == 1:
            return functional.rms_norm(x, (part,), eps=self.eps)
        parts = x.reshape(*x.shape[:-1], groups, part)
        return functional.rms_norm(parts, (part,), eps=self.eps).reshape(x.shape)

    def update(self, square: Tensor) -> None:
        """Join the cumulative mean during the warm-up, then decay; both, as the published module does."""
        count = int(self.batches)
        if count < self.warm_up:
            self.mean_square.mul_((count - 1) / count).add_(square / count)
        self.mean_square.mul_(self.decay).add_(square * (1 - self.decay))

    def fold_into(self, layer: nn.Linear) -> nn.Linear:
        """Return the linear layer that does what this norm and ``layer`` do.

        Raises:
            ValueError: the norm scales groups, which no weight can do; or as ``fold_into_next``.
        """
        if self.groups is not None:
            raise ValueError(f"PowerNorm scales {self.groups} groups per token, which does not fold; give groups=None")
        return super().fold_into(layer)
