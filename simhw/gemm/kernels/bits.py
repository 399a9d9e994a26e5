"""Operations on the bit patterns of floats of either width, and the rounding mode of the processor.

They are LLVM instructions: in Python integer arithmetic widens to 64 bits, which halves the speed of float32 loops.
"""

from __future__ import annotations

from typing import Any

import numba as nb
from llvmlite import ir
from numba.extending import intrinsic

from simhw.kernel import has_half_conversion

_EXPONENT = {nb.float32: 0x7F800000, nb.float64: 0x7FF0000000000000}


def _integer(kind: Any) -> ir.IntType:
    return ir.IntType(kind.bitwidth)


def _declare(builder: Any, name: str, kind: Any, count: int) -> Any:
    return builder.module.declare_intrinsic(name, [kind], ir.FunctionType(kind, [kind] * count))


@intrinsic
def fused_multiply_add(typing_context: Any, x: Any, y: Any, z: Any) -> Any:  # noqa: ARG001
    """Return ``x * y + z`` with one rounding; all of one float type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.call(_declare(builder, "llvm.fma", arguments[2].type, 3), arguments)

    return z(z, z, z), generate


@intrinsic
def with_sign(typing_context: Any, magnitude: Any, sign: Any) -> Any:  # noqa: ARG001
    """Return ``magnitude`` with the sign bit of ``sign``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.call(_declare(builder, "llvm.copysign", arguments[0].type, 2), arguments)

    return magnitude(magnitude, magnitude), generate


@intrinsic
def power_below(typing_context: Any, x: Any) -> Any:  # noqa: ARG001
    """Return the largest power of two that is not above ``abs(x)``: zero for subnormals, infinity for infinity."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        integer = _integer(signature.return_type)
        pattern = builder.bitcast(arguments[0], integer)
        kept = builder.and_(pattern, ir.Constant(integer, _EXPONENT[signature.return_type]))
        return builder.bitcast(kept, arguments[0].type)

    return x(x), generate


@intrinsic
def has_odd_pattern(typing_context: Any, x: Any) -> Any:  # noqa: ARG001
    """Return whether the last bit of the significand is set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        integer = _integer(signature.args[0])
        return builder.trunc(builder.bitcast(arguments[0], integer), ir.IntType(1))

    return nb.boolean(x), generate


@intrinsic
def choose(typing_context: Any, condition: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """Return ``x`` if the condition holds, else ``y``, both computed: no branch that would end vectorisation."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.select(*arguments)

    return x(nb.boolean, x, x), generate


@intrinsic
def to_odd(typing_context: Any, rounded: Any, error: Any) -> Any:  # noqa: ARG001
    """Return ``rounded + error`` rounded to odd, ``rounded`` being its nearest float; a NaN error counts as none.

    Truncated first (one step toward zero where the error points there), then the last bit is set if anything is lost.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        rounded_value, error_value = arguments
        integer = _integer(signature.return_type)
        top = ir.Constant(integer, integer.width - 1)
        pattern = builder.bitcast(rounded_value, integer)
        lost = builder.fcmp_ordered("!=", error_value, ir.Constant(error_value.type, 0.0))
        lost = builder.zext(lost, integer)
        opposed = builder.lshr(builder.xor(pattern, builder.bitcast(error_value, integer)), top)
        truncated = builder.sub(pattern, builder.and_(opposed, lost))
        return builder.bitcast(builder.or_(truncated, lost), rounded_value.type)

    return rounded(rounded, rounded), generate


@intrinsic
def clamp_from_zero(typing_context: Any, x: Any, top: Any) -> Any:  # noqa: ARG001
    """Return ``x`` clamped to ``0..top``: floats that are not negative order like their patterns as integers do."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        integer = _integer(signature.return_type)
        value, limit = (builder.bitcast(argument, integer) for argument in arguments)
        zero = ir.Constant(integer, 0)
        value = builder.select(builder.icmp_signed(">", value, zero), value, zero)
        value = builder.select(builder.icmp_signed("<", value, limit), value, limit)
        return builder.bitcast(value, arguments[0].type)

    return x(x, x), generate


@intrinsic
def mark_difference(typing_context: Any, marks: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """Return the integer ``marks`` with the bits set in which the floats differ, all of one width."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        left, right = (builder.bitcast(value, arguments[0].type) for value in arguments[1:])
        return builder.or_(arguments[0], builder.xor(left, right))

    return marks(marks, x, x), generate


@intrinsic
def larger_sum(typing_context: Any, top: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """Return ``max(top, x + y)`` of integers of one type, which must hold the sum."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        total = builder.add(arguments[1], arguments[2])
        return builder.select(builder.icmp_signed(">", total, arguments[0]), total, arguments[0])

    return top(top, top, top), generate


@intrinsic
def to_half(typing_context: Any, x: Any) -> Any:  # noqa: ARG001
    """Return a float32 rounded to fp16 (to nearest even, subnormals and overflow to infinity included).

    Without the instruction LLVM would call a function that is not there: kernels then are compiled, but never asked.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        if not has_half_conversion():
            return arguments[0]
        return builder.fpext(builder.fptrunc(arguments[0], ir.HalfType()), ir.FloatType())

    return nb.float32(nb.float32), generate


@intrinsic
def half_pattern(typing_context: Any, x: Any) -> Any:  # noqa: ARG001
    """Return the pattern of a float32 rounded to fp16."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.bitcast(builder.fptrunc(arguments[0], ir.HalfType()), ir.IntType(16))

    return nb.uint16(nb.float32), generate


@intrinsic
def half_value(typing_context: Any, pattern: Any) -> Any:  # noqa: ARG001
    """Return the float32 that an fp16 pattern stands for."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return nb.float32(nb.uint16), generate


NEAREST_EVEN, TOWARD_ZERO, UP, DOWN = 1, 0, 2, 3
"""Rounding modes as C's FLT_ROUNDS and LLVM number them."""


@intrinsic
def set_rounding_mode(typing_context: Any, mode: Any) -> Any:  # noqa: ARG001
    """Set the rounding mode of this thread's floating-point unit; whoever sets it restores it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        word = ir.IntType(32)
        function = builder.module.declare_intrinsic("llvm.set.rounding", (), ir.FunctionType(ir.VoidType(), [word]))
        builder.call(function, [builder.trunc(arguments[0], word)])
        return context.get_dummy_value()

    return nb.void(nb.int64), generate
