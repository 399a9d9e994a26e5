"""MobileViT-like hybrid of convolution and attention (267 k parameters), trained here on Fashion-MNIST."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from simhw.graph.network import Network
from simhw.models.fashion_mnist import CLASSES, LICENCE, TOP1, calibration, held_out
from simhw.models.weights import ASSETS, load_weights

WEIGHTS = ASSETS / "fashion_hybrid.safetensors"
REMEDY = "restore models/assets from the repository or train again (python -m simhw.models.train_fashion_hybrid)"


def convolution(channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a convolution without bias, padded to keep the size at stride 1, its batch norm and SiLU."""
    conv = nn.Conv2d(channels_in, channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.SiLU())


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection (Sandler et al., arXiv 1801.04381), with SiLU."""

    def __init__(self, channels_in: int, channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.expand = convolution(channels_in, wide, 1)
        self.depthwise = convolution(wide, wide, 3, stride, groups=wide)
        self.project = nn.Conv2d(wide, channels, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(channels)
        self.residual = stride == 1 and channels_in == channels

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, channels_in, h, w)`` to ``(batch, channels, h/stride, w/stride)``."""
        y: Tensor = self.project_norm(self.project(self.depthwise(self.expand(x))))
        return x + y if self.residual else y


class TransformerLayer(nn.Module):
    """Pre-norm attention over all tokens and a SiLU feed-forward block of twice the width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(sequences, tokens, width)`` to the same shape."""
        tokens, width = x.shape[1:]
        y = self.attention_norm(x)
        heads = (part.view(-1, tokens, self.heads, width // self.heads) for part in self._projections(y))
        query, key, value = (part.transpose(1, 2) for part in heads)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.output(mixed.transpose(1, 2).reshape(-1, tokens, width))
        return x + self.down(functional.silu(self.up(self.norm(x))))  # type: ignore[no-any-return]

    def _projections(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.query(x), self.key(x), self.value(x)


class MobileViTBlock(nn.Module):
    """Convolution, attention among the pixels at the same place of every patch, fusion with the input.

    The block of Mehta and Rastegari, arXiv 2110.02178, section 3.1, figure 1b.

    Args:
        channels: of input and output.
        width: of a token.
        layers: transformer layers.
        heads: attention heads of each.
        patch: rows and columns of a patch; 1 means attention among all pixels.
    """

    def __init__(self, channels: int, width: int, layers: int, heads: int, patch: int) -> None:
        super().__init__()
        self.patch, self.width = patch, width
        self.local = convolution(channels, channels, 3)
        self.widen = nn.Conv2d(channels, width, 1, bias=False)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.narrow = convolution(width, channels, 1)
        self.fuse = convolution(2 * channels, channels, 3)

    def unfold(self, x: Tensor) -> Tensor:
        """Map ``(batch, width, h, w)`` to ``(batch * patch^2, patches, width)``."""
        rows, columns, patch = x.shape[2] // self.patch, x.shape[3] // self.patch, self.patch
        x = x.reshape(-1, self.width, rows, patch, columns, patch).permute(0, 3, 5, 2, 4, 1)
        return x.reshape(-1, rows * columns, self.width)

    def fold(self, x: Tensor, height: int, columns: int) -> Tensor:
        """Undo `unfold` for an image of ``height`` rows."""
        patch = self.patch
        x = x.reshape(-1, patch, patch, height // patch, columns // patch, self.width).permute(0, 5, 3, 1, 4, 2)
        return x.reshape(-1, self.width, height, columns)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, channels, h, w)`` to the same shape; h and w are multiples of ``patch``."""
        tokens = self.unfold(self.widen(self.local(x)))
        for layer in self.layers:
            tokens = layer(tokens)
        global_view = self.narrow(self.fold(self.norm(tokens), x.shape[2], x.shape[3]))
        return self.fuse(torch.cat((x, global_view), 1))  # type: ignore[no-any-return]


class FashionHybrid(nn.Module):
    """Stem and second inverted residual halve the image; after each inverted residual there is a MobileViT block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolution(1, 16, 3, stride=2)
        self.first = InvertedResidual(16, 24, stride=1, expansion=2)
        self.hybrid1 = MobileViTBlock(24, width=48, layers=1, heads=2, patch=2)
        self.second = InvertedResidual(24, 48, stride=2, expansion=3)
        self.hybrid2 = MobileViTBlock(48, width=96, layers=2, heads=4, patch=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(48, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(batch, 10)`` logits for normalised images ``(batch, 1, 28, 28)``."""
        x = self.hybrid1(self.first(self.stem(x)))
        x = self.hybrid2(self.second(x))
        return self.classifier(self.pool(x).flatten(1))  # type: ignore[no-any-return]


def load() -> FashionHybrid:
    """Return the trained network in eval mode, norms unfused; InputError when its weights are damaged."""
    module = FashionHybrid()
    load_weights(module, WEIGHTS, remedy=REMEDY)
    return module.eval()


NETWORK = Network(
    name="fashion_hybrid",
    description="MobileViT-like hybrid of convolution and attention (267 k parameters), trained here on Fashion-MNIST.",
    source="block of arXiv 2110.02178, own weights: python -m simhw.models.train_fashion_hybrid --data FOLDER",
    licence=LICENCE,
    metric=TOP1,
    load=load,
    dataset=partial(held_out, "fashion_hybrid"),
    calibration=calibration,
    batch=64,
)
