"""Result files appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from simhw.errors import InputError


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write ``content`` (text as UTF-8) to ``path`` so that no reader ever sees a part of it.

    The content goes to a temporary file in the same folder, is forced to disk, and takes the name in one
    step. After an interrupt or a failed write (a full disk) an older file of that name is untouched and the
    temporary file is gone. A link is followed; a file keeps its permissions; a device or a pipe
    (``/dev/stdout``) is written to directly.

    Raises:
        InputError: the folder is missing or not writable, ``path`` is a folder, or the disk is full.
    """
    data = content.encode() if isinstance(content, str) else content
    require_writable(path)
    target = Path(os.path.realpath(path))
    mode = _existing_mode(path)
    try:
        if mode is not None and not stat.S_ISREG(mode):
            with open(path, "wb") as stream:
                stream.write(data)
        else:
            _replace(target, data, mode)
    except OSError as error:
        raise InputError(_sentence(path, error, len(data))) from error


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raise the InputError that :func:`write_atomically` would meet at once; for asking before a long run.

    Nothing is created or changed.
    """
    mode = _existing_mode(path)
    if mode is not None and stat.S_ISDIR(mode):
        raise InputError(f"output file is {os.fspath(path)!r}, which is a folder; name a file inside it")
    if mode is not None and not stat.S_ISREG(mode):
        return
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(
            f"output file is {os.fspath(path)!r}, but the folder {str(folder)!r} {state}; "
            "create it or choose another place"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"output file is {os.fspath(path)!r}, but the folder {str(folder)!r} is not writable; "
            "change its permissions or choose another place"
        )


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make the folder ``path``, and those above it, where they are missing; return it.

    Raises:
        InputError: it cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"output folder is {os.fspath(path)!r}, which cannot be made ({error.strerror or error}); "
            "choose another place"
        ) from error
    return Path(path)


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    """Write a temporary neighbour of ``target``, then rename it over ``target``."""
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        # Mode "x" never follows or reuses a file that someone else placed there, and obeys the umask.
        with open(temporary, "xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:  # KeyboardInterrupt too: the temporary file must not stay
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Force the new name to disk; the content is there already, so where this cannot be done is no error."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _existing_mode(path: str | os.PathLike[str]) -> int | None:
    """Return the mode of what ``path`` leads to, or None where there is nothing yet."""
    try:
        return os.stat(path).st_mode
    except OSError:
        return None


def _sentence(path: str | os.PathLike[str], error: OSError, size: int) -> str:
    """Say what happened to the write and that nothing was damaged."""
    given = f"output file {os.fspath(path)!r} was not written"
    unchanged = "an older file of that name is unchanged"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{given}: no space left for its {size:,} bytes ({unchanged}); free some or choose another place"
    return f"{given}: {error.strerror or error} ({unchanged}); choose another place"
