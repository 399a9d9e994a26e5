"""Does an array compute what the emulator does, in as many clocks as the simulator says? Random GEMMs, code by code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simhw.arrays import Gemm, Overlap, schedule
from simhw.arrays.serial import schedule_serial
from simhw.circuits.codes import to_code
from simhw.circuits.float_sums import fp32_codes
from simhw.pes import Dequantization
from simhw.pes.bit_serial_booth import weight_cycles
from simhw.rtl.arrays.base import Integers, SystolicArray
from simhw.rtl.arrays.bench import Outcome, Simulator, run_gemms
from simhw.rtl.arrays.emulated import emulate, same_codes
from simhw.rtl.arrays.feeds import Blocks, Dequantized, Problem, Terms


@dataclass(frozen=True, kw_only=True)
class ShapeReport:
    """One GEMM compared.

    Attributes:
        m, n, k: its sizes.
        group_size: k per group, None without a dequantizer.
        overlap: the convention.
        cycles: measured on the circuit.
        predicted: by the simulator's closed form.
        difference: the first result that differs, or what else is wrong; None where all are equal.
    """

    m: int
    n: int
    k: int
    group_size: int | None
    overlap: Overlap
    cycles: int
    predicted: int
    difference: str | None

    @property
    def equal(self) -> bool:
        """Results and cycles are those of emulator and simulator."""
        return self.difference is None and self.cycles == self.predicted


def check_array(
    array: SystolicArray,
    problems: Sequence[Problem],
    *,
    overlap: Overlap = Overlap.DOUBLE_BUFFERED,
    simulator: Simulator | None = None,
) -> list[ShapeReport]:
    """Run GEMMs and compare every result with the emulator's, every cycle count with the closed form.

    Args:
        array: the circuit.
        problems: GEMMs of any shapes.
        overlap: the convention that is followed and asked for.
        simulator: as for ``run_gemms``.
    """
    outcomes = run_gemms(array, problems, overlap=overlap, simulator=simulator)
    return [_compare(array, problem, outcome, overlap) for problem, outcome in zip(problems, outcomes, strict=True)]


def predicted_cycles(array: SystolicArray, problem: Problem, overlap: Overlap) -> int:
    """Return the closed form's cycles of a GEMM on an array."""
    m, n, k = problem.shape
    gemm, feed = Gemm(m=m, n=n, k=k), array.element.feed
    settings: dict[str, Any] = {
        "dataflow": array.dataflow,
        "rows": array.rows,
        "columns": array.columns,
        "overlap": overlap,
    }
    if isinstance(feed, Terms):
        counts = weight_cycles(problem.weights.T[None].astype(np.uint8), feed.weight_format)
        return schedule_serial(gemm, counts, **settings).cycles + array.output_registers
    dequantization = Dequantization.NONE
    if array.stage is not None:
        dequantization = Dequantization.AFTER_GROUP
    elif isinstance(feed, Dequantized):
        dequantization = Dequantization.BEFORE_MULTIPLY
    return schedule(
        gemm,
        **settings,
        lanes=feed.lanes,
        passes=feed.passes,
        dequantization=dequantization,
        group_size=None if dequantization is Dequantization.NONE else problem.group_size,
        output_registers=array.output_registers,
    ).cycles


def random_problem(
    array: SystolicArray, m: int, n: int, k: int, *, rng: np.random.Generator, group_size: int | None = None
) -> Problem:
    """Return a GEMM of random codes, with scales and zero points where the array takes them.

    Operands of floating point are finite: half of the codes are of any exponent, the others lie near 1, where sums are
    rounded in every bit.
    """
    activation, weight = array.element.formats
    scales: dict[str, Integers] = {}
    if array.stage is not None:
        assert group_size is not None
        shape = (-(-k // group_size), n)
        zero = rng.integers(0, 16, shape)
        if array.stage.linear:
            # -scale * zero fits int8, and no sum leaves what fp32 holds exactly.
            scale = rng.integers(-8, 9, shape)
            scales = {"scale": to_code(scale, 8), "scaled_zero": to_code(-scale * zero, 8)}
        else:
            values = np.exp2(rng.integers(-12, 4, shape)) * (1 + rng.random(shape))
            scales = {"scale": fp32_codes(values.astype(np.float32)), "zero": zero}
    elif group_size is not None:
        scales = _random_scales(array, m, n, -(-k // group_size), rng)
    return Problem(
        activations=_random_codes(activation, (m, k), rng),
        weights=_random_codes(weight, (k, n), rng),
        group_size=group_size,
        scales=scales,
    )


def random_shapes(
    array: SystolicArray, count: int, rng: np.random.Generator, *, longest: int = 24
) -> list[tuple[int, int, int, int | None]]:
    """Return shapes ``(m, n, k, group size)``: corners first (single, full, one beyond), then random ones."""
    rows, columns = array.rows, array.columns
    if array.element.feed.lanes > longest // 4:
        longest = 5 * array.element.feed.lanes  # several words, the last one ragged
    corners = [(1, 1, 1), (rows, columns, 1), (rows, columns, rows), (rows + 1, columns + 1, rows + 1)]
    corners += [(2 * rows, 2 * columns, 2 * rows), (1, 2 * columns + 1, 1), (2 * rows + 1, 1, 2 * rows + 1)]
    shapes = corners[:count]
    while len(shapes) < count:
        m, n, k = rng.integers(1, (3 * rows + 2, 3 * columns + 2, longest + 1)).tolist()
        shapes.append((m, n, k))
    return [(m, n, k, _random_group(array, k, rng)) for m, n, k in shapes]


def _random_group(array: SystolicArray, k: int, rng: np.random.Generator) -> int | None:
    feed = array.element.feed
    if isinstance(feed, Blocks):
        return feed.lanes
    if array.stage is None:
        return int(rng.integers(1, k + 1)) if feed.has_groups else None
    most = min(k, array.stage.group_size)
    if array.dataflow == "weight_stationary" and not array.stage.linear:
        most = min(most, array.rows)
    return int(rng.integers(1, most + 1))


def _random_scales(array: SystolicArray, m: int, n: int, groups: int, rng: np.random.Generator) -> dict[str, Integers]:
    """Return scales that enter beside the operands; most are of ordinary size, some of any."""
    if isinstance(array.element.feed, Blocks):
        port = next(port for port in array.pe.inputs if port.name == "activation_scale")
        middle, spread = {"e8m0": (127, 8), "ue4m3": (56, 24)}[port.meaning]
        shapes = {"activation_scale": (m, groups), "weight_scale": (groups, n)}
        return {
            name: np.where(
                rng.random(shape) < 0.05,
                rng.integers(0, (1 << port.bits) - 1, shape),
                rng.integers(middle - spread, middle + spread, shape),
            )
            for name, shape in shapes.items()
        }
    shape = (groups, n)
    bits = next(port.bits for port in array.element.entering_ports if port.name == "scale")
    scale = rng.integers(0, 256, shape) if bits == 8 else _random_codes("fp16", shape, rng)
    return {"scale": scale, "zero": rng.integers(0, 16, shape)}


def _random_codes(form: str, shape: tuple[int, int], rng: np.random.Generator) -> Integers:
    from simhw.formats import decode, encode, get_element_format

    found = get_element_format(form)
    codes = rng.integers(0, 1 << found.bits, shape)
    if form.startswith(("int", "uint")):
        return codes
    near = encode(rng.standard_normal(shape), form).astype(np.int64)
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(decode(codes, found)) & (rng.random(shape) < 0.5)
    return np.where(usable, codes, near)


def _compare(array: SystolicArray, problem: Problem, outcome: Outcome, overlap: Overlap) -> ShapeReport:
    m, n, k = problem.shape
    expected = emulate(array, problem)
    difference = None
    if not same_codes(array, outcome.product, expected):
        row, column = next(
            (r, c)
            for r in range(m)
            for c in range(n)
            if not same_codes(array, outcome.product[r : r + 1, c], expected[r : r + 1, c])
        )
        ours, theirs = int(outcome.product[row, column]), int(expected[row, column])
        got = "nothing" if ours < 0 else f"{ours:#x}"
        difference = f"result ({row}, {column}): emulator {theirs:#x}, array {got}"
    elif outcome.results != outcome.expected_results:
        difference = f"{outcome.results} results left the array, {outcome.expected_results} were expected"
    return ShapeReport(
        m=m,
        n=n,
        k=k,
        group_size=problem.group_size,
        overlap=overlap,
        cycles=outcome.cycles,
        predicted=predicted_cycles(array, problem, overlap),
        difference=difference,
    )
