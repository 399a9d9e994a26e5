"""The adder of :mod:`simhw.circuits.float_add` alone, between two fp32 codes: what proofs of it are about."""

from __future__ import annotations

from typing import Any

from simhw.circuits.base import Circuit, Codes, Port, require_rtl
from simhw.circuits.float_sums import Integers, add_to_fp32, fp32_values


def fp32_adder() -> Circuit:
    """Return the circuit ``sum = total + term``, without registers."""

    def build() -> Any:
        require_rtl()
        from simhw.circuits.fp32_adder_component import Fp32Adder

        return Fp32Adder()

    def step(codes: Codes) -> dict[str, Integers]:
        return {"sum": add_to_fp32(codes["total"], fp32_values(codes["term"]))}

    return Circuit(
        name="fp32_adder",
        variant="one_path",
        description="one aligner, one adder, one normaliser, one rounding to nearest even",
        source="IEEE 754-2019, addition",
        parameters={},
        inputs=tuple(Port(name=name, bits=32, meaning="fp32") for name in ("total", "term")),
        state=(),
        outputs=(Port(name="sum", bits=32, meaning="total + term, fp32, NaN canonical"),),
        build=build,
        step=step,
    )
