"""Trains ``fashion_hybrid``; writes weights and the accuracy reached to ``models/assets``.

    python -m simhw.models.train_fashion_hybrid --data /usr/share/datasets/fashion-mnist

The folder is that of the Debian package ``dataset-fashion-mnist``. AdamW, random flips, seeded; about six
CPU-minutes on one core. The images that ship are those that ``train_fashion_resnet`` writes.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import click
import torch
from torch import Tensor

from simhw.models.fashion_hybrid import WEIGHTS, FashionHybrid
from simhw.models.fashion_mnist import IMAGES, read_slice
from simhw.models.fashion_training import SEED, figures, fit, read_pixels
from simhw.models.training import prepare, run, say, write_record
from simhw.models.weights import save_weights

PEAK_RATE, WEIGHT_DECAY, BATCH = 3e-3, 0.05, 64


def train(images: Tensor, labels: Tensor, epochs: int) -> FashionHybrid:
    """Return the network after ``epochs`` passes over ``(images, 1, 28, 28)`` and their labels."""
    module = FashionHybrid()
    optimizer = partial(torch.optim.AdamW, lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    fit(module, optimizer, images, labels, epochs, batch=BATCH, shift=0, warm_up=0.2)
    return module


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the four IDX files.")
@click.option("--epochs", type=click.IntRange(1), default=2, show_default=True)
def main(data: Path, epochs: int) -> None:
    """Train, measure on all 10,000 test images, write the assets."""
    prepare(SEED)
    module = train(*read_pixels(data, "train", 60_000).tensors(), epochs)
    seconds = round(time.process_time())
    command = f"python -m simhw.models.train_fashion_hybrid --data FOLDER --epochs {epochs}"
    shipped = len(read_slice(IMAGES, "test_labels"))
    reached = figures(module, read_pixels(data, "t10k", 10_000), shipped, command)
    save_weights(module, WEIGHTS)
    write_record(WEIGHTS.with_suffix(".json"), {**reached, "training_cpu_seconds": seconds})
    say(f"top-1 {reached['top1_test']:.4f} on the test set, {reached['top1_shipped_slice']:.4f} on the slice")


if __name__ == "__main__":
    run(main)
