"""Datapaths of real hardware as data: tensor cores of NVIDIA, matrix cores of AMD, and every recorded set of results.

Names are ``<architecture>_<operands>_<result>``, with both operand formats where they differ; MX and NVFP4 presets have
the block format as operands. ``recorded_<gpu>_<operands>_<result>`` reproduces a recorded set as it was taken.
"""

from __future__ import annotations

from itertools import permutations
from types import MappingProxyType
from typing import Final

from simhw.accumulators import Accumulator
from simhw.accumulators.matrix_cores import BF16_PAIRS, MATRIX_CORES, matrix_core
from simhw.accumulators.scaled import ScaledAligned, ScaledGroups
from simhw.accumulators.tensor_cores import MINIMUM_EXPONENT, RECORDED_ON, TENSOR_CORES, recorded, tensor_core
from simhw.gemm.datapath import Datapath

_MMA_SIM: Final = "MMA-Sim, arXiv 2511.10909"
_RECORDED: Final = "Khattak and Mikaitis, Accurate Models of NVIDIA Tensor Cores, ACM TACO, doi 10.1145/3830409"

_SCHEMES: Final = MappingProxyType(
    {
        "e4m3": "fp8_e4m3",
        "e5m2": "fp8_e5m2",
        "e3m2": "fp6_e3m2",
        "e2m3": "fp6_e2m3",
        "e2m1": "fp4_e2m1",
        "e4m3fnuz": "fp8_e4m3fnuz",
        "e5m2fnuz": "fp8_e5m2fnuz",
        "e4m3_e5m2": "fp8_e4m3_e5m2",
        "e5m2_e4m3": "fp8_e5m2_e4m3",
        "e4m3fnuz_e5m2fnuz": "fp8_e4m3fnuz_e5m2fnuz",
        "e5m2fnuz_e4m3fnuz": "fp8_e5m2fnuz_e4m3fnuz",
    }
)
"""Scheme of each pair of operands; others are schemes of their own name."""

_PES: Final = MappingProxyType({"fp32": "fp32_mac", "tf32": "fp32_mac", "fp16": "fp16_mac", "bf16": "bf16_mac"})
"""Processing element of the wide formats; the narrow ones have aligned lanes. It prices what it executes."""

_FP8: Final = ("e4m3", "e5m2")
_FNUZ: Final = ("e4m3fnuz", "e5m2fnuz")
_WITH_FP16_RESULT: Final = frozenset({"fp16", *_FP8, "e3m2", "e2m3", "e2m1"})

_BLOCK_SCALED: Final = (
    ("mxfp8", "e4m3", "mxfp8"),
    ("mxfp8_e4m3", "e4m3", "mxfp8"),
    ("mxfp8_e5m2", "e5m2", "mxfp8_e5m2"),
    ("mxfp6", "e2m3", "mxfp6_e2m3"),
    ("mxfp6_e2m3", "e2m3", "mxfp6_e2m3"),
    ("mxfp6_e3m2", "e3m2", "mxfp6_e3m2"),
    ("mxfp4_k32", "e2m1", "mxfp4"),
)
"""Operands, element format and scheme of ``kind::mxf8f6f4``: k = 32, one scale pair per instruction."""

_BLOCK_PES: Final = MappingProxyType({"mxfp4": "mxfp4_dot", "mxfp4_block16": "nvfp4_dot", "nvfp4": "nvfp4_dot"})
"""Processing element of the instructions that sum groups exactly; the others align their products."""

_RECORDED_RESULTS: Final = MappingProxyType(
    {
        "v100": "fp16_fp32 fp16_fp16",
        "a100": "fp16_fp32 fp16_fp16 bf16_fp32 tf32_fp32",
        "a2": "fp16_fp32 fp16_fp16 bf16_fp32 tf32_fp32",
        "ada": "fp16_fp32 fp16_fp16 bf16_fp32 tf32_fp32 e4m3_fp32 e4m3_fp16 e5m2_fp32 e5m2_fp16",
        "l40s": "fp16_fp32 fp16_fp16 bf16_fp32 tf32_fp32 e4m3_fp32 e5m2_fp32",
        "h100": "fp16_fp32 fp16_fp16 bf16_fp32 tf32_fp32 e4m3_fp32 e4m3_fp16 e5m2_fp32 e5m2_fp16",
        "h200": "fp16_fp32 fp16_fp16 bf16_fp32 tf32_fp32 e4m3_fp32 e4m3_fp16 e5m2_fp32 e5m2_fp16",
        "b200": "fp16_fp32 fp16_fp16 bf16_fp32 tf32_fp32 e4m3_fp32 e4m3_fp16 e5m2_fp32 e5m2_fp16",
    }
)
"""Operand and result formats that were recorded on each GPU."""


def presets() -> list[Datapath]:
    """Return the datapaths of real hardware."""
    return [*_tensor_cores(), *_block_scaled(), *_matrix_cores(), *_recorded()]


def _preset(
    name: str, description: str, operands: tuple[str, str], result: str, accumulator: Accumulator, source: str
) -> Datapath:
    key = operands[0] if operands[0] == operands[1] else "_".join(operands)
    wide = "fp32" if operands[0] in ("fp32", "tf32") else "bf16"
    return Datapath(
        name=name,
        description=description,
        activation=operands[0],
        weight=operands[1],
        attention=operands[1],
        pe=_PES.get(operands[0], "fp8_aligned"),
        accumulator=accumulator,
        output=wide if result == "fp32" else result,
        scheme=_SCHEMES.get(key, key),
        source=source,
    )


def _tensor_cores() -> list[Datapath]:
    """Return every native tensor-core instruction without block scales."""
    made = []
    for architecture, core in TENSOR_CORES.items():
        pairs = [(operands, operands) for operands in core.blocks]
        pairs += permutations([name for name in _FP8 if name in core.blocks], 2)
        for pair in pairs:
            for result in ("fp32", "fp16") if set(pair) <= _WITH_FP16_RESULT else ("fp32",):
                label = "_".join(dict.fromkeys(pair))
                made.append(
                    _preset(
                        f"{architecture}_{label}_{result}",
                        f"{architecture} tensor core, {label.replace('_', ' x ')} operands, {result} result",
                        pair,
                        result,
                        tensor_core(architecture, pair[0], result, pair[1]),
                        f"{_MMA_SIM}; {_RECORDED}",
                    )
                )
    return made


def _block_scaled() -> list[Datapath]:
    """Return the tensor-core instructions whose operands bring block scales (``block_scale`` of Blackwell)."""
    made: list[tuple[str, str, str, str, Accumulator]] = []
    for architecture in ("blackwell", "rtx_blackwell"):
        for label, element, scheme in _BLOCK_SCALED:
            minimum = MINIMUM_EXPONENT[element]
            made.append((architecture, label, element, scheme, ScaledAligned(minimum_exponents=(minimum, minimum))))
        for label, block, scale in (("mxfp4", 32, "e8m0"), ("mxfp4_block16", 16, "e8m0"), ("nvfp4", 16, "ue4m3")):
            made.append((architecture, label, "e2m1", label, ScaledGroups(scale_block=block, scale_format=scale)))
    return [
        Datapath(
            name=f"{architecture}_{label}_fp32",
            description=f"{architecture} tensor core, {label.replace('_', ' ')}: scales inside the sum, fp32 result",
            activation=element,
            weight=element,
            attention=element,
            pe=_BLOCK_PES.get(label, "mx_aligned"),
            accumulator=accumulator,
            output="bf16",
            scheme=scheme,
            source=f"{_MMA_SIM}; PTX ISA 8.7, block_scale kinds mxf8f6f4, mxf4, mxf4nvf4",
        )
        for architecture, label, element, scheme, accumulator in made
    ]


def _matrix_cores() -> list[Datapath]:
    """Return the matrix-core instructions of AMD; results are fp32."""
    made = []
    for architecture, core in MATRIX_CORES.items():
        pairs = [(operands, operands) for operands in core]
        pairs += permutations([name for name in _FNUZ if name in core], 2)
        for pair in pairs:
            label = "_".join(dict.fromkeys(pair))
            spoken = " x ".join(dict.fromkeys(pair)).replace("_", " ")
            formats = tuple({"xf32": "tf32", BF16_PAIRS: "bf16"}.get(name, name) for name in pair)
            made.append(
                _preset(
                    f"{architecture}_{label}_fp32",
                    f"{architecture} matrix core, {spoken}, fp32 result",
                    (formats[0], formats[1]),
                    "fp32",
                    matrix_core(architecture, *pair),
                    _MMA_SIM,
                )
            )
    return made


def _recorded() -> list[Datapath]:
    """Return a preset per recorded set: what the GPU's ``mma.sync`` did, emulations of FP8 included.

    The sets of FP8 with fp32 result on H100 and H200 were recorded without their addends: these presets ignore c.
    """
    return [
        _preset(
            f"recorded_{gpu}_{operands}_{result}",
            f"{gpu.upper()} as recorded through mma.sync, {operands} operands, {result} result ({RECORDED_ON[gpu]})",
            (operands, operands),
            result,
            recorded(gpu, operands, result),
            _RECORDED,
        )
        for gpu, recordings in _RECORDED_RESULTS.items()
        for operands, result in (recording.split("_") for recording in recordings.split())
    ]
