"""An array as compiled C++ (Yosys' CXXRTL), an optional simulator for long runs of large arrays.

It needs a C++ compiler: ``g++`` or ``clang++`` on the path, or ``pip install ziglang``. Modules are not flattened, so a
PE is compiled once, however many there are; the array is compiled once and kept for the process.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from simhw.errors import InputError
from simhw.rtl.arrays.base import SystolicArray
from simhw.rtl.clocked import Clocks, Loop
from simhw.rtl.rtlil import rtlil
from simhw.rtl.yosys import run_yosys

_DRIVER = """
template<size_t bits> static uint64_t read(const cxxrtl::value<bits> &v) {{
    return v.template zcast<64>().template get<uint64_t>();
}}
template<size_t bits> static uint64_t read(const cxxrtl::wire<bits> &w) {{ return read(w.curr); }}
extern "C" void run(
    int64_t clocks, const uint64_t *in, const int64_t *sources, const uint64_t *nothing, uint64_t *out) {{
    cxxrtl_design::{top} top;
    for (int64_t t = 0; t < clocks; t++, in += {inputs}, sources += {loops}, out += {outputs}) {{
        uint64_t *seen = out;
        {set}
        top.p_clk.set<bool>(false);
        top.step();
        {get}
        {feed}
        top.step();
        {get}
        (void)seen; (void)sources; (void)nothing;
        top.p_clk.set<bool>(true);
        top.step();
    }}
}}
"""


def compiler() -> list[str]:
    """Return the command of a C++ compiler.

    Raises:
        InputError: there is none.
    """
    for name in ("g++", "clang++"):
        found = shutil.which(name)
        if found:
            return [found]
    if find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "c++"]
    raise InputError(
        "no C++ compiler was found, CXXRTL needs one; install g++ or clang++, or run: pip install ziglang; "
        "without one, arrays run on gates"
    )


def simulate_cxxrtl(
    array: SystolicArray,
    inputs: dict[str, Clocks],
    loops: Sequence[Loop],
    outputs: Sequence[str],
) -> dict[str, Clocks]:
    """Run the array, one run after the other.

    Raises:
        InputError: no compiler was found, or it failed.
    """
    clocks, runs = next(iter(inputs.values())).shape
    library = _library(array, tuple(inputs), tuple((loop.input, loop.output) for loop in loops), tuple(outputs))
    nothing = np.array([loop.nothing for loop in loops] or [0], np.uint64)
    found = {name: np.zeros((clocks, runs), np.int64) for name in outputs}
    for run in range(runs):
        given = np.ascontiguousarray(np.stack([codes[:, run] for codes in inputs.values()], axis=1), np.uint64)
        sources = np.zeros((clocks, max(1, len(loops))), np.int64)
        for index, loop in enumerate(loops):
            # as a distance in clocks, at least 0; -1 for none
            now = np.arange(clocks)
            sources[:, index] = np.where(loop.sources[:, run] < 0, -1, now - loop.sources[:, run])
        received = np.zeros((clocks, len(outputs)), np.uint64)
        pointers = (array_.ctypes.data_as(ctypes.c_void_p) for array_ in (given, sources, nothing, received))
        library.run(ctypes.c_int64(clocks), *pointers)
        for index, name in enumerate(outputs):
            found[name][:, run] = received[:, index].astype(np.int64)
    return found


@lru_cache(maxsize=8)
def _library(
    array: SystolicArray, inputs: tuple[str, ...], loops: tuple[tuple[str, str], ...], outputs: tuple[str, ...]
) -> ctypes.CDLL:
    command = compiler()
    passes = [
        "read_rtlil in.il",
        f"hierarchy -top {array.circuit.name}",
        "proc",
        "opt_clean",
        "write_cxxrtl -noflatten out.cc",
    ]
    text = run_yosys(passes, {"in.il": rtlil(array.circuit)}, ["out.cc"], what=f"write {array.circuit.name} as C++")
    driver = _DRIVER.format(
        top=_mangled(array.circuit.name),
        inputs=len(inputs),
        loops=max(1, len(loops)),
        outputs=len(outputs),
        set=" ".join(f"top.{_mangled(name)}.set<uint64_t>(in[{i}]);" for i, name in enumerate(inputs)),
        get=" ".join(f"out[{i}] = read(top.{_mangled(name)});" for i, name in enumerate(outputs)),
        feed=" ".join(
            f"top.{_mangled(fed)}.set<uint64_t>(sources[{i}] < 0 ? nothing[{i}] : "
            f"*(seen - sources[{i}] * {len(outputs)} + {outputs.index(source)}));"
            for i, (fed, source) in enumerate(loops)
        ),
    )
    headers = Path(str(find_spec("pyosys").submodule_search_locations[0])) / "share/include/backends/cxxrtl/runtime"  # type: ignore[union-attr,index]
    with TemporaryDirectory(prefix="simhw-cxxrtl-") as folder:
        source, made = Path(folder) / "array.cc", Path(folder) / "array.so"
        source.write_text(text["out.cc"] + driver)
        options = ["-std=c++14", "-O1", "-fPIC", "-shared", f"-I{headers}", str(source), "-o", str(made)]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        if done.returncode:
            raise InputError(f"{command[0]} failed to compile {array.circuit.name}:\n" + done.stderr[-2000:])
        return ctypes.CDLL(str(made))


def _mangled(name: str) -> str:
    """Return the C++ name that CXXRTL gives to a public one."""
    return "p_" + name.replace("_", "__")
