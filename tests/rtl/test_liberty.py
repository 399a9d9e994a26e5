"""Liberty files: small ones with everything that is read in them, the real ones against figures read off by hand."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.rtl.liberty import DONT_USE, read_library
from simhw.rtl.liberty_table import Table, TableReader
from simhw.rtl.liberty_text import Group
from simhw.rtl.timing_kernels import look_up

TEXT = """
/* comment with a cell (GHOST) { */
library ("small_a_b") {
  time_unit : "1ns";
  capacitive_load_unit (1,pf);
  leakage_power_unit : "1pW";
  nom_voltage : 1.5; nom_temperature : 25;
  lu_table_template (swapped) {
    variable_1 : total_output_net_capacitance;
    variable_2 : input_net_transition;
    index_1 ("0.001, 0.003"); index_2 ("0.1, 0.2, 0.4");
  }
  cell (NAND2) {
    area : 2.5
    leakage_power () { value : 40; when : "A"; related_pg_pin : VDD; }
    leakage_power () { value : 2; when : "A"; related_pg_pin : VSS; }
    leakage_power () { value : 10; when : "!A"; related_pg_pin : VDD; }
    pin (Y) {
      direction : "output";
      function : "(!A) + (!B)";
      timing () {
        related_pin : "A"; timing_sense : negative_unate;
        cell_rise (swapped) { values ( \\
          "1, 2, 3", \\
          "4, 5, 6" \\
        ); }
        cell_fall (scalar) { values ("7"); }
      }
      internal_power () { related_pin : "A"; related_pg_pin : VDD; power (scalar) { values ("0.25"); } }
      internal_power () { related_pin : "A"; related_pg_pin : VSS; power (scalar) { values ("-0.05"); } }
    }
    pin (A) { direction : input; capacitance : 0.002; }
    pin (B) { direction : input; capacitance : 0.004; }
  }
  cell (BIGGER_NAND2) { area : 3; pin (Y) { direction : output; function : "!(A B)"; }
    pin (A) { direction : input; } pin (B) { direction : input; } }
  cell (BUS) { area : 1; three_state : 1; pin (Y) { direction : output; three_state : "!E"; function : "A"; }
    pin (A) { direction : input; } pin (E) { direction : input; } }
  cell (NEVER) { area : 1; dont_use : true; pin (Y) { direction : output; function : "!A"; }
    pin (A) { direction : input; } }
  cell (SCAN) { area : 9; ff (IQ,IQN) { clocked_on : C; next_state : "(SE SI) + (!SE D)"; }
    pin (Q) { direction : output; function : IQ; } pin (C) { direction : input; } pin (D) { direction : input; }
    pin (SE) { direction : input; } pin (SI) { direction : input; } }
  cell (DFF_N) { area : 8; ff (IQN,IQNN) { clocked_on : C; next_state : "!D"; }
    pin (QN) { direction : output; function : "IQN"; } pin (C) { direction : input; } pin (D) { direction : input; } }
}
"""


def write(path, text, *, packed=False):
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_small_file(tmp_path, packed):
    library = read_library([write(tmp_path / "small.lib", TEXT, packed=packed)])
    assert (library.name, library.voltage_v) == ("small_a_b", 1.5)
    assert library.cell_names() == ("NAND2", "BIGGER_NAND2", "BUS", "NEVER", "SCAN", "DFF_N")
    nand = library.cell("NAND2")
    assert library.nand2.name == "NAND2"
    assert nand.area_um2 == 2.5  # no semicolon behind it
    assert nand.leakage_nw == pytest.approx((42 + 10) / 2 / 1000)  # supply and ground added, conditions averaged
    assert [pin.capacitance_ff for pin in nand.inputs] == [2.0, 4.0]
    assert nand.truth.tolist() == [True, True, True, False]
    (output,) = nand.outputs
    (arc,) = output.arcs
    fall, rise = arc.delay
    assert fall.at(5.0, 5.0) == 7000.0
    # 1 ns units, rows are loads in the file: 0.1 ns and 0.003 pF is the 4.
    assert rise.at(100.0, 3.0) == 4000.0
    assert rise.at(400.0, 1.0) == 3000.0
    assert [power.supply for power in output.power] == ["VDD", "VSS"]
    energies = [power.energy[1].at(0.0, 0.0) for power in output.power]
    assert energies == [pytest.approx(250.0), pytest.approx(-50.0)]  # pF V^2 is pJ


def test_what_synthesis_may_take(tmp_path):
    library = read_library([write(tmp_path / "small.lib", TEXT)])
    assert library.usable([]) == ["NAND2", "BIGGER_NAND2", "DFF_N"]
    assert library.usable(["BIG*"]) == ["NAND2", "DFF_N"]
    flip_flop = library.cell("DFF_N").flip_flop
    assert (flip_flop.clock, flip_flop.data, flip_flop.inverted) == ("C", "D", True)
    assert library.cell("SCAN").flip_flop is None


def test_excerpt_is_a_library_again(tmp_path):
    library = read_library([write(tmp_path / "small.lib", TEXT)])
    text = library.files[0].excerpt({"NAND2", "DFF_N"})
    again = read_library([write(tmp_path / "again.lib", text)])
    assert again.cell_names() == ("NAND2", "DFF_N")
    assert "area : 2.5;" in text


def test_several_files(tmp_path):
    a = write(tmp_path / "a.lib", TEXT)
    b = write(tmp_path / "b.lib", TEXT.replace("small_a_b", "small_c_b").replace("(NAND2)", "(NAND2_B)"))
    library = read_library([a, b])
    assert library.name == "small_b"
    assert {"NAND2", "NAND2_B"} <= set(library.cell_names())
    other = write(tmp_path / "c.lib", TEXT.replace("nom_voltage : 1.5", "nom_voltage : 0.7"))
    with pytest.raises(InputError, match=r"several corners \(0.7 V 25.0 C, 1.5 V 25.0 C\)"):
        read_library([a, other])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no 'library"),
        (b"module x; endmodule", "no 'library"),
        (b"library (x) { }", "no 'cell"),
        (b"\x1f\x8b broken", "cannot be read"),
        (gzip.compress(TEXT.encode())[:300], "cannot be read"),
        (TEXT.replace("nom_voltage : 1.5;", "").encode(), "states no nom_voltage"),
        (TEXT.replace('time_unit : "1ns"', 'time_unit : "fast"').encode(), "unit is 'fast'"),
        (TEXT.replace('"1, 2, 3"', '"1, 2"').encode(), "5 values for 6 pairs"),
        (TEXT.replace('"1, 2, 3"', '"1, 2, x"').encode(), "must be numbers"),
        (TEXT.replace("area : 2.5", "area = 2.5").encode(), "cannot be read near 'area = 2.5"),
        (TEXT.replace('"(!A) + (!B)"', '"(!A) + (!Z)"').encode(), "'Z' is not known"),
    ],
)
def test_refused(tmp_path, content, message):
    path = tmp_path / "bad.lib"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        _ = read_library([path]).cell("NAND2").truth, read_library([path]).cell("NAND2").outputs[0].arcs


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_library([tmp_path / "none.lib"])
    with pytest.raises(InputError, match="no liberty file was given"):
        read_library([])


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.floats(-20, 40), st.floats(-20, 40))
def test_a_bilinear_function_is_met_everywhere(factors, slew, load):
    a, b, c, d = factors
    slews, loads = np.array([1.0, 2.0, 5.0]), np.array([0.5, 4.0])

    def function(x, y):
        return a + b * x + c * y + d * x * y

    table = Table(slews=slews, loads=loads, values=function(slews[:, None], loads[None, :]))
    assert table.at(slew, load) == pytest.approx(function(slew, load), rel=1e-9, abs=1e-9)
    both = table.plus(Table(slews=np.zeros(1), loads=np.zeros(1), values=np.ones((1, 1))))
    assert both.at(slew, load) == pytest.approx(function(slew, load) + 1, rel=1e-9, abs=1e-9)
    numbers = np.concatenate([slews, loads, table.values.ravel()])
    found = look_up(np.array([[0, 3, 3, 2, 5]]), numbers, 0, slew, load)
    assert found == pytest.approx(function(slew, load), rel=1e-9, abs=1e-9)


def test_between_points():
    table = Table(
        slews=np.array([0.0, 10.0]), loads=np.array([0.0, 10.0]), values=np.array([[0.0, 10.0], [20.0, 50.0]])
    )
    # 0.75 * (0.5 * 0 + 0.5 * 10) + 0.25 * (0.5 * 20 + 0.5 * 50)
    assert table.at(2.5, 5.0) == 12.5
    assert look_up(np.array([[0, 2, 2, 2, 4]]), np.array([0, 10.0, 0, 10, 0, 10, 20, 50]), 0, 2.5, 5.0) == 12.5


def test_units():
    header = Group(kind="library", arguments="x", attributes={"capacitive_load_unit": "10,ff", "voltage_unit": "100mV"})
    units = TableReader(header).units
    assert units.load_ff == pytest.approx(10)
    assert units.energy_fj == pytest.approx(0.1)
    assert units.time_ps == pytest.approx(1000)


def test_asap7(asap7):
    assert (asap7.voltage_v, len(asap7.cell_names())) == (0.7, 202)
    assert asap7.nand2.area_um2 == 0.05832
    nand = asap7.cell("NAND2xp5_ASAP7_75t_R")
    assert nand.leakage_nw == pytest.approx(0.0496344)
    assert [pin.capacitance_ff for pin in nand.inputs] == pytest.approx([0.495514, 0.523909])
    arc = nand.outputs[0].arcs[0]
    assert (arc.pin, arc.sense) == ("A", "negative_unate")
    assert arc.delay[1].at(40.0, 2.88) == 36.1736
    assert arc.delay[0].at(5.0, 0.36) == 7.00317
    rising = [power.energy[1].at(5.0, 0.36) for power in nand.outputs[0].power if power.pin == "A"]
    assert rising == pytest.approx([0.139613, -0.0341296])
    assert asap7.cell("INVx1_ASAP7_75t_R").area_um2 == 0.04374  # written without a semicolon
    usable = asap7.usable(DONT_USE)
    assert {"DFFHQNx1_ASAP7_75t_R", "NAND2x1_ASAP7_75t_R"} <= set(usable)
    assert not {"NAND2xp5_ASAP7_75t_R", "SDFHx1_ASAP7_75t_R", "ICGx1_ASAP7_75t_R", "FAx1_ASAP7_75t_R"} & set(usable)


def test_sg13g2(sg13g2):
    assert (sg13g2.voltage_v, len(sg13g2.cell_names())) == (1.2, 84)
    assert (sg13g2.nand2.name, sg13g2.nand2.area_um2) == ("sg13g2_nand2_1", 7.2576)
    nand = sg13g2.cell("sg13g2_nand2_1")
    assert nand.leakage_nw == pytest.approx(0.0812456)
    assert nand.inputs[0].capacitance_ff == pytest.approx(2.88593)
    assert nand.outputs[0].arcs[1].delay[1].at(96.6, 39.0) == pytest.approx(178.013)
    assert nand.outputs[0].power[0].energy[0].at(18.6, 1.0) == pytest.approx(2.3494)
    usable = sg13g2.usable(DONT_USE)
    assert "sg13g2_dfrbpq_1" in usable
    assert not {"sg13g2_dlygate4sd1_1", "sg13g2_ebufn_2", "sg13g2_sdfrbpq_1", "sg13g2_antennanp"} & set(usable)


def test_every_cell_of_the_real_files_is_read(asap7, sg13g2):
    for library in (asap7, sg13g2):
        for name in library.usable(DONT_USE):
            cell = library.cell(name)
            assert cell.area_um2 > 0
            assert all(pin.capacitance_ff > 0 for pin in cell.inputs)
            if cell.inputs:
                assert cell.outputs[0].arcs
                assert cell.outputs[0].power
