"""Unified Normalization (Yang et al., arXiv 2208.01313): a running mean square per channel, fused into the next layer.

A batch counts as the geometric mean of the last few batches' mean squares. Statistics follow
hikvision-research/Unified-Normalization; its published defaults are those here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from simhw.models.norms.stored_mean_square import StoredMeanSquare


class UnifiedNorm(StoredMeanSquare):
    """``y = weight * x / sqrt(mean_square + eps) + bias``.

    Args:
        width: channels, the last axis.
        eps: added to mean squares.
        window: batches of the geometric mean.
        decay: of the running mean square.
        warm_up: batches that count as they are.
        filter_outliers: whether a batch counts as it is, and leaves the window, where the arithmetic mean of the
            window exceeds the geometric one by more than ``window`` times the variance of the roots in it.
    """

    recent: Tensor

    def __init__(
        self,
        width: int,
        eps: float = 1e-5,
        window: int = 4,
        decay: float = 0.9,
        warm_up: int = 4_000,
        filter_outliers: bool = False,
    ) -> None:
        super().__init__(width, eps)
        self.window, self.decay, self.warm_up, self.filter_outliers = window, decay, warm_up, filter_outliers
        self.register_buffer("recent", torch.zeros(window, width))

    def update(self, square: Tensor) -> None:
        """Put the batch into the window, and the window's geometric mean into the running mean square."""
        count = int(self.batches)
        spread = self.recent.sqrt().var()
        slot = count % self.window
        self.recent[slot] = square
        geometric = self.recent.log().mean(0).exp()
        outlier = (
            self.filter_outliers
            and count >= self.warm_up
            and bool((self.recent.mean(0) - geometric > spread * self.window).any())
        )
        if outlier:
            self.recent[slot] = self.mean_square
        plain = self.window == 1 or outlier or count <= self.window or count < self.warm_up
        self.mean_square.mul_(self.decay).add_((square if plain else geometric) * (1 - self.decay))
