"""Shared fixtures."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("simhw", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("simhw")
os.environ["SIMHW_RUN_CACHE"] = "0"  # a test runs what it tests; those of the cache ask for it


def _shared(name: str) -> Path:
    """Return a folder of recorded results, which lives beside the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared" / name
    if not folder.is_dir():
        message = f"recorded results are not here: {folder} is missing"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def vectors() -> Path:
    """Dot products recorded on real GPUs."""
    return _shared("vectors") / "tensor_core"


@pytest.fixture(scope="session")
def golden() -> Path:
    """Results recorded from other simulators."""
    return _shared("golden")


@pytest.fixture(scope="session")
def liberty() -> Path:
    """Open standard-cell libraries."""
    return _shared("liberty")
