"""One configurable decoder: norm placement, norm kind, feed-forward and mixer are chosen each on its own."""

from simhw.models.transformer.config import (
    FeedForwardKind,
    MixerKind,
    NormKind,
    NormPlacement,
    Routing,
    TransformerConfig,
)
from simhw.models.transformer.decoder import Decoder

__all__ = [
    "Decoder",
    "FeedForwardKind",
    "MixerKind",
    "NormKind",
    "NormPlacement",
    "Routing",
    "TransformerConfig",
]
