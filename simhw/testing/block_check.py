"""``check_blocks``: another implementation of a block format (MX, NVFP4) against the definition in fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import (
    BlockFormat,
    Overflow,
    Rounding,
    ScaleRule,
    decode_exact,
    get_block_format,
    quantize_block_exact,
)
from simhw.formats.arrays import as_values
from simhw.formats.rounding import choose
from simhw.testing.classes import InputClass
from simhw.testing.report import Disagreement, Input, Number, Report, Tally, same

ORDINARY_EXPONENTS = (-20, -1, 0, 1, 2, 5, 60)
EDGE_EXPONENTS = (-149, -140, -127, -126, -125, 126, 127)
"""Where float32 or an E8M0 scale ends."""
LARGEST_FLOAT32 = Fraction(float(np.finfo(np.float32).max))


def check_blocks(
    format: str | BlockFormat,
    *,
    quantize: Callable[[Any], Any],
    scale_rule: ScaleRule | str | None = None,
    rounding: Rounding | str = Rounding.NEAREST_EVEN,
    edges: bool = True,
    seed: int = 0,
) -> Report:
    """Return where another implementation of a block format differs from the definition.

    The blocks have their largest magnitude on and beside powers of two and multiples of the largest element (where a
    logarithm in float32 rounds the wrong way), the other elements on and beside ties, far below, and zero.

    Args:
        format: name or record of a block format without a tensor scale, or taken with a tensor scale of one.
        quantize: takes a float32 array ``(blocks, block_size)``, returns the values that it becomes, decoded.
        scale_rule: what the implementation claims to do; None: the format's own rule.
        rounding: of the elements.
        edges: whether blocks near the ends of float32 are tried.
        seed: of the elements that are drawn.

    Zeros may have any sign, and values beyond float32 are infinite. A block in which any element is wrong counts once.

    Raises:
        InputError: results of another shape.

    >>> from simhw.formats import quantize_blocks
    >>> check_blocks("mxfp4", quantize=lambda blocks: quantize_blocks(blocks, "mxfp4").decode()).agrees
    True
    """
    record = get_block_format(format)
    rule = record.scale_rule if scale_rule is None else choose(ScaleRule, scale_rule, argument="scale_rule")
    how = choose(Rounding, rounding, argument="rounding")
    blocks, classes = block_cases(record, edges=edges, seed=seed)
    got = as_values(quantize(blocks.copy()))
    if got.shape != blocks.shape:
        raise InputError(f"quantize returned an array of shape {got.shape}, must be {blocks.shape}: decoded values")
    tally = Tally()
    for block, kind, values in zip(blocks.tolist(), classes, got.astype(np.float64).tolist(), strict=True):
        expected = _defined(block, record, rule, how)
        wrong = [i for i, right in enumerate(expected) if not same(right, values[i], sign_of_zero=False)]
        if not wrong:
            tally.add((kind,))
            continue
        at = wrong[0]
        found = Disagreement(
            classes=(kind,),
            inputs=(
                Input(name="element", values=(block[at],)),
                Input(name="largest of its block", values=(max(block, key=abs),)),
            ),
            expected=expected[at],
            got=values[at],
        )
        tally.add((kind,), found, (kind is InputClass.SUBNORMAL, abs(math.log2(max(map(abs, block)) or 1)), at))
    return tally.report(f"blocks of {record.name} ({rule}, {how})", "largest magnitudes beside every change of scale")


def block_cases(fmt: BlockFormat, *, edges: bool = True, seed: int = 0) -> tuple[NDArray[np.float32], list[InputClass]]:
    """Return blocks ``(count, block_size)`` and what each of them tries."""
    rng = np.random.default_rng(seed)
    exponents = ORDINARY_EXPONENTS + (EDGE_EXPONENTS if edges else ())
    rows, classes = [np.zeros(fmt.block_size, np.float32)], [InputClass.SIGNED_ZERO]
    largest = float(fmt.element.max_value)
    factors = (1.0, 1.75, largest / 2.0 ** math.floor(math.log2(largest)))
    for exponent in exponents:
        for factor in factors:
            with np.errstate(over="ignore"):
                centre = np.float32(math.ldexp(factor, exponent))
            if not np.isfinite(centre) or centre == 0:
                continue
            for peak in _neighbours(centre):
                rows.append(_block(peak, fmt, rng))
                beside = InputClass.TIE if peak == centre else InputClass.NEAR_TIE
                classes.append(InputClass.SUBNORMAL if exponent < -120 else beside)
    return np.array(rows, np.float32), classes


def _neighbours(centre: np.float32) -> list[np.float32]:
    """Return a value with its three neighbours on both sides."""
    found = [centre]
    for way in (np.float32(0), np.float32(np.inf)):
        value = centre
        for _ in range(3):
            value = np.nextafter(value, way)
            if np.isfinite(value) and value != 0:
                found.append(value)
    return found


def _block(peak: np.float32, fmt: BlockFormat, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a block with a given largest magnitude, at the front."""
    size = fmt.block_size
    step = float(peak) / (2.0 * float(fmt.element.max_value))
    ties = rng.integers(-16, 17, size) * step
    spread = rng.choice([-1.0, 1.0], size) * float(peak) * 2.0 ** -rng.uniform(0, 12, size)
    with np.errstate(over="ignore", under="ignore"):
        block = np.where(rng.random(size) < 0.5, ties, spread).astype(np.float32)
    block = np.clip(block, -peak, peak)
    block[rng.random(size) < 0.1] = 0
    block[0] = peak
    return block


def _defined(block: list[float], fmt: BlockFormat, rule: ScaleRule, rounding: Rounding) -> list[Number]:
    scale_code, codes = quantize_block_exact(block, fmt, rule, rounding, Overflow.SATURATE)
    scale = decode_exact(scale_code, fmt.scale)
    values = [decode_exact(code, fmt.element) for code in codes]
    exact = [Fraction(value) * Fraction(scale) for value in values]
    # Ceiling rules reach beyond float32, in which implementations return their values.
    return [math.copysign(math.inf, value) if abs(value) > LARGEST_FLOAT32 else value for value in exact]
