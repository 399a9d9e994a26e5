"""The wheel: every package of the tree, every data file, and a program that runs where nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "simhw": ROOT / "simhw",
    "simhw.models": ROOT / "models",
    "simhw.quant": ROOT / "quant",
    "simhw.reports": ROOT / "reports",
}


@pytest.fixture(scope="module")
def settings() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    return found


def python_folders() -> dict[str, Path]:
    """Every folder that holds Python files, under the name it is imported by."""
    found = {}
    for name, root in FOLDERS.items():
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
            if any(folder.glob("*.py")):
                found[".".join((name, *folder.relative_to(root).parts))] = folder
    return found


def test_package_list_is_the_tree(settings: dict[str, object]):
    folders = python_folders()
    assert settings["packages"] == sorted(folders)
    assert settings["package-dir"] == {name: str(path.relative_to(ROOT)) for name, path in FOLDERS.items()}
    assert [name for name, path in folders.items() if not (path / "__init__.py").exists()] == []


def tracked() -> list[Path]:
    """Files under version control, where there is one; else all."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *{path.name for path in FOLDERS.values()}], cwd=ROOT, capture_output=True
    )
    if listed.returncode == 0 and listed.stdout:
        return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).exists()]
    return [
        path
        for root in FOLDERS.values()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


def installed_name(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return str(relative if relative.parts[0] == "simhw" else Path("simhw") / relative)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left behind; with the setuptools at hand where it is new enough."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in (*tracked(), *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))):
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    isolation = [] if not has_setuptools() else ["--no-isolation"]
    command = [sys.executable, "-m", "build", "--wheel", *isolation, "--outdir", str(target), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = target.glob("*.whl")
    return found


def has_setuptools() -> bool:
    try:
        return int(version("setuptools").split(".")[0]) >= 77
    except ImportError:
        return False


def test_wheel_holds_every_file_and_nothing_else(wheel: Path):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    made = (ROOT / "reports" / "out", ROOT / "reports" / "published")
    expected = {installed_name(path) for path in tracked() if not any(path.is_relative_to(folder) for folder in made)}
    assert names == expected
    assert {name.split("/")[0] for name in names} == {"simhw"}
    assert {
        "simhw/py.typed",
        "simhw/costs/tables/horowitz_45nm.toml",
        "simhw/models/assets/tiny_llama.safetensors",
    } <= names
    assert "simhw/models/assets/LICENSES.md" in names


def test_metadata(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        info = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(info["METADATA"]).decode()
        assert "simhw = simhw.cli:main" in archive.read(info["entry_points.txt"]).decode()
    assert "\nRequires-Python: >=3.11\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "LICENSE" in info


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """simhw installed in an environment of its own, whose other packages are those of this one."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=True)
    scripts = home / ("Scripts" if sys.platform == "win32" else "bin")
    python = scripts / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True, capture_output=True)
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(own.stdout.strip(), "borrowed.pth").write_text("\n".join(sorted(borrowed)) + "\n")
    return scripts / "simhw"


@pytest.fixture(autouse=True)
def only_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No path of the tree, which a caller may have set, comes before the installed packages."""
    monkeypatch.delenv("PYTHONPATH", raising=False)


def run(program: Path, folder: Path, *arguments: str) -> str:
    result = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_installed_program_lists_and_runs_elsewhere(program: Path, tmp_path: Path):
    where = [program.with_name("python"), "-c", "import simhw, simhw.quant; print(simhw.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert not Path(found).is_relative_to(ROOT)
    assert "w4a8_mixpe" in run(program, tmp_path, "list")
    arguments = ["run", "--model", "fashion_resnet", "--datapath", "w8a8_int8", "--samples", "2", "--json", "-"]
    (row,) = json.loads(run(program, tmp_path, *arguments))
    assert (row["datapath"], row["samples"]) == ("w8a8_int8", 2)
    assert list(tmp_path.iterdir()) == []
