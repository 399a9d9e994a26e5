"""Units in a network: where they stand in, what they change, what they cost, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from simhw.catalog import get_method, get_scheme
from simhw.cli import main
from simhw.errors import InputError
from simhw.execution import Arithmetic
from simhw.executor import execute
from simhw.experiment import Experiment, run_experiment
from simhw.gemm.datapaths import get_datapath
from simhw.graph.base import Graph, Node
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.ops import operators
from simhw.models.norms.crms_norm import CRMSNorm
from simhw.models.norms.power_norm import PowerNorm
from simhw.models.norms.unified_norm import UnifiedNorm
from simhw.sfu import get_unit, unit_names
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


def test_functions_are_operators():
    assert {get_unit(name).function for name in unit_names()} <= operators().keys()


class Norms(torch.nn.Module):
    """Three norms of ``models/norms`` and one layer."""

    def __init__(self):
        super().__init__()
        self.crms, self.power, self.unified = CRMSNorm(16), PowerNorm(16), UnifiedNorm(16)
        self.layer = torch.nn.Linear(16, 4)

    def forward(self, x):
        return self.layer(self.unified(self.power(self.crms(x))))


def test_norm_modules_run_on_integer_units():
    """CRMSNorm and group scaling as RMS norms, stored statistics as batch norms: 16-bit codes of 2^-8 in between."""
    torch.manual_seed(0)
    module = Norms()
    x = torch.randn(6, 5, 16)
    for norm in (module.power, module.unified):
        norm.observe(x)
    graph = import_module(module.eval(), x.numpy())
    choices = ["rms_norm=rms_norm_integer", "batch_norm=batch_norm_multiplier_shift"]
    units = choose_units(graph, choices)
    assert len(units) == 4
    datapath = get_datapath("w8a8_int8")
    with_units, without = (
        execute(
            graph,
            x.numpy(),
            Arithmetic(datapath=datapath, scheme=get_scheme(datapath.scheme), method=get_method(), units=chosen),
        )
        for chosen in (units, {})
    )
    assert (with_units.outputs != without.outputs).any()
    np.testing.assert_allclose(with_units.outputs, without.outputs, atol=0.05)
    used = {step.label: step.unit.name for step in with_units.steps if step.unit is not None}
    assert sorted(used.values()) == ["batch_norm_multiplier_shift"] * 2 + ["rms_norm_integer"] * 2


def test_documented_units_are_those_that_are_listed(capsys):
    assert main(["list", "units"]) == 0
    document = Path(__file__).resolve().parents[2] / "docs" / "units.md"
    assert f"```\n{capsys.readouterr().out}```\n" in document.read_text(encoding="utf-8")


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_axis(axis):
    x = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    expected = torch.softmax(torch.from_numpy(x), axis).numpy()
    np.testing.assert_allclose(apply_unit(get_unit("softmax_two_pass"), [x, axis], {}), expected, rtol=1e-5)
    np.testing.assert_allclose(apply_unit(get_unit("softmax_two_pass"), [x], {"dim": axis}), expected, rtol=1e-5)


def norm_cases():
    rng = np.random.default_rng(0)
    images, tokens = (rng.standard_normal(shape).astype(np.float32) for shape in ((3, 6, 4, 5), (3, 4, 5)))
    six = [rng.uniform(0.5, 2, 6).astype(np.float32) for _ in range(4)]
    twenty = [rng.standard_normal((4, 5)).astype(np.float32) for _ in range(2)]
    return {
        "layer_norm_two_pass": ([tokens, [4, 5], *twenty, 1e-3], {}),
        "layer_norm_welford": ([tokens, [5]], {}),
        "layer_norm_ibert": ([tokens, [4, 5]], {"weight": twenty[0], "bias": twenty[1], "eps": 1e-5}),
        "rms_norm_float": ([tokens, (1,), twenty[0][0], None], {}),  # the shape that a fused norm has
        "rms_norm_newton_16": ([tokens, [5], twenty[0][0]], {"eps": 1e-6}),
        "rms_norm_integer": ([tokens, [4, 5]], {"weight": twenty[0]}),
        "group_norm_two_pass": ([images, 3, six[0], six[1], 1e-3], {}),
        "group_norm_ibert": ([images, 3, six[0], None, 1e-3], {}),
        "group_norm_two_pass_in_fp16": ([images, 2, six[0], six[1], 1e-3], {}),
        "batch_norm_multiply_add": ([images, six[0], None, six[1], six[2], False, 0.1, 1e-3], {}),
        "batch_norm_multiplier_shift": ([tokens, *(s[:4] for s in six), False], {"eps": 1e-3}),
    }


@pytest.mark.parametrize("name", norm_cases())
def test_parameters_of_norms_reach_their_units(name):
    """Against the float reference with the same arguments, to a few steps of the unit's formats (weights up to 3)."""
    unit, (args, kwargs) = get_unit(name), norm_cases()[name]
    expected = operators()[unit.function].reference(*args, **kwargs)
    result = apply_unit(unit, args, kwargs)
    assert result.dtype == np.float32
    error = {"fp32": 1e-5, "fp16": 4e-3, "int20": 4e-3, "int16": 1.5e-2}[unit.output_format]
    np.testing.assert_allclose(result, expected, atol=error)


def test_batch_norm_in_training_mode_is_refused():
    images = np.ones((2, 3, 4, 4), np.float32)
    with pytest.raises(InputError, match=r"batch norm is in training mode, must use stored statistics"):
        apply_unit(get_unit("batch_norm_multiply_add"), [images, None, None, None, None, True], {})


def test_a_network_on_units():
    plain, one = run(), run("blocks.0.*:softmax=softmax_ibert", "*.mlp_norm:rms_norm=rms_norm_integer")
    used = {layer.name: layer.kernel for layer in one.layers if layer.operator == "softmax"}
    assert [kernel for name, kernel in used.items() if name.startswith("blocks.0.")] == ["softmax_ibert"]
    assert all(kernel == "" for name, kernel in used.items() if not name.startswith("blocks.0."))
    norms = {layer.name: layer.kernel for layer in one.layers if layer.operator == "rms_norm"}
    assert {name for name, kernel in norms.items() if kernel == "rms_norm_integer"} == {
        name for name in norms if name.endswith("mlp_norm")
    }
    assert one.sqnr_db != plain.sqnr_db
    assert one.sqnr_db > plain.sqnr_db - 1  # 8-bit softmax of one block, RMS norms of 20 bits: small beside int8
    before, after = (
        [layer.energy_pj["vector"] for layer in row.layers if layer.operator == "softmax"] for row in (plain, one)
    )
    assert after[0] != before[0]
    assert after[1:] == before[1:]
