"""The cache never changes a result, and steps that follow from anything else are never taken for the same."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import simhw.caching.batch
from simhw.accumulators import Exact
from simhw.caching import Store
from simhw.caching.batch import StepCache
from simhw.caching.entries import pack, unpack
from simhw.caching.fingerprint import Fingerprints, UnknownContentError, surroundings
from simhw.calibration import calibrate
from simhw.catalog import get_method, get_scheme
from simhw.execution import Arithmetic, Execution, Step
from simhw.executor import execute
from simhw.experiment import Experiment, run_experiment
from simhw.gemm.datapaths import get_datapath
from simhw.graph.base import Graph, Node, Ref
from simhw.graph.frontends.torch_export import import_module
from simhw.sfu import get_unit
from simhw.unit_choice import choose_units

ALWAYS = float("inf")


class Small(nn.Module):
    """A convolution, attention, two linear layers with functions between."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2, 8, 3, padding=1)
        self.norm = nn.LayerNorm(8)
        self.wide = nn.Linear(8, 12)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.mix(x).flatten(2).transpose(1, 2))
        mixed = torch.softmax(tokens @ tokens.transpose(1, 2), -1) @ tokens
        return self.head(nn.functional.gelu(self.wide(mixed)))


STEPS = 8
"""conv, norm, scores, softmax, values, linear, gelu, linear."""


@cache
def small() -> Graph:
    torch.manual_seed(0)
    return import_module(Small().eval(), images(0))


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((3, 2, 4, 4)).astype(np.float32)


def arithmetic(
    datapath: str = "w8a8_int8", scheme: str | None = None, bits: int | None = None, units: tuple[str, ...] = ()
) -> Arithmetic:
    record = get_datapath(datapath, accumulator_bits=bits)
    chosen, method = get_scheme(scheme or record.scheme), get_method()
    seen = calibrate(small(), images(9), record, chosen, method)
    return Arithmetic(
        datapath=record, scheme=chosen, method=method, calibration=seen, units=choose_units(small(), units)
    )


def everything(result: Execution) -> Any:
    """Return all that a run yields, as what can be compared; NaN is equal to itself."""
    steps = [
        repr({name: value for name, value in vars(step).items() if name != "weight_cycles"})
        + ("" if step.weight_cycles is None else str(step.weight_cycles.tolist()))
        for step in result.steps
    ]
    reference = b"" if result.reference is None else result.reference.tobytes()
    return result.outputs.tobytes(), reference, repr(asdict(result.noise)), steps


def counted(
    store: Store, arithmetic: Arithmetic, graph: Graph | None = None, seed: int = 0, batch: int = 64
) -> tuple[int, int]:
    """Run with the cache, check it against a run without, and return hits and misses."""
    kept = StepCache(store=store, bytes_per_s=ALWAYS)
    graph = graph or small()
    with_cache = execute(graph, images(seed), arithmetic, cache=kept, batch=batch)
    assert everything(with_cache) == everything(execute(graph, images(seed), arithmetic, batch=batch))
    return kept.hits, kept.misses


def test_nothing_runs_twice(tmp_path: Path):
    assert counted(Store(tmp_path), arithmetic()) == (0, 2 * STEPS)
    # The first store was never closed: every batch is written when it is done.
    assert counted(Store(tmp_path), arithmetic()) == (2 * STEPS, 0)


def test_batches_add_up(tmp_path: Path):
    for hits in (0, 4 * STEPS):  # of two samples, and of one
        assert counted(Store(tmp_path), arithmetic(bits=16), batch=2)[0] == hits


@pytest.fixture
def filled(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    counted(store, arithmetic())
    return store


def test_a_late_setting_leaves_the_rest(filled: Store):
    # Of the datapath: the GELU and the layer after it. Of the reference nothing runs.
    assert counted(filled, arithmetic(units=("gelu=gelu_ibert",))) == (2 * STEPS - 2, 2)


@pytest.mark.parametrize(
    "other",
    [
        {"datapath": "w4a8_mixpe"},
        {"datapath": "fp8_e4m3_fp32"},
        {"bits": 17},
        {"scheme": "w8a8_per_tensor"},
        {"scheme": "w8a8_static_min_max"},
    ],
)
def test_another_datapath_or_scheme_never_hits(filled: Store, other: dict[str, Any]):
    hits, misses = counted(filled, arithmetic(**other))
    assert (hits, misses) == (STEPS, STEPS)  # the reference is the same, the datapath runs from its first layer on


def test_another_name_is_the_same_datapath(filled: Store):
    base = arithmetic()
    renamed = replace(base, datapath=replace(base.datapath, name="other", description="other"))
    assert counted(filled, renamed) == (2 * STEPS, 0)


def test_another_static_scale_never_hits(tmp_path: Path):
    store = Store(tmp_path)
    base = arithmetic(scheme="w8a8_static_min_max")
    counted(store, base)
    last = small().nodes[-1].label
    seen = base.calibration.activations
    wider = replace(seen[last], high=np.nextafter(np.float32(seen[last].high), np.float32(np.inf)).item())
    changed = replace(base, calibration=replace(base.calibration, activations={**seen, last: wider}))
    assert counted(store, changed) == (2 * STEPS - 1, 1)


@pytest.mark.parametrize(("name", "left"), [("p_mix_weight", 0), ("p_head_weight", 2 * STEPS - 2), ("p_head_bias", 14)])
def test_another_weight_never_hits(filled: Store, name: str, left: int):
    graph = small()
    weight = graph.constants[name].copy()
    weight.flat[0] = np.nextafter(weight.flat[0], np.float32(np.inf))
    changed = replace(graph, constants={**graph.constants, name: weight})
    assert counted(filled, arithmetic(), changed) == (left, 2 * STEPS - left)


def test_other_inputs_never_hit(filled: Store):
    assert counted(filled, arithmetic(), seed=1) == (0, 2 * STEPS)


def test_other_sources_never_hit(filled: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simhw.caching.batch, "surroundings", lambda: b"another version")
    assert counted(filled, arithmetic()) == (0, 2 * STEPS)


def test_what_another_package_computes_is_not_kept(tmp_path: Path):
    class Foreign:
        quantize = staticmethod(get_method().quantize)
        calibrate = staticmethod(get_method().calibrate)

    foreign: Any = Foreign()
    store = Store(tmp_path)
    mine = replace(arithmetic(), method=foreign)
    for hits in (0, STEPS):  # those of the reference alone
        assert counted(store, mine)[0] == hits


SETTINGS = st.tuples(
    st.sampled_from(["w8a8_int8", "w4a8_mixpe", "hopper_e4m3_fp32", "mxfp4", "fp16"]),
    st.sampled_from([(), ("softmax=softmax_ibert",), ("gelu=gelu_shift",), ("gelu=gelu_ibert",)]),
    st.integers(0, 1),
    st.sampled_from(["none", "drop", "damage"]),
)


@settings(max_examples=25)
@given(sweep=st.lists(SETTINGS, min_size=2, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_random_sweeps_are_equal_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, sweep: list[tuple[str, tuple[str, ...], int, str]], seed: int
):
    """Also where some entries were lost or damaged in between, so that values are read, computed and read anew."""
    random = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("sweep")
    for datapath, units, data, harm in sweep:
        store = Store(folder)
        counted(store, arithmetic(datapath, units=units), seed=data)
        store.close()
        with sqlite3.connect(store.path) as file:
            for (key,) in file.execute("SELECT key FROM entries").fetchall():
                if harm != "none" and random.random() < 0.3:
                    change = "DELETE FROM entries" if harm == "drop" else "UPDATE entries SET body = x'00'"
                    file.execute(f"{change} WHERE key = ?", (key,))


def test_an_entry_holds_all_that_a_step_records():
    """A field that joins the record must join Step.join, which adds batches up, and the entries."""
    named = {"label", "operator", "unit", "noise", "tally", "saturations", "weight_cycles", "activation", "weight"}
    set_anew = {"m", "n", "k", "batch", "elements", "attention", "kernel", "why"}
    assert {field.name for field in fields(Step)} == named | set_anew


def test_progress_counts_every_step_once(filled: Store):
    damaged = filled.path
    filled.close()
    with sqlite3.connect(damaged) as file:
        file.execute("UPDATE entries SET body = x'00' WHERE size > 200")
    steps: list[int] = []
    kept = StepCache(store=Store(damaged.parent), bytes_per_s=ALWAYS)
    execute(small(), images(0), arithmetic(units=("gelu=gelu_ibert",)), cache=kept, progress=steps.append)
    assert steps == [1] * len(small().nodes)


def test_values_that_are_quick_to_compute_are_not_kept(tmp_path: Path):
    store = Store(tmp_path)
    kept = StepCache(store=store, bytes_per_s=0.0)
    execute(small(), images(0), arithmetic(), cache=kept)
    counted_bytes = store.usage().bytes
    assert counted_bytes < images(0).nbytes * 60  # what happened at steps, and no value
    again = StepCache(store=store, bytes_per_s=0.0)
    result = execute(small(), images(0), arithmetic(), cache=again)
    assert everything(result) == everything(execute(small(), images(0), arithmetic()))


def test_rows_of_a_sweep_are_the_same(tmp_path: Path):
    experiment = Experiment(model="fashion_resnet", datapaths=("w8a8_int8", "w4a8_mixpe"), samples=4)
    plain = [replace(row, seconds=0.0) for row in run_experiment(experiment)]
    for _ in range(2):
        store = Store(tmp_path)
        kept = [replace(row, seconds=0.0) for row in run_experiment(experiment, cache=store)]
        store.close()
        assert repr(kept) == repr(plain)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_an_array_comes_back_as_it_lay_in_memory(order: tuple[int, ...]):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(order)
    body = pack({"any": [1, 2]}, {"value": array})
    assert body is not None
    head, arrays = unpack(body)
    assert head == {"any": [1, 2]}
    np.testing.assert_array_equal(arrays["value"], array)
    assert (arrays["value"].strides, arrays["value"].dtype) == (array.strides, array.dtype)
    assert arrays["value"].flags.writeable


def test_an_array_with_gaps_is_not_kept():
    assert pack({}, {"value": np.arange(10)[::2]}) is None


def test_fingerprints_tell_types_shapes_and_nests_apart():
    prints = Fingerprints()
    values: list[Any] = [1, 1.0, True, "1", b"1", None, (1,), ((1,),), [1], {"a": 1}, slice(1), -0.0, 0.0]
    values += [np.zeros(2, np.float32), np.zeros((1, 2), np.float32), np.zeros(1, np.float64), np.float32(0)]
    values += [
        Exact(),
        Exact(bits=8),
        Exact(bits=9),
        get_datapath("fp16"),
        get_scheme("w8a8_per_tensor"),
        torch.float32,
    ]
    assert len({prints.of(value) for value in values}) == len(values)
    assert prints.of(("a", "b"), "c") != prints.of("a", ("b", "c"))
    with pytest.raises(UnknownContentError):
        prints.of(object())
    with pytest.raises(UnknownContentError):
        prints.of(np.array([object()]))


def test_steps_with_several_results(tmp_path: Path):
    """What a step is measured by is the first of them, with the cache as without."""
    nodes = (
        Node(name="d", operator="dynamic_quantize_linear", args=(Ref("x"),), label="d"),
        Node(name="q", operator="item", args=(Ref("d"), 0), label="q"),
        Node(name="y", operator="multiply", args=(Ref("q"), 2.0), label="y"),
    )
    graph = Graph(inputs=("x",), nodes=nodes, outputs=("y",), constants={})
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    record = get_datapath("w8a8_int8")
    chosen = Arithmetic(datapath=record, scheme=get_scheme(record.scheme), method=get_method())
    plain = execute(graph, x, chosen)
    store = Store(tmp_path)
    for _ in range(2):
        cached = execute(graph, x, chosen, cache=StepCache(store=store))
        np.testing.assert_array_equal(cached.outputs, plain.outputs)
    store.close()


def test_what_a_digest_tells_apart(monkeypatch: pytest.MonkeyPatch):
    """The layout of an array, along which NumPy adds, and BLAS's kernel; a unit of nobody's."""
    x = np.arange(12.0).reshape(3, 4)
    prints = Fingerprints()
    assert prints.of_array(x) != prints.of_array(np.asfortranarray(x))
    assert prints.of_array(x) == prints.of_array(x.copy())
    before = surroundings()
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott" if os.environ.get("OPENBLAS_CORETYPE") != "Prescott" else "")
    assert surroundings() != before
    own = replace(get_unit("softmax_ibert"), name="my_softmax")
    with pytest.raises(UnknownContentError):
        prints.of(own)


def test_attention_that_comes_in_parts_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its sums come in another order: with the cache the rows are those without it."""

    class Attention(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.scaled_dot_product_attention(x, x, x)

    x = np.random.default_rng(0).standard_normal((2, 2, 9, 4)).astype(np.float32)
    graph = import_module(Attention(), x)
    assert list(graph.scores.values()) == [2 * 9 * 9]
    record = get_datapath("w8a8_int8")
    chosen = Arithmetic(datapath=record, scheme=get_scheme(record.scheme), method=get_method())
    for most in (2 * 2 * 9 * 9, 2 * 2 * 9 * 9 - 1):
        monkeypatch.setattr("simhw.executor.SCORES", most)
        store = Store(tmp_path / str(most))
        execute(graph, x, chosen, cache=StepCache(store=store))
        assert (store.usage().entries > 0) == (most == 2 * 2 * 9 * 9)
        store.close()
