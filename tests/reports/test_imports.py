import subprocess
import sys

import pytest

HEAVY = "('matplotlib', 'jinja2', 'rich', 'numpy', 'torch', 'numba')"


@pytest.mark.parametrize("module", ["simhw.reports", "simhw.rows", "simhw.writing"])
def test_nothing_heavy_is_imported(module):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
