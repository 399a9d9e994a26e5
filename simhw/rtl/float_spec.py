"""What floating-point circuits compute, in SMT-LIB's own theory of floating point.

The solver's fp.add, fp.mul, fp.fma and to_fp are a definition that shares nothing with this package. A claim is about
one register or output: whatever inputs and registers hold (with the reset low), the gates' next value is the one that
these operations give. Zeros keep their sign, NaN is the canonical one.
"""

from __future__ import annotations

from collections.abc import Mapping

from simhw.circuits import Circuit, Port
from simhw.formats.catalog import BF16
from simhw.rtl.float_values import FP32_SORT, TO_FP32, value
from simhw.rtl.smt import Script

_SIDES = ("activation", "weight")
_FLAGS = frozenset({"first", "enable"})
_MAC = frozenset(_SIDES)
_CANONICAL_NAN = "#x7fffffff"


def float_claim(script: Script, circuit: Circuit, result: str, got: str) -> str | None:
    """Return the claim about ``result``, or None where floating-point theory has nothing to say about the circuit.

    Args:
        script: takes the definitions; inputs and registers are declared in it by their names.
        circuit: what it is about.
        result: name of a register or output.
        got: bit vector that the gates give.
    """
    ports = {port.name: port for port in circuit.inputs}
    operands = ports.keys() - _FLAGS
    if operands == {"total", "term"}:
        return _same(got, _float(script, f"(fp.add RNE ({TO_FP32} total) ({TO_FP32} term))"))
    if not in_floats(circuit):
        return None
    if result != "total":
        if operands == {*_MAC, "scale", "zero"} and result == "weight_q":
            return _dequantized(script, ports["weight"], got)
        return f"(= {got} {result.replace('_out', '_q') if result.endswith('_out') else result.removesuffix('_q')})"
    if "group_sum" in ports:
        claimed = _same(got, _group(script, ports))
    elif "activation_scale" in ports:
        claimed = _same(got, _block(script, ports))
    else:
        held = {**ports, "weight": Port(name="weight", bits=16, meaning="fp16")} if "scale" in ports else ports
        claimed = _same(got, _multiply_and_add(script, held))
    return f"(ite (= enable_q #b1) {claimed} (= {got} total))"


def in_floats(circuit: Circuit) -> bool:
    """Return whether a circuit's result is an fp32 number."""
    return any("fp32" in port.meaning for port in (*circuit.state, *circuit.outputs) if port.name in ("total", "sum"))


def _float(script: Script, term: str) -> str:
    return script.define_as(term, FP32_SORT)


def _same(got: str, expected: str) -> str:
    return f"(ite (fp.isNaN {expected}) (= {got} {_CANONICAL_NAN}) (= ({TO_FP32} {got}) {expected}))"


def _operands(script: Script, ports: Mapping[str, Port]) -> tuple[str, str]:
    left, right = (_float(script, value(f"{side}_q", ports[side])) for side in _SIDES)
    return left, right


def _multiply_and_add(script: Script, ports: Mapping[str, Port]) -> str:
    left, right = _operands(script, ports)
    old = _float(script, f"({TO_FP32} (ite (= first_q #b1) #x00000000 total))")
    if ports["activation"].meaning == BF16.name:
        return _float(script, f"(fp.fma RNE {left} {right} {old})")
    # Only products of bf16 leave the exponents of fp32: all others are exact in it, rounding them changes nothing.
    return _float(script, f"(fp.add RNE {old} {_float(script, f'(fp.mul RNE {left} {right})')})")


def _scaled(script: Script, total: str, scale: str) -> str:
    """Return ``old + total * scale``, or the term alone where a new sum starts."""
    term = _float(script, f"(fp.mul RNE {total} {scale})")
    added = _float(script, f"(fp.add RNE ({TO_FP32} total) {term})")
    return _float(script, f"(ite (= first_q #b1) {term} {added})")


def _group(script: Script, ports: Mapping[str, Port]) -> str:
    bits = ports["group_sum"].bits
    extend = f"(_ sign_extend {bits - ports['activation_sum'].bits})"
    zero = f"((_ zero_extend {bits - ports['zero'].bits}) zero_q)"
    difference = script.define(f"(bvsub group_sum_q (bvmul {zero} ({extend} activation_sum_q)))", bits)
    return _scaled(script, f"({TO_FP32} RNE {difference})", f"({TO_FP32} scale_q)")


def _block(script: Script, ports: Mapping[str, Port]) -> str:
    """Sums of products are multiples of 1/4 below 2^13: every partial sum is exact in fp32."""
    total = f"({TO_FP32} #x00000000)"
    for lane in range(sum(name.startswith("activation_") for name in ports) - 1):
        left, right = (_float(script, value(f"{side}_{lane}_q", ports[f"{side}_{lane}"])) for side in _SIDES)
        product = _float(script, f"(fp.mul RNE {left} {right})")
        total = _float(script, f"(fp.add RNE {total} {product})")
    scales = (value(f"{side}_scale_q", ports[f"{side}_scale"]) for side in _SIDES)
    return _scaled(script, total, _float(script, f"(fp.mul RNE {' '.join(scales)})"))


def _dequantized(script: Script, weight: Port, got: str) -> str:
    """``scale * (weight - zero)`` in fp16, saturated."""
    extend = "sign_extend" if weight.meaning.startswith("int") else "zero_extend"
    wide = " ".join(f"((_ {extend} 1) {name})" for name in ("weight", "zero"))
    integer = f"((_ to_fp 5 11) RNE (bvsub {wide}))"
    product = script.define_as(f"(fp.mul RNE ((_ to_fp 5 11) scale) {integer})", "(_ FloatingPoint 5 11)")
    largest = f"(ite (fp.isNegative {product}) #xfbff #x7bff)"
    return (
        f"(ite (fp.isNaN {product}) (= {got} #x7fff) "
        f"(ite (fp.isInfinite {product}) (= {got} {largest}) (= ((_ to_fp 5 11) {got}) {product})))"
    )
