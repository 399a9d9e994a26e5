"""How fast layers are scheduled: closed forms, the search for tilings, and the event model beside SCALE-Sim.

Run with ``python -m benchmarks.arrays``; ``--peer`` installs scalesim 3.0.0 into an environment of its own in a
temporary folder (it needs ``numpy<2.4``) and compares with it in the same run. All times are CPU seconds of one
thread. The event model is charged with everything that it does for a layer; SCALE-Sim runs without trace files.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simhw.arrays import Gemm, Overlap, dataflow_names, schedule
from simhw.arrays.convolution import Convolution
from simhw.arrays.scalesim import ScalesimLayer, scalesim_compute, scalesim_memory
from simhw.layer_plan import ArraySettings, plan_layer
from simhw.memory import Dram, Memory, Precision

CONFIGURATIONS = 1000
ROUNDS = 7
TOKENS = 2048
PEER = ("scalesim==3.0.0", "numpy<2.4")
BUFFER_KB = 64
PEER_JOBS = (
    # (dataflow, rows and columns, layer of ResNet-18 as the tool reads it)
    ("os", 128, (14, 14, 3, 3, 256, 256, 1)),
    ("ws", 128, (14, 14, 3, 3, 256, 256, 1)),
    ("is", 128, (14, 14, 3, 3, 256, 256, 1)),
    ("os", 32, (14, 14, 1, 1, 256, 512, 2)),
    ("ws", 32, (14, 14, 1, 1, 256, 512, 2)),
    ("is", 32, (14, 14, 1, 1, 256, 512, 2)),
    ("os", 128, (56, 56, 3, 3, 64, 64, 1)),
)
_DATAFLOWS = {"os": "output_stationary", "ws": "weight_stationary", "is": "input_stationary"}
_SIZES = ("ifmap_h", "ifmap_w", "filt_h", "filt_w", "channels", "num_filters", "stride_h", "stride_w")


@dataclass(frozen=True, kw_only=True)
class ArrayRow:
    """One measurement.

    Attributes:
        name: what was run.
        value: the figure.
        unit: of it.
        goal: what it should reach, from above or below as the sentence says.
    """

    name: str
    value: float
    unit: str
    goal: str


def resnet50() -> list[Convolution]:
    """Return the 53 convolutions and the classifier of ResNet-50 (He et al. 2016, table 1; 224 x 224 pixels)."""
    layers = [_convolution(224, 3, 64, 7, 2)]
    channels, size = 64, 56
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            step = stride if block == 0 else 1
            layers.append(_convolution(size, channels, width, 1, step))
            if block == 0:
                layers.append(_convolution(size, channels, 4 * width, 1, step))
                size //= step
            layers.append(_convolution(size, width, width, 3, 1))
            layers.append(_convolution(size, width, 4 * width, 1, 1))
            channels = 4 * width
    return [*layers, _convolution(1, 2048, 1000, 1, 1)]


def llama2_7b() -> list[Gemm]:
    """Return every GEMM of a Llama-2-7B prefill (Touvron et al. 2023): 32 blocks, and the vocabulary."""
    hidden, inner, heads = 4096, 11_008, 32
    block = [
        *[Gemm(m=TOKENS, n=hidden, k=hidden)] * 4,
        *[Gemm(m=TOKENS, n=inner, k=hidden)] * 2,
        Gemm(m=TOKENS, n=hidden, k=inner),
        Gemm(m=TOKENS, n=TOKENS, k=hidden // heads, batch=heads),
        Gemm(m=TOKENS, n=hidden // heads, k=TOKENS, batch=heads),
    ]
    return [*block * 32, Gemm(m=TOKENS, n=32_000, k=hidden)]


def rows(*, peer: bool = False, rounds: int = ROUNDS) -> list[ArrayRow]:
    """Measure everything."""
    found = [row for name in dataflow_names() for row in _closed_form(name, rounds)]
    found += [_tilings(name) for name in dataflow_names()]
    return [*found, *(_beside_scalesim() if peer else ())]


def _closed_form(dataflow: str, rounds: int) -> list[ArrayRow]:
    gemms = [layer.gemm for layer in resnet50()]
    sizes = {name: np.array([[getattr(gemm, name)] for gemm in gemms]) for name in ("m", "n", "k", "batch")}
    random = np.random.default_rng(0)
    height, width = (random.integers(4, 257, CONFIGURATIONS) for _ in range(2))

    def run() -> Any:
        many = Gemm.many(**sizes)
        return schedule(many, dataflow=dataflow, rows=height, columns=width, overlap=Overlap.DOUBLE_BUFFERED)

    seconds = _seconds(run, rounds)
    points = len(gemms) * CONFIGURATIONS
    assert run().cycles.shape == (len(gemms), CONFIGURATIONS)
    return [
        ArrayRow(
            name=f"closed form, {dataflow}",
            value=points / seconds / 1e6,
            unit="million (layer, array) points per second",
            goal=">= 10",
        ),
        ArrayRow(name=f"ResNet-50 on {CONFIGURATIONS} arrays, {dataflow}", value=seconds, unit="seconds", goal="< 1"),
    ]


def _tilings(dataflow: str) -> ArrayRow:
    """Plan a prefill with DRAM of 64 bytes per cycle; equal layers are planned once."""
    memory = Memory(dram=Dram(bits_per_cycle=512))
    array = ArraySettings(dataflow=dataflow, rows=64, columns=64)
    plan_layer(Gemm(m=9, n=9, k=9), array, Precision(), memory)  # loads the compiled kernels

    def run() -> int:
        plan_layer.cache_clear()
        return sum(plan_layer(gemm, array, Precision(), memory).total_cycles for gemm in llama2_7b())

    return ArrayRow(
        name=f"Llama-2-7B prefill of {TOKENS} tokens with tiling search, {dataflow}",
        value=_seconds(run, 1),
        unit="seconds",
        goal="< 2",
    )


def _beside_scalesim() -> list[ArrayRow]:
    jobs = [_job(*job) for job in PEER_JOBS]
    for job in jobs[3:6]:  # loads the compiled kernels
        _ours(job)
    mine = []
    for job in jobs:
        start = time.process_time()
        found = _ours(job)
        mine.append((found, time.process_time() - start))
    found = []
    for job, theirs, (ours, seconds) in zip(jobs, _theirs(jobs), mine, strict=True):
        name = f"{job['dataflow']} {job['array_rows']}x{job['array_cols']}, {job['filt_h']}x{job['filt_w']} convolution"
        unequal = [key for key, value in ours.items() if key in theirs and abs(theirs[key] - value) > 1e-9 * abs(value)]
        if unequal:
            raise AssertionError(f"{name} differs from scalesim in {', '.join(unequal)}")
        found.append(
            ArrayRow(
                name=f"event model beside scalesim 3.0.0, equal results, {name}",
                value=theirs["cpu_seconds"] / seconds,
                unit="times less CPU time",
                goal=">= 300",
            )
        )
    return found


def _ours(job: dict[str, Any]) -> dict[str, float]:
    sizes = zip(ScalesimLayer.__dataclass_fields__, _SIZES, strict=True)
    layer = ScalesimLayer(**{field: job[size] for field, size in sizes})
    dataflow, height, width = _DATAFLOWS[job["dataflow"]], job["array_rows"], job["array_cols"]
    compute = scalesim_compute(layer, dataflow=dataflow, rows=height, columns=width)
    memory = scalesim_memory(
        layer,
        dataflow=dataflow,
        rows=height,
        columns=width,
        ifmap_kb=job["ifmap_sram_kB"],
        filter_kb=job["filter_sram_kB"],
        ofmap_kb=job["ofmap_sram_kB"],
    )
    return asdict(compute) | asdict(memory)


def _theirs(jobs: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Run scalesim in an environment that is removed afterwards."""
    driver = Path(__file__).with_name("scalesim_driver.py")
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder, "bin", "python"))
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER], check=True)
        done = subprocess.run([python, str(driver)], input=json.dumps(jobs), capture_output=True, text=True, check=True)
    results: list[dict[str, float]] = json.loads(done.stdout)
    return results


def _job(dataflow: str, side: int, sizes: tuple[int, ...]) -> dict[str, Any]:
    buffers = dict.fromkeys(("ifmap_sram_kB", "filter_sram_kB", "ofmap_sram_kB"), BUFFER_KB)
    shape = dict(zip(_SIZES, (*sizes, sizes[-1]), strict=True))
    return {"dataflow": dataflow, "array_rows": side, "array_cols": side, **buffers, **shape}


def _convolution(size: int, channels: int, filters: int, taps: int, stride: int) -> Convolution:
    return Convolution(
        height=size,
        width=size,
        channels=channels,
        filters=filters,
        filter_height=taps,
        filter_width=taps,
        stride=(stride, stride),
        padding=(taps // 2, taps // 2),
    )


def _seconds(run: Callable[[], object], rounds: int) -> float:
    """Return the median CPU time; a first run warms up where there are several."""
    if rounds > 1:
        run()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return sorted(times)[rounds // 2]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", action="store_true", help="install scalesim 3.0.0 and compare with it")
    for row in rows(peer=parser.parse_args().peer):
        print(f"{row.name:<90} {row.value:>12.4g} {row.unit} (goal {row.goal})")


if __name__ == "__main__":
    main()
