"""Training on Fashion-MNIST: the files of the data set, augmentation, the loop over it, accuracy."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from simhw.errors import InputError
from simhw.models.fashion_mnist import normalise
from simhw.models.training import one_cycle, say

SEED = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Pixels:
    """One half of the data set: ``(images, 28, 28)`` and ``(images,)`` bytes."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Return the normalised images ``(images, 1, 28, 28)`` and their labels."""
        return torch.from_numpy(normalise(self.images)), torch.tensor(self.labels, dtype=torch.int64)


def read_pixels(folder: Path, prefix: str, count: int) -> Pixels:
    """Return the images and labels whose files start with ``train`` or ``t10k``; InputError when they are not there."""
    return Pixels(
        images=read_idx(folder / f"{prefix}-images-idx3-ubyte.gz", 16, count, 28, 28),
        labels=read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", 8, count),
    )


def read_idx(path: Path, header: int, *shape: int) -> NDArray[np.uint8]:
    """Return the bytes after ``header`` of a gzipped IDX file, reshaped; InputError when it is not that."""
    try:
        with gzip.open(path) as file:
            return np.frombuffer(file.read(), np.uint8, offset=header).reshape(shape)
    except (OSError, EOFError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); a gzipped IDX file is needed; install dataset-fashion-mnist"
        ) from error


def augment(images: Tensor, random: torch.Generator, shift: int) -> Tensor:
    """Flip each image left to right with probability 1/2 and shift the batch by up to ``shift`` pixels each way."""
    flip = torch.rand(len(images), generator=random) < 0.5
    images = torch.where(flip[:, None, None, None], images.flip(3), images)
    down, right = torch.randint(0, 2 * shift + 1, (2,), generator=random).tolist()
    empty = float(images.min())
    return functional.pad(images, (shift,) * 4, value=empty)[:, :, down : down + 28, right : right + 28]


def accuracy(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the fraction of images that the module classifies as their label."""
    with torch.no_grad():
        guesses = torch.cat([module(part).argmax(1) for part in torch.split(images, 500)])
    return int((guesses == labels).sum()) / len(labels)


def fit(
    module: nn.Module,
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    images: Tensor,
    labels: Tensor,
    epochs: int,
    *,
    batch: int,
    shift: int,
    warm_up: float,
) -> None:
    """Train ``module`` for ``epochs`` passes over ``(images, 1, 28, 28)`` and their labels; leave it in eval mode.

    Args:
        module: to be trained, in place.
        optimizer: makes one with the peak rate for the parameters.
        images: normalised.
        labels: ``(images,)``.
        epochs: passes.
        batch: images of one step; the rest of a pass is left out.
        shift: see `augment`.
        warm_up: part of the steps in which the rate rises.
    """
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = epochs * (len(images) // batch)
    chosen = optimizer(list(module.parameters()))
    schedule = torch.optim.lr_scheduler.LambdaLR(chosen, lambda step: one_cycle(step, steps, warm_up=warm_up))
    random = torch.Generator().manual_seed(SEED)
    for epoch in range(epochs):
        module.train()
        order = torch.randperm(len(images), generator=random)
        total = 0.0
        for part in torch.split(order[: len(order) // batch * batch], batch):
            changed = augment(images[part], random, shift).contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(module(changed), labels[part], label_smoothing=0.05)
            chosen.zero_grad()
            torch.autograd.backward(loss)
            chosen.step()
            schedule.step()
            total += float(loss.detach()) * batch
        say(f"epoch {epoch + 1}/{epochs}: training loss {total / len(images):.4f}")
    module.eval()


def figures(module: nn.Module, test: Pixels, shipped: int, command: str) -> dict[str, object]:
    """Return what a training run reached: on all test images and on the first ``shipped`` of them."""
    images, labels = test.tensors()
    return {
        "command": command,
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "seed": SEED,
        "test_images": len(labels),
        "top1_test": accuracy(module, images, labels),
        "top1_shipped_slice": accuracy(module, images[:shipped], labels[:shipped]),
        "torch": torch.__version__,
    }
