"""``simhw run``: networks on datapaths, accuracy next to cycles and energy."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from simhw.errors import InputError

if TYPE_CHECKING:
    from simhw.caching import Store
    from simhw.experiment import Experiment, Progress
    from simhw.rows import Row


@click.command("run")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|PATH",
    help="Network (repeatable), or an .onnx file, a Hugging Face folder, a .gguf file, or module.py:factory, whose "
    "code is run. "
    "[default: shipped ones]",
)
@click.option("--data", metavar="FILE", help="Of a model's file: .txt, or .npz with inputs and, if known, targets.")
@click.option(
    "--datapath",
    "datapaths",
    multiple=True,
    metavar="NAME",
    help="Datapath (repeatable). [default: the twelve of the table]",
)
@click.option("--scheme", metavar="NAME", help="How tensors become codes. [default: each datapath's own]")
@click.option("--group-size", type=int, metavar="G", help="Group size of group-wise weights. [default: the scheme's]")
@click.option(
    "--accumulator-bits",
    type=int,
    metavar="BITS",
    help="Width of integer accumulators. [default: sufficient]",
)
@click.option(
    "--accumulator",
    metavar="NAME",
    help="Accumulator in place of each datapath's own, such as int20_saturate or e6m9. [see simhw list accumulators]",
)
@click.option(
    "--unit",
    "units",
    multiple=True,
    metavar="[PATTERN:]FUNCTION=UNIT",
    help="Special function unit (repeatable), for layers that a pattern matches, or all. [see simhw list units]",
)
@click.option("--rows", type=int, default=32, show_default=True, help="Rows of the PE array.")
@click.option("--columns", type=int, default=32, show_default=True, help="Columns of the PE array.")
@click.option("--dataflow", default="output_stationary", show_default=True, metavar="NAME")
@click.option(
    "--overlap",
    default="per_fold",
    show_default=True,
    metavar="NAME",
    help="none, per_fold, double_buffered, once",
)
@click.option(
    "--vector-overlap",
    default="none",
    show_default=True,
    metavar="NAME",
    help="Vector unit beside the array: none, pipelined.",
)
@click.option(
    "--quantizers", default="port", show_default=True, metavar="NAME", help="Of activations: port, vector_unit."
)
@click.option("--technology", default="horowitz_45nm", show_default=True, metavar="NAME", help="Energy and area table.")
@click.option("--dram", metavar="NAME", help="ddr4, lpddr4, lpddr5, hbm2, hbm3, gddr6. [default: the technology's]")
@click.option(
    "--clock-mhz",
    type=float,
    default=500.0,
    show_default=True,
    metavar="F",
    help="Of the array, for what leaks and stands by meanwhile.",
)
@click.option("--samples", type=int, metavar="N", help="Samples of the data set. [default: the network's]")
@click.option("--tokens", type=int, metavar="N", help="Tokens of the data set, instead of --samples.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the rows with their layers as JSON.")
@click.option("--csv", "csv_file", metavar="FILE|-", help="Write the rows as CSV.")
@click.option("--html", "html_file", metavar="FILE", help="Write one self-contained HTML page.")
@click.option("--sensitivity", is_flag=True, help="Say which energy ranking survives published ranges.")
@click.option("--record", metavar="DIR", help="Keep every step's output in DIR/MODEL/DATAPATH, for 'simhw diff'.")
@click.option(
    "--cache/--no-cache",
    default=False,
    envvar="SIMHW_RUN_CACHE",
    help="Keep results of steps on disk and look for them there, for sweeps; never changes a result. "
    "[default: --no-cache; environment: SIMHW_RUN_CACHE=1]",
)
@click.option("--cache-size", type=float, default=2.0, show_default=True, metavar="GB", help="Size of that cache.")
def command(
    models: tuple[str, ...],
    datapaths: tuple[str, ...],
    json_file: str | None,
    csv_file: str | None,
    html_file: str | None,
    record: str | None,
    sensitivity: bool,
    cache: bool,
    cache_size: float,
    **settings: object,
) -> None:
    """Run networks layer by layer on datapaths, beside their float reference.

    Without options: both networks that ship with their weights, on twelve datapaths.
    """
    if settings["samples"] is not None and settings["tokens"] is not None:
        raise InputError("--samples and --tokens were both given, only one is allowed; leave one of them out")
    _check_files(json_file, csv_file, html_file)
    with _cache(cache, cache_size) as store:
        rows = _run(models, datapaths, settings, record, store)
    _write(rows, json_file, csv_file, html_file)
    if sensitivity:
        _show_sensitivity(rows, to_stderr="-" in (json_file, csv_file))


def _show_sensitivity(rows: list[Row], to_stderr: bool) -> None:
    from simhw.costs import load_table
    from simhw.rows import by_model
    from simhw.sensitivity import describe, sensitivity

    for model, group in by_model(rows).items():
        energies = {row.datapath: row.energy_pj for row in group}
        found = sensitivity(energies, load_table(group[0].technology))
        click.echo(f"\n{model}: {describe(found)}", err=to_stderr)


def _check_files(json_file: str | None, csv_file: str | None, html_file: str | None) -> None:
    """Refuse outputs that cannot all be written, before anything runs."""
    from simhw.writing import require_writable

    if json_file == "-" and csv_file == "-":
        raise InputError("--json - and --csv - were both given, stdout carries one of them; write the other to a file")
    if html_file == "-":
        raise InputError("--html is '-', but the page goes to a file only; name one, such as index.html")
    files = [name for name in (json_file, csv_file, html_file) if name is not None and name != "-"]
    for name in files:
        require_writable(name)
    places = [os.path.realpath(name) for name in files if not os.path.exists(name) or os.path.isfile(name)]
    if len(set(places)) < len(places):
        raise InputError(f"the output files are {', '.join(files)}, two of them are the same; give each its own name")


@contextmanager
def _cache(wanted: bool, gigabytes: float) -> Iterator[Store | None]:
    """Open the cache of steps' results, where it is wanted; say on stderr if it could not be used."""
    if not wanted:
        yield None
        return
    from simhw.caching import Store
    from simhw.cli.cache import folder
    from simhw.errors import InputError

    if not math.isfinite(gigabytes):
        raise InputError(f"cache size is {gigabytes} GB, must be a finite number; give a size such as 2")

    store = Store(folder(), limit=int(gigabytes * 1e9))
    try:
        yield store
    finally:
        store.close()
        if store.trouble is not None:
            click.echo(f"simhw: results of steps were not kept ({store.trouble}); rows are the same", err=True)


def _run(
    models: tuple[str, ...],
    datapaths: tuple[str, ...],
    settings: dict[str, object],
    record: str | None,
    cache: Store | None,
) -> list[Row]:
    from simhw.experiment import Experiment, default_models, run_experiment
    from simhw.gemm.datapaths import DEFAULT_DATAPATHS

    tokens = settings["tokens"] if isinstance(settings["tokens"], int) else None
    experiments = [
        Experiment(model=name, datapaths=datapaths or DEFAULT_DATAPATHS, **settings)  # type: ignore[arg-type]
        for name in models or default_models(tokens)
    ]
    for experiment in experiments:
        _check(experiment)
    with _progress() as progress:
        return [row for experiment in experiments for row in run_experiment(experiment, progress, record, cache)]


def _check(experiment: Experiment) -> None:
    """Refuse what is wrong with any of the networks before the first one runs."""
    experiment.machine()
    experiment.arithmetic()
    experiment.network().dataset(experiment.samples, experiment.tokens)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show a progress bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from simhw.compiling import announced

    columns = (
        TextColumn("{task.description:<40}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("loading", total=None)
        with announced(lambda text: bar.update(task, description=text)):
            yield lambda label, done, total: bar.update(task, description=label, completed=done, total=total)


def _write(rows: list[Row], json_file: str | None, csv_file: str | None, html_file: str | None) -> None:
    """Write what was asked for; the tables first, so that a full disk does not lose a long run."""
    from simhw.rows import to_csv, to_json
    from simhw.writing import write_atomically

    outputs = ((json_file, to_json), (csv_file, to_csv))
    for name, make in outputs:
        if name == "-":
            click.echo(make(rows), nl=False)
    _show(rows, to_stderr="-" in (json_file, csv_file))
    for name, make in outputs:
        if name is not None and name != "-":
            write_atomically(name, make(rows))
    if html_file is not None:
        from simhw.reports.overview import render

        write_atomically(html_file, render(rows, command=shlex.join(["simhw", *sys.argv[1:]])))


def _show(rows: list[Row], to_stderr: bool) -> None:
    """Print the tables, on stdout unless it carries JSON or CSV, and every overflow on stderr."""
    from rich.console import Console

    from simhw.reports.table import console_table
    from simhw.rows import by_model

    stream = sys.stderr if to_stderr else sys.stdout
    console = Console(file=stream) if stream.isatty() else Console(file=stream, width=200)
    for group in by_model(rows).values():
        console.print(console_table(group))
    for row in rows:
        if row.overflows:
            click.echo(
                f"simhw: {row.overflows:,} group sums of {row.model} on {row.datapath} did not fit "
                f"the accumulator ({row.accumulator})",
                err=True,
            )
