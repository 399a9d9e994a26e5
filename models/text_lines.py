"""Lines of text as images: speeches that ship, set in DejaVu Sans, with noise as of a cheap scanner."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from simhw.errors import InputError
from simhw.models.language import read_text

HEIGHT, FONT_SIZE, MARGIN = 48, 32, 6
NOISE = 25.0
"""Standard deviation of the noise, of 255 shades."""
FONT = "mpl-data/fonts/ttf/DejaVuSans.ttf"
"""Inside Matplotlib, which ships it, so that every machine draws the same letters."""


def font() -> ImageFont.FreeTypeFont:
    """Return the font at its size; InputError where Matplotlib came without it."""
    found = find_spec("matplotlib")
    path = Path(found.origin or "").parent / FONT if found is not None else Path(FONT)
    try:
        return ImageFont.truetype(str(path), FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise InputError(f"font {path} cannot be read ({error}); install matplotlib anew") from error


def lines_of(text_file: str, width: int, count: int) -> list[str]:
    """Return the first ``count`` lines of a text that ships, broken between words so that each fits ``width`` pixels.

    A word that alone is wider is left out.

    Raises:
        InputError: the text has fewer lines.
    """
    letters = font()
    room = width - 2 * MARGIN
    words = (word for word in read_text(text_file).split() if letters.getlength(word) <= room)
    lines, line = [], ""
    for word in words:
        longer = f"{line} {word}" if line else word
        if letters.getlength(longer) <= room:
            line = longer
            continue
        lines.append(line)
        line = word
        if len(lines) == count:
            return lines
    raise InputError(f"{text_file} gives {len(lines)} lines of {width} pixels, {count} are needed; take fewer")


def draw(line: str, width: int, seed: int) -> NDArray[np.uint8]:
    """Return ``(48, width)`` shades: black letters on white, left aligned, with noise drawn from ``seed``."""
    image = Image.new("L", (width, HEIGHT), 255)
    ImageDraw.Draw(image).text((MARGIN, HEIGHT // 2), line, font=font(), fill=0, anchor="lm")
    noise = np.random.default_rng(seed).normal(0.0, NOISE, (HEIGHT, width))
    return np.clip(np.rint(np.asarray(image, np.float64) + noise), 0, 255).astype(np.uint8)


def network_input(shades: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return ``(images, 3, height, width)`` in -1 .. 1, as PP-OCR takes it, for ``(images, height, width)`` shades."""
    scaled = (shades.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    return np.repeat(scaled[:, None], 3, axis=1)
