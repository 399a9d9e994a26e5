"""What the audit of published tables says in sentences; every figure in them is computed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from simhw.arrays.area import RUNNING_SUM
from simhw.costs import load_table
from simhw.pes.price import price
from simhw.reports import ant_audit, bitmod_model
from simhw.reports.mixpe_audit import Audit
from simhw.reports.mixpe_designs import DESIGNS
from simhw.reports.mixpe_published import EARLIER_MEANS, ENERGY, HEADLINE_ENERGY, HEADLINE_SPEEDUP
from simhw.reports.mixpe_waterfall import DRAM, Step
from simhw.reports.numbers import times

MIXPE, MIXPE16 = "mixpe_w4a8", "mixpe_w4a16"


def reproduced(found: Audit) -> list[str]:
    """Say how much of the published table the preset gives."""
    cells = found.cells
    cycles = sum(cell.cycles_agree for cell in cells)
    energy = sum(cell.energy_agrees for cell in cells)
    worst = max(cells, key=lambda cell: abs(cell.energy - cell.published_energy))
    return [
        f"The preset gives {cycles} of {len(cells)} published cycles in both decimals, and {energy} of {len(cells)} "
        f"energies within 0.02, the rounding of the four published parts (largest difference "
        f"{abs(worst.energy - worst.published_energy):.3f}: {found.label(worst.design)} on "
        f"{found.model.network(worst.network).label}).",
        *(
            f"Not reproduced: {found.label(cell.design)} on {found.model.network(cell.network).label}, cycles "
            f"{cell.cycles:.3f} (published {cell.published_cycles:.2f}), energy {cell.energy:.3f} "
            f"(published {cell.published_energy:.2f})."
            for cell in cells
            if not (cell.cycles_agree and cell.energy_agrees)
        ),
    ]


def short(found: Audit) -> list[str]:
    """Say what holds of MixPE's claim, in few sentences."""
    first, last = found.waterfall.steps[0], found.waterfall.steps[-1]
    return [
        *reproduced(found),
        f"As published, MixPE-W4A8 takes {times(first.speedup(MIXPE, 'int8'))} fewer cycles and "
        f"{times(first.energy_gain(MIXPE, 'int8'))} less energy than INT8 (geometric means). On an equal footing "
        "(8-bit activations, equal area, one rule for dequantization, attention, sourced DRAM) "
        f"{_verdict(last, MIXPE, 'int8')}.",
        *technologies(found),
        _largest(found),
        "Against BitFusion, ANT and OLAccel, the corrected figures are "
        + ", ".join(
            f"{times(last.speedup(MIXPE, name))} in cycles and {times(last.energy_gain(MIXPE, name))} in energy "
            f"({found.label(name)})"
            for name in ("bitfusion", "ant", "olaccel")
        )
        + f"; published were {times(first.speedup(MIXPE, 'bitfusion'))}, {times(first.speedup(MIXPE, 'ant'))} and "
        f"{times(first.speedup(MIXPE, 'olaccel'))} in cycles.",
        f"MixPE-W4A16 over FP16: published {times(first.speedup(MIXPE16, 'fp16'))} in cycles and "
        f"{times(first.energy_gain(MIXPE16, 'fp16'))} in energy; corrected {times(last.speedup(MIXPE16, 'fp16'))} and "
        f"{times(last.energy_gain(MIXPE16, 'fp16'))}.",
    ]


def _verdict(step: Step, design: str, over: str) -> str:
    cycles, energy = step.speedup(design, over), step.energy_gain(design, over)
    words = [
        f"{times(value)} {good}" if value >= 1 else f"{times(1 / value)} {bad}"
        for value, good, bad in (
            (cycles, "fewer cycles", "more cycles"),
            (energy, "less energy", "more energy"),
        )
    ]
    return f"it takes {words[0]} and {words[1]}"


def _largest(found: Audit) -> str:
    steps = found.waterfall.steps
    factors = [
        (before.speedup(MIXPE, "int8") / after.speedup(MIXPE, "int8"), after.name) for before, after in pairwise(steps)
    ]
    named = sorted(factors, reverse=True)[:3]
    text = ", ".join(f"{name} ({times(factor)})" for factor, name in named)
    return f"The assumptions that were worth most of MixPE-W4A8's cycles over INT8: {text}."


def caveats(found: Audit) -> list[str]:
    """Say what the corrected comparison rests on."""
    convention = found.waterfall.convention
    costs = found.waterfall.costs
    network = found.networks[0]
    shapes = ", ".join(
        f"{found.label(design)} {costs[design, network].rows} x {costs[design, network].columns}"
        for design in dict.fromkeys(name for name, _ in costs)
    )
    area = costs["int8", network].area_um2
    return [
        f"Arrays of {area / 1e6:.2f} mm² in {convention.technology}, the area of 32 x 32 INT8 PEs with their "
        f"dequantizers: {shapes}.",
        _running_sum(found),
        "Energy is dynamic: PEs, dequantization, SRAM and DRAM. Leakage and the standby of DRAM are left out for every "
        "design alike, as are softmax and norms, which are the same work on the same vector unit.",
        "ANT and OLAccel are built for 4-bit activations. At 8 bits they take two cycles per product, which is what "
        "this comparison asks of them and not what their authors propose; accuracy is not part of these tables.",
    ]


def _running_sum(found: Audit) -> str:
    """Say what the running sum of scaled groups costs of the area that a narrower PE saves."""
    table = load_table(found.waterfall.convention.technology)
    areas = {
        name: price(each.element, table, each.accumulator_bits).area_um2
        for name in (MIXPE, "int8")
        for each in DESIGNS
        if each.name == name
    }
    register = table.area_um2(RUNNING_SUM)
    saved = areas["int8"] - areas[MIXPE]
    return (
        f"A shift-and-add PE takes {areas[MIXPE]:.0f} µm² and an 8 x 8-bit one {areas['int8']:.0f}; but an "
        "output-stationary PE that dequantizes after the group also needs a register for the running sum of scaled "
        f"groups, {register:.0f} µm², {register / saved:.0%} of what the narrower multiplier and accumulator save."
    )


def dram(found: Audit) -> list[str]:
    """Say which ranking survives the price of DRAM."""
    rankings = {}
    for kind, _, step in found.dram:
        names = list(dict.fromkeys(design for design, _ in step.results))
        ordered = sorted(names, key=lambda name: step.energy_gain(name, "fp16"), reverse=True)
        rankings[kind] = ordered
    best = {ordered[0] for ordered in rankings.values()}
    same = len({tuple(ordered) for ordered in rankings.values()}) == 1
    gains = [step.energy_gain(MIXPE, "int8") for _, _, step in found.dram]
    return [
        "The ranking by energy is "
        + ("the same for every kind of DRAM." if same else "not the same for every kind of DRAM: ")
        + (
            ""
            if same
            else "; ".join(f"{kind}: {', '.join(map(found.label, names))}" for kind, names in rankings.items()) + "."
        ),
        f"The least energy is taken by {' or '.join(found.label(name) for name in sorted(best))}; MixPE-W4A8's gain "
        f"over INT8 goes from {times(max(gains))} to {times(min(gains))} as a bit of DRAM costs more.",
    ]


def technologies(found: Audit) -> list[str]:
    """Say how the result depends on the source of areas and energies."""
    steps = [step for _, step in found.technologies]
    cycles = [step.speedup(MIXPE, "int8") for step in steps]
    energy = [step.energy_gain(MIXPE, "int8") for step in steps]
    return [
        f"Over INT8, MixPE-W4A8 comes to {times(min(cycles))} to {times(max(cycles))} in cycles and "
        f"{times(min(energy))} to {times(max(energy))} in energy (below 1: it takes more), by the table that prices "
        "PEs, dequantizers and SRAM; DRAM costs the same in all of them.",
    ]


def headline(found: Audit) -> list[str]:
    """Say where the abstract's speed-up comes from."""
    explained = {each.design: each for each in found.candidates if all(each.agrees)}
    lines = [
        f"The abstract's {HEADLINE_SPEEDUP}x is {EARLIER_MEANS['olaccel']:.2f} / {EARLIER_MEANS['mixpe_w4a8']:.2f}, "
        "OLAccel over MixPE-W4A8 in the means of an earlier run; its inputs are not published. Its "
        f"{HEADLINE_ENERGY}x in energy is, in the last run, "
        f"{times(found.geometric['olaccel'][1])} over OLAccel.",
    ]
    both = [each for each in found.candidates if each.design == MIXPE and all(each.agrees)]
    if both:
        settings = " or ".join(f"“{each.setting}”" for each in both)
        lines.append(
            f"MixPE-W4A8's cycles of that run follow in all networks from {settings}: either twice the PEs of the "
            "others at honest widths, or equal PEs at 4-bit activations."
        )
    for design in ("olaccel", MIXPE16):
        if design in explained:
            continue
        tried = [each for each in found.candidates if each.design == design]
        best = max(tried, key=lambda each: sum(each.agrees))
        off = [
            f"{found.model.network(name).label} {value:.2f} (published {published:.2f})"
            for name, value, published, agrees in zip(
                ("vit_b", "vit_h", "opt_6_7b", "llama_2_13b"), best.cycles, best.published, best.agrees, strict=True
            )
            if not agrees
        ]
        lines.append(
            f"{found.label(design)} of that run is explained on {sum(best.agrees)} of 4 networks, by “{best.setting}”; "
            f"off are {', '.join(off)}: the patch embedding of that run is not known."
        )
    return lines


def ant(found: Audit) -> list[str]:
    """Say what ANT's table rests on."""
    audit = found.ant
    first, equal, last = audit.steps
    base = audit.costs["adafloat"]
    cycles = sum(round(audit.costs[name].cycles / base.cycles, 2) == value for name, value in ant_audit.CYCLES.items())
    energy = sum(
        abs(audit.costs[name].total_nj / base.total_nj - value) <= 0.02 for name, value in ant_audit.ENERGY.items()
    )
    return [
        f"{cycles} of {len(ant_audit.CYCLES)} published cycles of ResNet-18 are reproduced in both decimals, {energy} "
        f"energies within 0.02; the widths of the other networks' layers are not recorded. "
        f"As published, BitFusion takes {times(first.cycles['bitfusion'])}, "
        f"OLAccel {times(first.cycles['olaccel'])} and AdaFloat {times(first.cycles['adafloat'])} the cycles of ANT.",
        f"With equal PEs, OLAccel takes {times(equal.cycles['olaccel'])} and AdaFloat "
        f"{times(equal.cycles['adafloat'])}; with equal widths too, every design takes "
        f"{times(last.cycles['bitfusion'])}: all PEs share one row of power and none has an area, so that the table "
        "compares widths of operands and sizes of arrays, not PEs.",
        f"The first layer, in 8 bits, takes {audit.first_layer:.0%} of ANT's cycles.",
        f"Four of ANT's 4-bit PEs take {times(audit.four_units)} the area of a Bit Fusion unit in gates: arrays of as "
        "many units of four 4-bit products are near equal area.",
    ]


def bitmod(found: Audit) -> list[str]:
    """Say what BitMoD's table rests on."""
    rows, steps = found.bitmod.rows, found.bitmod.steps
    exact = sum(f"{row.cost.cycles:.3e}" == f"{row.cycles:.3e}" for row in rows)
    near = max(abs(row.cost.cycles / row.cycles - 1) for row in rows)
    low, high = min(row.missing for row in rows), max(row.missing for row in rows)
    first, last = steps[0], steps[-2]
    return [
        f"{exact} of {len(rows)} recorded cycles are equal to four digits, all within {near:.2%} "
        f"({bitmod_model.SOURCE}).",
        f"PEs and DRAM explain all but {low:.1%} to {high:.1%} of the recorded energy; the rest is SRAM, whose CACTI "
        "results are not recorded, so that energy is not reproduced to the last digit.",
        f"Over ANT, BitMoD's {times(first.speedup[0])} (prefill) and {times(first.speedup[1])} (decode) become "
        f"{times(last.speedup[0])} and {times(last.speedup[1])} at equal widths and area: in decode the gain is the "
        "width of the weights alone, in prefill a good part is the PE.",
    ]


def means(found: Audit) -> Sequence[str]:
    """Say what the published means are."""
    gains = found.geometric
    published = sum(ENERGY[MIXPE]) / len(ENERGY[MIXPE])
    return [
        "The published “Geomean” of cycles is an arithmetic mean, and that of energy adds cells of other designs (it "
        f"steps by five through six). True geometric means: {times(gains['ant'][0])} fewer cycles than ANT, "
        f"{times(gains['bitfusion'][0])} than BitFusion, {times(gains['int8'][0])} than INT8; energy "
        f"{times(gains['ant'][1])}, {times(gains['bitfusion'][1])}, {times(gains['int8'][1])}. The mean of the "
        f"four published energies of MixPE-W4A8 is {published:.2f}, not the 0.52 that the columns add up to.",
        f"DRAM is priced at {found.model.dram.read_pj_per_bit:.2f} pJ per bit, about a tenth of any sourced figure "
        f"({DRAM}: 8), while its standby, without source, is a quarter of FP16's energy.",
    ]
