"""A cache on disk loses entries, never changes one, and never stops a run."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.caching import Store
from simhw.errors import InputError

KEYS = [bytes([i]) * 32 for i in range(40)]


def test_entries_are_there_for_the_next_process(tmp_path: Path):
    store = Store(tmp_path)
    store.put(KEYS[0], b"first")
    assert store.get(KEYS[0]) == b"first"  # before it is written, too
    store.close()
    again = Store(tmp_path)
    assert (again.get(KEYS[0]), again.get(KEYS[1])) == (b"first", None)
    assert KEYS[0] in again
    assert KEYS[1] not in again
    again.clear()
    assert again.usage().entries == 0
    assert again.get(KEYS[0]) is None


def test_a_changed_byte_is_a_missing_entry(tmp_path: Path):
    store = Store(tmp_path)
    for key in KEYS[:2]:
        store.put(key, b"contents")
    store.close()
    with sqlite3.connect(store.path) as damaged:
        damaged.execute("UPDATE entries SET body = ? WHERE key = ?", (b"c0ntents", KEYS[0]))
        damaged.execute("UPDATE entries SET body = 'text' WHERE key = ?", (KEYS[1],))
    store = Store(tmp_path)
    assert [store.get(key) for key in KEYS[:2]] == [None, None]
    assert store.usage().entries == 0


def test_an_entry_under_another_key_is_damaged(tmp_path: Path):
    store = Store(tmp_path)
    store.put(KEYS[0], b"contents")
    store.close()
    with sqlite3.connect(store.path) as damaged:
        damaged.execute("UPDATE entries SET key = ?", (KEYS[1],))
    assert Store(tmp_path).get(KEYS[1]) is None


@settings(max_examples=40)
@given(data=st.data())
def test_damage_anywhere_in_the_file_loses_entries_only(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    folder = tmp_path_factory.mktemp("store")
    store = Store(folder)
    bodies = {key: key[:1] * (200 * index + 1) for index, key in enumerate(KEYS)}
    for key, body in bodies.items():
        store.put(key, body)
    store.close()
    raw = bytearray(store.path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + 16] = data.draw(st.binary(min_size=1, max_size=16))
    store.path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw)
    damaged = Store(folder)
    assert all(damaged.get(key) in (None, body) for key, body in bodies.items())
    damaged.put(KEYS[0], b"new")
    damaged.flush()
    assert damaged.get(KEYS[0]) == b"new" or damaged.trouble is not None
    damaged.close()
    assert Store(folder).get(KEYS[0]) in (b"new", bodies[KEYS[0]], None)


def test_a_file_that_is_no_database_is_put_aside(tmp_path: Path):
    (tmp_path / "layers.sqlite").write_bytes(b"no database" * 1000)
    store = Store(tmp_path)
    store.put(KEYS[0], b"contents")
    store.close()
    assert Store(tmp_path).get(KEYS[0]) == b"contents"
    assert (tmp_path / "layers.damaged").exists()


def test_the_entries_not_used_for_longest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = iter(range(1000))
    monkeypatch.setattr("simhw.caching.store.time.time", lambda: float(next(clock)))
    store = Store(tmp_path, limit=1 << 20)
    body = bytes(100_000)
    for key in KEYS[:9]:
        store.put(key, body)
        store.flush()
    assert store.get(KEYS[0]) == body  # so that the second is the oldest now
    store.flush()
    for key in KEYS[9:12]:
        store.put(key, body)
        store.flush()
    assert store.usage().bytes <= 1 << 20
    assert KEYS[0] in store
    assert KEYS[1] not in store
    assert KEYS[11] in store


def test_what_would_fill_the_cache_is_not_kept(tmp_path: Path):
    store = Store(tmp_path, limit=1 << 20)
    store.put(KEYS[0], bytes(200_000))
    assert store.get(KEYS[0]) is None


def test_a_full_disk_ends_the_keeping(tmp_path: Path):
    store = Store(tmp_path)
    store.put(KEYS[0], b"kept")
    store.flush()
    assert store._connection is not None
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then says what it says on a full disk
    store.put(KEYS[1], bytes(500_000))
    store.flush()
    assert store.trouble is not None
    assert "full" in store.trouble
    store.put(KEYS[2], b"dropped")
    store.close()
    assert [Store(tmp_path).get(key) for key in KEYS[:3]] == [b"kept", None, None]


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "folder")
    store.put(KEYS[0], b"dropped")
    store.flush()
    assert store.get(KEYS[0]) is None
    assert store.trouble is not None
    assert store.usage().entries == 0


def test_a_cache_must_have_room(tmp_path: Path):
    with pytest.raises(InputError, match=r"the cache may hold 10 bytes, must be at least 1,048,576; give a larger"):
        Store(tmp_path, limit=10)


def _work(folder: Path, seed: int) -> None:
    store = Store(folder, limit=1 << 20)
    for turn in range(30):
        key = KEYS[(turn * 7 + seed) % len(KEYS)]
        body = key * 500
        if store.get(key) not in (None, body):
            raise SystemExit(1)
        store.put(key, body)
        store.flush()
    store.close()
    raise SystemExit(0 if store.trouble is None else 2)


def test_two_processes_at_once(tmp_path: Path):
    context = multiprocessing.get_context("spawn" if multiprocessing.get_start_method() == "spawn" else "fork")
    both = [context.Process(target=_work, args=(tmp_path, seed)) for seed in (0, 3)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert Store(tmp_path).usage().entries > 0


def test_messages_of_sqlite_that_are_no_text(tmp_path: Path):
    """A damaged schema is quoted in the error, whose bytes need not be UTF-8: entries are lost, nothing is raised."""
    store = Store(tmp_path)
    store.put(KEYS[0], b"contents")
    store.close()
    sound = store.path.read_bytes()
    for place in range(4096 - 400, 4096):
        store.path.write_bytes(sound[:place] + b"\xb6" + sound[place + 1 :])
        damaged = Store(tmp_path)
        assert damaged.get(KEYS[0]) in (None, b"contents")
        damaged.clear()
        damaged.close()


def test_another_thread_is_no_damage(tmp_path: Path):
    store = Store(tmp_path)
    store.put(KEYS[0], b"contents")
    store.flush()
    found: list[bytes | None] = []
    reader = threading.Thread(target=lambda: found.append(store.get(KEYS[0])))
    reader.start()
    reader.join()
    assert found == [b"contents"]
    assert not (tmp_path / "layers.damaged").exists()
    store.close()


def test_an_entry_too_large_for_sqlite_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("simhw.caching.store._LARGEST", 10)
    store = Store(tmp_path, limit=1 << 20)
    store.put(KEYS[0], b"eleven bytes")
    store.put(KEYS[1], b"ten")
    assert (store.get(KEYS[0]), store.get(KEYS[1])) == (None, b"ten")
    store.close()


def test_a_file_that_another_process_put_there_stays(tmp_path: Path):
    """One finds damage and makes a new file; the other, still on the old one, must not put the new one aside."""
    old = Store(tmp_path)
    store_of_another = Store(tmp_path)
    store_of_another._put_aside()
    store_of_another._open()
    store_of_another.put(KEYS[0], b"new")
    store_of_another.close()
    old._put_aside()
    old.close()
    fresh = Store(tmp_path)
    assert fresh.get(KEYS[0]) == b"new"
    fresh.close()
