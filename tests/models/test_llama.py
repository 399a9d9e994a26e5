"""The decoder against independent definitions of its parts."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from simhw.models.llama import Attention, Llama, LlamaShape, RotaryEmbedding, SwiGLU

SHAPE = LlamaShape(
    vocabulary=50, context=12, width=24, layers=2, heads=6, kv_heads=2, head_dim=8, hidden=40, epsilon=1e-3
)
ROUNDING = {"rtol": 0, "atol": 2e-5}  # float32 against float64, a few dozen terms of size one


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_rotary_is_a_complex_rotation():
    x = torch.randn(1, 1, 12, 8)
    turned = RotaryEmbedding(SHAPE)(x)[0, 0].detach().numpy()
    pairs = x[0, 0].numpy().astype(np.float64)
    for position in range(12):
        for i in range(4):
            angle = position * SHAPE.rope_base ** (-2 * i / 8)
            z = complex(pairs[position, i], pairs[position, i + 4]) * complex(math.cos(angle), math.sin(angle))
            assert abs(complex(turned[position, i], turned[position, i + 4]) - z) < 2e-6


def test_attention_is_causal_softmax_with_shared_heads():
    attention = Attention(SHAPE)
    x = torch.randn(2, 7, 24)
    query = attention.rotary(attention.query(x).view(2, 7, 6, 8).transpose(1, 2)).detach().double().numpy()
    key = attention.rotary(attention.key(x).view(2, 7, 2, 8).transpose(1, 2)).detach().double().numpy()
    value = attention.value(x).view(2, 7, 2, 8).transpose(1, 2).detach().double().numpy()
    mixed = np.zeros((2, 7, 48))
    for batch in range(2):
        for head in range(6):
            shared = head // 3
            for token in range(7):
                scores = key[batch, shared, : token + 1] @ query[batch, head, token] / math.sqrt(8)
                weights = np.exp(scores) / np.exp(scores).sum()
                mixed[batch, token, 8 * head : 8 * head + 8] = weights @ value[batch, shared, : token + 1]
    expected = mixed @ attention.output.weight.detach().double().numpy().T
    np.testing.assert_allclose(attention(x).detach().numpy(), expected, **ROUNDING)


def test_swiglu():
    mlp = SwiGLU(SHAPE)
    x = torch.randn(4, 24)
    gate, up, down = (part.weight.detach().double() for part in (mlp.gate, mlp.up, mlp.down))
    g = x.double() @ gate.T
    expected = (g / (1 + torch.exp(-g)) * (x.double() @ up.T)) @ down.T
    torch.testing.assert_close(mlp(x).double(), expected, **ROUNDING)


def test_later_tokens_do_not_change_earlier_logits():
    module = Llama(SHAPE)
    ids = torch.randint(0, 50, (1, 12))
    changed = ids.clone()
    changed[0, 8:] = (changed[0, 8:] + 1) % 50
    before, after = module(ids), module(changed)
    torch.testing.assert_close(before[:, :8], after[:, :8], **ROUNDING)
    assert not torch.allclose(before[:, 8:], after[:, 8:], **ROUNDING)


def test_a_tied_head_is_the_embedding():
    module = Llama(dataclasses.replace(SHAPE, tied=True))
    assert module.head.weight is module.embedding.weight
    assert Llama(SHAPE).head.weight is not Llama(SHAPE).embedding.weight
