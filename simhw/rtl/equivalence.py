"""Is the netlist that everything else works on the same circuit as the description? Asked of Yosys.

The netlist is written out as Verilog gates with registers, and Yosys' equivalence passes compare it with the RTLIL
that Amaranth wrote, register by register. This covers the way from operators to gates and back through the tables of
``simhw.rtl.netlist``, with a solver that shares no code with them.
"""

from __future__ import annotations

from simhw.circuits import Circuit
from simhw.errors import InputError
from simhw.rtl.netlist import Gate, Netlist, netlist
from simhw.rtl.prove import Verdict
from simhw.rtl.rtlil import rtlil
from simhw.rtl.yosys import run_yosys

_EXPRESSIONS = {
    Gate.NOT: "~{a}",
    Gate.AND: "{a} & {b}",
    Gate.NAND: "~({a} & {b})",
    Gate.OR: "{a} | {b}",
    Gate.NOR: "~({a} | {b})",
    Gate.XOR: "{a} ^ {b}",
    Gate.XNOR: "~({a} ^ {b})",
    Gate.ANDNOT: "{a} & ~{b}",
    Gate.ORNOT: "{a} | ~{b}",
    Gate.MUX: "{s} ? {b} : {a}",
}


def prove_netlist(circuit: Circuit, *, gates: Netlist | None = None, limit_s: float = 120.0) -> Verdict:
    """Prove that a netlist is the circuit that the RTLIL describes.

    Args:
        circuit: whose RTLIL is the reference.
        gates: the netlist; made from the circuit if None.
        limit_s: seconds.

    Returns:
        PROVEN, or UNDECIDED where Yosys finds no proof: it says nothing about a difference.
    """
    found = netlist(circuit) if gates is None else gates
    passes = [
        "read_rtlil gold.il",
        "proc",
        "flatten",
        "opt_clean",
        f"rename {circuit.name} gold",
        "setattr -mod -unset top *",
        "read_verilog gate.v",
        "proc",
        "equiv_make gold gate both",
        "hierarchy -top both",
        "opt_clean",
        "equiv_simple -undef",
        "equiv_induct -undef",
        "equiv_status -assert",
    ]
    files = {"gold.il": rtlil(circuit), "gate.v": gate_verilog(found, circuit)}
    try:
        run_yosys(passes, files, what=f"prove the netlist of {circuit.name}", limit_s=limit_s)
    except TimeoutError:
        return Verdict.UNDECIDED
    except InputError as error:
        if "unproven $equiv" in str(error):
            return Verdict.UNDECIDED
        raise
    return Verdict.PROVEN


def gate_verilog(gates: Netlist, circuit: Circuit) -> str:
    """Return a netlist as a Verilog module ``gate`` with clock, registers and one assignment per gate."""
    inputs = {name: len(nets) for name, nets in gates.inputs.items()}
    outputs = {port.name: port.bits for port in circuit.outputs}
    names = ["1'b0", "1'b1", *[""] * (gates.first_gate - 2), *(f"net_[{index}]" for index in range(gates.gates))]
    for name, nets in (*gates.inputs.items(), *gates.state.items()):
        for bit, net in enumerate(nets):
            names[net] = f"{name}[{bit}]"
    lines = [f"module gate(clk, {', '.join([*inputs, *outputs])});", "  input clk;"]
    lines += [f"  input [{bits - 1}:0] {name};" for name, bits in inputs.items()]
    lines += [f"  output [{bits - 1}:0] {name};" for name, bits in outputs.items()]
    lines += [f"  reg [{len(nets) - 1}:0] {name} = 0;" for name, nets in gates.state.items()]
    lines.append(f"  wire [{max(gates.gates, 1) - 1}:0] net_;")
    for index, (kind, operands) in enumerate(zip(gates.kinds, gates.operands, strict=True)):
        a, b, s = (names[net] for net in operands)
        lines.append(f"  assign net_[{index}] = {_EXPRESSIONS[Gate(kind)].format(a=a, b=b, s=s)};")
    lines += [f"  assign {name} = {_concatenated(nets, names)};" for name, nets in gates.outputs.items()]
    lines += [
        f"  always @(posedge clk) {name} <= {_concatenated(nets, names)};" for name, nets in gates.next_state.items()
    ]
    return "\n".join([*lines, "endmodule", ""])


def _concatenated(nets: tuple[int, ...], names: list[str]) -> str:
    return "{" + ", ".join(names[net] for net in reversed(nets)) + "}"
