"""How kernels are compiled: whole vector registers, someone's own choice respected, no stale disk cache."""

import os
import subprocess
import sys

import pytest
from llvmlite.binding import get_host_cpu_features

REPORT = """
from simhw.kernel import has_feature, vector_bytes
from numba.core import config
print(vector_bytes(), has_feature("avx2"), config.CPU_NAME, "-prefer-256-bit" in str(config.CPU_FEATURES))
"""


def run(code, cache, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | {"NUMBA_CACHE_DIR": str(cache)} | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return done.stdout.strip()


@pytest.mark.skipif(not get_host_cpu_features().get("avx512bw"), reason="needs AVX-512")
def test_avx512_is_used_whole(tmp_path):
    size, avx2, name, whole = run(REPORT, tmp_path).split()
    assert (size, avx2, whole) == ("64", "True", "True")
    assert name != "None"


def test_a_processor_that_someone_named_is_respected(tmp_path):
    assert run(REPORT, tmp_path, NUMBA_CPU_NAME="generic") == "16 False generic False"
    assert run(REPORT, tmp_path, NUMBA_CPU_FEATURES="+avx2") == "32 True None False"


def test_a_kernel_is_compiled_again_when_one_that_it_calls_has_changed(tmp_path):
    lines = ("from simhw.kernel import kernel", "from inner import inner", "@kernel")
    lines += ("def outer(x):", "    return inner(x) + 1", "")
    outer = "\n".join(lines)
    (tmp_path / "outer.py").write_text(outer)
    code = "from outer import outer\nprint(outer(1), len(outer.stats.cache_hits), len(outer.stats.cache_misses))"
    inner = "from simhw.kernel import kernel\n\n\n@kernel\ndef inner(x):\n    return x * {}\n"
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    results = []
    for factor in (2, 2, 5):
        (tmp_path / "inner.py").write_text(inner.format(factor))
        results.append(run(code, tmp_path / "cache", PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1"))
    assert results == ["3 0 1", "3 1 0", "6 0 1"]
