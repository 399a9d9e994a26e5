"""Trains ``fashion_resnet``; writes weights, shipped images and the accuracy reached to ``models/assets``.

    python -m simhw.models.train_fashion_resnet --data /usr/share/datasets/fashion-mnist

The folder is that of the Debian package ``dataset-fashion-mnist``. SGD with Nesterov momentum, random flips
and shifts by up to two pixels, seeded; about ten CPU-minutes on one core.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from simhw.models.fashion_mnist import IMAGES
from simhw.models.fashion_resnet import WEIGHTS, FashionResNet
from simhw.models.fashion_training import SEED, figures, fit, read_pixels
from simhw.models.training import prepare, run, say, write_record
from simhw.models.weights import save_weights

PEAK_RATE, BATCH, SHIPPED_TEST, SHIPPED_TRAIN = 0.2, 128, 2000, 256


def train(images: Tensor, labels: Tensor, epochs: int) -> FashionResNet:
    """Return the network after ``epochs`` passes over ``(images, 1, 28, 28)`` and their labels."""
    module = FashionResNet()
    optimizer = partial(torch.optim.SGD, lr=PEAK_RATE, momentum=0.9, weight_decay=5e-4, nesterov=True)
    fit(module, optimizer, images, labels, epochs, batch=BATCH, shift=2, warm_up=0.25)
    return module


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the four IDX files.")
@click.option("--epochs", type=click.IntRange(1), default=10, show_default=True)
def main(data: Path, epochs: int) -> None:
    """Train, measure on all 10,000 test images, write the assets."""
    prepare(SEED)
    training, test = read_pixels(data, "train", 60_000), read_pixels(data, "t10k", 10_000)
    np.savez_compressed(
        IMAGES,
        test_images=test.images[:SHIPPED_TEST],
        test_labels=test.labels[:SHIPPED_TEST],
        train_images=training.images[:SHIPPED_TRAIN],
    )
    module = train(*training.tensors(), epochs)
    seconds = round(time.process_time())
    command = f"python -m simhw.models.train_fashion_resnet --data FOLDER --epochs {epochs}"
    reached = figures(module, test, SHIPPED_TEST, command)
    save_weights(module, WEIGHTS)
    write_record(WEIGHTS.with_suffix(".json"), {**reached, "training_cpu_seconds": seconds})
    say(f"top-1 {reached['top1_test']:.4f} on the test set, {reached['top1_shipped_slice']:.4f} on the slice")


if __name__ == "__main__":
    run(main)
