"""What stands at the foot of a weight-stationary column: the sum of a chain joins the one of the folds before.

The sums of earlier folds lie in the output buffer, a memory outside the array: ``carried`` is read there in the clock
in which the chain's sum arrives, ``total`` is written back one clock later.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simhw.circuits import Circuit, Codes, Port, require_rtl
from simhw.circuits.codes import to_code
from simhw.circuits.float_sums import add_to_fp32, fp32_values
from simhw.rtl.arrays.base import Integers, rounds, sum_bits, total_port


def join(pe: Circuit) -> Circuit:
    """Return the adder that joins chains of a PE: of integers (with the flags of a fixed-point sum), or in fp32."""
    total = total_port(pe)
    bits, floating = sum_bits(pe), rounds(pe)

    def step(codes: Codes) -> dict[str, Integers]:
        if floating:
            return {"total": add_to_fp32(codes["carried"], fp32_values(codes["chain"]))}
        added = to_code(to_code(codes["chain"], bits) + to_code(codes["carried"], bits), bits)
        return {"total": added | (codes["chain"] >> bits | codes["carried"] >> bits) << bits}

    def build() -> Any:
        require_rtl()
        from simhw.rtl.arrays.cells import FloatJoin, IntegerJoin

        return FloatJoin() if floating else IntegerJoin(total.bits, total.bits - bits)

    return Circuit(
        name=f"{pe.name}_join",
        variant=pe.variant,
        description="the sum of a chain plus the sum of the chains before it",
        source="accumulators below the matrix unit of N. P. Jouppi et al., the TPU, ISCA 2017",
        parameters={"bits": total.bits},
        inputs=(
            Port(name="chain", bits=total.bits, meaning=total.meaning),
            Port(name="carried", bits=total.bits, meaning=f"of the chains before: {total.meaning}"),
        ),
        state=(total,),
        outputs=(total,),
        build=build,
        step=step,
    )


def carried_dequantizer(dequantizer: Circuit) -> Circuit:
    """Return a dequantizer that reads its running sum from ``carried``."""
    total = total_port(dequantizer)
    carried = Port(name="carried", bits=total.bits, meaning=f"of the groups before: {total.meaning}")

    def step(codes: Codes) -> dict[str, Integers]:
        always = np.ones_like(codes["first"])
        found = dequantizer.step({**codes, "total": codes["carried"], "enable": always, "enable_q": always})
        return {name: found[name] for name in (*(port.name for port in state), "total")}

    def build() -> Any:
        require_rtl()
        from simhw.rtl.arrays.cells import CarriedSum

        return CarriedSum(dequantizer.build(), total.bits)

    state = tuple(port for port in dequantizer.state if port.name != "enable_q")
    return Circuit(
        name=f"{dequantizer.name}_carried",
        variant=dequantizer.variant,
        description=f"{dequantizer.description}; the running sum lies outside",
        source=dequantizer.source,
        parameters=dequantizer.parameters,
        inputs=(*(port for port in dequantizer.inputs if port.name != "enable"), carried),
        state=state,
        outputs=(total,),
        build=build,
        step=step,
    )
