"""What crosses to DRAM, by what it is: codes, scales and zero points each their own."""

from __future__ import annotations

from simhw.memory.base import Precision, Tiling

TRAFFIC_PARTS = (
    "activation",
    "activation_scale",
    "weight",
    "scale",
    "zero_point",
    "partial_sum_read",
    "partial_sum_write",
    "output",
)
"""Kinds of bits; the traffic of a tiling is their sum."""


def traffic_bits(tiling: Tiling, precision: Precision) -> dict[str, int]:
    """Return the bits of each of ``TRAFFIC_PARTS``; ``scale`` and ``zero_point`` are those of the weights."""
    activation = tiling.activation_words * precision.activation_bits
    weight = tiling.weight_words * precision.weight_bits
    groups_bits = tiling.weight_bits - weight
    per_group = precision.scale_bits + precision.zero_point_bits
    groups = groups_bits // per_group if per_group else 0
    return {
        "activation": activation,
        "activation_scale": tiling.activation_bits - activation,
        "weight": weight,
        "scale": groups * precision.scale_bits,
        "zero_point": groups * precision.zero_point_bits,
        "partial_sum_read": tiling.partial_read_bits,
        "partial_sum_write": tiling.partial_write_bits,
        "output": tiling.output_bits,
    }
