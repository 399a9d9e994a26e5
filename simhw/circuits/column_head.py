"""Records of dequantizers alone, as they stand at the head of a column, in front of PEs that take what they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simhw.circuits.base import Circuit, Codes, Port, require_rtl
from simhw.circuits.mac_record import Integers

if TYPE_CHECKING:
    from simhw.circuits.dequantizing_mac import Dequantize


def column_head(
    pe: Circuit, *, bits: int, dequantize: Callable[[Codes], Integers], maker: Callable[[], Dequantize]
) -> Circuit:
    """Return the circuit, without registers, that dequantizes the weights of a column.

    Args:
        pe: dequantizer and multiply-accumulate in one, whose ports ``weight``, ``scale`` and ``zero`` the head has.
        bits: of the dequantized weight.
        dequantize: the definition, on codes of these ports.
        maker: returns what puts the dequantizer into a module.
    """
    inputs = tuple(port for port in pe.inputs if port.name in ("weight", "scale", "zero"))

    def build() -> Any:
        require_rtl()
        from simhw.circuits.dequantizing_mac import ColumnHead

        return ColumnHead({port.name: port.bits for port in inputs}, bits, maker())

    return Circuit(
        name=f"{pe.name}_head",
        variant=pe.variant,
        description=f"the dequantizer of {pe.name} alone",
        source=pe.source,
        parameters=pe.parameters,
        inputs=inputs,
        state=(),
        outputs=(Port(name="dequantized", bits=bits, meaning="weight as the multiplier takes it"),),
        build=build,
        step=lambda codes: {"dequantized": dequantize(codes)},
    )
