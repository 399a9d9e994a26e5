"""What floating-point circuits compute, in SMT-LIB's own theory of floating point.

The solver's fp.add, fp.mul, fp.fma and to_fp are a definition that shares nothing with this package. A claim is about
one register: whatever inputs and registers hold, the gates' next value is the one that these operations give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simhw.circuits import Circuit, Port
from simhw.errors import InputError
from simhw.formats.catalog import BF16, E2M1, E4M3, E5M2, E8M0, FP16, FP32, UE4M3
from simhw.formats.floating import FloatFormat

FP32_SORT = "(_ FloatingPoint 8 24)"
_TO_FP32 = "(_ to_fp 8 24)"
_CANONICAL_NAN = "#x7fffffff"
_FP16_NAN = "#x7fff"

Define = Callable[[str, str], str]
"""``(term, sort)`` -> name of the term: shared parts are written once."""


@dataclass(frozen=True, kw_only=True)
class FloatClaim:
    """What a register takes next.

    Attributes:
        register: its name; for a circuit without registers, of an output.
        condition: truth value under which the claim holds.
        truth: builds the claim from the bit vector that the gates give.
    """

    register: str
    condition: str
    truth: Callable[[str], str]


def float_claims(circuit: Circuit, define: Define) -> tuple[FloatClaim, ...]:
    """Return what is claimed of a circuit, whose inputs and registers are bit vectors of their names.

    Raises:
        InputError: the circuit has no specification in floating-point theory.
    """
    names = {port.name for port in circuit.inputs}
    ports = {port.name: port for port in circuit.inputs}
    if names == {"total", "term"}:
        added = define(f"(fp.add RNE ({_TO_FP32} total) ({_TO_FP32} term))", FP32_SORT)
        return (FloatClaim(register="sum", condition="true", truth=lambda got: _same(got, added)),)
    if {"activation_scale", "weight_scale"} <= names:
        return (_total(_block(ports, define)),)
    if {"activation", "weight", "scale", "zero"} == names - {"first", "enable"}:
        fp16 = Port(name="weight", bits=FP16.bits, meaning=FP16.name)
        return (_dequantized(ports["weight"], define), _total(_mac(ports["activation"], fp16, define)))
    if names == {"activation", "weight", "first", "enable"}:
        return (_total(_mac(ports["activation"], ports["weight"], define)),)
    raise InputError(f"{circuit.name} has no specification in floating-point theory")


def value(term: str, port: Port) -> str:
    """Return a code as an fp32 number, which every format here fits exactly.

    Raises:
        InputError: a format that has no such form here.
    """
    kind = port.meaning.split()[0].rstrip(",")
    if kind.startswith(("int", "uint")):
        return f"({'(_ to_fp 8 24)' if kind.startswith('int') else '(_ to_fp_unsigned 8 24)'} RNE {term})"
    formats: Mapping[str, Callable[[str], str]] = {
        FP32.name: lambda code: f"({_TO_FP32} {code})",
        BF16.name: lambda code: f"({_TO_FP32} (concat {code} #x0000))",
        FP16.name: lambda code: _widened(code, FP16),
        E5M2.name: lambda code: _widened(code, E5M2),
        E4M3.name: lambda code: _rebiased(code, E4M3),
        UE4M3.name: lambda code: _rebiased(f"(concat #b0 {code})", UE4M3),
        E2M1.name: lambda code: _rebiased(code, E2M1),
        E8M0.name: _power,
    }
    if kind not in formats:
        raise InputError(f"{port.name} is {port.meaning}, which has no specification in floating-point theory")
    return formats[kind](term)


def _widened(code: str, fmt: FloatFormat) -> str:
    """Return a code of an IEEE format."""
    return f"({_TO_FP32} RNE ((_ to_fp {fmt.exponent_bits} {fmt.significand_bits}) {code}))"


def _rebiased(code: str, fmt: FloatFormat) -> str:
    """Return a code whose top exponents are numbers: read with one exponent bit more, times the difference of biases."""
    top = fmt.exponent_bits + fmt.mantissa_bits
    wide = f"(concat ((_ extract {top} {top}) {code}) #b0 ((_ extract {top - 1} 0) {code}))"
    factor = FP32.bias + ((1 << fmt.exponent_bits) - 1) - fmt.bias
    read = f"({_TO_FP32} RNE ((_ to_fp {fmt.exponent_bits + 1} {fmt.significand_bits}) {wide}))"
    number = f"(fp.mul RNE {read} ({_TO_FP32} #b0{factor:08b}{0:023b}))"
    if not fmt.has_nan:
        return number
    ones = "1" * top
    return f"(ite (= ((_ extract {top - 1} 0) {code}) #b{ones}) (_ NaN 8 24) {number})"


def _power(code: str) -> str:
    """Return an E8M0 code: an exponent field, of which 0 is a subnormal number of fp32."""
    normal = f"(concat #b0 {code} #b{0:023b})"
    word = f"(ite (= {code} #x00) #x{1 << 22:08x} {normal})"
    return f"(ite (= {code} #xff) (_ NaN 8 24) ({_TO_FP32} {word}))"


def _mac(activation: Port, weight: Port, define: Define) -> str:
    left, right = (define(value(f"{port.name}_q", port), FP32_SORT) for port in (activation, weight))
    old = define(f"({_TO_FP32} (ite (= first_q #b1) #x00000000 total))", FP32_SORT)
    return define(f"(fp.fma RNE {left} {right} {old})", FP32_SORT) if _needs_fma(activation, weight) else define(
        f"(fp.add RNE {old} {define(f'(fp.mul RNE {left} {right})', FP32_SORT)})", FP32_SORT
    )


def _needs_fma(activation: Port, weight: Port) -> bool:
    """Products of bf16 leave the exponents of fp32; all others are exact in it, rounding them changes nothing."""
    return BF16.name in (activation.meaning, weight.meaning)


def _block(ports: Mapping[str, Port], define: Define) -> str:
    lanes = sum(name.startswith("activation_") for name in ports) - 1
    # Exact: values are multiples of 1/2 up to 6, sums of products multiples of 1/4 below 2^13.
    total = f"({_TO_FP32} #x00000000)"
    for lane in range(lanes):
        left, right = (define(value(f"{side}_{lane}_q", ports[f"{side}_{lane}"]), FP32_SORT) for side in _SIDES)
        total = define(f"(fp.fma RNE {left} {right} {total})", FP32_SORT)
    scales = (value(f"{side}_scale_q", ports[f"{side}_scale"]) for side in _SIDES)
    scale = define(f"(fp.mul RNE {' '.join(scales)})", FP32_SORT)
    term = define(f"(fp.mul RNE {total} {scale})", FP32_SORT)
    added = define(f"(fp.add RNE ({_TO_FP32} total) {term})", FP32_SORT)
    return define(f"(ite (= first_q #b1) {term} {added})", FP32_SORT)


_SIDES = ("activation", "weight")


def _dequantized(weight: Port, define: Define) -> FloatClaim:
    extend = "sign_extend" if weight.meaning.startswith("int") else "zero_extend"
    difference = " ".join(f"((_ {extend} 1) {name})" for name in ("weight", "zero"))
    integer = f"((_ to_fp 5 11) RNE (bvsub {difference}))"
    product = define(f"(fp.mul RNE ((_ to_fp 5 11) scale) {integer})", "(_ FloatingPoint 5 11)")

    def truth(got: str) -> str:
        largest = f"(ite (fp.isNegative {product}) #xfbff #x7bff)"
        special = f"(ite (fp.isNaN {product}) (= {got} {_FP16_NAN}) (= {got} {largest}))"
        either = f"(or (fp.isNaN {product}) (fp.isInfinite {product}))"
        return f"(ite {either} {special} (= ((_ to_fp 5 11) {got}) {product}))"

    return FloatClaim(register="weight_q", condition="(= rst #b0)", truth=truth)


def _total(expected: str) -> FloatClaim:
    return FloatClaim(
        register="total",
        condition="(and (= rst #b0) (= enable_q #b1))",
        truth=lambda got: _same(got, expected),
    )


def _same(got: str, expected: str) -> str:
    """Return that ``got`` is the code of ``expected``: zeros keep their sign, NaN is the canonical one."""
    return f"(ite (fp.isNaN {expected}) (= {got} {_CANONICAL_NAN}) (= ({_TO_FP32} {got}) {expected}))"
