"""BERT encoder as plain modules (Devlin et al., arXiv 1810.04805), pooled to one vector per text."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

PADDING = 0
"""Token id after the end of a text, in BERT's vocabularies ``[PAD]``."""


@dataclass(frozen=True, kw_only=True)
class BertShape:
    """The numbers that define one encoder.

    Attributes:
        vocabulary: token ids are 0 .. vocabulary-1.
        context: longest text in tokens; there is one learned vector per position.
        width: length of the residual vector.
        layers: encoder blocks.
        heads: attention heads.
        hidden: inner width of the feed-forward block.
        kinds: rows of the segment table; only the first is used here.
        epsilon: added to the variance in layer norm.
    """

    vocabulary: int
    context: int
    width: int
    layers: int
    heads: int
    hidden: int
    kinds: int = 2
    epsilon: float = 1e-12


class Embeddings(nn.Module):
    """Sum of the token's, the position's and the segment's vector, normalised."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.token = nn.Embedding(shape.vocabulary, shape.width)
        self.position = nn.Embedding(shape.context, shape.width)
        self.kind = nn.Embedding(shape.kinds, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=shape.epsilon)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``(batch, tokens)`` ids to ``(batch, tokens, width)``."""
        places = self.position.weight[: tokens.shape[1]] + self.kind.weight[:1]
        return self.norm(self.token(tokens) + places)  # type: ignore[no-any-return]


class EncoderBlock(nn.Module):
    """Attention over all tokens and a GELU feed-forward block, each added to its input and then normalised."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query = nn.Linear(shape.width, shape.width)
        self.key = nn.Linear(shape.width, shape.width)
        self.value = nn.Linear(shape.width, shape.width)
        self.output = nn.Linear(shape.width, shape.width)
        self.attention_norm = nn.LayerNorm(shape.width, eps=shape.epsilon)
        self.up = nn.Linear(shape.width, shape.hidden)
        self.down = nn.Linear(shape.hidden, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=shape.epsilon)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(-1, x.shape[1], self.heads, x.shape[2] // self.heads).transpose(1, 2)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """Map ``(batch, tokens, width)`` to the same shape.

        ``seen`` is which tokens attention sees, ``(batch, 1, 1, tokens)``; None: all.
        """
        query, key, value = self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        x = self.attention_norm(x + self.output(mixed.transpose(1, 2).reshape(-1, x.shape[1], x.shape[2])))
        return self.norm(x + self.down(functional.gelu(self.up(x))))  # type: ignore[no-any-return]


class SentenceEncoder(nn.Module):
    """Token ids to one vector of length 1 per text: the mean over its tokens, normalised.

    Texts have equal lengths; there is no padding and so no mask.
    """

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.embeddings = Embeddings(shape)
        self.blocks = nn.ModuleList(EncoderBlock(shape) for _ in range(shape.layers))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return ``(batch, width)`` for ``(batch, tokens)`` ids, tokens <= context."""
        x = self.embeddings(tokens)
        for block in self.blocks:
            x = block(x)
        return unit_length(x.mean(1))


class PaddedSentenceEncoder(SentenceEncoder):
    """The same for texts of different lengths, each filled up at its end with the token ``PADDING``.

    Attention does not see the filling and the mean leaves it out (its divisor drops out of the unit length).
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """Return ``(batch, width)`` for ``(batch, tokens)`` ids, tokens <= context."""
        text = tokens != PADDING
        x = self.embeddings(tokens)
        for block in self.blocks:
            x = block(x, text[:, None, None, :])
        return unit_length((x * text[:, :, None]).sum(1))


def unit_length(x: Tensor) -> Tensor:
    """Return ``(batch, width)`` vectors, each divided by its length."""
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) * x.shape[1])
