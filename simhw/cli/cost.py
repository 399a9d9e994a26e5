"""``simhw cost``: cycles, words and energy of layers given by their sizes, without weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from simhw.errors import InputError

if TYPE_CHECKING:
    from simhw.cost_settings import CostSettings

_FILE_STATES = ("gemms", "config", "dataflow", "rows", "columns", "ifmap_kb", "filter_kb", "ofmap_kb")
_NOT_SCALESIM = (
    *("area_mm2", "power_mw", "sensitivity", "against", "dram", "clock_mhz"),
    *("workload", "phase", "batch", "tokens", "context", "generate", "kv_bits", "dims"),
    *("sram", "sram_banks", "sram_ports", "sram_width"),
    *("bandwidth", "latency", "pe", "technology", "group_size", "scale_bits", "zero_point_bits"),
    *(
        "activation_bits",
        "weight_bits",
        "output_bits",
        "accumulator_bits",
        "dequantization",
        "dequantizers",
        "vector_lanes",
        "vector_overlap",
    ),
)
_INFERENCE = ("phase", "batch", "tokens", "context", "generate", "kv_bits", "dims")
_COMPAT = "scalesim3"


@click.command("cost")
@click.option("--gemms", metavar="FILE", help="Layers: CSV name,m,n,k, or convolutions, or a SCALE-Sim topology.")
@click.option("--workload", metavar="NAME|FILE", help="Network: see simhw list workloads; or a .toml or .onnx file.")
@click.option("--phase", metavar="NAME", help="Of a workload: prefill, decode, inference. [default: prefill]")
@click.option("--batch", type=int, help="Of a workload: sequences or images. [default: 1]")
@click.option("--tokens", type=int, help="Of a workload: length of the input.")
@click.option("--context", type=int, help="Of a workload that decodes: cached tokens.")
@click.option("--generate", type=int, help="Of a workload that decodes: how many tokens. [default: 1]")
@click.option("--kv-bits", type=int, metavar="BITS", help="Of cached keys and values. [default: as activations]")
@click.option("--dim", "dims", multiple=True, metavar="NAME=SIZE", help="Of an ONNX file: size of an open dimension.")
@click.option(
    "--config", metavar="FILE", help="SCALE-Sim .cfg: array, buffers and dataflow, where no option says else."
)
@click.option("--dataflow", metavar="NAME", help="[default: output_stationary]")
@click.option("--rows", type=int, help="Rows of the PE array. [default: 32]")
@click.option("--columns", type=int, help="Columns of the PE array. [default: 32]")
@click.option("--overlap", metavar="NAME", help="none, per_fold, double_buffered, once. [default: per_fold]")
@click.option("--ifmap-kb", type=int, help="Buffer of activations in KiB. [default: 256; with --compat 64]")
@click.option("--filter-kb", type=int, help="Buffer of weights in KiB. [default: 128; with --compat 64]")
@click.option("--ofmap-kb", type=int, help="Buffer of outputs in KiB. [default: 128; with --compat 64]")
@click.option("--sram", metavar="NAME", help="Macros of the buffers: see simhw list srams. [default: the technology's]")
@click.option("--sram-banks", type=int, metavar="N", help="Of each buffer, accessed in one cycle. [default: 1]")
@click.option("--sram-ports", type=int, metavar="N", help="Of each bank. [default: 1]")
@click.option("--sram-width", type=int, metavar="BITS", help="Of each port. [default: what the array needs]")
@click.option("--bandwidth", type=float, metavar="WORDS", help="Words per cycle from and to DRAM. [default: unlimited]")
@click.option("--latency", type=int, metavar="CYCLES", help="Before each transfer from DRAM. [default: 0]")
@click.option("--pe", metavar="NAME", help="Processing element. [default: int8_mac]")
@click.option("--activation-bits", type=int, metavar="BITS", help="Of a PE that executes several. [default: its own]")
@click.option("--weight-bits", type=int, metavar="BITS", help="Of a PE that executes several. [default: its own]")
@click.option("--output-bits", type=int, metavar="BITS", help="Of a finished output. [default: as an activation]")
@click.option("--accumulator-bits", type=int, metavar="BITS", help="Of a partial sum. [default: 32]")
@click.option(
    "--dequantization",
    metavar="NAME",
    help="in_pe: in every PE instead of at the array's edge. [default: the PE's own]",
)
@click.option(
    "--dequantizers",
    metavar="N|NAME",
    help="How many the array has: per_column, per_block or a number that columns share.",
)
@click.option("--vector-lanes", type=int, metavar="L", help="Unit that requantizes the outputs. [default: none]")
@click.option("--vector-overlap", metavar="NAME", help="Of that unit with the array: none, pipelined. [default: none]")
@click.option("--technology", metavar="NAME", help="Energy table. [default: horowitz_45nm]")
@click.option("--dram", metavar="NAME", help="ddr4, lpddr4, lpddr5, hbm2, hbm3, gddr6. [default: the technology's]")
@click.option("--clock-mhz", type=float, metavar="F", help="Of the array, for what leaks and stands by. [default: 500]")
@click.option("--group-size", type=int, metavar="G", help="Of weights that share a scale. [default: the PE's block]")
@click.option("--scale-bits", type=int, metavar="BITS", help="Of the scale of a group of weights. [default: 0]")
@click.option("--zero-point-bits", type=int, metavar="BITS", help="Of the zero point of a group. [default: 0]")
@click.option("--area-mm2", type=float, metavar="A", help="The largest square array within an area, not --rows.")
@click.option("--power-mw", type=float, metavar="P", help="The largest square array within a power at 500 MHz.")
@click.option("--sensitivity", is_flag=True, default=None, help="Say which energy ranking survives published ranges.")
@click.option("--against", multiple=True, metavar="PE", help="With --sensitivity: other PEs (repeatable).")
@click.option("--compat", metavar="NAME", help=f"{_COMPAT}: the convention and the columns of SCALE-Sim 3.")
@click.option("--like", metavar="FILE", help="A table of SCALE-Sim results: evaluate its rows anew, in its columns.")
@click.option("--csv", "csv_file", metavar="FILE|-", default="-", show_default=True, help="Where the rows go.")
def command(csv_file: str, compat: str | None, like: str | None, **given: Any) -> None:
    """Cost of layers, or of a whole network by its shape, on an array with memories: one row per layer, as CSV.

    Buffers are searched for the best tiling; stall cycles are what memory costs beyond the array's own cycles.
    """
    from simhw.writing import require_writable, write_atomically

    if csv_file != "-":
        require_writable(csv_file)
    options = {name: value for name, value in given.items() if value is not None and value != ()}
    if compat not in (None, _COMPAT):
        raise InputError(f"compat is {compat!r}, must be {_COMPAT}; leave it out for the model of simhw")
    rows = _scalesim(options, like) if compat is not None or like is not None else _cost(options)
    text = _csv(rows)
    if csv_file == "-":
        click.echo(text, nl=False)
    else:
        write_atomically(csv_file, text)


def _cost(options: dict[str, Any]) -> Sequence[Mapping[str, object]]:
    from simhw.arrays import Overlap, VectorOverlap
    from simhw.cost_settings import CostSettings
    from simhw.cost_table import cost_rows
    from simhw.pes import Dequantization, Dequantizers

    inference = {name: options.pop(name) for name in ("workload", *_INFERENCE) if name in options}
    table = options.pop("gemms", None)
    options = _with_config(options)
    for name, choices in (("overlap", Overlap), ("dequantization", Dequantization), ("vector_overlap", VectorOverlap)):
        if name in options:
            options[name] = _member(name.replace("_", " "), options[name], choices)
    if "dequantizers" in options and not options["dequantizers"].lstrip("-").isdecimal():
        options["dequantizers"] = _member("dequantizers", options["dequantizers"], Dequantizers, "a number")
    elif "dequantizers" in options:
        options["dequantizers"] = int(options["dequantizers"])
    compared = options.pop("sensitivity", False), options.pop("against", ())
    budget: dict[str, float] = {name: options.pop(name) for name in ("area_mm2", "power_mw") if name in options}
    settings = _sized(CostSettings(**options), budget, options)
    if "workload" in inference:
        if table is not None:
            raise InputError("--gemms and --workload were both given, only one says what runs; leave one of them out")
        evaluate = _workload(inference)
    elif inference:
        raise InputError(f"--{next(iter(inference)).replace('_', '-')} belongs to a workload; add --workload NAME")
    else:
        from simhw.layer_files import read_layers

        layers = read_layers(_gemms({} if table is None else {"gemms": table}))
        evaluate = partial(cost_rows, layers)
    rows = evaluate(settings)
    _compare(*compared, evaluate, settings, budget, rows)
    return rows


def _sized(settings: CostSettings, budget: dict[str, float], options: dict[str, Any]) -> CostSettings:
    """Return the settings with the largest square array within a budget, where one was given."""
    if not budget:
        return settings
    from dataclasses import replace

    from simhw.arrays.sizing import largest_array
    from simhw.costs import load_table
    from simhw.pes import get_pe

    for name in ("rows", "columns"):
        if name in options:
            raise InputError(f"--{name} and a budget were both given, but the budget sizes the array; leave one out")
    pe = get_pe(settings.pe)
    found = largest_array(
        pe,
        load_table(settings.technology),
        **budget,  # type: ignore[arg-type]
        dataflow=settings.dataflow,
        accumulator_bits=settings.accumulator_bits or 32,
        group_size=pe.block_size or settings.group_size or 128,
    )
    return replace(settings, rows=found.rows, columns=found.columns)


def _compare(
    wanted: bool,
    against: tuple[str, ...],
    evaluate: Callable[[CostSettings], Sequence[Mapping[str, Any]]],
    settings: CostSettings,
    budget: dict[str, float],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Print on stderr which order of PEs by energy survives the published ranges of constants."""
    if not wanted:
        if against:
            raise InputError("--against names PEs to compare with, but --sensitivity was not given; add it")
        return
    from dataclasses import replace

    from simhw.cost_table import ENERGY_PARTS
    from simhw.costs import load_table
    from simhw.sensitivity import describe, sensitivity

    def energies(found: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        layers = [row for row in found if row.get("kind") != "all"]
        return {part: sum(row[f"energy_{part}_pj"] for row in layers) for part in ENERGY_PARTS}

    designs = {settings.pe: energies(rows)}
    for name in against:
        designs[name] = energies(evaluate(_sized(replace(settings, pe=name), budget, {})))
    click.echo(describe(sensitivity(designs, load_table(settings.technology))), err=True)


def _workload(inference: dict[str, Any]) -> Callable[[CostSettings], Sequence[Mapping[str, Any]]]:
    """Return what evaluates a workload on a machine."""
    from simhw.workload_table import workload_cost
    from simhw.workloads import load_shape, shape_of_file
    from simhw.workloads.onnx_shapes import read_onnx

    name, dims = inference.pop("workload"), _sizes(inference.pop("dims", ()))
    if name.endswith(".onnx"):
        shape: Any = read_onnx(name, dims)
        if shape.left_out:
            found = ", ".join(f"{kind} {count}" for kind, count in sorted(shape.left_out.items()))
            click.echo(f"simhw: only move values, not counted: {found}", err=True)
    elif dims:
        raise InputError("--dim sets the size of an ONNX file's dimension; give a .onnx file, or leave it out")
    else:
        shape = shape_of_file(name) if name.endswith(".toml") else load_shape(name)
    return lambda settings: workload_cost(shape, settings, **inference)


def _sizes(given: tuple[str, ...]) -> dict[str, int]:
    sizes = {}
    for item in given:
        name, _, size = item.partition("=")
        if not size.isdecimal():
            raise InputError(f"dim is {item!r}, must be NAME=SIZE, as in batch=1; correct it")
        sizes[name] = int(size)
    return sizes


def _member(what: str, given: str, choices: type[Enum], *others: str) -> Enum:
    names = [choice.value for choice in choices]
    if given not in names:
        raise InputError(f"{what} is {given!r}, must be one of {', '.join([*names, *others])}; choose one")
    return choices(given)


def _scalesim(options: dict[str, Any], like: str | None) -> Sequence[Mapping[str, object]]:
    from simhw.layer_files import read_layers
    from simhw.scalesim_table import like_rows, scalesim_rows

    if options.get("overlap", "per_fold") != "per_fold":
        raise InputError(
            f"overlap is {options['overlap']!r} together with --compat {_COMPAT}, whose convention is per_fold; "
            "leave one of them out"
        )
    for name in _NOT_SCALESIM:
        if name in options:
            raise InputError(
                f"--{name.replace('_', '-')} was given together with --compat {_COMPAT}, which has no such choice; "
                "leave one of them out"
            )
    if like is not None:
        for name in _FILE_STATES:
            if name in options:
                raise InputError(
                    f"--{name.replace('_', '-')} and --like were both given, every row of {like} states its own; "
                    "leave one of them out"
                )
        return like_rows(like)
    layers = read_layers(_gemms(options))
    options.pop("overlap", None)
    defaults = {"dataflow": "output_stationary", "rows": 32, "columns": 32}
    buffers = {"ifmap_kb": 64, "filter_kb": 64, "ofmap_kb": 64}
    return scalesim_rows(layers, **{**defaults, **buffers, **_with_config(options)})


def _gemms(options: dict[str, Any]) -> str:
    if "gemms" not in options:
        raise InputError("no layers were given, --gemms, --workload or --like must name them; add --gemms FILE.csv")
    return str(options.pop("gemms"))


def _with_config(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options, with those of a configuration file where none was given."""
    if "config" not in options:
        return options
    from dataclasses import asdict

    from simhw.layer_files import read_scalesim_config

    return {**asdict(read_scalesim_config(options.pop("config"))), **options}


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    import csv
    import io

    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
