"""Tables in the layout of recorded SCALE-Sim results: its columns, evaluated under its convention."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from simhw.arrays import Gemm
from simhw.arrays.scalesim import ScalesimLayer, scalesim_compute, scalesim_memory
from simhw.errors import InputError
from simhw.layer_files import NamedLayer

DATAFLOWS = {"os": "output_stationary", "ws": "weight_stationary", "is": "input_stationary"}
"""The tool's names."""
SETTINGS = (
    *("group", "dataflow", "array_rows", "array_cols", "ifmap_sram_kB", "filter_sram_kB", "ofmap_sram_kB"),
    *("bw_mode", "bw_ifmap", "bw_filter", "bw_ofmap", "layer_name", "layer_kind", "M", "N", "K"),
    *("ifmap_h", "ifmap_w", "filt_h", "filt_w", "channels", "num_filters", "stride_h", "stride_w"),
)
"""What a row was run with."""
RESULTS = (
    *("compute_cycles", "stall_cycles", "total_cycles", "total_cycles_incl_prefetch"),
    *("overall_util_pct", "mapping_eff_pct", "compute_util_pct"),
    *("sram_ifmap_reads", "sram_filter_reads", "sram_ofmap_writes"),
    *("dram_ifmap_reads", "dram_filter_reads", "dram_ofmap_writes"),
    *("dram_ifmap_start", "dram_ifmap_stop", "dram_filter_start", "dram_filter_stop"),
    *("dram_ofmap_start", "dram_ofmap_stop", "status"),
)
"""What came out."""

Row = Mapping[str, str]
"""Column -> text."""

_SHAPE = {
    "ifmap_h": "ifmap_height",
    "ifmap_w": "ifmap_width",
    "filt_h": "filter_height",
    "filt_w": "filter_width",
    "channels": "channels",
    "num_filters": "filters",
    "stride_h": "stride_height",
    "stride_w": "stride_width",
}


def scalesim_rows(
    layers: Iterable[NamedLayer],
    *,
    dataflow: str,
    rows: int,
    columns: int,
    ifmap_kb: int,
    filter_kb: int,
    ofmap_kb: int,
) -> list[Row]:
    """Return one row per layer (a depthwise one: per channel), bandwidth as needed.

    Raises:
        InputError: an unknown dataflow, or a layer that SCALE-Sim does not know: with padding, groups or batch.
    """
    if dataflow not in DATAFLOWS.values():
        raise InputError(f"dataflow is {dataflow!r}, SCALE-Sim has {', '.join(DATAFLOWS.values())}; choose one of them")
    short = {name: key for key, name in DATAFLOWS.items()}[dataflow]
    done: list[Row] = []
    for named in layers:
        for name, layer in _scalesim_layers(named):
            kind = "gemm" if isinstance(named.layer, Gemm) else "conv"
            given = {
                "group": "",
                "dataflow": short,
                "array_rows": rows,
                "array_cols": columns,
                "ifmap_sram_kB": ifmap_kb,
                "filter_sram_kB": filter_kb,
                "ofmap_sram_kB": ofmap_kb,
                "bw_mode": "CALC",
                "bw_ifmap": "est",
                "bw_filter": "est",
                "bw_ofmap": columns,
                "layer_name": name,
                "layer_kind": kind,
                "M": layer.gemm.m,
                "N": layer.gemm.n,
                "K": layer.gemm.k,
                **{column: getattr(layer, field) for column, field in _SHAPE.items()},
            }
            done.append(_evaluate({column: str(value) for column, value in given.items()}))
    return done


def like_rows(path: str) -> list[Row]:
    """Return the rows of a recorded table with their results computed anew, in the table's own columns.

    Rows that were run with a given bandwidth ("USER") keep the columns that do not depend on memory; the others
    are empty, because the tool's are faulty there.

    Raises:
        InputError: the file cannot be read, lacks a column, or a row is wrong; the sentence names the line.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, header = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"file {path!r} cannot be read ({reason}); give a recorded table") from error
    missing = [column for column in SETTINGS if column not in header and column != "group"]
    if missing:
        raise InputError(f"{path} has no column {missing[0]}, a table of SCALE-Sim results has it; add it")
    done: list[Row] = []
    for number, row in enumerate(rows, start=2):
        try:
            results = _evaluate(row)
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
        done.append({column: results.get(column, row[column]) for column in header})
    return done


def _evaluate(given: Mapping[str, str]) -> Row:
    """Return a row with its results filled in."""
    if given["dataflow"] not in DATAFLOWS:
        raise InputError(f"dataflow is {given['dataflow']!r}, must be one of {', '.join(DATAFLOWS)}; correct it")
    if given["bw_mode"] not in ("CALC", "USER"):
        raise InputError(f"bw_mode is {given['bw_mode']!r}, must be CALC or USER; correct it")
    dataflow = DATAFLOWS[given["dataflow"]]
    rows, columns = _number(given, "array_rows"), _number(given, "array_cols")
    if given["ifmap_h"]:
        layer = ScalesimLayer(**{field: _number(given, column) for column, field in _SHAPE.items()})
    else:
        layer = ScalesimLayer.of_gemm(Gemm(m=_number(given, "M"), n=_number(given, "N"), k=_number(given, "K")))
    stated = tuple(_number(given, column) for column in ("M", "N", "K"))
    gemm = layer.gemm
    if stated != (gemm.m, gemm.n, gemm.k):
        raise InputError(f"M, N, K are {stated}, the layer's sizes give {(gemm.m, gemm.n, gemm.k)}; correct them")
    compute = scalesim_compute(layer, dataflow=dataflow, rows=rows, columns=columns)
    if compute.compute_cycles == 1 and given["bw_mode"] == "CALC":
        # the tool divides by the index of the last cycle, which is 0
        empty = dict.fromkeys((*_SHAPE, *RESULTS), "")
        return {**given, **empty, "status": "error:ZeroDivisionError:division by zero"}
    found: dict[str, int | float] = asdict(compute)
    if given["bw_mode"] == "CALC":
        memory = scalesim_memory(
            layer,
            dataflow=dataflow,
            rows=rows,
            columns=columns,
            ifmap_kb=_number(given, "ifmap_sram_kB"),
            filter_kb=_number(given, "filter_sram_kB"),
            ofmap_kb=_number(given, "ofmap_sram_kB"),
        )
        found |= asdict(memory)
    results = {column: _cell(found[column]) if column in found else "" for column in RESULTS}
    return {**given, **results, "status": "ok"}


def _scalesim_layers(named: NamedLayer) -> list[tuple[str, ScalesimLayer]]:
    """Return a layer as the tool reads it; a depthwise one is a layer of its own for each channel."""
    layer = named.layer
    if isinstance(layer, Gemm):
        return [(named.name, ScalesimLayer.of_gemm(layer))]
    depthwise = layer.groups == layer.channels and layer.groups > 1
    if layer.padding != (0, 0) or layer.dilation != (1, 1) or layer.batch != 1 or not (depthwise or layer.groups == 1):
        raise InputError(
            f"layer {named.name!r} has padding {layer.padding}, dilation {layer.dilation}, batch {layer.batch} and "
            f"{layer.groups} groups, SCALE-Sim knows none of them; give the padded size, or leave --compat out"
        )
    single = ScalesimLayer(
        ifmap_height=layer.height,
        ifmap_width=layer.width,
        filter_height=layer.filter_height,
        filter_width=layer.filter_width,
        channels=layer.channels // layer.groups,
        filters=layer.filters // layer.groups,
        stride_height=layer.stride[0],
        stride_width=layer.stride[1],
    )
    if not depthwise:
        return [(named.name, single)]
    return [(f"{named.name}Channel_{channel}", single) for channel in range(layer.channels)]


def _number(given: Mapping[str, str], column: str) -> int:
    try:
        return int(given[column])
    except (ValueError, TypeError):
        raise InputError(f"{column} is {given[column]!r}, must be a whole number; correct it") from None


def _cell(value: float) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)
