"""A library small enough to compute with by hand, and the real ones."""

from pathlib import Path

import pytest

from simhw.rtl.liberty import Library, read_library

HEADER = """
/* cells of one fixed delay each */
library (toy) {
  time_unit : "1ps"; capacitive_load_unit (1, ff); voltage_unit : "1V"; leakage_power_unit : "1nW";
  nom_voltage : 2; nom_temperature : 25;
  lu_table_template (constant) { variable_1 : input_net_transition; index_1 ("1, 2"); }
"""


def gate(name: str, function: str, pins: str, *, delay: float, energy: float, load: float = 1.0, area: float = 1.0):
    """Text of a gate: every delay and every energy of an output edge is one number, passive energies are a tenth."""
    arcs = "".join(
        f"""
      timing () {{ related_pin : "{pin}"; timing_sense : non_unate;
        cell_rise (scalar) {{ values ("{delay}"); }} cell_fall (scalar) {{ values ("{delay}"); }}
        rise_transition (scalar) {{ values ("1"); }} fall_transition (scalar) {{ values ("1"); }} }}
      internal_power () {{ related_pin : "{pin}"; rise_power (scalar) {{ values ("{energy}"); }}
        fall_power (scalar) {{ values ("{energy}"); }} }}"""
        for pin in pins
    )
    inputs = "".join(
        f"""
    pin ({pin}) {{ direction : input; capacitance : {load};
      internal_power () {{ rise_power (scalar) {{ values ("{energy / 10}"); }}
        fall_power (scalar) {{ values ("{energy / 10}"); }} }} }}"""
        for pin in pins
    )
    return f"""
  cell ({name}) {{ area : {area}; cell_leakage_power : 3;
    pin (Y) {{ direction : output; function : "{function}"; {arcs}
    }} {inputs}
  }}
"""


FLIP_FLOP = """
  cell (DFF) { area : 4; cell_leakage_power : 5;
    ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }
    pin (Q) { direction : output; function : "IQ";
      timing () { related_pin : "C"; timing_type : rising_edge; timing_sense : non_unate;
        cell_rise (scalar) { values ("7"); } cell_fall (scalar) { values ("6"); }
        rise_transition (scalar) { values ("1"); } fall_transition (scalar) { values ("1"); } }
      internal_power () { related_pin : "C"; rise_power (scalar) { values ("0.5"); }
        fall_power (scalar) { values ("0.25"); } } }
    pin (C) { direction : input; clock : true; capacitance : 0.5;
      internal_power () { when : "D & !Q"; rise_power (scalar) { values ("0"); } fall_power (scalar) { values ("1"); } }
      internal_power () { when : "!D & Q"; rise_power (scalar) { values ("0"); } fall_power (scalar) { values ("2"); } }
      internal_power () { rise_power (scalar) { values ("0.125"); } fall_power (scalar) { values ("0.0625"); } } }
    pin (D) { direction : input; capacitance : 2;
      timing () { related_pin : "C"; timing_type : setup_rising;
        rise_constraint (scalar) { values ("3"); } fall_constraint (scalar) { values ("4"); } }
      internal_power () { when : "C"; rise_power (scalar) { values ("0.3"); }
        fall_power (scalar) { values ("0.1"); } }
      internal_power () { when : "!C"; rise_power (scalar) { values ("0.5"); }
        fall_power (scalar) { values ("0.3"); } } }
  }
"""


@pytest.fixture
def toy(tmp_path: Path) -> Library:
    """INV 10 ps, BUF 20 ps, NAND2 4 ps, XOR2 30 ps, all with distinct energies; a flip-flop; 2 V."""
    cells = [
        gate("INV", "!A", "A", delay=10, energy=1.0, load=1),
        gate("BUF", "A", "A", delay=20, energy=2.0, load=2),
        gate("NAND2", "!(A & B)", "AB", delay=4, energy=4.0, load=3, area=2),
        gate("XOR2", "A ^ B", "AB", delay=30, energy=8.0, load=4),
    ]
    path = tmp_path / "toy.lib"
    path.write_text(HEADER + "".join(cells) + FLIP_FLOP + "}\n")
    return read_library([path])


@pytest.fixture(scope="session")
def sg13g2(liberty: Path) -> Library:
    """IHP's 130 nm library."""
    return read_library([liberty / "sg13g2_typ.lib.gz"])


@pytest.fixture(scope="session")
def asap7(liberty: Path) -> Library:
    """ASAP7, five files."""
    return read_library(sorted(liberty.glob("asap7_*.lib.gz")))
