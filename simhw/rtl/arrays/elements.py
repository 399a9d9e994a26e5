"""What stands in the places of an array, by the name of a PE."""

from __future__ import annotations

from collections.abc import Callable

from simhw.circuits import Circuit
from simhw.circuits.dequantize_first import head_to_int8
from simhw.circuits.dequantize_to_fp16 import head_to_fp16
from simhw.circuits.integer_mac import Integer
from simhw.errors import InputError
from simhw.formats.families import integer_format
from simhw.pes import get_circuit
from simhw.rtl.arrays.element import Element
from simhw.rtl.arrays.feeds import BitPlanes, Blocks, Dequantized, Packed, Terms

Formats = tuple[str | None, str | None]
"""Of activations and weights; None: the PE's widest."""


def make_element(pe: str, variant: str | None, formats: Formats, *, group_size: int | None) -> Element:
    """Return the element of a PE.

    Args:
        pe: name of a PE with a circuit.
        variant: of its circuit, the default if None.
        formats: of the operands, for PEs that take several.
        group_size: most products of a group, which sets the widths of PEs that sum groups; None: they keep their own.

    Raises:
        InputError: an unknown name, formats that the PE does not take, a circuit that is no PE.
    """
    if pe in _MAKERS:
        return _MAKERS[pe](pe, variant, formats)
    circuit = get_circuit(pe, variant) if group_size is None else get_circuit(pe, variant, group_size=group_size)
    if "activation_scale" in {port.name for port in circuit.inputs}:
        return _block(circuit, formats)
    taken = tuple(port.meaning for port in circuit.inputs[:2])
    _refuse_others(pe, formats, taken)
    return Element(name=circuit.name, pe=circuit, formats=taken)  # type: ignore[arg-type]


def _dequantize_to_int8(pe: str, variant: str | None, formats: Formats) -> Element:
    weight = _weight_of_four_bits(pe, formats, "int8")
    whole = get_circuit(pe, variant, weight_signed=int(weight.signed))
    body = get_circuit("int8_mac", whole.variant, accumulator_bits=int(whole.parameters["accumulator_bits"]))
    return _behind(whole, body, head_to_int8(whole, weight), ("int8", weight.name))


def _dequantize_to_fp16(pe: str, variant: str | None, formats: Formats) -> Element:
    weight = _weight_of_four_bits(pe, formats, "fp16")
    whole = get_circuit(pe, variant, weight_signed=int(weight.signed))
    head = head_to_fp16(whole, integer_format(bits=weight.bits, signed=weight.signed))
    return _behind(whole, get_circuit("fp16_mac"), head, ("fp16", weight.name))


def _behind(whole: Circuit, body: Circuit, head: Circuit, formats: tuple[str, str]) -> Element:
    """A dequantizer at the head of each column serves all rows below it."""
    return Element(name=whole.name, pe=body, head=head, formats=formats, feed=Dequantized())


def _fusion_unit(pe: str, variant: str | None, formats: Formats) -> Element:
    taken = (formats[0] or "int8", formats[1] or "int8")
    widths = [_integer(pe, form, (2, 4, 8)) for form in taken]
    mode = {2: 0, 4: 1, 8: 2}
    settings = {f"{side}_mode": mode[one.bits] for side, one in zip(("activation", "weight"), widths, strict=True)}
    settings |= {f"{side}_signed": int(one.signed) for side, one in zip(("activation", "weight"), widths, strict=True)}
    a_bits, w_bits = (one.bits for one in widths)
    feed = Packed(a_bits, w_bits, 64 // (a_bits * w_bits))
    circuit = get_circuit(pe, variant)
    return Element(name=circuit.name, pe=circuit, settings=settings, formats=taken, feed=feed)


def _bit_planes(pe: str, variant: str | None, formats: Formats) -> Element:
    taken = (formats[0] or "int8", formats[1] or "int8")
    bits = _integer(pe, taken[0], range(2, 9), signed=True).bits
    _integer(pe, taken[1], (8,), signed=True)
    circuit = get_circuit(pe, variant, activation_bits=bits)
    weights = tuple(port.name for port in circuit.inputs if port.name.startswith("weight_"))
    return Element(
        name=f"{circuit.name}_{taken[0]}",
        pe=circuit,
        activation=("activation", "place", "negative"),
        weight=weights,
        formats=taken,
        feed=BitPlanes(bits, len(weights)),
    )


def _terms(pe: str, variant: str | None, formats: Formats) -> Element:
    from simhw.pes.bit_serial_booth import DIGITS

    _refuse_others(pe, (formats[0], None), ("int8", None))
    weight = formats[1] or "int8"
    if weight not in DIGITS:
        raise InputError(f"weights are {weight}, {pe} takes {', '.join(DIGITS)}; choose one of them")
    circuit = get_circuit(pe, variant)
    return Element(name=circuit.name, pe=circuit, weight=("term",), formats=("int8", weight), feed=Terms(weight))


def _block(circuit: Circuit, formats: Formats) -> Element:
    _refuse_others(circuit.name, formats, ("e2m1", "e2m1"))
    lanes = int(circuit.parameters["lanes"])
    sides = [tuple(port.name for port in circuit.inputs if port.name.startswith(side)) for side in ("act", "wei")]
    return Element(
        name=circuit.name,
        pe=circuit,
        activation=sides[0],
        weight=sides[1],
        formats=("e2m1", "e2m1"),
        feed=Blocks(lanes),
    )


def _weight_of_four_bits(pe: str, formats: Formats, activation: str) -> Integer:
    _refuse_others(pe, (formats[0], None), (activation, None))
    weight = formats[1] or "uint4"
    if weight not in ("uint4", "int4"):
        raise InputError(f"weights are {weight}, {pe} takes uint4, int4; choose one of them")
    return Integer(bits=4, signed=weight == "int4")


def _integer(pe: str, form: str, widths: range | tuple[int, ...], *, signed: bool = False) -> Integer:
    digits = form.removeprefix("u").removeprefix("int")
    fits = form.lstrip("u").startswith("int") and digits.isdigit() and int(digits) in widths
    if not fits or (signed and form.startswith("u")):
        allowed = ", ".join(f"{sign}int{bits}" for bits in widths for sign in (("",) if signed else ("", "u")))
        raise InputError(f"an operand is {form}, the array of {pe} takes {allowed}; choose one of them")
    return Integer(bits=int(digits), signed=not form.startswith("u"))


def _refuse_others(pe: str, formats: Formats, taken: tuple[str | None, ...]) -> None:
    for given, own in zip(formats, taken, strict=True):
        if given is not None and given != own:
            raise InputError(f"an operand is {given}, {pe} takes {own} there; leave the format out")


_MAKERS: dict[str, Callable[[str, str | None, Formats], Element]] = {
    "w4a8_dequantize_first": _dequantize_to_int8,
    "w4a16_dequantize_first": _dequantize_to_fp16,
    "bitfusion": _fusion_unit,
    "bit_serial": _bit_planes,
    "bit_serial_booth": _terms,
}
"""PEs whose operands enter in another form than one code of each per clock."""
