"""What ``explain`` says of a PE: operands, speed, the width of every signal and the case that sets it, cost."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from simhw.costs import load_table, table_names
from simhw.errors import InputError
from simhw.pes import ProcessingElement, get_pe
from simhw.pes.price import price

USUAL_GROUP = 128
"""Products that the accumulator's width is given for, where the format fixes no block."""
FEW = 9
"""Pairings that are listed one by one; more are listed by their formats."""

Pairs = list[tuple[str, str]]


def pe_pairs(name: str, k: int | None = None) -> Pairs:
    """Return what to say of a PE; ``k`` is the number of products that its accumulator sums (None: a group).

    Raises:
        InputError: ``k`` is below 1, or the sum needs more bits than an accumulator has.
    """
    pe = get_pe(name)
    group = k or pe.block_size or USUAL_GROUP
    bits = pe.fixed_accumulator_bits or pe.group_accumulator_bits(group)
    return [
        ("what", pe.description),
        ("operands", _operands(pe)),
        *([("stored weights", pe.stored_weight_format)] if pe.stored_weight_format else []),
        ("products per cycle", _rates(pe) + _data(pe)),
        *((f"  {signal.name}", f"{_bits(signal.bits)}: {signal.worst_case}") for signal in pe.signals),
        ("  accumulator", _accumulator(pe, group)),
        ("registers", f"{_bits(pe.register_bits)} of operands"),
        ("dequantization", pe.dequantization.value),
        *((technology, _cost(pe, technology, bits)) for technology in table_names()),
        ("source", pe.source),
    ]


def _bits(count: int) -> str:
    return f"{count} bit"


def _operands(pe: ProcessingElement) -> str:
    if len(pe.products) <= FEW:
        return ", ".join(f"{a} x {w}" for a, w in pe.products)
    sides = (_once(pair[side] for pair in pe.products) for side in (0, 1))
    return " x ".join(f"{{{', '.join(names)}}}" for names in sides) + f" ({len(pe.products)} pairings)"


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _rates(pe: ProcessingElement) -> str:
    """Return the widths that run at each rate, the fastest last."""
    widths: dict[Fraction, list[str]] = {}
    for (a, w), rate in pe.products_per_cycle.items():
        widths.setdefault(Fraction(rate), []).append(f"{a} x {w}")
    return ", ".join(f"{rate} at {', '.join(widths[rate])} bit" for rate in sorted(widths))


def _data(pe: ProcessingElement) -> str:
    return "" if pe.weight_cycles is None else " in the worst case; exact counts follow from the weights"


def _accumulator(pe: ProcessingElement, group: int) -> str:
    if pe.fixed_accumulator_bits is not None:
        return f"{_bits(pe.fixed_accumulator_bits)}: fixed"
    widths: dict[str, int] = {}
    for weight in _once(weight for _, weight in pe.products):
        try:
            widths[weight] = pe.group_accumulator_bits(group, weight)
        except InputError:
            if weight == pe.weight_format:
                raise
    main = widths.pop(pe.weight_format)
    others = [f"{bits} with {weight}" for weight, bits in widths.items() if bits != main]
    also = f" ({', '.join(others)})" if others else ""
    return f"{_bits(main)}: worst case of {group} products{also}; at least {pe.least_accumulator_bits}"


def _cost(pe: ProcessingElement, technology: str, bits: int) -> str:
    cost = price(pe, load_table(technology), bits)
    return (
        f"multiply {cost.multiply_pj:.4g} pJ, accumulate {cost.accumulate_pj:.4g} pJ per cycle, "
        f"area {cost.area_um2:,.0f} um2 ({cost.source})"
    )
