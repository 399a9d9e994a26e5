"""Yosys scripts, each run in a process of its own.

Any error inside Yosys ends its process, and the results of its ABC depend on what the process did before: so every
job starts a fresh interpreter, which makes it deterministic too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from simhw.circuits import require_rtl
from simhw.errors import InputError

_RUN = "import sys\nfrom pyosys import libyosys as ys\nd = ys.Design()\nfor p in sys.argv[1:]: ys.run_pass(p, d)\n"
_SHOWN = 12
"""Lines of the log that an error message shows."""


def run_yosys(
    passes: Sequence[str],
    files: Mapping[str, str],
    results: Sequence[str] = (),
    *,
    what: str,
    limit_s: float | None = None,
) -> dict[str, str]:
    """Run passes in a new folder and return what they wrote.

    Args:
        passes: commands, which read and write files of that folder by name.
        files: text of each file that they read.
        results: names of files that they write.
        what: the job in a few words, for the message.
        limit_s: give up after so many seconds.

    Returns:
        The text of each result, and under ``"log"`` what Yosys printed.

    Raises:
        InputError: pyosys is not installed, or Yosys reported an error.
        TimeoutError: the limit passed.
    """
    require_rtl()
    with TemporaryDirectory(prefix="simhw-yosys-") as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        command = [sys.executable, "-c", _RUN, *passes]
        try:
            done = subprocess.run(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"yosys: {what} took more than {limit_s:g} s") from None
        log = done.stdout.decode(errors="replace")
        if done.returncode:
            lines = [line for line in log.splitlines() if line.strip()]
            raise InputError(f"yosys failed to {what}; the end of its log:\n" + "\n".join(lines[-_SHOWN:]))
        return {**{name: (Path(folder) / name).read_text() for name in results}, "log": log}
