"""Small ResNet with batch normalization (78 k parameters), trained here on Fashion-MNIST."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from simhw.graph.network import Network
from simhw.models.fashion_mnist import CLASSES, LICENCE, REMEDY, TOP1, calibration, held_out
from simhw.models.weights import ASSETS, load_weights

WEIGHTS = ASSETS / "fashion_resnet.safetensors"


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, channels_in, h, w)`` to ``(batch, channels, h/stride, w/stride)``."""
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return self.relu(y + self.shortcut(x))  # type: ignore[no-any-return]


class FashionResNet(nn.Module):
    """Stem, three residual blocks of 16, 32 and 64 channels, global mean, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.stage1 = ResidualBlock(16, 16, stride=1)
        self.stage2 = ResidualBlock(16, 32, stride=2)
        self.stage3 = ResidualBlock(32, 64, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(batch, 10)`` logits for normalised images ``(batch, 1, 28, 28)``."""
        x = self.relu(self.stem_norm(self.stem(x)))
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.classifier(self.pool(x).flatten(1))  # type: ignore[no-any-return]


def load() -> FashionResNet:
    """Return the trained network in eval mode, norms unfused; InputError when its weights are damaged."""
    module = FashionResNet()
    load_weights(module, WEIGHTS, remedy=REMEDY)
    return module.eval()


NETWORK = Network(
    name="fashion_resnet",
    description="Small ResNet with batch normalization (78 k parameters), trained here on Fashion-MNIST.",
    source="own architecture and weights: python -m simhw.models.train_fashion_resnet --data FOLDER",
    licence=LICENCE,
    metric=TOP1,
    load=load,
    dataset=partial(held_out, "fashion_resnet"),
    calibration=calibration,
    batch=64,
    embedded=True,
)
