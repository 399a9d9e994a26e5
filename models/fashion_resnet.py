"""Small ResNet with batch normalization (78 k parameters), trained here on Fashion-MNIST."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from simhw.errors import InputError
from simhw.graph.network import Dataset, Metric, Network
from simhw.models.weights import ASSETS, load_weights

WEIGHTS = ASSETS / "fashion_resnet.safetensors"
IMAGES = ASSETS / "fashion_mnist_slice.npz"
DEFAULT_IMAGES = 512
CLASSES = 10
MEAN, DEVIATION = 0.2860, 0.3530  # of the 60,000 training images scaled to 0..1
REMEDY = "restore models/assets from the repository or train again (python -m simhw.models.train_fashion_resnet)"


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


def normalise(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return ``(images, 1, 28, 28)`` float32, zero mean, unit deviation, for ``(images, 28, 28)`` bytes."""
    scaled = pixels[:, None].astype(np.float32) / np.float32(255)
    return (scaled - np.float32(MEAN)) / np.float32(DEVIATION)


def top1(logits: NDArray[np.float32], dataset: Dataset) -> dict[str, float]:
    """Return the fraction of images whose largest logit is their label; NaN logits count as wrong."""
    if logits.shape != (len(dataset.targets), CLASSES):
        raise InputError(
            f"logits have shape {logits.shape}, must be {(len(dataset.targets), CLASSES)}; "
            "evaluate them with the dataset that produced them"
        )
    sound = ~np.isnan(logits).any(axis=1)
    return {"top1": float(np.mean(sound & (logits.argmax(axis=1) == dataset.targets)))}


def load() -> FashionResNet:
    """Return the trained network in eval mode, norms unfused; InputError when its weights are damaged."""
    module = FashionResNet()
    load_weights(module, WEIGHTS, remedy=REMEDY)
    return module.eval()


def read_slice(path: Path, name: str) -> NDArray[np.uint8]:
    """Return one array of the shipped images or labels; InputError when the file is absent or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays[name], dtype=np.uint8)
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"images {path} cannot be read ({error}); {REMEDY}") from error


def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
    """Return the first ``samples`` test images (default 512), normalised, and their labels.

    Raises:
        InputError: samples is below 1 or more than ship, or tokens is given.
    """
    if tokens is not None:
        raise InputError(f"tokens is {tokens}, but fashion_resnet classifies images; give samples instead")
    labels = read_slice(IMAGES, "test_labels")
    count = DEFAULT_IMAGES if samples is None else samples
    if not 1 <= count <= len(labels):
        raise InputError(f"samples is {count}, must be 1..{len(labels)}; that is how many test images ship")
    return Dataset(
        inputs=normalise(read_slice(IMAGES, "test_images")[:count]),
        targets=labels[:count].astype(np.int64),
        unit="image",
        units=count,
    )


def calibration() -> NDArray[np.float32]:
    """Return ``(256, 1, 28, 28)`` normalised training images."""
    return normalise(read_slice(IMAGES, "train_images"))


NETWORK = Network(
    name="fashion_resnet",
    description="Small ResNet with batch normalization (78 k parameters), trained here on Fashion-MNIST.",
    source="own architecture and weights: python -m simhw.models.train_fashion_resnet --data FOLDER",
    licence="weights MIT; images MIT (Fashion-MNIST, Zalando SE)",
    metric=Metric(name="top1", higher_is_better=True, evaluate=top1),
    load=load,
    dataset=dataset,
    calibration=calibration,
    batch=64,
    embedded=True,
)
