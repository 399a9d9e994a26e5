"""PP-OCR's classifier of text upside down (0.1 M parameters, 35 batch norms); 'simhw models fetch ppocr_cls'."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.graph.frontends.onnx import OnnxModule, load_onnx
from simhw.graph.network import Dataset, Metric, Network
from simhw.models.fetch import cached
from simhw.models.text_lines import draw, lines_of, network_input
from simhw.models.tiny_llama import CALIBRATION, HELD_OUT

WIDTH = 192
LINES, DEFAULT_LINES, CALIBRATION_LINES = 1000, 64, 16


def load() -> OnnxModule:
    """Return the network, imported from its ONNX file; InputError when it is not fetched or onnx is not installed."""
    return load_onnx(str(cached("ppocr_cls")))


def images(texts: list[str], first_seed: int) -> NDArray[np.float32]:
    """Return ``(texts, 3, 48, 192)``, each line with noise of its own, every second one turned by 180 degrees."""
    shades = [draw(text, WIDTH, first_seed + index) for index, text in enumerate(texts)]
    return network_input(np.stack([part[::-1, ::-1] if index % 2 else part for index, part in enumerate(shades)]))


def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
    """Return the first lines (default 64 of 1,000) of the held-out speeches, and which are turned: 0 or 1.

    Raises:
        InputError: samples is below 1 or above 1,000, or tokens is given.
    """
    if tokens is not None:
        raise InputError(f"tokens is {tokens}, but ppocr_cls looks at lines; give samples instead")
    count = DEFAULT_LINES if samples is None else samples
    if not 1 <= count <= LINES:
        raise InputError(f"samples is {count}, must be 1..{LINES} lines; choose one in that range")
    texts = lines_of(HELD_OUT, WIDTH, count)
    return Dataset(inputs=images(texts, 0), targets=np.arange(count) % 2, unit="line", units=count)


def calibration() -> NDArray[np.float32]:
    """Return ``(16, 3, 48, 192)`` lines of another speech."""
    return images(lines_of(CALIBRATION, WIDTH, CALIBRATION_LINES), LINES)


def rotation(logits: NDArray[np.float32], dataset: Dataset) -> dict[str, float]:
    """Return the fraction of ``(lines, 2)`` scores that tell how a line stands; NaN counts as wrong."""
    if logits.shape != (len(dataset.targets), 2):
        raise InputError(
            f"scores have shape {logits.shape}, must be {(len(dataset.targets), 2)}; evaluate them with the dataset"
            " that produced them"
        )
    sound = ~np.isnan(logits).any(axis=1)
    return {"rotation_accuracy": float(np.mean(sound & (logits.argmax(axis=1) == dataset.targets)))}


NETWORK = Network(
    name="ppocr_cls",
    description="PP-OCR's classifier of text upside down (0.1 M parameters, 35 batch norms);"
    " 'simhw models fetch ppocr_cls'.",
    source="rapidocr 3.10.0, ch_ppocr_mobile_v2.0_cls_mobile.onnx, float32; lines: drawn here in DejaVu Sans",
    licence="weights Apache-2.0 (Baidu, PaddleOCR); text CC0-1.0 (State of the Union speeches)",
    metric=Metric(name="rotation_accuracy", higher_is_better=True, evaluate=rotation),
    load=load,
    dataset=dataset,
    calibration=calibration,
    batch=16,
    requirements=("simhw models fetch ppocr_cls", "pip install 'simhw[onnx]'"),
)
