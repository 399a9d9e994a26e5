"""Batch-channel normalization (Qiao et al., arXiv 1903.10520): a batch norm, then a norm over groups of channels.

At inference the batch norm has stored statistics and folds into the convolution before it; the group norm stays. The
published channel norm has one scale and shift per group; here they are per channel, which includes that.
"""

from __future__ import annotations

from torch import Tensor, nn


class BatchChannelNorm2d(nn.Module):
    """``group_norm(batch_norm(x))`` of ``(batch, channels, height, width)``, each with its own scale and shift.

    Args:
        channels: axis 1.
        eps: added to both variances.
        groups: of channels.
    """

    def __init__(self, channels: int, eps: float = 1e-5, groups: int = 32) -> None:
        super().__init__()
        self.batch = nn.BatchNorm2d(channels, eps=eps)
        self.channel = nn.GroupNorm(groups, channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        return self.channel(self.batch(x))  # type: ignore[no-any-return]
