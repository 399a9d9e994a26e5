"""The norm of a configuration, as a module over the last axis."""

from __future__ import annotations

from torch import nn

from simhw.models.norms.crms_norm import CRMSNorm
from simhw.models.norms.power_norm import PowerNorm
from simhw.models.norms.rms_norm import RMSNorm
from simhw.models.norms.unified_norm import UnifiedNorm
from simhw.models.transformer.config import NormKind, TransformerConfig


def make_norm(config: TransformerConfig) -> nn.Module:
    """Return a new norm of the residual vector."""
    width, epsilon = config.stream, config.epsilon
    match config.norm:
        case NormKind.LAYER_NORM:
            return nn.LayerNorm(width, eps=epsilon)
        case NormKind.RMS_NORM:
            return RMSNorm(width, epsilon)
        case NormKind.CRMS_NORM:
            return CRMSNorm(width, epsilon)
        case NormKind.POWER_NORM:
            return PowerNorm(width, epsilon)
        case NormKind.POWER_NORM_UNSCALED:
            return PowerNorm(width, epsilon, groups=None)
        case NormKind.UNIFIED:
            return UnifiedNorm(width, epsilon)
