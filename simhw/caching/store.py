"""Entries by key in one SQLite file of bounded size.

A cache, so everything may be lost and nothing may be wrong: an entry carries a checksum over its key and contents, a
damaged file is put aside, and where the disk is full, locked or read-only, entries are no longer kept. Nothing of that
raises. SQLite's write-ahead log lets several processes read and write at once.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from simhw.errors import InputError

FILE = "layers.sqlite"
DEFAULT_BYTES = 2 << 30
_WAIT_S = 10.0
_LARGEST = 900_000_000
"""Bytes of one entry, below SQLite's limit of 1e9."""
_DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What a damaged file raises; its messages need not be text."""
_OTHER = (sqlite3.OperationalError, sqlite3.ProgrammingError, sqlite3.DataError)
"""What says nothing about the file."""
_BUFFERED = 32 << 20
_LOWERED = 0.8
"""Part of the size that stays when the oldest entries go."""
_TOTAL = "SELECT COALESCE(SUM(size), 0) FROM entries"
_TABLE = """
CREATE TABLE IF NOT EXISTS entries (
    key BLOB PRIMARY KEY, used REAL NOT NULL, size INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_use ON entries (used);
"""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a store holds.

    Attributes:
        file: where.
        entries: how many.
        bytes: of their contents.
        limit: above which the entries that were not used for longest go.
    """

    file: Path
    entries: int
    bytes: int
    limit: int


class Store:
    """Entries in ``folder``, which is made where it is missing.

    Args:
        folder: of the file.
        limit: bytes of contents, at least 1 MiB.

    Raises:
        InputError: the limit is too small.
    """

    def __init__(self, folder: str | Path, limit: int = DEFAULT_BYTES) -> None:
        if limit < 1 << 20:
            raise InputError(f"the cache may hold {limit:,} bytes, must be at least {1 << 20:,}; give a larger size")
        self.path = Path(folder) / FILE
        self.limit = limit
        self.trouble: str | None = None
        """Why nothing is kept any more."""
        self._waiting: dict[bytes, bytes] = {}
        self._waiting_bytes = 0
        self._used: set[bytes] = set()
        self._size = 0
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._open()

    def get(self, key: bytes) -> bytes | None:
        """Return the contents under ``key``; None where there are none, or damaged ones, which go."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            return waiting
        found = self._read("SELECT checksum, body FROM entries WHERE key = ?", (key,))
        if found is None:
            return None
        checksum, body = found
        if not isinstance(body, bytes) or checksum != _checksum(key, body):
            self.drop(key)
            return None
        self._used.add(key)
        return body

    def __contains__(self, key: bytes) -> bool:
        """Whether there is an entry; it may still turn out to be damaged."""
        return key in self._waiting or self._read("SELECT 1 FROM entries WHERE key = ?", (key,)) is not None

    def put(self, key: bytes, body: bytes) -> None:
        """Keep ``body`` under ``key``, unless it is larger than a tenth of all."""
        if self.trouble is not None or len(body) > min(self.limit // 10, _LARGEST):
            return
        self._waiting[key] = body
        self._waiting_bytes += len(body)
        if self._waiting_bytes > _BUFFERED:
            self.flush()

    def drop(self, key: bytes) -> None:
        """Remove one entry."""
        self._waiting.pop(key, None)
        self._write([("DELETE FROM entries WHERE key = ?", [(key,)])])

    def flush(self) -> None:
        """Write what waits, note which entries were used, and let the oldest go where there are too many."""
        now = time.time()
        rows = [(key, now, len(body), _checksum(key, body), body) for key, body in self._waiting.items()]
        self._size += self._waiting_bytes
        used = [(now, key) for key in self._used]
        self._waiting, self._waiting_bytes, self._used = {}, 0, set()
        if rows or used:
            self._write(
                [
                    ("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", rows),
                    ("UPDATE entries SET used = ? WHERE key = ?", used),
                ]
            )
        if self._size > self.limit:
            self._shrink()

    def close(self) -> None:
        """Write what waits and close the file."""
        self.flush()
        self._disconnect()

    def usage(self) -> Usage:
        """Return what is kept."""
        self.flush()
        count, size = self._count("SELECT COUNT(*) FROM entries"), self._count(_TOTAL)
        return Usage(file=self.path, entries=count, bytes=size, limit=self.limit)

    def clear(self) -> None:
        """Remove all entries and give their space back."""
        self._waiting, self._waiting_bytes, self._used, self._size = {}, 0, set(), 0
        self._write([("DELETE FROM entries", [()])])
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _open(self) -> None:
        for attempt in range(2):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._connection = sqlite3.connect(
                    self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
                )
                self._connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {_TABLE}")
                self._size = self._connection.execute(_TOTAL).fetchone()[0]
                self._inode = os.stat(self.path).st_ino
                return
            except (OSError, *_OTHER) as error:  # locked, full, read-only, no such folder
                self._give_up(error)
                return
            except _DAMAGE as error:  # no database, or a damaged one
                self._put_aside()
                if attempt:
                    self._give_up(error)

    def _read(self, query: str, arguments: tuple[bytes, ...] = ()) -> tuple[object, ...] | None:
        if self._connection is None:
            return None
        try:
            found: tuple[object, ...] | None = self._connection.execute(query, arguments).fetchone()
            return found
        except _OTHER as error:
            self._give_up(error)
        except _DAMAGE:
            self._put_aside()
            self._open()
        return None

    def _write(self, statements: list[tuple[str, Iterable[tuple[object, ...]]]]) -> None:
        if self._connection is None:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for statement, rows in statements:
                self._connection.executemany(statement, rows)
            self._connection.execute("COMMIT")
        except _OTHER as error:
            self._give_up(error)
        except _DAMAGE:
            self._put_aside()
            self._open()

    def _shrink(self) -> None:
        """Delete the entries that were not used for longest; their pages are used again by the next ones."""
        most = int(self.limit * _LOWERED)
        older = "SELECT key, SUM(size) OVER (ORDER BY used DESC, key) AS above FROM entries"
        self._write([(f"DELETE FROM entries WHERE key IN (SELECT key FROM ({older}) WHERE above > ?)", [(most,)])])
        self._size = self._count(_TOTAL)

    def _count(self, query: str) -> int:
        found = self._read(query)
        return found[0] if found is not None and isinstance(found[0], int) else 0

    def _give_up(self, error: Exception) -> None:
        self.trouble = f"{self.path}: {error}"
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _put_aside(self) -> None:
        """Move a damaged file out of the way, over an earlier one of that kind; not what another process put there."""
        self._disconnect()
        with contextlib.suppress(OSError):
            if self._inode not in (None, os.stat(self.path).st_ino):
                return
        with contextlib.suppress(OSError):
            os.replace(self.path, self.path.with_suffix(".damaged"))
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.unlink(f"{self.path}{suffix}")


def _checksum(key: bytes, body: bytes) -> int:
    """Return CRC-32: against damage by accident, at 3 GB/s."""
    return zlib.crc32(body, zlib.crc32(key))
