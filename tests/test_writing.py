"""Nothing half-written: real and simulated failures while a result file is written."""

import errno
import os
import shutil
import stat
import subprocess
import sys
import textwrap

import pytest

from simhw.errors import InputError
from simhw.writing import require_writable, write_atomically


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize(
    ("content", "stored"), [("a µ\n", "a µ\n".encode()), (b"\x00\xff\r\n", b"\x00\xff\r\n"), ("", b"")]
)
def test_writes_exactly_the_content(tmp_path, content, stored):
    write_atomically(tmp_path / "new.txt", content)
    assert (tmp_path / "new.txt").read_bytes() == stored
    assert names(tmp_path) == ["new.txt"]


def test_replaces_an_older_file_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("older")
    path.chmod(0o604)
    write_atomically(str(path), "newer")
    assert path.read_text() == "newer"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_new_file_obeys_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("older")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    write_atomically(tmp_path / "link", "newer")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "newer"


def test_a_relative_name_and_a_very_long_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomically("plain.json", "1")
    write_atomically("n" * 250, "2")
    assert names(tmp_path) == ["n" * 250, "plain.json"]


class FailingFile:
    """A file whose ``write`` stores half of the data and then fails, as a disk does that fills up."""

    def __init__(self, stream, error):
        self.stream, self.error = stream, error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def write(self, data):
        self.stream.write(data[: len(data) // 2])
        self.stream.flush()
        raise self.error


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


def fail_in_write(monkeypatch, error):
    def opening(path, mode):
        return FailingFile(open(path, mode), error)

    monkeypatch.setattr("simhw.writing.open", opening, raising=False)


def fail_in(name):
    def patch(monkeypatch, error):
        def fail(*_):
            raise error

        monkeypatch.setattr(f"simhw.writing.os.{name}", fail)

    return patch


STEPS = pytest.mark.parametrize(
    "patch", [fail_in_write, fail_in("fsync"), fail_in("replace")], ids=["write", "fsync", "replace"]
)


@STEPS
@pytest.mark.parametrize("older", [None, "older"])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, patch, older):
    path = tmp_path / "rows.json"
    if older is not None:
        path.write_text(older)
    patch(monkeypatch, NO_SPACE)
    with pytest.raises(
        InputError, match=r"rows.json' was not written: no space left for its 1,000 bytes .*free some or"
    ):
        write_atomically(path, "x" * 1000)
    monkeypatch.undo()
    assert names(tmp_path) == ([] if older is None else ["rows.json"])
    assert older is None or path.read_text() == older


@STEPS
@pytest.mark.parametrize("older", [None, "older"])
def test_an_interrupt_leaves_what_was_there_and_is_not_swallowed(tmp_path, monkeypatch, patch, older):
    path = tmp_path / "rows.json"
    if older is not None:
        path.write_text(older)
    patch(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "x" * 1000)
    monkeypatch.undo()
    assert names(tmp_path) == ([] if older is None else ["rows.json"])
    assert older is None or path.read_text() == older


def test_another_failure_gives_its_reason(tmp_path, monkeypatch):
    fail_in_write(monkeypatch, OSError(errno.EIO, "Input/output error"))
    with pytest.raises(InputError, match=r"was not written: Input/output error .*choose another place"):
        write_atomically(tmp_path / "rows.json", "xy")


FILL = """
import sys
from simhw.errors import InputError
from simhw.writing import write_atomically
write_atomically(sys.argv[1], "older")
try:
    write_atomically(sys.argv[1], b"x" * 1_000_000)
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_a_really_full_file_system(tmp_path):
    script = tmp_path / "fill.py"
    script.write_text(FILL)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=64k none "{disk}"'
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("this system allows no private mount")
    fill = f'"{sys.executable}" "{script}" "{disk}/rows.json"'
    steps = f'{mount} && {fill} && ls -A "{disk}" && cat "{disk}/rows.json"'
    result = subprocess.run(["unshare", "-rm", "sh", "-c", steps], capture_output=True, text=True)
    message, *rest = result.stdout.splitlines()
    assert "no space left for its 1,000,000 bytes" in message
    assert rest == ["rows.json", "older"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_device_is_written_to_directly():
    with pytest.raises(InputError, match=r"'/dev/full' was not written: no space left"):
        write_atomically("/dev/full", "x")
    write_atomically("/dev/null", "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_standard_output_by_its_device_name():
    code = "from simhw.writing import write_atomically; write_atomically('/dev/stdout', 'through a pipe')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "through a pipe")


@pytest.mark.parametrize(
    "function", [require_writable, lambda path: write_atomically(path, "x")], ids=["require", "write"]
)
class TestPlaces:
    def test_missing_folder(self, tmp_path, function):
        with pytest.raises(InputError, match=r"folder '.*missing' does not exist; create it or choose another place"):
            function(tmp_path / "missing" / "rows.json")
        assert names(tmp_path) == []

    def test_a_file_in_the_folders_place(self, tmp_path, function):
        (tmp_path / "file").write_text("x")
        with pytest.raises(InputError, match=r"folder '.*file' is not a folder"):
            function(tmp_path / "file" / "rows.json")

    def test_a_folder_is_no_file(self, tmp_path, function):
        with pytest.raises(InputError, match=r"which is a folder; name a file inside it"):
            function(tmp_path)

    def test_a_folder_that_is_not_writable(self, tmp_path, function, monkeypatch):
        # Permissions do not bind root, under whom tests often run, so the system's answer is given here.
        monkeypatch.setattr(
            "simhw.writing.os.access", lambda folder, mode: (folder, mode) != (tmp_path, os.W_OK | os.X_OK)
        )
        with pytest.raises(InputError, match=r"is not writable; change its permissions or choose another place"):
            function(tmp_path / "rows.json")
        assert names(tmp_path) == []


def test_asking_creates_nothing(tmp_path):
    require_writable(tmp_path / "rows.json")
    require_writable("/dev/null")
    assert names(tmp_path) == []


def test_a_kill_leaves_the_older_file(tmp_path):
    """Not even SIGKILL between write and rename may damage the older file."""
    path = tmp_path / "rows.json"
    path.write_text("older")
    code = textwrap.dedent(f"""
        import os, signal, simhw.writing as writing
        writing.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        writing.write_atomically({str(path)!r}, "newer")
    """)
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert path.read_text() == "older"
