"""A datapath: which operands, which PE, which accumulator, which output rounding."""

from __future__ import annotations

from dataclasses import dataclass

from simhw.accumulators import Accumulator
from simhw.accumulators.scaled import ScaledAccumulator
from simhw.errors import InputError
from simhw.pes import get_pe


@dataclass(frozen=True, kw_only=True)
class Datapath:
    """The numeric contract of a GEMM ``(m, k) x (k, n)``.

    One output is, in this order, every step rounded to nearest even in fp32 unless the accumulator says otherwise:

    1. per group of k: the sum of products of codes in ``accumulator``, then minus zero point times sum of
       activations, exactly;
    2. that sum as fp32, times the product of the two operands' group scales, added to the running fp32 sum in
       the order of the groups (without groups: the fp32 sum itself);
    3. times the activation's row scale, times the weight's row scale;
    4. plus the bias;
    5. rounded to ``output``, saturating.

    Where scales of groups are integers (``integer_scales``), step 2 is exact in int32, and its result becomes fp32 once
    (:mod:`simhw.gemm.integer_scales`).

    Where ``requantize`` names a rule of :mod:`simhw.gemm.requantize`, steps 2 to 5 are those of integer hardware
    instead: bias added in int32, the sum scaled and rounded to ``output`` by that rule (:mod:`simhw.gemm.stored`).

    Attributes:
        name: entry name.
        description: one sentence.
        activation: element format of the first operand.
        weight: element format of the second operand.
        multiplier_weight: format that the multiplier sees, where weights are dequantized before it; else None.
        attention: element format of the second operand of activation x activation products (keys, values).
        pe: processing element (see ``simhw list pes``).
        accumulator: how the products of one group are summed.
        accumulator_from_group: True where the register is an integer as wide as the group size needs.
        integer_scales: whether groups have integer scales, whose products are added in int32.
        output: format of the results.
        requantize: rule by which int32 sums become codes of ``output``, None where results are floating-point.
        scheme: default scheme (see ``simhw list schemes``).
        source: where the choices come from.
    """

    name: str
    description: str
    activation: str
    weight: str
    multiplier_weight: str | None = None
    attention: str
    pe: str
    accumulator: Accumulator
    accumulator_from_group: bool = False
    integer_scales: bool = False
    output: str
    requantize: str | None = None
    scheme: str
    source: str

    @property
    def block_size(self) -> int | None:
        """The k per scale that the formats or the accumulator fix, or None."""
        if isinstance(self.accumulator, ScaledAccumulator):
            return self.accumulator.scale_block
        return get_pe(self.pe).block_size

    def check_formats(self, activation: str, weight: str) -> None:
        """Raise InputError unless these element formats are multiplied (``weight`` may be that of keys and values)."""
        weights = {self.multiplier_weight or self.weight, self.weight, self.attention}
        # int4 and uint4 weights differ only in the sign of the top bit.
        taken = weight in weights or (weight == "int4" and "uint4" in weights)
        if activation != self.activation or not taken:
            raise InputError(
                f"operand formats are {activation} and {weight}, datapath {self.name} takes {self.activation}"
                f" and {' or '.join(sorted(weights))}; choose a scheme with these formats"
            )
