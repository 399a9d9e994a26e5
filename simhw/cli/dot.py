"""``simhw dot``: one dot product on one datapath, step by step."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from simhw.errors import InputError

if TYPE_CHECKING:
    from simhw.gemm.trace import Step, Trace


@click.command("dot")
@click.option("--datapath", "name", default="hopper_e4m3_fp32", show_default=True, metavar="NAME")
@click.option("--trace", is_flag=True, help="Show every step.")
@click.option("--c", "addend", type=float, default=0.0, show_default=True, metavar="VALUE", help="Addend.")
@click.argument("a", type=click.Path())
@click.argument("b", type=click.Path())
def command(name: str, trace: bool, addend: float, a: str, b: str) -> None:
    """Compute the dot product of the vectors in A and B (.npy files) as the datapath's hardware does.

    Unsigned integers are codes of the datapath's operand formats. Floating-point and signed numbers are values: they
    are encoded first (to nearest even, saturating), which is said.
    """
    from simhw.gemm.datapaths import get_datapath
    from simhw.gemm.matmul import weight_formats
    from simhw.gemm.trace import trace_dot

    datapath = get_datapath(name)
    left, left_note = _codes(a, (datapath.activation,))
    right, right_note = _codes(b, weight_formats(datapath))
    made = trace_dot(left, right, datapath, addend)
    click.echo(f"datapath  {datapath.name}: {datapath.accumulator.name}")
    click.echo(f"a         {left_note}")
    click.echo(f"b         {right_note}")
    if trace:
        click.echo("\n" + table(made) + "\n")
    click.echo(f"result    {number(made.result)}")
    click.echo(f"exact     {number(made.exact)}")
    if not math.isnan(made.error):
        click.echo(f"error     {number(made.error)}")


def _codes(path: str, formats: tuple[str, ...]) -> tuple[Any, str]:
    """Return the codes in a file, and a line that says what was done."""
    import numpy as np

    from simhw.formats import decode, encode

    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; give a .npy file") from None
    except ValueError as error:
        raise InputError(f"{path} is no array of numbers: {error}; write it with numpy.save") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} holds several arrays, one is needed; write it with numpy.save")
    vector = array[0] if array.ndim == 2 and array.shape[0] == 1 else array
    if vector.ndim != 1 or vector.size == 0:
        raise InputError(f"{path} holds an array of shape {array.shape}, must be one vector (k,) with k at least 1")
    if vector.dtype.kind == "V":  # numpy.save writes ml_dtypes as plain bytes
        vector = vector.view(f"u{vector.dtype.itemsize}")
    if vector.dtype.kind == "u":
        return vector, f"{path}: {vector.size} codes of {formats[0]}"
    codes = encode(vector, formats[0])
    became = decode(codes, formats[0])
    changed = int(np.count_nonzero((became != vector) & ~(np.isnan(became) & np.isnan(vector))))
    return codes, f"{path}: {vector.size} values ({vector.dtype.name}) encoded to {formats[0]}, {changed} rounded"


def table(trace: Trace) -> str:
    """Return the steps as text, one line each."""
    heads = ("step", "codes", "a", "b", "product", "exponent", "shift", "bits lost", "lost", "before", "sum")
    rows = [heads, *(_row(step) for step in trace.steps)]
    used = [i for i in range(len(heads)) if any(row[i] for row in rows[1:])]
    widths = {i: max(len(row[i]) for row in rows) for i in used}
    lines = []
    for row in rows:
        cells = [row[i].ljust(widths[i]) if i == 0 else row[i].rjust(widths[i]) for i in used]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(step: Step) -> tuple[str, ...]:
    def optional(value: Any) -> str:
        return "" if value is None else number(value)

    codes = "" if step.a_code is None or step.b_code is None else f"{step.a_code:#x} {step.b_code:#x}"
    return (
        step.label,
        codes,
        optional(step.a),
        optional(step.b),
        optional(step.product),
        "" if step.exponent is None else str(step.exponent),
        "" if step.shift is None else str(step.shift),
        str(step.bits_lost) if step.bits_lost else "",
        number(step.lost) if step.lost else "",
        optional(step.before) if step.before != step.after else "",
        number(step.after),
    )


def number(value: Fraction | float) -> str:
    """Return a value exactly: in decimal where that is short, else in hexadecimal; nearest float if it is no float.

    >>> number(Fraction(1, 16)), number(Fraction(1, 3))
    ('0.0625', '~0.333333')
    """
    shown = float(value)
    if math.isfinite(shown) and Fraction(shown) != value:
        return f"~{shown:.6g}"
    text = repr(shown)
    if not math.isfinite(shown) or len(text) <= 14:
        return text
    digits, _, exponent = shown.hex().partition("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}"
