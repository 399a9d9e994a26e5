"""LLVM's vectors for kernels that say themselves what stays in which register.

An intrinsic written with them compiles in a fraction of the time of a loop that LLVM has to vectorise, and cannot
lose its vectors by accident. Vectors are as wide as the processor's, LLVM splits wider types itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from simhw.kernel import has_half_conversion

HALF, FLOAT, DOUBLE = ir.HalfType(), ir.FloatType(), ir.DoubleType()
BIT, BYTE, SHORT, WORD, LONG = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))

_SUFFIXES = {str(kind): name for kind, name in ((HALF, "f16"), (FLOAT, "f32"), (DOUBLE, "f64"))}


def vector(kind: ir.Type, lanes: int) -> ir.VectorType:
    """Return the type of ``lanes`` elements."""
    return ir.VectorType(kind, lanes)


def size_of(kind: ir.Type) -> int:
    """Return the bytes of an element or a vector."""
    if isinstance(kind, ir.VectorType):
        return size_of(kind.element) * int(kind.count)
    return {str(HALF): 2, str(FLOAT): 4, str(DOUBLE): 8}.get(str(kind)) or int(kind.width) // 8


def long(value: int) -> ir.Constant:
    """Return a 64-bit constant."""
    return ir.Constant(LONG, value)


def element(kind: Any) -> ir.Type:
    """Return LLVM's type of a NumPy element."""
    return {"float32": FLOAT, "float64": DOUBLE}.get(str(kind)) or ir.IntType(kind.bitwidth)


class View:
    """A C-contiguous array in LLVM: a byte pointer and sizes."""

    def __init__(self, context: Any, builder: Any, kind: types.Array, value: Any) -> None:
        array = context.make_array(kind)(context, builder, value)
        self.pointer = builder.bitcast(array.data, BYTE.as_pointer())
        self.shape = cgutils.unpack_tuple(builder, array.shape, kind.ndim)


class Vectors:
    """An LLVM builder that also does arithmetic on vectors."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def constant(self, kind: ir.VectorType, value: float) -> ir.Constant:
        """Return a vector of equal elements."""
        return ir.Constant(kind, [value] * kind.count)

    def splat(self, value: Any, lanes: int) -> Any:
        """Return a vector of ``lanes`` times one value."""
        kind = vector(value.type, lanes)
        first = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(WORD, 0))
        return self.shuffle(first, first, [0] * lanes)

    def shuffle(self, left: Any, right: Any, order: Sequence[int]) -> Any:
        """Return the elements of two vectors in a constant order."""
        return self.builder.shuffle_vector(left, right, ir.Constant(vector(WORD, len(order)), list(order)))

    def call(self, name: str, *arguments: Any, result: ir.Type | None = None) -> Any:
        """Call an LLVM intrinsic by its full name."""
        kind = arguments[0].type if result is None else result
        function = ir.FunctionType(kind, [argument.type for argument in arguments])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, function, name), arguments)

    def generic(self, name: str, *arguments: Any) -> Any:
        """Call an LLVM intrinsic that exists for every vector type, with arguments and result of one type."""
        return self.call(f"{name}.{_suffix(arguments[0].type)}", *arguments)

    def generic_reduction(self, name: str, value: Any) -> Any:
        """Reduce a vector of integers to one, by an LLVM intrinsic that exists for every vector type."""
        return self.call(f"{name}.{_suffix(value.type)}", value, result=value.type.element)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        """Return ``x * y + z`` with one rounding."""
        return self.generic("llvm.fma", x, y, z)

    def product(self, x: Any, y: Any) -> Any:
        """Return the product of floats."""
        return self.builder.fmul(x, y)

    def negative(self, x: Any) -> Any:
        """Return floats with the other sign."""
        return self.builder.fneg(x)

    def size(self, value: Any) -> int:
        """Return the bytes of one element."""
        return size_of(value.type.element)

    def copy_sign(self, magnitude: Any, sign: Any) -> Any:
        """Return ``magnitude`` with the signs of ``sign``."""
        return self.generic("llvm.copysign", magnitude, sign)

    def least(self, x: Any, y: Any) -> Any:
        """Return the smaller one of floats, ``y`` where one is NaN."""
        return self.builder.select(self.builder.fcmp_ordered("<", x, y), x, y)

    def largest(self, x: Any, y: Any) -> Any:
        """Return the larger one of floats, ``y`` where one is NaN."""
        return self.builder.select(self.builder.fcmp_ordered(">", x, y), x, y)

    def smaller(self, x: Any, y: Any) -> Any:
        """Return the smaller one of floats, ``x`` where one is NaN."""
        return self.builder.select(self.builder.fcmp_ordered("<", y, x), y, x)

    def larger(self, x: Any, y: Any) -> Any:
        """Return the larger one of floats, ``x`` where one is NaN."""
        return self.builder.select(self.builder.fcmp_ordered(">", y, x), y, x)

    def to_float(self, value: Any) -> Any:
        """Return integers or float64 rounded to float32."""
        kind = vector(FLOAT, value.type.count)
        if value.type == kind:
            return value
        if value.type.element == DOUBLE:
            return self.builder.fptrunc(value, kind)
        return self.builder.sitofp(value, kind)

    def larger_integer(self, x: Any, y: Any) -> Any:
        """Return the larger one of signed integers."""
        return self.builder.select(self.builder.icmp_signed(">", x, y), x, y)

    def smaller_integer(self, x: Any, y: Any) -> Any:
        """Return the smaller one of signed integers."""
        return self.builder.select(self.builder.icmp_signed("<", x, y), x, y)

    def bits(self, value: Any, operation: str, mask: int) -> Any:
        """Return floats whose patterns are joined with a constant by ``and_``, ``or_`` or ``xor``."""
        pattern = vector(ir.IntType(8 * size_of(value.type.element)), value.type.count)
        joined = getattr(self.builder, operation)(self.builder.bitcast(value, pattern), self.constant(pattern, mask))
        return self.builder.bitcast(joined, value.type)

    def to_half(self, value: Any) -> Any:
        """Return float32 rounded to fp16 and back; as it is where the processor does not convert (nobody asks then)."""
        if not has_half_conversion():
            return value
        half = self.builder.fptrunc(value, vector(HALF, value.type.count))
        return self.builder.fpext(half, value.type)

    def first_lanes(self, count: Any, lanes: int, before: int = 0) -> Any:
        """Return a mask of the lanes whose index plus ``before`` is below ``count``."""
        index = ir.Constant(vector(LONG, lanes), [before + i for i in range(lanes)])
        return self.builder.icmp_signed("<", index, self.splat(count, lanes))

    def load(self, pointer: Any, offset: Any, kind: ir.Type) -> Any:
        """Return an element or a vector ``offset`` bytes behind a byte pointer."""
        loaded = self.builder.load(self._at(pointer, offset, kind))
        loaded.align = _alignment(kind)
        return loaded

    def store(self, value: Any, pointer: Any, offset: Any) -> None:
        """Store an element or a vector ``offset`` bytes behind a byte pointer."""
        self.builder.store(value, self._at(pointer, offset, value.type)).align = _alignment(value.type)

    def load_lanes(self, pointer: Any, offset: Any, kind: ir.VectorType, mask: Any) -> Any:
        """Load the lanes that a mask chooses, zero elsewhere."""
        address = self._at(pointer, offset, kind)
        alignment = ir.Constant(WORD, _alignment(kind))
        name = f"llvm.masked.load.{_suffix(kind)}.p0"
        return self.call(name, address, alignment, mask, ir.Constant(kind, None), result=kind)

    def store_lanes(self, value: Any, pointer: Any, offset: Any, mask: Any) -> None:
        """Store the lanes that a mask chooses."""
        address = self._at(pointer, offset, value.type)
        alignment = ir.Constant(WORD, _alignment(value.type))
        name = f"llvm.masked.store.{_suffix(value.type)}.p0"
        self.call(name, value, address, alignment, mask, result=ir.VoidType())

    def _at(self, pointer: Any, offset: Any, kind: ir.Type) -> Any:
        moved = self.builder.gep(pointer, [offset if hasattr(offset, "type") else long(offset)])
        return self.builder.bitcast(moved, kind.as_pointer())

    @contextmanager
    def steps(
        self, start: Any, stop: Any, step: int, carried: Iterable[Any] = (), *, stride: Any = None
    ) -> Iterator[Loop]:
        """Loop over ``range(start, stop, step)``, which must not be empty; see :class:`Loop`.

        ``stride`` takes the place of ``step`` where it is known at run time only.
        """
        builder = self.builder
        before, body, after = builder.block, *(builder.append_basic_block(name) for name in ("loop", "after"))
        builder.branch(body)
        builder.position_at_end(body)
        index = builder.phi(LONG)
        values = []
        for value in carried:
            values.append(builder.phi(value.type))
            values[-1].add_incoming(value, before)
        loop = Loop(index=index, values=values)
        yield loop
        following = builder.add(index, long(step) if stride is None else stride)
        index.add_incoming(start, before)
        index.add_incoming(following, builder.block)
        for phi, value in zip(values, loop.values, strict=True):
            phi.add_incoming(value, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, stop), body, after)
        builder.position_at_end(after)


class Loop:
    """A loop while it is built: ``index``, and ``values`` that are carried from one step to the next.

    The body takes ``values`` as they come in and replaces them; behind the loop they are those of the last step.
    """

    def __init__(self, *, index: Any, values: list[Any]) -> None:
        self.index = index
        self.values = values


def _alignment(kind: ir.Type) -> int:
    return size_of(kind.element if isinstance(kind, ir.VectorType) else kind)


def _suffix(kind: ir.Type) -> str:
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{_suffix(kind.element)}"
    return _SUFFIXES.get(str(kind)) or f"i{kind.width}"
