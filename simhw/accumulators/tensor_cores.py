"""Accumulators of real GPUs as data.

Sources: MMA-Sim (arXiv 2511.10909), section 4 and its tables of block length L, fraction bits F and rounding per
architecture; the recorded results of Khattak and Mikaitis (doi 10.1145/3830409), which every row below reproduces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from simhw.accumulators.aligned import Addend, Aligned, Order
from simhw.accumulators.rounding import E8M13_TOWARD_ZERO, FLOAT16, FLOAT32_TOWARD_ZERO
from simhw.errors import InputError, unknown_name

MINIMUM_EXPONENT: Final = MappingProxyType(
    {"fp16": -14, "bf16": -126, "tf32": -126, "e4m3": -6, "e5m2": -14, "e3m2": -2, "e2m3": 0, "e2m1": 0}
)
"""Exponent of the smallest normal number of each operand format."""

_MIXED: Final = frozenset({"e4m3", "e5m2", "e3m2", "e2m3", "e2m1"})
"""Formats of which one instruction takes two different ones."""


@dataclass(frozen=True, kw_only=True)
class TensorCore:
    """Rules of one architecture.

    Attributes:
        blocks: products summed at once, per operand format; formats that are missing are not supported.
        fraction_bits: F of every format but those in ``narrow``.
        narrow: operand formats that are summed with 13 fraction bits, into an E8M13 register for fp32 results.
        zero_exponent: exponent of a zero term for fp32 results; for fp16 results it is 112 larger.
    """

    blocks: MappingProxyType[str, int]
    fraction_bits: int
    narrow: frozenset[str] = frozenset()
    zero_exponent: int


def _core(fraction_bits: int, narrow: str = "", **blocks: int) -> TensorCore:
    return TensorCore(
        blocks=MappingProxyType(blocks),
        fraction_bits=fraction_bits,
        narrow=frozenset(narrow.split()),
        zero_exponent=-108 - fraction_bits,
    )


TENSOR_CORES: Final = MappingProxyType(
    {
        "volta": _core(23, fp16=4),
        "turing": _core(24, fp16=8),
        "ampere": _core(24, fp16=8, bf16=8, tf32=4),
        "ada": _core(24, "e4m3 e5m2", fp16=8, bf16=8, tf32=4, e4m3=16, e5m2=16),
        "hopper": _core(25, "e4m3 e5m2", fp16=16, bf16=16, tf32=8, e4m3=32, e5m2=32),
        "blackwell": _core(25, fp16=16, bf16=16, tf32=8, e4m3=32, e5m2=32, e3m2=32, e2m3=32, e2m1=32),
        "rtx_blackwell": _core(25, fp16=16, bf16=16, tf32=8, e4m3=32, e5m2=32, e3m2=32, e2m3=32, e2m1=32),
    }
)

RECORDED_ON: Final = MappingProxyType(
    {
        "v100": "volta",
        "a100": "ampere",
        "a2": "ampere",
        "ada": "ada",
        "l40s": "ada",
        "h100": "hopper",
        "h200": "hopper",
        "b200": "blackwell",
    }
)
"""Architecture of each GPU with recorded results."""


def tensor_core(architecture: str, operands: str, result: str, weights: str | None = None) -> Aligned:
    """Return the accumulator of ``architecture`` for an operand format and a result format (fp32 or fp16).

    ``weights`` is the second operand's format where it differs (E4M3 with E5M2). Raises InputError for an
    architecture, format or result that the hardware has not.
    """
    if architecture not in TENSOR_CORES:
        raise unknown_name("tensor core", architecture, TENSOR_CORES)
    core = TENSOR_CORES[architecture]
    weights = weights or operands
    for given in (operands, weights):
        if given not in core.blocks:
            raise InputError(
                f"{architecture} tensor cores have no {given} operands, they take {', '.join(core.blocks)}; "
                "choose one of those or a newer architecture"
            )
    if core.blocks[operands] != core.blocks[weights] or (weights != operands and operands not in _MIXED):
        raise InputError(
            f"operands are {operands} and {weights}, only FP8, FP6 and FP4 formats can be mixed; take one format"
        )
    if result not in ("fp32", "fp16"):
        raise InputError(f"result format is {result!r}, tensor cores return fp32 or fp16; choose one of them")
    narrow = operands in core.narrow
    wide = E8M13_TOWARD_ZERO if narrow else FLOAT32_TOWARD_ZERO
    return Aligned(
        block=core.blocks[operands],
        fraction_bits=13 if narrow else core.fraction_bits,
        zero_exponent=core.zero_exponent + (112 if result == "fp16" else 0),
        result=FLOAT16 if result == "fp16" else wide,
        minimum_exponents=(MINIMUM_EXPONENT[operands], MINIMUM_EXPONENT[weights]),
    )


def recorded(gpu: str, operands: str, result: str) -> Aligned:
    """Return the accumulator that reproduces the recorded results of a GPU (see the module's sources).

    The recordings used ``mma.sync``. Where a part emulates FP8 through it, the composition is: Hopper with fp16
    result: two chained fp16 blocks of 16 in the order of pairs, c added last; Blackwell fp16 the same; Blackwell
    fp32: its own FP8 block from zero, c added last with one rounding to nearest. Hopper's FP8 sets with fp32 result
    were taken without an addend: the c that stands beside them is not used.
    """
    if gpu not in RECORDED_ON:
        raise unknown_name("recorded GPU", gpu, RECORDED_ON)
    architecture = RECORDED_ON[gpu]
    native = tensor_core(architecture, operands, result)
    if operands not in ("e4m3", "e5m2") or architecture == "ada":
        return native
    if result == "fp16":
        return replace(
            tensor_core(architecture, "fp16", "fp16"),
            minimum_exponents=native.minimum_exponents,
            order=Order.PAIRS,
            addend=Addend.AFTER,
        )
    return replace(native, addend=Addend.ABSENT if architecture == "hopper" else Addend.AFTER)
