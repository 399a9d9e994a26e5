"""The networks of MixPE's comparison as their publications have them: every matrix product, attention included.

Rows are those of 64 images or sequences. An image is all its tokens at once (a vision transformer has no other way to
run); of a sequence it is one token, generated behind ``CONTEXT`` tokens whose keys and values are read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simhw.arrays import Gemm

BATCH = 64
"""Images or sequences: the batch of the published comparison."""
CONTEXT = 1024
"""Tokens before the generated one: a choice; the published comparison has none."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """Equal matrix products of a network.

    Attributes:
        name: of the layer.
        count: of equal ones.
        gemm: sizes.
        attention: whether the second operand is made of activations (keys, values).
    """

    name: str
    count: int
    gemm: Gemm
    attention: bool = False

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all of them."""
        return self.count * self.gemm.macs


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """A transformer by its sizes.

    Attributes:
        name: entry name in the cost preset.
        blocks, hidden, inner, heads: sizes of a block.
        gated: whether the inner layers are three (gate, up, down) instead of two.
        patch, image: of a vision transformer, in pixels; 0: a language model.
        source: where the sizes are published.
    """

    name: str
    blocks: int
    hidden: int
    inner: int
    heads: int
    gated: bool = False
    patch: int = 0
    image: int = 0
    source: str

    @property
    def tokens(self) -> int:
        """Tokens of one image with the class token, or 1."""
        return (self.image // self.patch) ** 2 + 1 if self.patch else 1

    def products(self) -> Sequence[Product]:
        """Return every product of one run."""
        m, h, inner = BATCH * self.tokens, self.hidden, self.inner
        context = self.tokens if self.patch else CONTEXT
        head = h // self.heads
        each = BATCH * self.heads
        sizes = {"qkv": (3 * h, h), "projection": (h, h), "up": (inner, h), "down": (h, inner)}
        if self.gated:
            sizes["gate"] = (inner, h)
        found = [Product(name=name, count=self.blocks, gemm=Gemm(m=m, n=n, k=k)) for name, (n, k) in sizes.items()]
        if self.patch:
            patches = BATCH * (self.image // self.patch) ** 2
            found.append(Product(name="patches", count=1, gemm=Gemm(m=patches, n=h, k=3 * self.patch**2)))
        for name, n, k in (("scores", context, head), ("mix", head, context)):
            gemm = Gemm(m=self.tokens, n=n, k=k, batch=each)
            found.append(Product(name=name, count=self.blocks, gemm=gemm, attention=True))
        return found


_VIT = "A. Dosovitskiy et al., An image is worth 16x16 words, ICLR 2021, arXiv 2010.11929, table 1"
TRANSFORMERS = {
    each.name: each
    for each in (
        Transformer(name="vit_b", blocks=12, hidden=768, inner=3072, heads=12, patch=16, image=224, source=_VIT),
        Transformer(name="vit_h", blocks=32, hidden=1280, inner=5120, heads=16, patch=14, image=224, source=_VIT),
        Transformer(
            name="opt_6_7b",
            blocks=32,
            hidden=4096,
            inner=16384,
            heads=32,
            source="S. Zhang et al., OPT, arXiv 2205.01068, table 1; the inner width is four times the hidden one",
        ),
        Transformer(
            name="llama_2_13b",
            blocks=40,
            hidden=5120,
            inner=13824,
            heads=40,
            gated=True,
            source="H. Touvron et al., Llama 2, arXiv 2307.09288, and the configuration published with its weights",
        ),
    )
}


def artifact_products(blocks: int, hidden: int, patch: int, image: int) -> Sequence[Product]:
    """Return the products of a network as MixPE's simulator has them: one row per image or sequence, no attention."""
    h = hidden
    sizes = {"qkv": (3 * h, h), "projection": (h, h), "up": (4 * h, h), "down": (h, 4 * h)}
    found = [Product(name=name, count=blocks, gemm=Gemm(m=BATCH, n=n, k=k)) for name, (n, k) in sizes.items()]
    if patch:
        patches = BATCH * (image // patch) ** 2
        found.append(Product(name="patches", count=1, gemm=Gemm(m=patches, n=h, k=3 * patch**2)))
    return found
