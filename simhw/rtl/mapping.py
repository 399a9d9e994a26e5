"""Maps a circuit to standard cells with Yosys and ABC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from simhw.circuits import Circuit
from simhw.errors import InputError
from simhw.rtl.liberty import DONT_USE, Library
from simhw.rtl.mapped import MappedNetlist, read_mapped
from simhw.rtl.rtlil import rtlil
from simhw.rtl.yosys import run_yosys

_SCRIPT = "strash; ifraig; scorr;{area} strash; &get -n; &dch -f; &nf; &put; buffer; upsize -D {period}; "
_SCRIPT += "dnsize -D {period}; stime -p"
_AREA = " dc2;"
_LONGEST_PS, _SHORTEST_PS = 1_000_000, 1


class Goal(Enum):
    """What a netlist is made for."""

    AREA = "area"
    """Smallest: logic is restructured for few gates, which takes carry look-ahead apart, and sized for a slow clock."""
    SPEED = "speed"
    """Fastest: the structure of adders stays, cells are sized for a clock period, the shortest if none is given."""


_DELAY = re.compile(r"ABC:.*Delay =\s*([\d.]+) ps")


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """What mapping yields.

    Attributes:
        netlist: of standard cells.
        gate_delay_ps: longest path through gates as ABC sees it, from register output to register input.
    """

    netlist: MappedNetlist
    gate_delay_ps: float


def map_circuit(
    circuit: Circuit,
    library: Library,
    goal: Goal = Goal.AREA,
    *,
    period_ps: float | None = None,
    dont_use: Sequence[str] = DONT_USE,
) -> Mapping:
    """Return ``circuit`` as cells of ``library``.

    The reset is tied off: ``first`` starts every sum, so no PE needs one, and it would cost a gate per register.

    Args:
        circuit: what to map.
        library: the cells.
        goal: area or speed.
        period_ps: clock period to size for; None: a long one for area, the shortest for speed.
        dont_use: glob patterns of cells to leave out.

    Raises:
        InputError: Amaranth or pyosys is not installed, Yosys fails, or the library lacks a buffer or flip-flop.
    """
    return map_rtlil(rtlil(circuit), circuit.name, library, goal, period_ps=period_ps, dont_use=dont_use)


def map_rtlil(
    text: str,
    name: str,
    library: Library,
    goal: Goal = Goal.AREA,
    *,
    period_ps: float | None = None,
    dont_use: Sequence[str] = DONT_USE,
) -> Mapping:
    """Return the module ``name`` in RTLIL ``text`` as cells of ``library``; see ``map_circuit``."""
    usable = library.usable(dont_use)
    buffers = [cell for cell in library.gates([False, True]) if cell.name in usable]
    if not buffers or not any(cell.flip_flop and cell.name in usable for cell in library.outlines):
        missing = "flip-flop" if buffers else "buffer"
        raise InputError(f"library {library.name} has no usable {missing}; give all liberty files of the library")
    default = _LONGEST_PS if goal is Goal.AREA else _SHORTEST_PS
    period = default if period_ps is None else period_ps
    excerpts = {f"cells{place}.lib": file.excerpt(set(usable)) for place, file in enumerate(library.files)}
    files = {
        "in.il": text,
        "constraints": f"set_driving_cell {buffers[0].name}\nset_load 0\n",
        "script.abc": _SCRIPT.format(area=_AREA if goal is Goal.AREA else "", period=max(1, round(period))),
        **{path: excerpt for path, excerpt in excerpts.items() if "cell" in excerpt},
    }
    libraries = " ".join(f"-liberty {path}" for path in excerpts)
    reset = ["delete -port w:rst", "setundef -zero -undriven"] if re.search(r"input \d+\s+\\rst$", text, re.M) else []
    passes = [
        "read_rtlil in.il",
        "proc -norom",
        *reset,
        "flatten",
        "opt -full",
        "techmap",
        "opt",
        "setattr -unset init w:*",
        f"dfflibmap {libraries}",
        "opt",
        f"abc {libraries} -constr constraints -script script.abc",
        "opt_clean",
        "rename -enumerate -pattern u% c:*",
        "write_json out.json",
        "write_verilog -noattr out.v",
    ]
    done = run_yosys(passes, files, ["out.json", "out.v"], what=f"map {name} to {library.name}")
    delay = _DELAY.findall(done["log"])
    netlist = read_mapped(done["out.json"], library, done["out.v"])
    return Mapping(netlist=netlist, gate_delay_ps=float(delay[-1]) if delay else 0.0)
