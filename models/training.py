"""What the training commands share: the learning-rate curve, a line of progress, the record of figures."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click
import torch

from simhw.errors import InputError
from simhw.writing import write_atomically


def prepare(seed: int) -> None:
    """Fix the random state and compute on one thread, so that a machine repeats its own run."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)


def one_cycle(step: int, steps: int, *, warm_up: float) -> float:
    """Return the factor on the peak rate: a linear rise over ``warm_up`` of the steps, then down to zero."""
    rise = max(1.0, warm_up * steps)
    return min((step + 1) / rise, (steps - step) / max(1.0, steps - rise), 1.0)


def say(text: str) -> None:
    """Print a line of progress on stderr."""
    sys.stderr.write(f"{time.process_time():7.0f} CPU-s  {text}\n")
    sys.stderr.flush()


def write_record(path: Path, figures: Mapping[str, object]) -> None:
    """Write the figures that a training run reached, as JSON with sorted names."""
    write_atomically(path, json.dumps(figures, indent=2, sort_keys=True) + "\n")


def run(command: click.Command) -> None:
    """Run a training command; bad input is one sentence on stderr and exit code 2."""
    try:
        command()
    except InputError as error:
        sys.stderr.write(f"Error: {error}\n")
        raise SystemExit(2) from None
