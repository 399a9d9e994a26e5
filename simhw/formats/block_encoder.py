"""A block format with its rules, ready for contiguous blocks: the fast kernels, and the exact path behind them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import block_kernels, narrow_blocks
from simhw.formats.arrays import Codes, FloatArray
from simhw.formats.block import BlockFormat
from simhw.formats.codec import Encoder
from simhw.formats.decoding import decode
from simhw.formats.integer import IntegerFormat
from simhw.formats.narrow import INFINITY_BITS
from simhw.formats.rounding import Overflow, Rounding, ScaleRule

_QUOTIENT_BITS = 51
"""Bits to which a quotient that was rounded to odd in float64 can be rounded again without harm."""


class BlockEncoder:
    """Quantizes arrays of shape ``(blocks, block_size)``."""

    def __init__(
        self,
        fmt: BlockFormat,
        rule: ScaleRule,
        rounding: Rounding = Rounding.NEAREST_EVEN,
        infinite: Overflow = Overflow.SATURATE,
        random_bits: int = 16,
        seed: int = 0,
    ) -> None:
        if infinite not in (Overflow.SATURATE, Overflow.NAN):
            raise InputError(f"infinite is {infinite.value!r}, must be 'saturate' or 'nan' for block formats")
        if rounding is Rounding.STOCHASTIC and fmt.element.significand_bits + random_bits > _QUOTIENT_BITS:
            allowed = _QUOTIENT_BITS - fmt.element.significand_bits
            raise InputError(f"random_bits is {random_bits}, must be 1..{allowed} for elements {fmt.element.name}")
        self.format = fmt
        self.rule = rule
        self.infinite = infinite
        self.elements = Encoder(fmt.element, rounding, random_bits=random_bits, seed=seed)
        self.scales = Encoder(fmt.scale)
        self.allows_fast = rounding is Rounding.NEAREST_EVEN

    def maxima(self, blocks: FloatArray) -> NDArray[np.uint32] | None:
        """Return the largest magnitudes of the blocks as float32 bits if the fast path will ask for them, else None."""
        if not self.allows_fast or blocks.dtype != np.float32 or self.rule is not ScaleRule.AMAX:
            return None
        found = np.empty(len(blocks), dtype=np.uint32)
        narrow_blocks.block_maxima_bits(blocks.view(np.uint32).reshape(-1), blocks.shape[1], found)
        return found

    def choose_tensor_scale(self, blocks: FloatArray, maxima: NDArray[np.uint32] | None) -> np.float32:
        """Return ``amax / (largest element * largest scale)`` as float32, 1.0 if there is nothing but zeros (or NaN).

        It is never zero or infinite: beyond float32 it is the smallest or largest positive number.
        """
        largest = 0.0
        if maxima is not None:
            # As bits, blocks with NaN or infinity lie on top; only if there are any is a second look needed.
            finite = maxima if maxima.max(initial=0) < INFINITY_BITS else maxima[maxima < INFINITY_BITS]
            largest = float(finite.max(initial=0).view(np.float32))
            blocks = blocks[:0] if finite is maxima else blocks[maxima >= INFINITY_BITS]
        bits = blocks.view(np.uint32 if blocks.dtype == np.float32 else np.uint64).reshape(-1)
        width, ignore = blocks.dtype.itemsize * 8, self.infinite is Overflow.NAN
        largest = max(largest, block_kernels.largest_finite(bits, width, ignore))
        if largest == 0.0:
            return np.float32(1.0)
        top = float(self.format.element.max_value * self.format.scale.max_value)
        quotient = block_kernels.divide_to_odd(largest, top)
        smallest, widest = np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).max
        with np.errstate(over="ignore", under="ignore"):
            return np.float32(min(max(np.float32(quotient), smallest), widest))

    def run(
        self,
        blocks: FloatArray,
        codes: Codes,
        scales: Codes,
        tensor_scale: np.float32,
        offset: int = 0,
        maxima: NDArray[np.uint32] | None = None,
    ) -> None:
        """Quantize ``blocks`` into ``codes`` (same shape) and ``scales`` (one each).

        Args:
            blocks: contiguous float32 or float64, ``(blocks, block_size)``.
            codes: element codes to fill.
            scales: scale codes to fill.
            tensor_scale: positive; elements are divided by it as well.
            offset: position of the first element, for STOCHASTIC.
            maxima: of these blocks, where :meth:`maxima` has already found them.
        """
        hard = self._run_fast(blocks, codes, scales, float(tensor_scale), maxima)
        if hard is None:
            self._run_exact(blocks, codes, scales, float(tensor_scale), offset)
            return
        left = np.flatnonzero(hard)
        if left.size:
            some_codes = np.empty((left.size, blocks.shape[1]), codes.dtype)
            some_scales = np.empty(left.size, scales.dtype)
            self._run_exact(blocks[left], some_codes, some_scales, float(tensor_scale), offset)
            codes[left] = some_codes
            scales[left] = some_scales

    def _run_fast(
        self,
        blocks: FloatArray,
        codes: Codes,
        scales: Codes,
        tensor_scale: float,
        maxima: NDArray[np.uint32] | None = None,
    ) -> NDArray[np.bool_] | None:
        """Return which blocks are left to the exact path, or None if all are."""
        if not self.allows_fast or blocks.dtype != np.float32 or not blocks.size:
            return None
        element = narrow_blocks.element_parameters(self.format)
        hard = np.empty(len(blocks), dtype=np.bool_)
        kernels: Any = narrow_blocks
        target: tuple[Any, ...] = (blocks.view(np.uint32).reshape(-1), codes.reshape(-1), scales, hard, blocks.shape[1])
        power = narrow_blocks.power_of_two_parameters(self.format, self.rule) if tensor_scale == 1.0 else None
        if power is not None and isinstance(self.format.element, IntegerFormat):
            kernels.quantize_integers(*target, power, element)
            return hard
        if power is not None:
            kernels.quantize_floats(*target, power, element)
            return hard
        amax = narrow_blocks.amax_parameters(self.format, tensor_scale) if self.rule is ScaleRule.AMAX else None
        if amax is None:
            return None
        maxima = self.maxima(blocks) if maxima is None else maxima
        kernels.quantize_amax(*target, maxima, amax, narrow_blocks.scale_parameters(self.format), element)
        return hard

    def _run_exact(self, blocks: FloatArray, codes: Codes, scales: Codes, tensor_scale: float, offset: int) -> None:
        maxima = np.empty(len(blocks))
        block_kernels.block_maxima(blocks, maxima, self.infinite is Overflow.NAN)
        broken = np.isnan(maxima)
        if broken.any() and self.format.scale.nan_code is None:
            raise InputError(
                f"values hold NaN, which {self.format.name} cannot express, its scales {self.format.scale.name} "
                "have none; replace them (np.nan_to_num)"
            )
        self.scales.run(self._wanted_scales(np.where(broken, 0.0, maxima), tensor_scale), scales)
        divisors = decode(scales, self.format.scale).astype(np.float64) * tensor_scale
        if broken.any():
            scales[broken] = self.format.scale.nan_code
            divisors[broken] = np.nan
        quotients = np.empty(blocks.shape)
        block_kernels.divide_blocks(blocks, divisors, quotients)
        self.elements.run(quotients.reshape(-1), codes.reshape(-1), offset=offset)

    def _wanted_scales(self, maxima: NDArray[np.float64], tensor_scale: float) -> NDArray[np.float64]:
        """Return the scales before they are rounded to the scale format, rounded to odd; never below the smallest."""
        element, scale = self.format.element, self.format.scale
        if self.rule is ScaleRule.AMAX:
            wanted = np.empty((maxima.size, 1))
            top = np.full(maxima.size, float(element.max_value) * tensor_scale)
            block_kernels.divide_blocks(maxima.reshape(-1, 1), top, wanted)
            return np.maximum(wanted[:, 0], float(self.format.smallest_scale))
        # frexp reads the exponent field; its significand lies in [1/2, 1).
        significand, exponent = np.frexp(maxima)
        power = exponent.astype(np.int64) - 1
        if self.rule is ScaleRule.CEIL:
            power += significand > 0.5
        elif self.rule is ScaleRule.EVEN:
            power += significand >= 1.0 - 2.0 ** -(element.significand_bits + 1)
        elif self.rule is ScaleRule.ROUND_UP:
            power += significand > float(element.max_value) * 2.0 ** -(element.max_exponent + 1)
        lowest = scale.lsb_exponent if scale.has_subnormals and scale.has_zero else scale.minimum_exponent
        power = np.where(maxima > 0, power - element.max_exponent, lowest)
        return np.ldexp(1.0, np.clip(power, lowest, scale.max_exponent))
