from __future__ import annotations

from importlib import resources

import pytest

from simhw.costs.published_loader import load_published_model, parse_published_model, published_model_names
from simhw.errors import InputError

TEXT = (resources.files("simhw.costs.published") / "mixpe_artifact.toml").read_text("utf-8")


@pytest.mark.parametrize("name", published_model_names())
def test_every_preset_loads(name: str) -> None:
    model = load_published_model(name)
    assert model.name == name
    assert all(design.source in model.sources.values() for design in model.designs.values())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source = "synthesis"', 'source = "hearsay"', "cites 'hearsay', the sources listed are"),
        ("dynamic_uw = 279.960", "dynamic_uw = -1", "dynamic_uw of design mixpe_w4a8 .* is -1"),
        ("dynamic_uw = 279.960", "dynamic = 279.960", "has 'dynamic', which is not known"),
        ("dynamic_uw = 279.960\n", "", "has no 'dynamic_uw'"),
        ('dequantize = "after"', 'dequantize = "never"', "is 'never', must be one of before, after, none"),
        ("[clock]", "[watch]", "has no 'clock'"),
        ("rows = 64", "rows = ", "is not valid TOML"),
    ],
)
def test_what_cannot_be_judged_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_published_model(TEXT.replace(old, new, 1), "mixpe_artifact")


def test_unknown_names() -> None:
    with pytest.raises(InputError, match=r"cost preset is 'mixpe'.*mixpe_artifact"):
        load_published_model("mixpe")
    with pytest.raises(InputError, match=r"design is 'ante'.*ant"):
        load_published_model("mixpe_artifact").design("ante")
