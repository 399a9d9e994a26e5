"""Codes of floating-point formats as fp32 numbers of SMT-LIB's theory of floating point, all of which are exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simhw.circuits import Port
from simhw.errors import InputError
from simhw.formats.catalog import BF16, E2M1, E4M3, E5M2, E8M0, FP16, FP32, UE4M3
from simhw.formats.floating import FloatFormat

FP32_SORT = "(_ FloatingPoint 8 24)"
TO_FP32 = "(_ to_fp 8 24)"


def value(term: str, port: Port) -> str:
    """Return a code of the format that a port's meaning begins with as an fp32 number.

    Raises:
        InputError: a format that has no such form here.
    """
    kind = port.meaning.split()[0].rstrip(",")
    if kind.startswith("int"):
        return f"({TO_FP32} RNE {term})"
    if kind.startswith("uint"):
        return f"((_ to_fp_unsigned 8 24) RNE {term})"
    if kind not in _VALUES:
        raise InputError(f"{port.name} is {port.meaning}, which has no specification in floating-point theory")
    return _VALUES[kind](term)


def _widened(fmt: FloatFormat) -> Callable[[str], str]:
    """Codes of an IEEE format."""
    return lambda code: f"({TO_FP32} RNE ((_ to_fp {fmt.exponent_bits} {fmt.significand_bits}) {code}))"


def _rebiased(fmt: FloatFormat) -> Callable[[str], str]:
    """Codes whose top exponents are numbers: read with one exponent bit more, times the difference of biases."""
    top = fmt.exponent_bits + fmt.mantissa_bits
    factor = FP32.bias + ((1 << fmt.exponent_bits) - 1) - fmt.bias

    def read(code: str) -> str:
        sign = f"((_ extract {top} {top}) {code})" if fmt.is_signed else "#b0"
        rest = f"((_ extract {top - 1} 0) {code})"
        wide = f"((_ to_fp {fmt.exponent_bits + 1} {fmt.significand_bits}) (concat {sign} #b0 {rest}))"
        number = f"(fp.mul RNE ({TO_FP32} RNE {wide}) ({TO_FP32} #b0{factor:08b}{0:023b}))"
        return f"(ite (= {rest} #b{'1' * top}) (_ NaN 8 24) {number})" if fmt.has_nan else number

    return read


def _power(code: str) -> str:
    """Return an E8M0 code: an exponent field, of which 0 is a subnormal number of fp32."""
    word = f"(ite (= {code} #x00) #x{1 << 22:08x} (concat #b0 {code} #b{0:023b}))"
    return f"(ite (= {code} #xff) (_ NaN 8 24) ({TO_FP32} {word}))"


_VALUES: Mapping[str, Callable[[str], str]] = {
    FP32.name: lambda code: f"({TO_FP32} {code})",
    BF16.name: lambda code: f"({TO_FP32} (concat {code} #x0000))",
    FP16.name: _widened(FP16),
    E5M2.name: _widened(E5M2),
    E4M3.name: _rebiased(E4M3),
    UE4M3.name: _rebiased(UE4M3),
    E2M1.name: _rebiased(E2M1),
    E8M0.name: _power,
}
