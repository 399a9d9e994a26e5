"""``simhw integer``: a whole network on int8 codes, without a floating-point operation between input and logits."""

from __future__ import annotations

import click


@click.command("integer")
@click.option("--model", default="fashion_resnet", show_default=True, metavar="NAME", help="Network.")
@click.option("--rule", "rules", multiple=True, metavar="NAME", help="How sums are scaled (repeatable). [default: all]")
@click.option("--samples", type=int, metavar="N", help="Samples of the data set. [default: the network's]")
def command(model: str, rules: tuple[str, ...], samples: int | None) -> None:
    """Build a network of integers from calibration data, run it, and set its metric beside the float reference's.

    Weights, biases, multipliers and shifts are integers, residual additions are done on codes.
    """
    from rich.console import Console
    from rich.table import Table

    from simhw.catalog import get_network
    from simhw.executor import run_float
    from simhw.graph.frontends.torch_export import import_module
    from simhw.integers import INTEGER_RULES, build_network
    from simhw.noise import Noise

    network = get_network(model)
    dataset = network.dataset(samples, None)
    graph = import_module(network.load(), dataset.inputs)
    built = [build_network(graph, network.calibration(), rule) for rule in rules or INTEGER_RULES]
    reference = run_float(graph, dataset.inputs)
    name = network.metric.name
    table = Table(box=None)
    for column in ("rule", name, "float", "same class", "SQNR dB", "steps"):
        table.add_column(column, justify="left" if column == "rule" else "right")
    for one in built:
        logits = one(dataset.inputs, network.batch)
        noise = Noise()
        noise.add(reference, logits)
        figures = [network.metric.evaluate(values, dataset)[name] for values in (logits, reference)]
        same = (logits.argmax(axis=-1) == reference.argmax(axis=-1)).mean()
        shown = [f"{figure:.4g}" for figure in figures]
        table.add_row(one.rule, *shown, f"{same:.2%}", f"{noise.sqnr_db:.1f}", str(len(one.steps)))
    Console(width=100).print(table)
    click.echo(f"{model}: {len(dataset.inputs)} samples, int8 codes from input to logits")
