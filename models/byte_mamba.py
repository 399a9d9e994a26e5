"""Byte-level Mamba of four blocks, trained here on State of the Union speeches."""

from __future__ import annotations

from simhw.models.byte_level import byte_network
from simhw.models.transformer.config import FeedForwardKind, MixerKind, NormKind, TransformerConfig

CONFIG = TransformerConfig(
    width=96,
    layers=4,
    heads=1,
    hidden=1,
    norm=NormKind.RMS_NORM,
    feed_forward=FeedForwardKind.NONE,
    mixer=MixerKind.MAMBA,
    bias=False,
)
NETWORK = byte_network(
    "byte_mamba", "Byte-level Mamba of four blocks, trained here on State of the Union speeches.", CONFIG
)
