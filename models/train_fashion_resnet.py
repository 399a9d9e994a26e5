"""Trains ``fashion_resnet``; writes weights, shipped images and the accuracy reached to ``models/assets``.

    python -m simhw.models.train_fashion_resnet --data /usr/share/datasets/fashion-mnist

The folder is that of the Debian package ``dataset-fashion-mnist``. SGD with Nesterov momentum, random flips
and shifts by up to two pixels, seeded; about ten CPU-minutes on one core.
"""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from simhw.errors import InputError
from simhw.models.fashion_resnet import IMAGES, WEIGHTS, FashionResNet, normalise
from simhw.models.training import one_cycle, prepare, run, say, write_record
from simhw.models.weights import save_weights

SEED, BATCH, PEAK_RATE, SHIPPED_TEST, SHIPPED_TRAIN = 1, 128, 0.2, 2000, 256


def read_idx(path: Path, header: int, *shape: int) -> NDArray[np.uint8]:
    """Return the bytes after ``header`` of a gzipped IDX file, reshaped; InputError when it is not that."""
    try:
        with gzip.open(path) as file:
            return np.frombuffer(file.read(), np.uint8, offset=header).reshape(shape)
    except (OSError, EOFError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); a gzipped IDX file is needed; install dataset-fashion-mnist"
        ) from error


def augment(images: Tensor, random: torch.Generator) -> Tensor:
    """Flip each image left to right with probability 1/2 and shift the batch by up to two pixels each way."""
    flip = torch.rand(len(images), generator=random) < 0.5
    images = torch.where(flip[:, None, None, None], images.flip(3), images)
    down, right = torch.randint(0, 5, (2,), generator=random).tolist()
    empty = float(images.min())
    return functional.pad(images, (2, 2, 2, 2), value=empty)[:, :, down : down + 28, right : right + 28]


def accuracy(module: FashionResNet, images: Tensor, labels: Tensor) -> float:
    """Return the fraction of images that the module classifies as their label."""
    with torch.no_grad():
        guesses = torch.cat([module(part).argmax(1) for part in torch.split(images, 500)])
    return int((guesses == labels).sum()) / len(labels)


def train(images: Tensor, labels: Tensor, epochs: int) -> FashionResNet:
    """Return the network after ``epochs`` passes over ``(images, 1, 28, 28)`` and their labels."""
    module = FashionResNet()
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = epochs * (len(images) // BATCH)
    optimizer = torch.optim.SGD(module.parameters(), PEAK_RATE, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(step, steps, warm_up=0.25))
    random = torch.Generator().manual_seed(SEED)
    for epoch in range(epochs):
        module.train()
        order = torch.randperm(len(images), generator=random)
        total = 0.0
        for part in torch.split(order[: len(order) // BATCH * BATCH], BATCH):
            batch = augment(images[part], random).contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(module(batch), labels[part], label_smoothing=0.05)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * BATCH
        say(f"epoch {epoch + 1}/{epochs}: training loss {total / len(images):.4f}")
    return module.eval()


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the four IDX files.")
@click.option("--epochs", type=click.IntRange(1), default=10, show_default=True)
def main(data: Path, epochs: int) -> None:
    """Train, measure on all 10,000 test images, write the assets."""
    prepare(SEED)
    train_pixels = read_idx(data / "train-images-idx3-ubyte.gz", 16, 60_000, 28, 28)
    train_labels = read_idx(data / "train-labels-idx1-ubyte.gz", 8, 60_000)
    test_pixels = read_idx(data / "t10k-images-idx3-ubyte.gz", 16, 10_000, 28, 28)
    test_labels = read_idx(data / "t10k-labels-idx1-ubyte.gz", 8, 10_000)
    np.savez_compressed(
        IMAGES,
        test_images=test_pixels[:SHIPPED_TEST],
        test_labels=test_labels[:SHIPPED_TEST],
        train_images=train_pixels[:SHIPPED_TRAIN],
    )
    module = train(torch.from_numpy(normalise(train_pixels)), torch.tensor(train_labels, dtype=torch.int64), epochs)
    images, labels = torch.from_numpy(normalise(test_pixels)), torch.tensor(test_labels, dtype=torch.int64)
    figures = {
        "command": f"python -m simhw.models.train_fashion_resnet --data FOLDER --epochs {epochs}",
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "seed": SEED,
        "test_images": len(labels),
        "top1_test": accuracy(module, images, labels),
        "top1_shipped_slice": accuracy(module, images[:SHIPPED_TEST], labels[:SHIPPED_TEST]),
        "torch": torch.__version__,
        "training_cpu_seconds": round(time.process_time()),
    }
    save_weights(module, WEIGHTS)
    write_record(WEIGHTS.with_suffix(".json"), figures)
    say(f"top-1 {figures['top1_test']:.4f} on the test set, {figures['top1_shipped_slice']:.4f} on the slice")


if __name__ == "__main__":
    run(main)
