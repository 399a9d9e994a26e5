"""``explain``: one entry of any kind in words and figures."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from functools import partial

from simhw.catalog import ENTRIES, entries, get_scheme
from simhw.costs.base import CostTable
from simhw.errors import InputError, unknown_name
from simhw.formats import BlockFormat, ElementFormat, FloatFormat, decode_exact, get_format
from simhw.quantize import Granularity, OperandScheme

TABLE_BITS = 8
"""Formats up to this width are listed code by code."""


def explain(name: str, k: int | None = None) -> str:
    """Return the explanation of every entry called ``name``.

    Args:
        name: of a format, accumulator, datapath, scheme, PE, technology, model, ...
        k: number of products that the worst-case widths and error bounds of sums are given for (the formulas are
            those of :mod:`simhw.gemm.bounds`); None: 4096.

    Raises:
        InputError: a name that nothing has, or ``k`` below 1.

    >>> print(explain("e2m1").splitlines()[0])
    format e2m1
    """
    makers = {
        "formats": _format,
        "accumulators": lambda entry: _accumulator(entry, k),
        "datapaths": lambda entry: _datapath(entry, k),
        "schemes": _scheme,
        "pes": lambda entry: _pe(entry, k),
        "units": _unit,
        "technologies": _technology,
        "srams": _sram_macros,
        "models": _model,
        "workloads": _workload,
    }
    found = [maker(name) for kind, maker in makers.items() if name in entries(kind)]
    if not found and name not in {n for kind in ENTRIES for n in entries(kind)}:
        found = _of_a_family(name, k)
    return "\n\n".join(found) or f"{name}: " + next(e[name] for e in map(entries, ENTRIES) if name in e)


def _of_a_family(name: str, k: int | None) -> list[str]:
    """Formats and accumulators that are not listed but follow a family's grammar, such as e5m10 or int20_saturate."""
    from simhw.accumulators.catalog import get_accumulator

    makers: list[Callable[[], str]] = []
    if name.split("_in_")[0].rstrip("_0123456789") in entries("units"):
        makers.append(partial(_unit, name))
    with suppress(InputError):
        makers.append(partial(_format, get_format(name).name))
    if "@" in name:
        return [_technology(name)]
    with suppress(InputError):
        makers.append(partial(_accumulator, get_accumulator(name).name, k))
    if not makers:
        raise unknown_name("entry", name, {entry for kind in ENTRIES for entry in entries(kind)})
    return [make() for make in makers]


def _workload(name: str) -> str:
    from simhw.explanation_workloads import workload_pairs

    return _lines(f"workload {name}", workload_pairs(name))


def _lines(title: str, pairs: list[tuple[str, str]]) -> str:
    width = max(len(key) for key, _ in pairs)
    return "\n".join([title, *(f"  {key:<{width}}  {value}" for key, value in pairs)])


def _number(value: Fraction | float) -> str:
    return f"{float(value):g}"


def _format(name: str) -> str:
    form = get_format(name)
    if isinstance(form, BlockFormat):
        pairs = [
            ("elements", f"{form.element.name} ({form.element.bits} bit)"),
            ("block", f"{form.block_size} consecutive elements share one scale"),
            ("scale", f"{form.scale.name} ({form.scale.bits} bit), rule: {form.scale_rule.value}"),
            ("tensor scale", "one fp32 per tensor" if form.has_tensor_scale else "none"),
            ("bits per element", f"{form.bits_per_element:g} with the block scale"),
            ("source", form.source),
        ]
        return _lines(f"format {form.name}", pairs)
    pairs = [("bits", str(form.bits))]
    if isinstance(form, FloatFormat):
        pairs.append(("layout", f"{form.exponent_bits} exponent, {form.mantissa_bits} mantissa bits, bias {form.bias}"))
    pairs += [
        ("largest", _number(form.max_value)),
        ("lowest", _number(form.min_value)),
        ("least significant bit", f"2^{form.lsb_exponent} = {2.0**form.lsb_exponent:g}"),
        ("infinity", "yes" if form.has_infinity else "no"),
        ("NaN", "yes" if form.has_nan else "no"),
        ("exact products", f"a product needs {2 * form.significand_bits} significant bits"),
        ("source", form.source),
    ]
    text = _lines(f"format {form.name}", pairs)
    return text if form.bits > TABLE_BITS else f"{text}\n\n{_value_table(form)}"


def _value_table(form: ElementFormat) -> str:
    """Return all codes and values, eight per line."""
    count = 1 << form.bits
    columns = min(8, count)
    width = max(len(_value(code, form)) for code in range(count))
    lines = ["  code  " + " ".join(f"{c:>{width}X}" for c in range(columns))]
    for start in range(0, count, columns):
        cells = (f"{_value(code, form):>{width}}" for code in range(start, min(start + columns, count)))
        lines.append(f"  {start:#04x}  " + " ".join(cells))
    return "\n".join(lines)


def _value(code: int, form: ElementFormat) -> str:
    value = decode_exact(code, form)
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
        return str(value)
    negative_zero = value == 0 and isinstance(form, FloatFormat) and form.signed and code >> (form.bits - 1)
    return "-0" if negative_zero else f"{float(value):.6g}"


def _accumulator(name: str, k: int | None) -> str:
    from simhw.explanation_sums import accumulator_pairs

    return _lines(f"accumulator {name}", accumulator_pairs(name, k))


def _datapath(name: str, k: int | None) -> str:
    from simhw.explanation_sums import datapath_pairs
    from simhw.gemm.datapaths import get_datapath

    datapath = get_datapath(name)
    weight = datapath.weight
    if datapath.multiplier_weight:
        weight += f", dequantized to {datapath.multiplier_weight} before the multiplier"
    return _lines(
        f"datapath {name}",
        [
            ("what", datapath.description),
            ("activations", datapath.activation),
            ("weights", weight),
            ("keys, values", datapath.attention),
            ("PE", datapath.pe),
            (
                "accumulator",
                datapath.accumulator.name + (", as wide as a group needs" * datapath.accumulator_from_group),
            ),
            *datapath_pairs(datapath, k),
            ("results", datapath.output),
            *([("requantized by", _rule(datapath.requantize))] if datapath.requantize else []),
            ("scheme", datapath.scheme),
            ("source", datapath.source),
        ],
    )


def _rule(name: str) -> str:
    from simhw.gemm.requantize import get_rule

    return f"{name}: {get_rule(name).description}"


def _operand(scheme: OperandScheme) -> str:
    if scheme.granularity is Granularity.NONE:
        return f"{scheme.format}, cast without a scale"
    if scheme.granularity is Granularity.BLOCK:
        return f"{scheme.format}, with the blocks and scales of the format"
    parts = [scheme.format, f"granularity {scheme.granularity.value}"]
    if scheme.group_size:
        parts.append(f"groups of {scheme.group_size}")
    parts += ["symmetric" if scheme.symmetric else "asymmetric", "static" if scheme.static else "dynamic"]
    return ", ".join((*parts, f"range {scheme.range.value}", f"scales in {scheme.scale_format}"))


def _scheme(name: str) -> str:
    scheme = get_scheme(name)
    return _lines(
        f"scheme {name}",
        [
            ("what", scheme.description),
            ("weights", _operand(scheme.weight)),
            ("activations", _operand(scheme.activation)),
            ("keys, values", _operand(scheme.attention)),
            ("source", scheme.source),
        ],
    )


def _pe(name: str, k: int | None) -> str:
    from simhw.explanation_pes import pe_pairs

    return _lines(f"PE {name}", pe_pairs(name, k))


def _unit(name: str) -> str:
    from simhw.explanation_units import unit_pairs

    return _lines(f"unit {name}", unit_pairs(name))


def _standby(table: CostTable, kind: str) -> str:
    milliwatts = table.dram_static(kind).milliwatts
    return f"{milliwatts:.4g} mW" if milliwatts else "not stated"


def _technology(name: str) -> str:
    from simhw.costs import CombinedTable, load_table
    from simhw.costs.dram import dram_kinds

    table = load_table(name)
    kinds = sorted({*table.dram_kinds(), *dram_kinds()})
    head = _lines(
        f"technology {name}",
        [
            ("what", table.description),
            ("node", f"{table.node_nm:g} nm, {table.voltage_v:g} V"),
            ("DRAM", f"{table.dram_default}; also {', '.join(kinds)}"),
            ("DRAM at rest", "; ".join(f"{kind} {_standby(table, kind)}" for kind in kinds)),
            ("SRAM", _sram(table)),
            ("leakage", "of the synthesised PEs" if isinstance(table, CombinedTable) else "not stated: counted as 0"),
            ("source", table.source),
        ],
    )
    rows = [
        f"  {entry.part} {', '.join(f'{k}={v}' for k, v in entry.size)}: {entry.value:g} {entry.quantity.value}"
        f" ({entry.confidence.value}{', scaled' if entry.scaled else ''}) - {entry.source}"
        for entry in table.entries
    ]
    gates = [
        f"  {gate.kind} ({gate.cells}, activity {gate.activity:g}): {gate.energy_pj * 1000:.4g} fJ,"
        f" {gate.area_um2:.4g} um2 - {gate.source}"
        for gate in (table.gates.prices if table.gates is not None else ())
    ]
    return "\n".join([head, "", *gates, *rows])


def _sram(table: CostTable) -> str:
    found = table.sram_fit()
    if found is None:
        return "one point alone"
    return (
        f"{found.factor:.3g} pJ per bit x KiB^{found.power:.3g} fits the points within {found.max_error:.1%} "
        f"(rms {found.rms_error:.1%}); between points they themselves are followed"
    )


def _sram_macros(name: str) -> str:
    from simhw.explanation_srams import sram_pairs

    return _lines(f"SRAM macros {name}", sram_pairs(name))


def _model(name: str) -> str:
    from simhw.catalog import get_network

    network = get_network(name)
    return _lines(
        f"model {name}",
        [
            ("what", network.description),
            ("metric", network.metric.name),
            ("source", network.source),
            ("licence", network.licence),
        ],
    )
