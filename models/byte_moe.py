"""Byte-level decoder whose four blocks share one mixture of experts, trained here on State of the Union speeches."""

from __future__ import annotations

from simhw.models.byte_level import byte_network
from simhw.models.transformer.config import FeedForwardKind, NormKind, TransformerConfig

CONFIG = TransformerConfig(
    width=96,
    layers=4,
    heads=4,
    hidden=320,
    norm=NormKind.RMS_NORM,
    feed_forward=FeedForwardKind.MIXTURE_OF_EXPERTS,
    shared_depth=True,
    bias=False,
)
NETWORK = byte_network(
    "byte_moe",
    "Byte-level decoder whose four blocks share one mixture of experts, trained here on State of the Union speeches.",
    CONFIG,
)
