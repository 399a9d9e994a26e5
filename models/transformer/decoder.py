"""The decoder of a configuration: embedding, blocks of a mixer and a feed-forward, head."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from simhw.models.llama import Attention, SwiGLU
from simhw.models.transformer.config import FeedForwardKind, MixerKind, NormPlacement, TransformerConfig
from simhw.models.transformer.depths import MixtureOfDepths
from simhw.models.transformer.feed_forward import Dense, MixtureOfExperts
from simhw.models.transformer.mamba import Mamba
from simhw.models.transformer.normalisation import make_norm


class Sublayer(nn.Module):
    """A function beside the residual stream, with its norms where the placement has them.

    Args:
        function: maps the stream to its own shape; blocks of shared depth are given the same one.
        config: of the decoder.
        layer: of the block, counted from 1.
    """

    def __init__(self, function: nn.Module, config: TransformerConfig, layer: int) -> None:
        super().__init__()
        self.placement = config.placement_of(layer)
        scaled = self.placement is NormPlacement.LAYERNORM_SCALING
        self.scale = 1 / math.sqrt(layer) if scaled else 1.0
        self.norm = make_norm(config)
        self.function = function
        self.output_norm = make_norm(config) if self.placement is NormPlacement.PERI_LN else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the residual stream ``(samples, tokens, stream)`` behind this sublayer."""
        if self.placement is NormPlacement.POST_LN:
            return self.norm(x + self.function(x))  # type: ignore[no-any-return]
        normed = self.norm(x)
        if self.placement is NormPlacement.LAYERNORM_SCALING:
            normed = normed * self.scale
        return x + self.output_norm(self.function(normed))  # type: ignore[no-any-return]


class Block(nn.Module):
    """A mixer, then a feed-forward where there is one."""

    def __init__(self, mixer: nn.Module, feed_forward: nn.Module | None, config: TransformerConfig, layer: int) -> None:
        super().__init__()
        self.mixer = Sublayer(mixer, config, layer)
        self.feed_forward = nn.Identity() if feed_forward is None else Sublayer(feed_forward, config, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Return the residual stream ``(samples, tokens, stream)`` behind this block."""
        return self.feed_forward(self.mixer(x))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Token ids to next-token logits."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.stream)
        peri = config.placement is NormPlacement.PERI_LN
        self.embedding_norm = make_norm(config) if peri else nn.Identity()
        shared = (_mixer(config), _feed_forward(config)) if config.shared_depth else None
        self.blocks = nn.ModuleList(
            Block(*(shared or (_mixer(config), _feed_forward(config))), config, layer)
            for layer in range(1, config.layers + 1)
        )
        # Where the last block ends with a norm, another one has nothing to do.
        post = config.placement_of(config.layers) is NormPlacement.POST_LN
        self.norm = nn.Identity() if post else make_norm(config)
        self.head = nn.Linear(config.stream, config.vocabulary, bias=config.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return ``(samples, tokens, vocabulary)`` logits for ``(samples, tokens)`` ids, tokens <= context."""
        x = self.embedding_norm(self.embedding(tokens))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))  # type: ignore[no-any-return]


def _mixer(config: TransformerConfig) -> nn.Module:
    return Mamba(config) if config.mixer is MixerKind.MAMBA else Attention(config.llama)


def _feed_forward(config: TransformerConfig) -> nn.Module | None:
    match config.feed_forward:
        case FeedForwardKind.NONE:
            return None
        case FeedForwardKind.DENSE:
            return Dense(config)
        case FeedForwardKind.SWIGLU:
            return SwiGLU(config.llama)
        case FeedForwardKind.MIXTURE_OF_EXPERTS:
            return MixtureOfExperts(config)
        case FeedForwardKind.MIXTURE_OF_DEPTHS:
            return MixtureOfDepths(config)


@torch.no_grad()
def initialise(module: Decoder) -> None:
    """Draw the weights of every matrix with variance 1 / inputs, biases zero, Mamba's step sizes as in its paper.

    No placement gets a scaling of its own, so that they differ in the placement alone.
    """
    for name, parameter in module.named_parameters():
        if name.endswith("embedding.weight"):
            parameter.normal_(std=1 / math.sqrt(module.config.width))
        elif name.endswith(".bias") and "norm" not in name:
            parameter.zero_()
        elif parameter.ndim >= 2 and not name.endswith("decay_log"):
            parameter.normal_(std=1 / math.sqrt(parameter[0].numel()))
    for part in module.modules():
        if isinstance(part, Mamba):
            part.initialise_steps()
