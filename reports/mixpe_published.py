"""What was published with MixPE: cycles and energy of its comparison, normalised to FP16, and its headline.

Figures of ``results/mixpe_res.csv`` of the simulator published with MixPE (arXiv 2411.16158,
github.com/yuzhang712/mixpe_simulator): the last run of July 2025; OLAccel from the last run in that file's history that
has it, whose other columns are the same. Energy is the sum of the four published parts, each of two decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PRESET = "mixpe_artifact"
SOURCE = "results/mixpe_res.csv, github.com/yuzhang712/mixpe_simulator"
NETWORKS = ("vit_b", "vit_h", "opt_6_7b", "llama_2_13b")

CYCLES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "mixpe_w4a8": (0.15, 0.12, 0.10, 0.10),
        "ant": (0.61, 0.47, 0.40, 0.40),
        "olaccel": (0.57, 0.39, 0.29, 0.29),
        "bitfusion": (0.70, 0.67, 0.68, 0.68),
        "int8": (0.82, 0.82, 0.86, 0.86),
        "mixpe_w4a16": (0.53, 0.32, 0.19, 0.19),
        "fp16": (1.00, 1.00, 1.00, 1.00),
    }
)
"""By design, in the order of ``NETWORKS``."""
ENERGY: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "mixpe_w4a8": (0.26, 0.18, 0.14, 0.14),
        "ant": (0.39, 0.30, 0.25, 0.25),
        "olaccel": (0.36, 0.24, 0.19, 0.19),
        "bitfusion": (0.48, 0.43, 0.43, 0.43),
        "int8": (0.51, 0.50, 0.49, 0.51),
        "mixpe_w4a16": (0.53, 0.32, 0.22, 0.22),
        "fp16": (1.00, 1.00, 1.00, 1.00),
    }
)
HEADLINE_SPEEDUP, HEADLINE_ENERGY = 2.6, 1.4
"""Of the abstract: over "state-of-the-art quantization accelerators"."""
EARLIER: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "mixpe_w4a8": (0.20, 0.19, 0.19, 0.19),
        "olaccel": (0.54, 0.48, 0.48, 0.48),
        "mixpe_w4a16": (0.47, 0.40, 0.38, 0.38),
    }
)
"""Cycles of the earlier run in that file's history whose means, 0.50 over 0.19, give the abstract's 2.6."""
EARLIER_MEANS: Mapping[str, float] = MappingProxyType({"mixpe_w4a8": 0.19, "olaccel": 0.50})
