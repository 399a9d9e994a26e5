"""Values to codes, for arrays. The meaning is that of :mod:`simhw.formats.definition`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from simhw.errors import InputError
from simhw.formats.arrays import Codes, FloatArray, as_values
from simhw.formats.codebook import CodebookFormat
from simhw.formats.decoding import decode
from simhw.formats.element import ElementFormat
from simhw.formats.floating import FloatFormat
from simhw.formats.integer import IntegerFormat
from simhw.formats.names import AnyFormat, get_element_format
from simhw.formats.parameters import (
    float_parameters,
    integer_parameters,
    refuse_specials,
    require_no_specials,
    rounding_parameters,
)
from simhw.formats.rounding import Overflow, Rounding, choose

_CHUNK = 1 << 18
"""Elements per task of a thread: enough to hide its cost, few enough to share out."""


def encode(
    values: Any,
    fmt: str | AnyFormat,
    *,
    rounding: Rounding | str = Rounding.NEAREST_EVEN,
    overflow: Overflow | str = Overflow.SATURATE,
    infinite: Overflow | str | None = None,
    random_bits: int = 16,
    seed: int = 0,
    offset: int = 0,
    threads: int = 1,
) -> Codes:
    """Return the codes of ``values`` in an element format, each rounded once, in the shape of ``values``.

    -0 and underflow keep their sign where the format has -0. NaN becomes NaN (its sign is kept where NaN has one,
    its payload is not). Zero in a format without zero becomes the smallest value under SATURATE, else NaN.
    Negative values beyond the range of an unsigned format follow ``overflow``.

    Args:
        values: real numbers of any shape, float64 or narrower (NumPy, ml_dtypes, torch, nested lists).
        fmt: name or record of an element format.
        rounding: how values between two codes are rounded.
        overflow: what becomes of values beyond the largest one.
        infinite: what becomes of infinite inputs; None means the same as ``overflow``.
        random_bits: n of stochastic rounding, 1..32.
        seed: of stochastic rounding; seed and position determine an element's random number, nothing else does.
        offset: position of the first element, so that a tensor encoded in pieces gets the same codes.
        threads: how many share the work; the codes do not depend on it.

    Returns:
        Unsigned codes of the smallest dtype that holds them; integers are two's complement, masked to the width.

    Raises:
        InputError: unknown names, NaN in a format without NaN, a policy the format lacks, not numbers.

    >>> encode([1.0, -0.1, 1e9], "e4m3")
    array([ 56, 157, 126], dtype=uint8)
    """
    record = get_element_format(fmt)
    policy = choose(Overflow, overflow, argument="overflow")
    encoder = Encoder(
        record,
        choose(Rounding, rounding, argument="rounding"),
        policy,
        policy if infinite is None else choose(Overflow, infinite, argument="infinite"),
        random_bits,
        seed,
    )
    if threads < 1:
        raise InputError(f"threads is {threads}, must be at least 1")
    array = as_values(values)
    codes = np.empty(array.shape, record.code_dtype)
    encoder.run(array.reshape(-1), codes.reshape(-1), offset=offset, threads=threads)
    return codes


def round_to(
    values: Any,
    fmt: str | AnyFormat,
    *,
    rounding: Rounding | str = Rounding.NEAREST_EVEN,
    overflow: Overflow | str = Overflow.SATURATE,
    infinite: Overflow | str | None = None,
    random_bits: int = 16,
    seed: int = 0,
    offset: int = 0,
    threads: int = 1,
) -> FloatArray:
    """Return ``decode(encode(values))``: the values that the format makes of ``values``; arguments as in encode."""
    codes = encode(
        values,
        fmt,
        rounding=rounding,
        overflow=overflow,
        infinite=infinite,
        random_bits=random_bits,
        seed=seed,
        offset=offset,
        threads=threads,
    )
    return decode(codes, fmt)


class Encoder:
    """A format with its policies, checked and turned into a kernel's arguments, ready for flat arrays."""

    def __init__(
        self,
        fmt: ElementFormat,
        rounding: Rounding = Rounding.NEAREST_EVEN,
        overflow: Overflow = Overflow.SATURATE,
        infinite: Overflow = Overflow.SATURATE,
        random_bits: int = 16,
        seed: int = 0,
    ) -> None:
        from simhw.formats import codebook_kernels, kernels, narrow

        self.format = fmt
        self.infinite = infinite
        self.how = kernels.RoundingParameters(**rounding_parameters(rounding, random_bits, seed))
        plain = (rounding, overflow, infinite) == (
            Rounding.NEAREST_EVEN,
            Overflow.SATURATE,
            Overflow.SATURATE,
        )
        self.kernel: Any
        self.parameters: Any
        self.narrow: Any = None
        if isinstance(fmt, IntegerFormat):
            self.kernel = kernels.encode_integer
            self.parameters = kernels.IntegerParameters(**integer_parameters(fmt, overflow, infinite))
            self.narrow = narrow.narrow_integer_parameters(fmt) if plain else None
        elif isinstance(fmt, FloatFormat):
            self.kernel = kernels.encode_float
            self.parameters = kernels.FloatParameters(**float_parameters(fmt, rounding, overflow, infinite))
            self.narrow = narrow.narrow_parameters(fmt) if plain else None
        else:
            assert isinstance(fmt, CodebookFormat)
            require_no_specials(fmt, overflow, infinite)
            if rounding is Rounding.STOCHASTIC:
                self.kernel = codebook_kernels.encode_stochastic
                self.parameters = codebook_kernels.stochastic_parameters(fmt, random_bits)
            else:
                self.kernel = codebook_kernels.encode_thresholds
                self.parameters = codebook_kernels.threshold_parameters(fmt, rounding)

    def run(self, values: FloatArray, codes: Codes, *, offset: int = 0, threads: int = 1) -> None:
        """Encode flat contiguous ``values`` into ``codes``; raise InputError for NaN or Inf that have no code."""
        if threads == 1 or values.size <= _CHUNK:
            counts = [self._run_piece(values, codes, offset)]
        else:
            pieces = [(at, slice(at, at + _CHUNK)) for at in range(0, values.size, _CHUNK)]
            with ThreadPoolExecutor(threads) as pool:
                done = pool.map(
                    lambda piece: self._run_piece(values[piece[1]], codes[piece[1]], offset + piece[0]),
                    pieces,
                )
                counts = list(done)
        nans, infinities = (sum(column) for column in zip(*counts, strict=True))
        refuse_specials(self.format, self.infinite, nans, infinities)

    def _run_piece(self, values: FloatArray, codes: Codes, offset: int) -> tuple[int, int]:
        if self.narrow is not None and values.dtype == np.float32 and not self._narrow_meets_nan(values, codes):
            return 0, 0
        nans, infinities = self.kernel(values, codes, offset, self.parameters, self.how)
        return int(nans), int(infinities)

    def _narrow_meets_nan(self, values: FloatArray, codes: Codes) -> bool:
        """Run the fast kernel; True if the values hold NaN that the format lacks (the generic one counts them)."""
        from simhw.formats import narrow

        if isinstance(self.format, IntegerFormat):
            return bool(narrow.narrow_integer32(values, codes, self.narrow))
        return bool(narrow.narrow_float32(values.view(np.uint32), codes, self.narrow)) and not self.format.has_nan
