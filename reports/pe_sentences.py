"""What the PE comparison says in words: every figure in a sentence comes from the records, none is typed in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from simhw.costs import CostTable
from simhw.pes import get_pe
from simhw.pes.price import group_dequantizer, group_sum_pj
from simhw.reports.break_even import (
    AFTER,
    FIRST,
    LARGEST_GROUP,
    SHAPES,
    TOKENS,
    SharedArea,
    break_even,
    least_group,
    tokens_of_equal_dequantization,
)
from simhw.reports.numbers import decibels, significant, times
from simhw.reports.pe_claims import Measured, PublishedClaim
from simhw.reports.pe_costs import CLOCK_MHZ, COLUMNS, GROUP, ROWS, PECost, find
from simhw.reports.pe_ratios import Ratio
from simhw.reports.real_gemm import GemmError, RealGemm

MANY = TOKENS[-1]


def numeric(gemm: RealGemm, errors: Mapping[str, GemmError]) -> list[str]:
    """Return what the arithmetic alone does to the GEMM."""
    after, first = errors[AFTER], errors[FIRST]
    closer, other = (after, first) if after.sqnr_db >= first.sqnr_db else (first, after)
    apart = closer.sqnr_db - other.sqnr_db
    text = [
        f"The GEMM is {gemm.layer} of {gemm.model}: m = {gemm.m:,} tokens of its calibration text, k = {gemm.k}, "
        f"n = {gemm.n}; its outputs have an rms of {significant(gemm.rms, 3)}, the largest is "
        f"{significant(gemm.largest, 3)}.",
        f"With the same 4-bit weights, {closer.pe} is closer to float than {other.pe} by {apart:.2f} dB "
        f"({decibels(closer.sqnr_db)} against {decibels(other.sqnr_db)} dB)"
        + (": where scales are applied hardly matters, the weights' 4 bits set the error." if apart < 1 else "."),
    ]
    int8 = errors.get("int8_mac")
    if int8 is not None:
        text.append(
            f"int8 weights on int8_mac are {int8.sqnr_db - after.sqnr_db:.1f} dB better than 4-bit weights on {AFTER}."
        )
    overflowing = [error.pe for error in errors.values() if error.overflows]
    text.append(
        f"Sums overflowed on {', '.join(overflowing)}." if overflowing else "No integer sum overflowed on any PE."
    )
    return text


def equal_area(costs: Sequence[PECost], errors: Mapping[str, GemmError], technology: str) -> list[str]:
    """Return what one square millimetre of each PE computes."""
    here = [cost for cost in costs if cost.technology == technology]
    base = find(here, "int8_mac", technology)
    text = []
    for name in (AFTER, FIRST, "mixpe_w4a16", "fp16_mac", "mxfp4_dot", "nvfp4_dot"):
        cost = next((cost for cost in here if cost.pe == name), None)
        if cost is None:
            continue
        text.append(
            f"{name} {times(cost.macs_per_cycle_mm2 / base.macs_per_cycle_mm2)} at {decibels(errors[name].sqnr_db)} dB"
        )
    counted = [cost.pe for cost in here if not cost.synthesised]
    late = [cost.pe for cost in here if cost.meets_clock is False]
    sentences = [
        f"In one square millimetre of {technology}, {ROWS} x {COLUMNS} arrays with their dequantizers and running sums "
        f"counted, products per cycle against int8_mac ({decibels(errors['int8_mac'].sqnr_db)} dB): {'; '.join(text)}."
    ]
    if any(cost.synthesised for cost in here) and counted:
        sentences.append(
            f"Counted in gates, which know no glitches, beside PEs as synthesised: {', '.join(counted)}. Their "
            "energies are lower bounds, least to be trusted for float adders and deep multipliers."
        )
    if late:
        sentences.append(
            f"At {CLOCK_MHZ} MHz these need more pipeline stages than they have here, because their netlist mapped for "
            f"area takes longer than {significant(1e6 / CLOCK_MHZ)} ps: {', '.join(late)}."
        )
    return sentences


def operations(gemm: RealGemm) -> list[str]:
    """Return the operation counts of dequantization and where they cross."""
    return [
        "Dequantizing first takes k n operations, once, if the dequantized weights are kept; after the group takes "
        "m n k / g scale operations and as many zero-point multiplications. So after the group has fewer scale "
        "operations only while m < g, and fewer multiplications only while m < g / 2. n and k do not decide. "
        f"At g = {GROUP} and the {gemm.m:,} tokens of the GEMM above it has "
        f"{times(gemm.m / GROUP)} the scale operations of dequantizing first.",
        "An output-stationary array that dequantizes at its edge does so again for every fold of its rows, "
        f"ceil(m / R) times. Against that design, after the group has fewer scale operations for many tokens whenever "
        f"R < g (here R = {ROWS}, g = {GROUP}).",
    ]


def equal_tokens(table: CostTable, name: str) -> float:
    """Return the tokens up to which dequantizing after the group takes less energy, dequantization alone."""
    return tokens_of_equal_dequantization(SHAPES[1][0], GROUP, table, name)


def energy(table: CostTable, name: str) -> list[str]:
    """Return where dequantizing after the group on one PE pays in energy, in one technology."""
    n, k = SHAPES[1]
    where = f"{name} in {table.name}"
    one_sum = group_sum_pj(get_pe(name), table, GROUP)
    one_weight = table.total_energy_pj(get_pe(FIRST).dequantize_parts(GROUP).weight)
    many = break_even(MANY, n, k, GROUP, table, name=name).after
    least = dict.fromkeys(least_group(n, table, name) for n, _ in SHAPES)
    each = " or ".join(f"no g up to {LARGEST_GROUP:,}" if g is None else f"g >= {g}" for g in least)
    ratios = []
    for m in (1, GROUP, MANY):
        found = break_even(m, n, k, GROUP, table, name=name)
        kept, edge = found.after.total_pj / found.kept.total_pj, found.after.total_pj / found.edge.total_pj
        ratios.append(f"{kept:.2f} and {edge:.2f} at m = {m:,}")
    entry = group_dequantizer(get_pe(name), table)
    glitches = ""
    if entry is not None:
        share = 1 - entry.energy_zero_delay_pj_per_mac / entry.energy_pj_per_mac
        glitches = (
            f" Its dequantizer is synthesised without registers inside: {share:.0%} of its energy are glitches, which "
            "pipelining would reduce."
        )
    return [
        f"{where}, g = {GROUP}, n = {n:,}: to scale and correct one group sum takes {times(one_sum / one_weight)} the "
        f"energy of dequantizing one weight, so in energy of dequantization alone the break-even is not at "
        f"m = g = {GROUP} but at m = {significant(equal_tokens(table, name), 3)} tokens.",
        f"{where}: with the inner loop counted, the narrow PE saves more than dequantization after the group costs, "
        f"for any number of tokens, as soon as {each}; with shorter groups it pays for few tokens only. At "
        f"m = {MANY:,} and g = {GROUP}, dequantization is {many.dequantize_pj / many.total_pj:.0%} of its "
        f"energy.{glitches}",
        f"{where}: PEs, dequantization and weight SRAM together, over dequantizing first with weights kept at 8 bits "
        f"and over dequantizing at the edge: {'; '.join(ratios)}.",
    ]


def rows_needed(name: str, technology: str, area: SharedArea, with_register: SharedArea) -> list[str]:
    """Return from how many rows on the narrow PE is smaller, with its dequantizer counted."""

    def first(rows: int | None) -> str:
        return "in no array here" if rows is None else f"from {rows} rows on"

    return [
        f"{name} in {technology}: with its share of a column's dequantizer the PE is smaller than an int8 multiplier "
        f"alone {first(area.least_rows)}, and than the PE behind a dequantizer of weights "
        f"{first(area.least_rows_first)}. With a register per PE for the sum of scaled groups, as an "
        f"output-stationary array needs where they return to their PE: {first(with_register.least_rows)} and "
        f"{first(with_register.least_rows_first)}.",
    ]


def claim(published: PublishedClaim, measured: Sequence[Measured]) -> list[str]:
    """Return a published figure beside what comes out here."""
    text = []
    for found in measured:
        relation = "above" if found.product > published.ratio else "below"
        sentence = (
            f"{published.words}: published {times(published.ratio)} in (1 / area) x (1 / power) over the PE that "
            f"dequantizes first; {found.technology} has {times(found.product)} ({times(found.area)} in area, "
            f"{times(found.energy)} in energy), {relation} the claim by {abs(found.product / published.ratio - 1):.0%}"
        )
        if found.same_width is not None:
            sentence += f"; {times(found.same_width)} with {published.same_width} accumulator bits in both"
        if found.inside is not None:
            sentence += f"; {times(found.inside)} over a baseline with a dequantizer in every PE"
        text.append(f"{sentence}; {times(found.with_shares)} with dequantizers and running sums counted.")
    return text


def reasons(costs: Sequence[PECost], measured: Sequence[Sequence[Measured]]) -> list[str]:
    """Return why published and measured figures differ."""
    own, base = costs_of_widths(costs)
    w4a8, w4a16 = measured[0][-1], measured[1][-1]
    text = [
        "The published W4A8 figure gives the PE that dequantizes first and a plain int8 PE one and the same value, so "
        "its baseline has no dequantizer of its own; here it stands at the edge of the array, shared by a column.",
    ]
    if w4a8.same_width is not None:
        text.append(
            f"Part of the gain is the accumulator: {own.accumulator_bits} bits, what a group of {GROUP} needs, against "
            f"the {base.accumulator_bits} bits that an int8 product has by custom. With equal widths "
            f"{times(w4a8.product)} becomes {times(w4a8.same_width)} in {w4a8.technology}."
        )
    return [
        *text,
        "What the published figure's PEs consist of, with which library and constraints they were synthesised, is not "
        "published; the power figures of its simulator's other designs are equal to the last digit to those of another "
        "paper's table. A loosely built int8 baseline alone can account for a factor.",
        "The W4A16 PE here sums in exact fixed point, which needs an aligning shifter but no normaliser; the published "
        "one is not described to that depth."
        + (
            f" With an fp32 sum like its baseline's {times(w4a16.product)} becomes {times(w4a16.same_width)} in "
            f"{w4a16.technology}."
            if w4a16.same_width is not None
            else ""
        ),
        "The dequantizer behind the group and the sum of scaled groups are not in the published figure; the column 'in "
        f"the array' charges them, which leaves {times(w4a8.with_shares)} of {times(w4a8.product)} for W4A8 in "
        f"{w4a8.technology}.",
    ]


def costs_of_widths(costs: Sequence[PECost]) -> tuple[PECost, PECost]:
    """Return the narrow PE and its baseline in the last technology."""
    technology = costs[-1].technology
    return find(costs, AFTER, technology), find(costs, FIRST, technology)


def where_it_pays(table: CostTable, names: Sequence[str], areas: Mapping[str, SharedArea]) -> str:
    """Return in one sentence where dequantizing after the group pays and where it does not."""
    n = SHAPES[1][0]
    parts = []
    for name in names:
        least, rows = least_group(n, table, name), areas[name].least_rows
        groups = f"for any tokens from g = {least} on" if least is not None else f"for no g up to {LARGEST_GROUP:,}"
        area = f"from {rows} rows on" if rows is not None else f"in no array up to {areas[name].rows[-1]} rows"
        parts.append(
            f"{name} takes less energy than dequantizing first {groups} (its dequantization alone only up to "
            f"{significant(equal_tokens(table, name), 2)} tokens at g = {GROUP}), and less area than an int8 PE {area}"
        )
    return f"Dequantizing after the group, in {table.name}: {'; '.join(parts)}. Else it pays for few tokens at most."


def spread(ratios: Sequence[Ratio], table: str) -> str | None:
    """Return how far the gate model's ratios are from those of a synthesis table."""
    pairs = [
        (r.gate_area / r.areas[table], r.gate_energy / r.energies[table], f"{r.pe} ({r.accumulator_bits} bits)")
        for r in ratios
        if table in r.areas and not (math.isclose(r.areas[table], 1) and math.isclose(r.energies[table], 1))
    ]
    if not pairs:
        return None
    areas, energies = [a for a, _, _ in pairs], [e for _, e, _ in pairs]
    worst = min(pairs, key=lambda pair: pair[1])
    return (
        f"Against {table}, the gate model's ratios to int8_mac are {min(areas):.2f} to {max(areas):.2f} of the "
        f"synthesised ones in area and {min(energies):.2f} to {max(energies):.2f} in energy, over {len(pairs)} PEs and "
        f"widths. It is lowest in energy for {worst[2]}: it knows no glitches, and deep unregistered logic has most."
    )
