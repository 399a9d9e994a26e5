"""GELU of I-BERT (i-GELU) in integers: erf by a polynomial of degree 2.

``erf = floor(sgn(q) ((min(|q|, -b) + b)**2 + c) / 2**14)`` in units of ``a S'**2 2**14`` with ``S' = S / 1.4142``,
``GELU = q (erf + floor(1 / S_erf))`` in units of ``S S_erf / 2``; a = -0.2888, b = -1.769.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simhw.circuits.base import Circuit, Port
from simhw.circuits.codes import to_code, to_signed
from simhw.circuits.unit_record import unit_circuit
from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, Signal, SpecialFunctionUnit

if TYPE_CHECKING:
    from simhw.circuits.unit import Arithmetic

CIRCUITS = ("naive",)
SCALE = 2.0**-11
A, B, ROOT = -0.2888, -1.769, 1.4142
DROP = 14
LINEAR = floor(B / (SCALE / ROOT))
CONSTANT = floor(1 / A / (SCALE / ROOT) ** 2)
ERF_SCALE = A * (SCALE / ROOT) ** 2 * 2.0**DROP
ONE = floor(1 / ERF_SCALE)
"""1 in the units of erf, which are negative."""


def definition(row: Sequence[int]) -> list[int]:
    """Return the GELU of int16 codes."""
    results = []
    for q in row:
        polynomial = (min(abs(q), -LINEAR) + LINEAR) ** 2 + CONSTANT
        sign = (q > 0) - (q < 0)
        results.append(q * ((sign * polynomial >> DROP) + ONE))
    return results


@kernel
def _gelu(x: NDArray[np.int32], out: NDArray[np.int32], linear: Any, constant: Any, one: Any, drop: Any) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            q = np.int64(x[row, i])
            step = min(abs(q), -linear) + linear
            polynomial = step * step + constant
            signed = polynomial if q > 0 else -polynomial
            if q == 0:
                signed = np.int64(0)
            out[row, i] = q * ((signed >> drop) + one)


def compute(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the codes of the GELU of int32 codes."""
    out = np.empty_like(rows)
    _gelu(rows, out, np.int64(LINEAR), np.int64(CONSTANT), np.int64(ONE), np.int64(DROP))
    return out


UNIT = SpecialFunctionUnit(
    name="gelu_ibert",
    description="GELU of I-BERT: integers, erf by a polynomial of degree 2",
    source="S. Kim et al., I-BERT, arXiv 2101.01321, integer-only GELU, and kssteven418/I-BERT quant_modules.py. "
    "Choice: int16 codes of scale 2^-11, -16 up to 16",
    function="gelu",
    extent=Extent.ELEMENT,
    input_format="int16",
    output_format="int28",
    input_scale=SCALE,
    output_scale=SCALE * ERF_SCALE / 2,
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="step", bits=14, worst_case=f"b = {LINEAR:,} at 0"),
        Signal(name="polynomial", bits=26, worst_case=f"c = {CONSTANT:,} from -b on"),
        Signal(name="erf", bits=12, worst_case=f"c / 2^14, {CONSTANT >> DROP:,} and its negative"),
        Signal(name="result", bits=28, worst_case=f"32,767 x ({CONSTANT >> DROP:,} + {ONE:,})"),
    ),
    # Compare, + b, + c, + 1; the square, the product. Integers as floats.
    work=VectorWork(adds=4, multiplies=2),
)


def circuit(variant: str = CIRCUITS[0]) -> Circuit:
    """Return the circuit: one result per clock, products and sums left to the synthesis tool."""

    def function(codes: NDArray[np.int64]) -> NDArray[np.int64]:
        q = to_signed(codes, 16)
        step = np.where(np.abs(q) < -LINEAR, np.abs(q) + LINEAR, 0)
        polynomial = step * step + CONSTANT
        erf = np.where(q < 0, -polynomial, polynomial) >> DROP
        return to_code(q * (erf + ONE), 28)

    def arithmetic() -> Arithmetic:
        from simhw.circuits.gelu_polynomial import gelu

        return gelu(linear=LINEAR, constant=CONSTANT, one=ONE, drop=DROP, bits=16)

    return unit_circuit(
        name=UNIT.name,
        variant=variant,
        description="clamp, square, sign, shift, product, left to the synthesis tool",
        source=UNIT.source,
        value=Port(name="value", bits=16, meaning="int16, of 2^-11"),
        result=Port(name="result", bits=28, meaning="int28"),
        function=function,
        arithmetic=arithmetic,
    )
