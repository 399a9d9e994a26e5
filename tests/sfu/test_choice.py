"""Units in a network: where they stand in, what they change, what they cost, and what is refused."""

import numpy as np
import pytest
import torch

from simhw.cli import main
from simhw.errors import InputError
from simhw.experiment import Experiment, run_experiment
from simhw.graph.base import Graph, Node
from simhw.sfu import get_unit
from simhw.unit_choice import apply_unit, choose_units

GRAPH = Graph(
    inputs=("x",),
    nodes=tuple(
        Node(name=f"n{i}", operator=operator, args=(), label=label)
        for i, (operator, label) in enumerate(
            [("softmax", "layers.0.attention.softmax"), ("relu", "layers.0.relu"), ("softmax", "layers.1.softmax")]
        )
    ),
    outputs=("n2",),
    constants={},
)


def run(*units):
    (row,) = run_experiment(
        Experiment(model="tiny_llama", datapaths=("w8a8_int8",), samples=1, tokens=None, units=units)
    )
    return row


def test_the_last_choice_counts():
    chosen = choose_units(GRAPH, ["softmax=softmax_ibert", "layers.1.*:softmax=softmax_ivit"])
    assert {name: unit.name for name, unit in chosen.items()} == {"n0": "softmax_ibert", "n2": "softmax_ivit"}
    assert choose_units(GRAPH, []) == {}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("softmax", r"unit is 'softmax', must be FUNCTION=UNIT or PATTERN:FUNCTION=UNIT; write softmax=softmax_ibert"),
        (":softmax=softmax_ibert", r"must be FUNCTION=UNIT or PATTERN:FUNCTION=UNIT"),
        ("softmacks=softmax_ibert", r"function is 'softmacks', which is not known; nearest: softmax"),
        ("softmax=softmax_ibird", r"unit is 'softmax_ibird', which is not known; nearest: softmax_ibert"),
        ("layers.7.*:softmax=softmax_ibert", r"'layers.7.\*' matches no softmax of the network; those are layers.0"),
    ],
)
def test_refusals(choice, message):
    with pytest.raises(InputError, match=message):
        choose_units(GRAPH, [choice])


def test_a_function_that_the_network_does_not_have():
    with pytest.raises(InputError, match="the network has no softmax; it has no function that a unit realises"):
        choose_units(Graph(inputs=(), nodes=(), outputs=(), constants={}), ["softmax=softmax_ibert"])


def test_command_line_refuses_before_it_runs(capsys):
    assert main(["run", "--model", "tiny_llama", "--unit", "softmax=nothing"]) == 2
    assert "unit is 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_axis(axis):
    x = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    expected = torch.softmax(torch.from_numpy(x), axis).numpy()
    np.testing.assert_allclose(apply_unit(get_unit("softmax_two_pass"), [x, axis], {}), expected, rtol=1e-5)
    np.testing.assert_allclose(apply_unit(get_unit("softmax_two_pass"), [x], {"dim": axis}), expected, rtol=1e-5)


def test_a_network_on_units():
    plain, one = run(), run("blocks.0.*:softmax=softmax_ibert")
    used = {layer.name: layer.kernel for layer in one.layers if layer.operator == "softmax"}
    assert [kernel for name, kernel in used.items() if name.startswith("blocks.0.")] == ["softmax_ibert"]
    assert all(kernel == "" for name, kernel in used.items() if not name.startswith("blocks.0."))
    assert one.sqnr_db != plain.sqnr_db
    before, after = (
        [layer.energy_pj["vector"] for layer in row.layers if layer.operator == "softmax"] for row in (plain, one)
    )
    assert after[0] != before[0]
    assert after[1:] == before[1:]
