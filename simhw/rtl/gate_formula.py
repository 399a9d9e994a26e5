"""The gates of a netlist as SMT-LIB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simhw.rtl.netlist import Gate, Netlist
from simhw.rtl.smt import Script

_TERMS = {
    Gate.NOT: "(not {a})",
    Gate.AND: "(and {a} {b})",
    Gate.NAND: "(not (and {a} {b}))",
    Gate.OR: "(or {a} {b})",
    Gate.NOR: "(not (or {a} {b}))",
    Gate.XOR: "(xor {a} {b})",
    Gate.XNOR: "(= {a} {b})",
    Gate.ANDNOT: "(and {a} (not {b}))",
    Gate.ORNOT: "(or {a} (not {b}))",
    Gate.MUX: "(ite {s} {b} {a})",
}


def gate_formula(script: Script, netlist: Netlist, sources: Mapping[str, str]) -> dict[str, str]:
    """Write the gates into ``script`` and return the bit vector of each next state and output.

    Args:
        script: takes the definitions.
        netlist: the gates.
        sources: bit vector of each input and register.
    """
    nets = ["false", "true", *[""] * (netlist.first_gate - 2)]
    for name, numbers in (*netlist.inputs.items(), *netlist.state.items()):
        for bit, net in enumerate(numbers):
            nets[net] = script.define_truth(f"(= ((_ extract {bit} {bit}) {sources[name]}) #b1)")
    for kind, (a, b, s) in zip(netlist.kinds, netlist.operands, strict=True):
        nets.append(script.define_truth(_TERMS[Gate(kind)].format(a=nets[a], b=nets[b], s=nets[s])))
    results = {**netlist.next_state, **netlist.outputs}
    return {
        name: script.define(_word([nets[net] for net in numbers]), len(numbers)) for name, numbers in results.items()
    }


def _word(bits: Sequence[str]) -> str:
    vectors = [f"(ite {bit} #b1 #b0)" for bit in reversed(bits)]
    return f"(concat {' '.join(vectors)})" if len(vectors) > 1 else vectors[0]
