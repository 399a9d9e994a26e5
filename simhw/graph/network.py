"""What a file in ``models/`` offers: a module with trained weights, its data, its metric, its licence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.operand import Operand

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Inputs and targets of one evaluation.

    Attributes:
        inputs: ``(samples, ...)`` float32 (images, sound) or int64 (token ids); one sample is an image or a sequence.
        targets: ``(samples,)`` class labels, ``(samples, tokens)`` next-token ids or ``(samples, longest)`` code points
            of text, -1 behind its end; zeros where the metric has no need of them.
        unit: what is counted in reports: "image", "token", "word", "line" or "frame".
        units: how many of them there are (of tokens, the predicted ones).
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


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredWeight:
    """A weight matrix of a checkpoint.

    Attributes:
        operand: ``(1, n, k)`` codes with their scales.
        minimum: of weights that are ``scale * code + minimum`` (see ``simhw.gemm.engine.multiply``); None: none are.
        order: ``(k,)`` input that meets each column of the codes; None: as is.
    """

    operand: Operand
    minimum: Operand | None = None
    order: NDArray[np.int64] | None = None


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
        stored: returns weights as their checkpoint stores them, by the module's names; None: they are plain numbers.
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
    stored: Callable[[], Mapping[str, StoredWeight]] | None = None
    embedded: bool = False
    requirements: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """Networks of equal size that differ in one choice and are trained when asked for.

    A file ``models/NAME.py`` binds one as ``STUDY``.

    Attributes:
        name: entry name, equal to the file name.
        description: what the networks have in common: sizes, text, training.
        variants: by name, what is particular to each.
        steps: training steps unless others are asked for.
        depths: where the residual stream is looked at, in the order of the layers: by a name, how the labels of the
            steps begin the last of which gives the stream.
        train: ``train(variant, steps)`` returns the trained network; the same arguments give the same weights on one
            machine. Raises InputError for an unknown variant.
    """

    name: str
    description: str
    variants: Mapping[str, str]
    steps: int
    depths: Mapping[str, str]
    train: Callable[[str, int], Network]
