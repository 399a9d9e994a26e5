"""EfficientNet-Lite as plain modules: inverted residuals without squeeze-and-excitation, ReLU6, SAME padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

EPSILON = 1e-3  # added to the variance in batch norm, as in EfficientNet's TensorFlow source


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Blocks of equal shape; only the first of them has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


class SameConv2d(nn.Conv2d):
    """Convolution without bias, padded as TensorFlow's SAME for images of even size.

    With stride 2 an odd kernel needs one more zero behind than in front: a row and a column are joined on.
    """

    zero: Tensor

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        front = (kernel - stride) // 2 if stride == 2 else kernel // 2
        super().__init__(channels_in, channels, kernel, stride=stride, padding=front, groups=groups, bias=False)
        self.register_buffer("zero", torch.zeros(1, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, channels_in, h, w)`` to ``(batch, channels, h/stride, w/stride)``."""
        if self.stride[0] == 2:
            x = torch.cat((x, self.zero.expand(x.shape[0], x.shape[1], 1, x.shape[3])), dim=2)
            x = torch.cat((x, self.zero.expand(x.shape[0], x.shape[1], x.shape[2], 1)), dim=3)
        return super().forward(x)


class Block(nn.Module):
    """Inverted residual (Sandler et al., arXiv 1801.04381): 1x1 expansion, depthwise, 1x1 projection."""

    def __init__(self, channels_in: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = channels_in * stage.expansion
        self.relu = nn.ReLU6()
        self.expanded = stage.expansion != 1
        self.residual = stride == 1 and channels_in == stage.channels
        if self.expanded:
            self.expand = SameConv2d(channels_in, inner, 1)
            self.expand_norm = nn.BatchNorm2d(inner, eps=EPSILON)
        self.depthwise = SameConv2d(inner, inner, stage.kernel, stride, groups=inner)
        self.depthwise_norm = nn.BatchNorm2d(inner, eps=EPSILON)
        self.project = SameConv2d(inner, stage.channels, 1)
        self.project_norm = nn.BatchNorm2d(stage.channels, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, channels_in, h, w)`` to ``(batch, channels, h/stride, w/stride)``."""
        y = self.relu(self.expand_norm(self.expand(x))) if self.expanded else x
        y = self.relu(self.depthwise_norm(self.depthwise(y)))
        y = self.project_norm(self.project(y))
        return x + y if self.residual else y  # type: ignore[no-any-return]


class EfficientNet(nn.Module):
    """Stem with stride 2, blocks, 1x1 head, global mean, one linear layer."""

    def __init__(self, stages: Sequence[Stage], *, classes: int, stem: int = 32, head: int = 1280) -> None:
        super().__init__()
        self.relu = nn.ReLU6()
        self.stem = SameConv2d(3, stem, 3, 2)
        self.stem_norm = nn.BatchNorm2d(stem, eps=EPSILON)
        blocks, channels = [], stem
        for stage in stages:
            for index in range(stage.repeats):
                blocks.append(Block(channels, stage, stage.stride if index == 0 else 1))
                channels = stage.channels
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv2d(channels, head, 1)
        self.head_norm = nn.BatchNorm2d(head, eps=EPSILON)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(head, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(batch, classes)`` logits for normalised images ``(batch, 3, h, w)``, even at every stride."""
        x = self.relu(self.stem_norm(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        x = self.relu(self.head_norm(self.head(x)))
        return self.classifier(self.pool(x).flatten(1))  # type: ignore[no-any-return]
