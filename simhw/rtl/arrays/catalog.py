"""``systolic_array``: the one door to arrays, by the names of PE and dataflow."""

from __future__ import annotations

from enum import Enum

from simhw.arrays import get_dataflow
from simhw.arrays.base import check_choice, check_positive
from simhw.errors import InputError
from simhw.rtl.arrays.base import SystolicArray
from simhw.rtl.arrays.elements import make_element
from simhw.rtl.arrays.output_stationary import output_stationary
from simhw.rtl.arrays.stage import float_stage, integer_stage
from simhw.rtl.arrays.weight_stationary import weight_stationary

_ARRAYS = {"output_stationary": output_stationary, "weight_stationary": weight_stationary}


class Dequantizer(Enum):
    """What stands at the foot of each column."""

    NONE = "none"
    """Nothing: sums leave as the PEs hold them."""
    INTEGER = "integer"
    """Scale and scaled zero point of a group are int8, sums over groups int32 (``mixpe_w4a8``)."""
    FLOAT = "float"
    """Scales and sums over groups are fp32 (``mixpe_w4a8``, ``mixpe_w4a16``)."""


def systolic_array(
    pe: str,
    *,
    rows: int,
    columns: int,
    dataflow: str = "output_stationary",
    variant: str | None = None,
    activation: str | None = None,
    weight: str | None = None,
    dequantizer: Dequantizer = Dequantizer.NONE,
    group_size: int = 128,
) -> SystolicArray:
    """Return the array of a PE as a circuit.

    Args:
        pe: name of a PE with a circuit.
        rows: of PEs.
        columns: of PEs.
        dataflow: ``output_stationary`` or ``weight_stationary``.
        variant: of the PE's circuit, its default if None.
        activation: format of activations, for PEs that take several (``bitfusion``, ``bit_serial``).
        weight: format of weights, for PEs that take several.
        dequantizer: at the foot of each column.
        group_size: most products of a group, which set the widths; without a dequantizer PEs keep their own widths.

    Raises:
        InputError: an unknown name, a PE, format or dequantizer that does not fit, a size below 1.
    """
    get_dataflow(dataflow)
    if dataflow not in _ARRAYS:
        raise InputError(f"dataflow {dataflow} has no array as a circuit; choose {' or '.join(_ARRAYS)}")
    check_choice("dequantizer", dequantizer, Dequantizer)
    make = _ARRAYS[dataflow]
    if dequantizer is Dequantizer.NONE:
        return make(make_element(pe, variant, (activation, weight), group_size=None), rows, columns)
    check_positive("group size", group_size)
    if pe not in ("mixpe_w4a8", "mixpe_w4a16"):
        raise InputError(f"{pe} has no groups to dequantize; leave the dequantizer out, or choose mixpe_w4a8")
    element = make_element(pe, variant, (activation, weight), group_size=group_size)
    stage = integer_stage if dequantizer is Dequantizer.INTEGER else float_stage
    return make(element, rows, columns, stage=stage(element.pe, group_size))


def dataflows() -> tuple[str, ...]:
    """Return the dataflows that have an array as a circuit."""
    return tuple(_ARRAYS)
