"""The result row: what one network on one datapath gave, as typed data that travels as JSON and CSV.

JSON is strict: an infinite SQNR (a result without any error) is ``null``; the NaN and minus infinity that an
overflowing datapath can leave are the strings ``"nan"`` and ``"-inf"``. In CSV these are ``inf``, ``nan`` and
``-inf``, and None is an empty cell.
"""

from __future__ import annotations

import csv
import io
import json
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from simhw import records
from simhw.errors import InputError

ENERGY_PARTS = ("multiply", "accumulate", "dequantize", "vector", "sram", "dram", "leakage", "static")
"""Where energy goes, in the order of the arithmetic; every ``energy_pj`` has exactly these keys.

``leakage`` is that of the circuits, ``static`` that of DRAM in standby.
"""
_LATER_PARTS = ("leakage", "static")
"""Parts that older files do not have: 0 there."""


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer of one run.

    Attributes:
        name: module path in the network, for example ``layers.0.attention.query``.
        operator: name of the operator, for example ``linear``.
        m, n, k, batch: ``batch`` products of ``(m, k)`` and ``(k, n)`` matrices; 0 where there is none.
        sqnr_db: signal to quantization noise of the output against the float reference; infinity if equal.
        max_error: largest absolute difference to the float reference.
        max_error_index: where it is in the layer's output.
        cycles: of the array, with the fills and drains that the convention counts.
        utilization: used PE-cycles over all PE-cycles, 0 to 1.
        words: words moved, by memory, direction and operand.
        energy_pj: by part, see ``ENERGY_PARTS``.
        kernel: the planner's choice of kernel, and where it decides step by step, how many steps had no bound.
        overflows: group sums that did not fit the accumulator.
    """

    name: str
    operator: str
    m: int
    n: int
    k: int
    batch: int
    sqnr_db: float
    max_error: float
    max_error_index: tuple[int, ...]
    cycles: int
    utilization: float
    words: Mapping[str, int]
    energy_pj: Mapping[str, float]
    kernel: str
    overflows: int

    def __post_init__(self) -> None:
        records.normalize(self)
        _order_parts(self)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network on one datapath; what follows from the fields is a property, so that it cannot disagree.

    Attributes:
        model, datapath, scheme, pe, accumulator: names of the entries.
        accumulator_bits: width of the accumulator, None where its format says it.
        samples: inputs that ran.
        unit, units: what is counted ("image" or "token") and how many of them.
        rows, columns: of the PE array.
        dataflow, overlap, technology: conventions of the cycle count and of the energy table.
        dram: kind of DRAM; empty in older files, whose kind is the technology's default.
        dram_static_source: where the power of DRAM in standby is from, or why it is 0.
        clock_mhz: of the array, for what leaks and stands by meanwhile.
        metric_name, metric, metric_float: the leading metric, here and in the float reference.
        metric_higher_is_better: direction of the leading metric.
        metrics: all metrics of the network, by name.
        sqnr_db: of the logits against the float reference; infinity for the reference itself.
        cycles: of one sample (one image, or one sequence), alone on the array.
        speedup: cycles of fp16 on the same rows x columns over these; None when fp16 was not run.
        energy_pj: of one sample, by part, see ``ENERGY_PARTS``.
        energy_ratio: energy of fp16 over this one (how many times less); None when fp16 was not run.
        area_um2: of the PE array.
        saturations: values clipped at the end of a format's range.
        seconds: time the host needed.
        layers: in the order in which they ran; not in the CSV.
    """

    model: str
    datapath: str
    scheme: str
    pe: str
    accumulator: str
    accumulator_bits: int | None
    samples: int
    unit: str
    units: int
    rows: int
    columns: int
    dataflow: str
    overlap: str
    technology: str
    dram: str = ""
    dram_static_source: str = ""
    clock_mhz: float = 500.0
    metric_name: str
    metric: float
    metric_float: float
    metric_higher_is_better: bool
    metrics: Mapping[str, float]
    sqnr_db: float
    cycles: int
    speedup: float | None
    energy_pj: Mapping[str, float]
    energy_ratio: float | None
    area_um2: float
    saturations: int
    seconds: float
    layers: tuple[LayerRow, ...]

    def __post_init__(self) -> None:
        records.normalize(self)
        _order_parts(self)

    @property
    def metric_change(self) -> float:
        """``metric - metric_float``."""
        return self.metric - self.metric_float

    @property
    def energy_total_pj(self) -> float:
        """Sum of the parts."""
        return math.fsum(self.energy_pj.values())

    @property
    def overflows(self) -> int:
        """Group sums of all layers that did not fit the accumulator."""
        return sum(layer.overflows for layer in self.layers)

    @property
    def worst_layer(self) -> str | None:
        """Name of the GEMM with the lowest SQNR (NaN is below all), None when none has any error."""
        worst = self._worst()
        return None if worst is None else worst.name

    @property
    def worst_layer_sqnr_db(self) -> float:
        """SQNR of the worst GEMM, infinity when none has any error."""
        worst = self._worst()
        return math.inf if worst is None else worst.sqnr_db

    def _worst(self) -> LayerRow | None:
        layers = [layer for layer in self.layers if layer.k and layer.sqnr_db != math.inf]
        return min(layers, key=lambda x: -math.inf if math.isnan(x.sqnr_db) else x.sqnr_db, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON data, derived figures included."""
        return {name: records.to_json_data(getattr(self, name)) for name in _NAMES}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Row:
        """Return the row that :meth:`to_dict` described; derived figures may be left out.

        Raises:
            InputError: a field is missing, unknown or of the wrong type, or a derived figure disagrees.
        """
        row = records.from_json_data(cls, data, derived=_NAMES)
        for name in _DERIVED:
            found = records.to_json_data(getattr(row, name))
            if name in data and not _agree(data[name], found):
                raise InputError(
                    f"{name} is {data[name]!r}, but the row's own fields give {found!r}; correct or drop it"
                )
        return row


_DERIVED = {
    "metric_change": "metric_float",
    "worst_layer": "sqnr_db",
    "worst_layer_sqnr_db": "sqnr_db",
    "energy_total_pj": "energy_pj",
    "overflows": "area_um2",
}
"""Derived figure -> the field that it follows in JSON and CSV."""

_NAMES = tuple(
    name
    for field in fields(Row)
    for name in (field.name, *(derived for derived, after in _DERIVED.items() if after == field.name))
)


def _order_parts(record: Row | LayerRow) -> None:
    """Put the energy into the order of ``ENERGY_PARTS``; raises InputError where a part is missing."""
    energy_pj = {**dict.fromkeys(_LATER_PARTS, 0.0), **record.energy_pj}
    if set(energy_pj) != set(ENERGY_PARTS) or not all(0 <= part < math.inf for part in energy_pj.values()):
        raise InputError(
            f"energy_pj is {dict(record.energy_pj)!r}, must give a finite number >= 0 for each of "
            f"{', '.join(ENERGY_PARTS)}"
        )
    object.__setattr__(record, "energy_pj", {part: energy_pj[part] for part in ENERGY_PARTS})


def _agree(given: object, found: object) -> bool:
    """Whether a derived figure of a file is the row's own, up to the rounding of another writer's sum."""
    if isinstance(given, float | int) and isinstance(found, float | int):
        return math.isclose(given, found, rel_tol=1e-9, abs_tol=1e-12)
    return given == found


def by_model(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each network, networks and rows in the order in which they first appear."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.model, []).append(row)
    return groups


def to_json(rows: Iterable[Row]) -> str:
    """Return the rows as a strict JSON array, one row per line."""
    lines = ",\n".join(json.dumps(row.to_dict(), allow_nan=False) for row in rows)
    return f"[\n{lines}\n]\n"


def from_json(text: str) -> list[Row]:
    """Return the rows of a text that :func:`to_json` wrote; raises InputError where it is anything else."""
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise InputError(f"result file is not JSON ({error}); give a file that 'simhw run --json' wrote") from error
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise InputError("result file holds no list of rows; give a file that 'simhw run --json' wrote")
    return [Row.from_dict(item) for item in data]


def _refuse_constant(token: str) -> float:
    """Refuse the tokens NaN and Infinity, which Python reads although JSON has none."""
    raise ValueError(f"it holds {token}")


def to_csv(rows: Sequence[Row]) -> str:
    """Return a header and one line per row; nested parts are flat (``energy_multiply_pj``), layers left out.

    A metric that a row's network does not have is an empty cell.
    """
    metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(name for name, _ in _columns(metrics))
    writer.writerows([cell(row) for _, cell in _columns(metrics)] for row in rows)
    return stream.getvalue()


def _columns(metrics: Sequence[str]) -> Iterator[tuple[str, Callable[[Row], object]]]:
    """Yield each column's name with what takes its cell out of a row."""
    for name in _NAMES:
        if name == "energy_pj":
            yield from ((f"energy_{part}_pj", partial(_item, name, part)) for part in ENERGY_PARTS)
        elif name == "metrics":
            yield from ((f"metrics_{metric}", partial(_item, name, metric)) for metric in metrics)
        elif name == "metric_higher_is_better":
            yield name, lambda row: str(row.metric_higher_is_better).lower()
        elif name != "layers":
            yield name, operator.attrgetter(name)


def _item(field: str, key: str, row: Row) -> object:
    """Return one entry of a mapping in a row, None where it has none."""
    mapping: Mapping[str, float] = getattr(row, field)
    return mapping.get(key)
