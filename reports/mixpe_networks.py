"""The networks of MixPE's comparison: as their publications have them, and as its simulator has them.

Rows are those of 64 images or sequences. An image is all its tokens at once (a vision transformer has no other way to
run); of a sequence it is one token, generated behind ``CONTEXT`` tokens whose keys and values are read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import MappingProxyType

from simhw.arrays import Gemm
from simhw.costs.published_model import PublishedNetwork
from simhw.workloads import Inference, Phase, Shape, Work, WorkKind, load_shape

BATCH = 64
"""Images or sequences: the batch of the published comparison."""
CONTEXT = 1024
"""Tokens before the generated one: a choice; the published comparison has none."""
SHAPES = MappingProxyType({"vit_b": "vit_b", "vit_h": "vit_h", "opt_6_7b": "opt_6_7b", "llama_2_13b": "llama2_13b"})
"""Entry name of the shape, by that in the cost preset."""


def shape_of(network: str) -> Shape:
    """Return the published shape of a network of the preset."""
    return load_shape(SHAPES[network])


@cache
def products_of(network: str) -> Sequence[Work]:
    """Return every matrix product and convolution of one run, attention included."""
    shape = shape_of(network)
    decodes = Inference(phase=Phase.DECODE, batch=BATCH, context=CONTEXT)
    inference = decodes if shape.is_decoder else Inference(batch=BATCH)
    return [work for work in shape.work(inference) if work.kind is not WorkKind.VECTOR]


def published_products(network: PublishedNetwork) -> Sequence[Work]:
    """Return the products as MixPE's simulator has them: one row per image or sequence, no attention."""
    found = [
        Work(name=name, count=network.blocks, layer=Gemm(m=BATCH, n=n, k=k))
        for name, (k, n) in network.products.items()
    ]
    if network.patch:
        patches = BATCH * (network.image // network.patch) ** 2
        found.append(Work(name="patches", layer=Gemm(m=patches, n=network.hidden, k=3 * network.patch**2)))
    return found
