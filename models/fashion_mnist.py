"""Fashion-MNIST for the networks trained on it: the images that ship, their labels, the fraction told right."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.graph.network import Dataset, Metric
from simhw.models.weights import ASSETS

IMAGES = ASSETS / "fashion_mnist_slice.npz"
DEFAULT_IMAGES = 512
CLASSES = 10
MEAN, DEVIATION = 0.2860, 0.3530  # of the 60,000 training images scaled to 0..1
LICENCE = "weights MIT; images MIT (Fashion-MNIST, Zalando SE)"
REMEDY = "restore models/assets from the repository or train again (python -m simhw.models.train_fashion_resnet)"


def normalise(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return ``(images, 1, 28, 28)`` float32, zero mean, unit deviation, for ``(images, 28, 28)`` bytes."""
    scaled = pixels[:, None].astype(np.float32) / np.float32(255)
    return (scaled - np.float32(MEAN)) / np.float32(DEVIATION)


def read_slice(path: Path, name: str) -> NDArray[np.uint8]:
    """Return one array of the shipped images or labels; InputError when the file is absent or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays[name], dtype=np.uint8)
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"images {path} cannot be read ({error}); {REMEDY}") from error


def held_out(network: str, samples: int | None, tokens: int | None) -> Dataset:
    """Return the first ``samples`` test images (default 512), normalised, and their labels.

    Raises:
        InputError: samples is below 1 or more than ship, or tokens is given; ``network`` is named in it.
    """
    if tokens is not None:
        raise InputError(f"tokens is {tokens}, but {network} classifies images; give samples instead")
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


def top1(logits: NDArray[np.float32], dataset: Dataset) -> dict[str, float]:
    """Return the fraction of images whose largest logit is their label; NaN logits count as wrong."""
    if logits.shape != (len(dataset.targets), CLASSES):
        raise InputError(
            f"logits have shape {logits.shape}, must be {(len(dataset.targets), CLASSES)}; "
            "evaluate them with the dataset that produced them"
        )
    sound = ~np.isnan(logits).any(axis=1)
    return {"top1": float(np.mean(sound & (logits.argmax(axis=1) == dataset.targets)))}


TOP1 = Metric(name="top1", higher_is_better=True, evaluate=top1)
