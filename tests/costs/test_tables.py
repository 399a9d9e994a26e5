"""The shipped tables say what their sources say, and nothing without unit and source loads."""

import pytest

from simhw.costs import (
    BitwiseAnd,
    Confidence,
    FloatAdd,
    FloatMultiply,
    IntegerAdd,
    IntegerMultiply,
    Quantity,
    Register,
    load_table,
    parse_table,
    table_names,
)
from simhw.costs.loader import SIZES
from simhw.errors import InputError

FP16, BF16, FP32 = (5, 11), (8, 8), (8, 24)


def _multiply(layout):
    return FloatMultiply(exponent_bits=layout[0], significand_bits=layout[1])


def _add(layout):
    return FloatAdd(exponent_bits=layout[0], significand_bits=layout[1])


INT8, INT32 = IntegerMultiply(a_bits=8, b_bits=8), IntegerMultiply(a_bits=32, b_bits=32)

HOROWITZ = [
    (IntegerAdd(bits=8), 0.03, 36),
    (IntegerAdd(bits=16), 0.05, 67),
    (IntegerAdd(bits=32), 0.1, 137),
    (INT8, 0.2, 282),
    (INT32, 3.1, 3495),
    (_add(FP16), 0.4, 1360),
    (_add(FP32), 0.9, 4184),
    (_multiply(FP16), 1.1, 1640),
    (_multiply(FP32), 3.7, 7700),
]
JOUPPI = [
    (IntegerAdd(bits=8), 0.007),
    (IntegerAdd(bits=32), 0.03),
    (INT8, 0.07),
    (INT32, 1.48),
    (_add(BF16), 0.11),
    (_add(FP16), 0.16),
    (_add(FP32), 0.38),
    (_multiply(BF16), 0.21),
    (_multiply(FP16), 0.34),
    (_multiply(FP32), 1.31),
]


@pytest.mark.parametrize(("part", "energy_pj", "area_um2"), HOROWITZ, ids=repr)
def test_horowitz_numbers(part, energy_pj, area_um2):
    table = load_table("horowitz_45nm")
    assert table.energy_pj(part) == energy_pj
    assert table.area_um2(part) == area_um2


@pytest.mark.parametrize(("part", "energy_pj"), JOUPPI, ids=repr)
def test_jouppi_numbers(part, energy_pj):
    assert load_table("jouppi_7nm").energy_pj(part) == energy_pj


@pytest.mark.parametrize(
    ("name", "points"),
    [("horowitz_45nm", {8: 10, 32: 20, 1024: 100}), ("jouppi_7nm", {8: 7.5, 32: 8.5, 1024: 14})],
)
def test_sram_numbers_are_of_64_bits(name, points):
    for capacity_kib, energy_pj in points.items():
        assert load_table(name).sram_pj_per_bit(capacity_kib, write=False) == energy_pj / 64
        assert load_table(name).sram_pj_per_bit(capacity_kib, write=True) == energy_pj / 64


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("horowitz_45nm", {"ddr": 1300 / 64, "hbm2": 3.9}),
        ("jouppi_7nm", {"ddr": 1300 / 64, "hbm2": 350 / 64, "gddr6": 415 / 64}),
    ],
)
def test_dram_numbers(name, kinds):
    table = load_table(name)
    assert {kind: table.dram_pj_per_bit(kind) for kind in table.dram_kinds()} == kinds
    assert table.dram_pj_per_bit() == kinds["ddr"]


def test_nodes_and_voltages():
    shipped = {name: (load_table(name).node_nm, load_table(name).voltage_v) for name in table_names()}
    assert shipped == {
        "aladdin_40nm": (40, 1.0),
        "asap7_7nm_synthesised_mixed": (7, 0.7),
        "gates_28nm": (28, 0.9),
        "horowitz_45nm": (45, 0.9),
        "jouppi_7nm": (7, 0.7),
    }


@pytest.mark.parametrize("name", table_names())
def test_every_number_has_a_source_and_says_when_it_is_scaled(name):
    for entry in load_table(name).entries:
        assert len(entry.source) > 20
        assert entry.scaled == bool(entry.scaling)
        assert entry.value > 0
        assert tuple(dict(entry.size)) == SIZES[entry.part]


def test_scaled_numbers_are_the_source_times_its_factor():
    old, new = load_table("horowitz_45nm"), load_table("jouppi_7nm")
    assert new.energy_pj(Register(bits=1)) == pytest.approx(old.energy_pj(Register(bits=1)) * 0.03 / 0.1)
    assert new.area_um2(INT8) == pytest.approx(282 * 0.059)
    assert old.energy_pj(_multiply(BF16)) == pytest.approx(0.21 * 1.1 / 0.34, rel=1e-3)  # factor has 4 digits
    scaled = [entry for entry in new.entries if entry.quantity is Quantity.AREA]
    assert all(entry.scaled for entry in scaled if entry.part != "sram_read")


def test_recalled_numbers_are_marked():
    table = load_table("jouppi_7nm")
    by_confidence = {
        confidence: {
            (entry.part, entry.value) for entry in table.entries if entry.confidence is confidence and not entry.scaled
        }
        for confidence in Confidence
    }
    assert ("integer_multiply", 1.48) in by_confidence[Confidence.RECALLED]
    assert ("integer_multiply", 0.07) in by_confidence[Confidence.CONFIRMED]


GOOD = """
description = "a table"
node_nm = 28
voltage_v = 0.9
source = "a measurement"
dram_default = "ddr"
[sources]
lab = "our own laboratory, 2024"
"""
ENTRIES = {
    "integer_add": "bits = 8",
    "integer_multiply": "a_bits = 8\nb_bits = 8",
    "bitwise_and": "bits = 1",
    "float_add": "exponent_bits = 8\nsignificand_bits = 24",
    "shift": "bits = 32\npositions = 32",
    "register": "bits = 1",
}


def _table(**replaced):
    """A complete small table; ``replaced`` has the text of an entry by part name."""
    entries = []
    for part, sizes in ENTRIES.items():
        entries += [
            f'[[entry]]\npart = "{part}"\n{sizes}\n{quantity} = 1.0\nsource = "lab"\n'
            for quantity in ("energy_pj", "area_um2")
        ]
    entries += [
        '[[entry]]\npart = "sram_read"\ncapacity_kib = 8\nwidth_bits = 64\nenergy_pj = 10\nsource = "lab"\n',
        '[[entry]]\npart = "dram"\nkind = "ddr"\nwidth_bits = 64\nenergy_pj = 1300\nsource = "lab"\n',
    ]
    return GOOD + "\n".join(entries) + "\n".join(replaced.values())


EXTRA = '[[entry]]\npart = "integer_add"\nbits = 32\n'


def test_a_complete_table_loads():
    table = parse_table(_table(), "mine")
    assert (table.name, table.node_nm, table.sram_pj_per_bit(300, write=True)) == ("mine", 28, 10 / 64)
    assert table.energy_pj(IntegerAdd(bits=16)) == 2.0


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            'energy = 0.1\nsource = "lab"',
            "states 0 numbers with a unit, must state one of energy_pj or area_um2",
        ),
        ("energy_pj = 0.1", "cites the source None, known are lab"),
        ('energy_pj = 0.1\nsource = "hearsay"', "cites the source 'hearsay', known are lab"),
        (
            'energy_pj = -0.1\nsource = "lab"',
            "energy_pj of integer_add .* is -0.1, must be a positive number",
        ),
        ('energy_pj = 0\nsource = "lab"', "is 0, must be a positive number"),
        ('energy_pj = nan\nsource = "lab"', "is nan, must be a positive number"),
        ('energy_pj = inf\nsource = "lab"', "is inf, must be a positive number"),
        ('energy_pj = "0.1"\nsource = "lab"', "is '0.1', must be a positive number"),
        (
            'energy_pj = 0.1\nsource = "lab"\nleakage = 3',
            "unknown key 'leakage', allowed are part, bits, energy_pj",
        ),
        ('energy_pj = 0.1\narea_um2 = 3\nsource = "lab"', "states 2 numbers with a unit"),
        ('energy_pj = 0.1\nsource = "lab"\nconfidence = "sure"', "is 'sure', must be confirmed or recalled"),
        (
            'energy_pj = 0.1\nsource = "lab"\nscaling_factor = 2',
            "needs scaling_factor and scaling_source together",
        ),
        (
            'energy_pj = 0.1\nsource = "lab"\nscaling_factor = -2\nscaling_source = "x"',
            "scaling_factor of .* is -2, must be a positive number",
        ),
    ],
)
def test_numbers_without_unit_source_or_sense_are_refused(entry, message):
    with pytest.raises(InputError, match=message):
        parse_table(_table(extra=EXTRA + entry), "mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("node_nm = ", "is not valid TOML"),
        (_table().replace('description = "a table"', ""), "has no 'description', every table states it"),
        (
            _table().replace("node_nm = 28", "node_nm = 0"),
            "node_nm of cost table 'mine' is 0, must be a positive",
        ),
        (_table().replace("node_nm = 28", "node = 28"), "unknown key 'node'"),
        (_table().replace('source = "a measurement"', 'source = " "'), "source of cost table 'mine' is ' '"),
        (
            _table().replace('dram_default = "ddr"', 'dram_default = "hbm9"'),
            "dram is 'hbm9', which is not known",
        ),
        (_table().replace('part = "register"', 'part = "latch"'), "part is 'latch', which is not known"),
        (_table().replace("a_bits = 8\n", ""), "has no 'a_bits', the sizes are a_bits, b_bits"),
        (
            _table().replace("a_bits = 8\n", "a_bits = 0\n"),
            "a_bits of integer_multiply .* is 0, must be a positive",
        ),
        (_table(again=EXTRA.replace("32", "8") + 'energy_pj = 1\nsource = "lab"'), "twice, allowed is once"),
    ],
)
def test_broken_tables_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_table(text, "mine")


def test_a_table_without_a_required_part_is_refused():
    start = _table().index('[[entry]]\npart = "shift"')
    end = _table().index('[[entry]]\npart = "register"')
    with pytest.raises(InputError, match="has no energy_pj of shift; add an entry with a source"):
        parse_table(_table()[:start] + _table()[end:], "mine")


def test_unknown_table_names_the_nearest():
    with pytest.raises(InputError, match="technology is 'horowitz', which is not known; nearest: horowitz_45nm"):
        load_table("horowitz")


@pytest.mark.parametrize(
    ("capacity_kib", "width_bits", "read_pj", "write_pj"),
    [(32, 512, 22.9, 52.0), (64, 512, 26.6, 30.8), (1024, 1024, 208, 189)],
)
def test_gates_have_writes_of_their_own(capacity_kib, width_bits, read_pj, write_pj):
    table = load_table("gates_28nm")
    assert table.sram_pj_per_bit(capacity_kib, write=False) == read_pj / width_bits
    assert table.sram_pj_per_bit(capacity_kib, write=True) == write_pj / width_bits


def test_a_smaller_sram_never_costs_more_than_the_smallest_point():
    """Writes at 32 KiB cost more than at 64 there: below 32 KiB that slope is not followed upwards."""
    table = load_table("gates_28nm")
    assert [table.sram_pj_per_bit(kib, write=True) for kib in (1, 31, 32)] == [52.0 / 512] * 3
    assert table.sram_pj_per_bit(48, write=True) < 52.0 / 512


def test_a_bitwise_unit_is_32_bits_wide():
    """One bit of it is smaller than one of an adder and far smaller than a flip-flop; read per bit it would not be."""
    for name in ("aladdin_40nm", "horowitz_45nm"):
        table = load_table(name)
        assert table.energy_pj(BitwiseAnd(bits=32)) == 0.0181
        assert table.area_um2(BitwiseAnd(bits=1)) == pytest.approx(50.4 / 32)
        assert table.area_um2(BitwiseAnd(bits=32)) < table.area_um2(IntegerAdd(bits=32))
