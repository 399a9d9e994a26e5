"""alpha-BN (You et al., Test-time batch statistics calibration for covariate shift, arXiv 2110.04065).

A batch norm whose statistics are stored ones and those of the test batch, mixed. The batch decides about each of its
samples, so it is no step of an imported network: ``stored`` is, with the statistics of the last batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class AlphaBatchNorm2d(nn.Module):
    """``mean = alpha mean_stored + (1 - alpha) mean_batch``, the variance likewise, then a batch norm.

    Args:
        norm: with stored statistics.
        alpha: weight of the stored statistics, 0..1; 1 is the norm itself, 0.9 a choice. Some programs call the
            batch's weight alpha.

    Raises:
        ValueError: no stored statistics, or a weight out of range.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, norm: nn.BatchNorm2d, alpha: float = 0.9) -> None:
        super().__init__()
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError("the batch norm stores no statistics (track_running_stats=False); there is nothing to mix")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is {alpha}, must be 0..1; it is the weight of the stored statistics")
        self.norm, self.alpha = norm, alpha
        self.register_buffer("mean", norm.running_mean.clone())
        self.register_buffer("variance", norm.running_var.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(batch, channels, height, width)``, and keep the mixed statistics."""
        assert self.norm.running_mean is not None
        assert self.norm.running_var is not None
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), unbiased=False)
        with torch.no_grad():
            self.mean.copy_(self.alpha * self.norm.running_mean + (1 - self.alpha) * mean)
            self.variance.copy_(self.alpha * self.norm.running_var + (1 - self.alpha) * variance)
        return functional.batch_norm(
            x, self.mean, self.variance, self.norm.weight, self.norm.bias, training=False, eps=self.norm.eps
        )

    def stored(self) -> nn.BatchNorm2d:
        """Return the batch norm with the statistics that the last batch had."""
        norm, mean = self.norm, self.mean
        found = nn.BatchNorm2d(norm.num_features, norm.eps, affine=norm.affine, device=mean.device, dtype=mean.dtype)
        found.load_state_dict({**norm.state_dict(), "running_mean": mean.clone(), "running_var": self.variance.clone()})
        return found.eval()
