"""Llama-style decoder as plain modules: RMSNorm, rotary positions, grouped-query attention, SwiGLU."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from simhw.models.norms.rms_norm import RMSNorm


@dataclass(frozen=True, kw_only=True)
class LlamaShape:
    """The numbers that define one decoder.

    Attributes:
        vocabulary: token ids are 0 .. vocabulary-1.
        context: longest sequence; rotary tables are computed up to it.
        width: length of the residual vector.
        layers: decoder blocks.
        heads: query heads.
        kv_heads: key/value heads; each serves ``heads // kv_heads`` query heads.
        head_dim: length of one head's vector, even.
        hidden: inner width of the SwiGLU block.
        rope_base: base of the rotary frequencies.
        epsilon: added to the mean square in RMSNorm.
        tied: whether the output head shares the embedding's weight.
        bias: whether the linear layers of the blocks have one.
    """

    vocabulary: int
    context: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    rope_base: float = 10_000.0
    epsilon: float = 1e-5
    tied: bool = False
    bias: bool = False


class RotaryEmbedding(nn.Module):
    """Rotary positions, half-split form: element i is rotated together with element i + head_dim / 2.

    The tables are buffers computed here, not stored with the weights.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        steps = torch.arange(0, shape.head_dim, 2, dtype=torch.float64) / shape.head_dim
        angles = torch.outer(torch.arange(shape.context, dtype=torch.float64), shape.rope_base**-steps)
        both = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", both.cos().float(), persistent=False)
        self.register_buffer("sin", both.sin().float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Rotate ``(batch, heads, tokens, head_dim)`` by the positions 0 .. tokens-1."""
        tokens, half = x.shape[2], x.shape[3] // 2
        turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
        return x * self.cos[:tokens] + turned * self.sin[:tokens]


class Attention(nn.Module):
    """Causal self-attention in which several query heads share one key/value head."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = shape.heads, shape.kv_heads, shape.head_dim
        self.query = nn.Linear(shape.width, shape.heads * shape.head_dim, bias=shape.bias)
        self.key = nn.Linear(shape.width, shape.kv_heads * shape.head_dim, bias=shape.bias)
        self.value = nn.Linear(shape.width, shape.kv_heads * shape.head_dim, bias=shape.bias)
        self.output = nn.Linear(shape.heads * shape.head_dim, shape.width, bias=shape.bias)
        self.rotary = RotaryEmbedding(shape)

    def _split(self, x: Tensor, heads: int) -> Tensor:
        return x.view(-1, x.shape[1], heads, self.head_dim).transpose(1, 2)

    def _shared(self, x: Tensor) -> Tensor:
        """Repeat each key/value head for the query heads that it serves; the copies are neighbours."""
        tokens, copies = x.shape[2], self.heads // self.kv_heads
        wide = x.unsqueeze(2).expand(-1, -1, copies, -1, -1)
        return wide.reshape(-1, self.heads, tokens, self.head_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Attend within ``(batch, tokens, width)``."""
        query = self.rotary(self._split(self.query(x), self.heads))
        key = self._shared(self.rotary(self._split(self.key(x), self.kv_heads)))
        value = self._shared(self._split(self.value(x), self.kv_heads))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        merged = mixed.transpose(1, 2).reshape(-1, x.shape[1], self.heads * self.head_dim)
        return self.output(merged)  # type: ignore[no-any-return]


class SwiGLU(nn.Module):
    """``down(silu(gate(x)) * up(x))``."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.gate = nn.Linear(shape.width, shape.hidden, bias=shape.bias)
        self.up = nn.Linear(shape.width, shape.hidden, bias=shape.bias)
        self.down = nn.Linear(shape.hidden, shape.width, bias=shape.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., width)`` to ``(..., width)``."""
        return self.down(functional.silu(self.gate(x)) * self.up(x))  # type: ignore[no-any-return]


class DecoderBlock(nn.Module):
    """Attention and SwiGLU, each behind a norm and added to the residual stream."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(shape.width, shape.epsilon)
        self.attention = Attention(shape)
        self.mlp_norm = RMSNorm(shape.width, shape.epsilon)
        self.mlp = SwiGLU(shape)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, tokens, width)`` to the same shape."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))  # type: ignore[no-any-return]


class Llama(nn.Module):
    """Token ids to next-token logits."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(DecoderBlock(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.width, shape.epsilon)
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        if shape.tied:
            self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Return ``(batch, tokens, vocabulary)`` logits for ``(batch, tokens)`` ids, tokens <= context."""
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))  # type: ignore[no-any-return]
