"""PP-OCRv6 small, which reads a line of text (5.3 M parameters); get it with 'simhw models fetch ppocr_rec'.

Convolutions, then two blocks of attention, then a class per 8 pixels: 18,708 characters, the space, no character.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.graph.frontends.onnx import OnnxModule, load_onnx
from simhw.graph.network import Dataset, Metric, Network
from simhw.models.fetch import cached
from simhw.models.reading import character_error_rate, decode_greedily
from simhw.models.text_lines import draw, lines_of, network_input
from simhw.models.tiny_llama import CALIBRATION, HELD_OUT

WIDTH = 320
"""Pixels of a line, about 20 characters."""
LINES, DEFAULT_LINES, CALIBRATION_LINES = 1000, 16, 8
FILL = -1
"""Ends a text that is shorter than the longest one."""


def load() -> OnnxModule:
    """Return the network, imported from its ONNX file; InputError when it is not fetched or onnx is not installed."""
    return load_onnx(str(cached("ppocr_rec")))


@cache
def characters() -> tuple[str, ...]:
    """Return the text of every class: none, those that the file's metadata list, the space."""
    path = cached("ppocr_rec")
    import onnx

    found = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    return ("", *found["character"].split("\n"), " ")


def as_codes(texts: list[str]) -> NDArray[np.int64]:
    """Return ``(texts, longest)`` code points, -1 behind a text's end."""
    longest = max(map(len, texts))
    return np.asarray([[*map(ord, text), *[FILL] * (longest - len(text))] for text in texts], np.int64)


def as_texts(codes: NDArray[np.int64]) -> list[str]:
    """Undo `as_codes`."""
    return ["".join(chr(code) for code in row if code != FILL) for row in codes]


def images(texts: list[str], first_seed: int) -> NDArray[np.float32]:
    """Return ``(texts, 3, 48, 320)``, each line with noise of its own."""
    return network_input(np.stack([draw(text, WIDTH, first_seed + index) for index, text in enumerate(texts)]))


def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
    """Return the first lines (default 16 of 1,000) of the held-out speeches as images, and their code points.

    Raises:
        InputError: samples is below 1 or above 1,000, or tokens is given.
    """
    if tokens is not None:
        raise InputError(f"tokens is {tokens}, but ppocr_rec reads lines; give samples instead")
    count = DEFAULT_LINES if samples is None else samples
    if not 1 <= count <= LINES:
        raise InputError(f"samples is {count}, must be 1..{LINES} lines; choose one in that range")
    texts = lines_of(HELD_OUT, WIDTH, count)
    return Dataset(inputs=images(texts, 0), targets=as_codes(texts), unit="line", units=count)


def calibration() -> NDArray[np.float32]:
    """Return ``(8, 3, 48, 320)`` lines of another speech."""
    return images(lines_of(CALIBRATION, WIDTH, CALIBRATION_LINES), LINES)


def read(logits: NDArray[np.float32], dataset: Dataset) -> dict[str, float]:
    """Return how well ``(lines, steps, classes)`` scores read the lines.

    Returns:
        ``character_error_rate`` over all lines, and ``exact_lines``, the fraction read without any error.
    """
    known = characters()
    if logits.ndim != 3 or len(logits) != len(dataset.targets) or logits.shape[2] != len(known):
        raise InputError(
            f"scores have shape {logits.shape}, must be ({len(dataset.targets)}, steps, {len(known)}); evaluate them"
            " with the dataset that produced them"
        )
    found = [decode_greedily(scores, known) for scores in logits]
    wanted = as_texts(dataset.targets)
    return {
        "character_error_rate": character_error_rate(found, wanted),
        "exact_lines": sum(a == b for a, b in zip(found, wanted, strict=True)) / len(wanted),
    }


NETWORK = Network(
    name="ppocr_rec",
    description="PP-OCRv6 small, which reads a line of text (5.3 M parameters);"
    " get it with 'simhw models fetch ppocr_rec'.",
    source="rapidocr 3.10.0, PP-OCRv6_rec_small.onnx, float32; lines: drawn here in DejaVu Sans",
    licence="weights Apache-2.0 (Baidu, PaddleOCR); text CC0-1.0 (State of the Union speeches)",
    metric=Metric(name="character_error_rate", higher_is_better=False, evaluate=read),
    load=load,
    dataset=dataset,
    calibration=calibration,
    batch=4,
    requirements=("simhw models fetch ppocr_rec", "pip install 'simhw[onnx]'"),
)
