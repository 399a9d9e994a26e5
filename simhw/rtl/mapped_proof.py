"""Is the netlist of standard cells the same circuit as the description? Asked of Yosys' SAT solver.

The functions of the cells are those that the library states. Both circuits start from registers that hold 0 and take
the same inputs; outputs must agree for ever, which is shown by induction over the clocks. The reset is tied off, as in
synthesis. Flip-flops that keep the inverse (all that ASAP7 has) do not start like that: nothing is decided with them.
"""

from __future__ import annotations

import re

from simhw.circuits import Circuit
from simhw.rtl.liberty import DONT_USE, Library
from simhw.rtl.prove import Verdict
from simhw.rtl.rtlil import rtlil
from simhw.rtl.yosys import run_yosys

_PROVEN = "Induction step proven: SUCCESS!"
_REFUTED = "SAT temporal induction proof finished - model found for base case: FAIL!"
_INVERTING = re.compile(r"\.QN\(")
"""A register whose only output is the inverse of what it holds."""
_STEPS = 6
"""Clocks that an induction may look back; a PE has two ranks of registers."""


def prove_mapped(circuit: Circuit, verilog: str, library: Library, *, limit_s: float = 120.0) -> Verdict:
    """Return whether a mapped netlist is the circuit that its description says.

    Args:
        circuit: whose RTLIL is the reference.
        verilog: netlist of the library's cells, as :func:`simhw.rtl.mapping.map_circuit` makes it.
        library: for what the cells compute.
        limit_s: seconds.

    Raises:
        InputError: Yosys cannot read the netlist or the library.
    """
    usable = set(library.usable(DONT_USE))
    cells = {f"cells{index}.lib": file.excerpt(usable) for index, file in enumerate(library.files)}
    name = circuit.name
    passes = [
        *("read_rtlil gold.il", "proc -norom", "delete -port w:rst", "setundef -zero -undriven", "flatten"),
        *(f"rename {name} gold", "setattr -mod -unset top *", "design -stash gold"),
        *(f"read_liberty {file}" for file in cells),
        *("read_verilog gate.v", f"hierarchy -top {name}", "flatten", f"rename {name} gate"),
        *("setattr -mod -unset top *", "async2sync", "design -stash gate"),
        *("design -copy-from gold -as gold gold", "design -copy-from gate -as gate gate"),
        *("miter -equiv -flatten -make_assert gold gate miter", "hierarchy -top miter", "setattr -unset init w:*"),
        *("opt_clean", f"sat -prove-asserts -tempinduct -set-init-zero -maxsteps {_STEPS} miter"),
    ]
    try:
        log = run_yosys(
            passes, {"gold.il": rtlil(circuit), "gate.v": verilog, **cells}, what=f"prove {name}", limit_s=limit_s
        )["log"]
    except TimeoutError:
        return Verdict.UNDECIDED
    if _PROVEN in log:
        return Verdict.PROVEN
    return Verdict.COUNTEREXAMPLE if _REFUTED in log and not _INVERTING.search(verilog) else Verdict.UNDECIDED
