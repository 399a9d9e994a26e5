"""The catalogue of accumulators: one literal each, with what it models and where that is written."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from simhw.accumulators.base import Accumulator
from simhw.accumulators.chunked import Chunked
from simhw.accumulators.exact import Exact
from simhw.accumulators.families import GRAMMAR, family_accumulator
from simhw.accumulators.ieee import Ieee
from simhw.accumulators.lsb_truncated import Cut, LsbTruncated
from simhw.accumulators.pairwise import Pairwise
from simhw.accumulators.partial_sums import PartialSums
from simhw.accumulators.rounding import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, float_precision
from simhw.accumulators.saturate import Saturate
from simhw.accumulators.tensor_cores import tensor_core
from simhw.accumulators.tree import Tree
from simhw.accumulators.vpmaddubsw import Vpmaddubsw
from simhw.errors import InputError, unknown_name
from simhw.formats.rounding import Rounding

_IEEE = "IEEE 754-2019, sections 4.3 and 5.4.1"
_MMA_SIM = "MMA-Sim, arXiv 2511.10909; Khattak and Mikaitis, doi 10.1145/3830409"
_DEEPSEEK = "DeepSeek-V3, arXiv 2412.19437, section 3.3.2"
_FAMILIES = "a width of the user's choice; rules of the catalogue's entries of this kind"
_PTX = "NVIDIA PTX ISA, mma: integer accumulators wrap unless .satfinite is given"


@dataclass(frozen=True, kw_only=True)
class NamedAccumulator:
    """An entry.

    Attributes:
        name: entry name.
        description: one sentence.
        accumulator: the record.
        source: where the choices come from.
    """

    name: str
    description: str
    accumulator: Accumulator
    source: str


_LITERALS: Final = (
    NamedAccumulator(
        name="exact",
        description="a register as wide as it takes: integer, fixed-point or Kulisch",
        accumulator=Exact(),
        source="Kulisch, Computer Arithmetic and Validity (2nd edition, 2013), chapter 8",
    ),
    NamedAccumulator(
        name="int32_wrap",
        description="32-bit integer register that wraps",
        accumulator=Exact(bits=32),
        source=_PTX,
    ),
    NamedAccumulator(
        name="int16_wrap",
        description="16-bit integer register that wraps",
        accumulator=Exact(bits=16),
        source="Colbert et al., A2Q, arXiv 2308.13504: what accumulator-aware quantization guards against",
    ),
    NamedAccumulator(
        name="int32_saturate",
        description="32-bit integer register, clamped after every product",
        accumulator=Saturate(bits=32),
        source="NVIDIA PTX ISA, mma with .satfinite, taken at every step",
    ),
    NamedAccumulator(
        name="int24_saturate",
        description="24-bit integer register, clamped after every product",
        accumulator=Saturate(bits=24),
        source="the width of max_acc_bits in IBM fms-model-optimizer, fms_mo/custom_ext_kernels/triton_kernels.py",
    ),
    NamedAccumulator(
        name="int16_saturate",
        description="16-bit integer register, clamped after every product",
        accumulator=Saturate(bits=16),
        source="de Bruin et al., Quantization of deep neural networks for accumulator-constrained processors, 2020",
    ),
    NamedAccumulator(
        name="int16_partial_16",
        description="16 products in a wrapping 16-bit register, then added to 32 bits",
        accumulator=PartialSums(inner_bits=16, every=16, outer_bits=32),
        source="Brevitas issue 524, How to simulate partial sum / accumulator bitwidth?",
    ),
    NamedAccumulator(
        name="int16_partial_16_saturate",
        description="16 products in a saturating 16-bit register, then added to saturating 32 bits",
        accumulator=PartialSums(inner_bits=16, every=16, outer_bits=32, saturating=True),
        source="Brevitas issue 524, How to simulate partial sum / accumulator bitwidth?",
    ),
    NamedAccumulator(
        name="int8_cut_8",
        description="exact sums of 64 products whose low 8 bits are rounded away, then added exactly",
        accumulator=LsbTruncated(bits=8, every=64, cut=Cut.NEAREST_UP),
        source="IBM fms-model-optimizer, imatmul_kernel with chunk_trun_bits = 8",
    ),
    NamedAccumulator(
        name="vpmaddubsw",
        description="unsigned times signed bytes, pairs saturated to 16 bits, summed in 32",
        accumulator=Vpmaddubsw(),
        source="Intel Intrinsics Guide, _mm256_maddubs_epi16; ONNX Runtime, Quantize ONNX models (U8S8 on AVX2)",
    ),
    NamedAccumulator(
        name="fp64", description="fp64 register, k in order", accumulator=Ieee(precision=FLOAT64), source=_IEEE
    ),
    NamedAccumulator(
        name="fp32", description="chain of fp32 fused multiply-adds, k in order", accumulator=Ieee(), source=_IEEE
    ),
    NamedAccumulator(
        name="fp32_product_rounded",
        description="fp32 multiplication, then fp32 addition, each rounded",
        accumulator=Ieee(fused=False),
        source=_IEEE,
    ),
    NamedAccumulator(
        name="fp32_toward_zero",
        description="chain of fp32 fused multiply-adds that truncate",
        accumulator=Ieee(precision=float_precision(8, 23, Rounding.TOWARD_ZERO)),
        source=_IEEE,
    ),
    NamedAccumulator(
        name="fp16",
        description="chain of fp16 fused multiply-adds",
        accumulator=Ieee(precision=FLOAT16),
        source="Arm Architecture Reference Manual, FMLA (half-precision)",
    ),
    NamedAccumulator(
        name="bf16",
        description="bf16 register, rounded to nearest even after every product",
        accumulator=Ieee(precision=BFLOAT16),
        source="Kalamkar et al., A Study of BFLOAT16 for Deep Learning Training, arXiv 1905.12322",
    ),
    NamedAccumulator(
        name="e6m9",
        description="16-bit register with 6 exponent and 9 mantissa bits",
        accumulator=Ieee(precision=float_precision(6, 9)),
        source="Agrawal et al., DLFloat, ARITH 2019 (its format; rounding to nearest even)",
    ),
    NamedAccumulator(
        name="pairwise_fp32",
        description="fp32 sums by recursive halving of k",
        accumulator=Pairwise(precision=FLOAT32),
        source="Higham, The Accuracy of Floating Point Summation, SIAM J. Sci. Comput. 14(4), 1993",
    ),
    NamedAccumulator(
        name="tree16_fp32",
        description="adder trees over 16 products in fp32, chained into an fp32 register",
        accumulator=Tree(width=16, precision=FLOAT32),
        source="the multi-operand adders of Fasi et al., PeerJ CS 330 (2021), with every adder rounding",
    ),
    NamedAccumulator(
        name="tree16_fp16",
        description="adder trees over 16 products in fp16, chained into an fp16 register",
        accumulator=Tree(width=16, precision=FLOAT16),
        source="the multi-operand adders of Fasi et al., PeerJ CS 330 (2021), with every adder rounding",
    ),
    NamedAccumulator(
        name="hopper_fp8",
        description="Hopper tensor core, E4M3 operands: 32 products aligned to 13 fraction bits, E8M13 register",
        accumulator=tensor_core("hopper", "e4m3", "fp32"),
        source=_MMA_SIM,
    ),
    NamedAccumulator(
        name="hopper_fp8_promoted_128",
        description="Hopper tensor core, E4M3 operands, promoted to an fp32 register every 128 products",
        accumulator=Chunked(inner=tensor_core("hopper", "e4m3", "fp32"), every=128),
        source=_DEEPSEEK,
    ),
    NamedAccumulator(
        name="hopper_fp16",
        description="Hopper tensor core, fp16 operands: 16 products aligned to 25 fraction bits, fp32 register",
        accumulator=tensor_core("hopper", "fp16", "fp32"),
        source=_MMA_SIM,
    ),
    NamedAccumulator(
        name="blackwell_fp8",
        description="Blackwell tensor core, E4M3 operands: 32 products aligned to 25 fraction bits, fp32 register",
        accumulator=tensor_core("blackwell", "e4m3", "fp32"),
        source=_MMA_SIM,
    ),
)

ACCUMULATORS: Final = MappingProxyType({entry.name: entry for entry in _LITERALS})
"""All entries by name."""


def get_accumulator(name: str) -> NamedAccumulator:
    """Return an entry by name, or one of any width by its family's grammar. Raises InputError for an unknown name.

    >>> get_accumulator("hopper_fp8_promoted_128").accumulator.name
    'aligned L=32 F=13, E8M13 (toward zero); every 128 into fp32'
    """
    if name in ACCUMULATORS:
        return ACCUMULATORS[name]
    made = family_accumulator(name)
    if made is None:
        raise InputError(f"{unknown_name('accumulator', name, ACCUMULATORS)}; any width: {GRAMMAR}")
    description, accumulator = made
    return NamedAccumulator(name=name, description=description, accumulator=accumulator, source=_FAMILIES)


def accumulator_names() -> list[str]:
    """Return all names, sorted."""
    return sorted(ACCUMULATORS)
