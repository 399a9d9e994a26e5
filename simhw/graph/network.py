"""What a file in ``models/`` offers: a module with trained weights, its data, its metric, its licence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Inputs and targets of one evaluation.

    Attributes:
        inputs: ``(samples, ...)`` float32 (images) or int64 (token ids); one sample is an image or a sequence.
        targets: ``(samples,)`` class labels, or ``(samples, tokens)`` next-token ids.
        unit: what is counted in reports: "image" or "token".
        units: how many of them there are (images, or predicted tokens).
        bytes_predicted: length in bytes of the predicted text (language models), else 0.
    """

    inputs: NDArray[np.float32] | NDArray[np.int64]
    targets: NDArray[np.int64]
    unit: str
    units: int
    bytes_predicted: int = 0


@dataclass(frozen=True, kw_only=True)
class Metric:
    """How good logits are: ``evaluate(logits, dataset)`` -> named figures, the one called ``name`` leads.

    ``logits`` is ``(samples, classes)`` or ``(samples, tokens, vocabulary)`` float32.
    """

    name: str
    higher_is_better: bool
    evaluate: Callable[[NDArray[np.float32], Dataset], dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network: every file ``models/NAME.py`` binds exactly one, as ``NETWORK``.

    Attributes:
        name: entry name, equal to the file name.
        description: one sentence.
        source: where architecture and weights come from (for own ones: the training command).
        licence: of the weights and of the data that ship with it.
        metric: figure of merit.
        load: returns the module in eval mode with its trained weights; raises InputError when they are damaged.
        dataset: ``dataset(samples, tokens)`` returns the first samples (or as many as hold that many tokens) of
            the held-out data; None means the default amount. Raises InputError for zero or too many.
        calibration: returns a few inputs that are NOT in ``dataset``, for static quantization ranges.
        batch: samples that run through the graph at once (bounds memory).
        embedded: whether ``simhw run`` without ``--model`` runs it.
    """

    name: str
    description: str
    source: str
    licence: str
    metric: Metric
    load: Callable[[], torch.nn.Module]
    dataset: Callable[[int | None, int | None], Dataset]
    calibration: Callable[[], NDArray[np.float32] | NDArray[np.int64]]
    batch: int = 64
    embedded: bool = False
    requirements: tuple[str, ...] = field(default=())
