"""Models of open_clip and timm in the list of models: presets, and descriptors of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_models import write_descriptor

from deeplens_kit.errors import ModelUnavailableError
from deeplens_kit.features import Purpose, available, extractor, model_named, model_state, names
from deeplens_kit.settings import FeatureSettings

pytest.importorskip("deeplens_kit.features.open_clip")

PRESETS = ("clip_vit_b_32", "clip_vit_l_14", "efficientnet_b0", "resnet50")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureSettings:
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(tmp_path / "cache"))
    return FeatureSettings(enabled=("mine",), model_dir=str(tmp_path))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_features_and_their_weights_are_told_of(name: str, settings: FeatureSettings) -> None:
    model = model_named(name, settings)
    assert name in names()
    assert model.dimensions >= 512 and model.size_bytes > 2e7
    assert (Purpose.WORDS in model.purposes) == name.startswith("clip_")
    reason = model_state(model, settings).reason
    assert f"{model.files[0].name} is not there: run `deeplens models pull {name}`" in reason
    (Path(settings.model_dir) / model.files[0].name).with_suffix(".pt").write_bytes(b"weights")
    assert "is not there" not in model_state(model, settings).reason
    with pytest.raises(ModelUnavailableError, match=f"Feature '{name}' is left out"):
        extractor(name, FeatureSettings())


@pytest.mark.parametrize(
    ("keys", "file"),
    [
        ({"kind": "open_clip", "model": "ViT-B-16", "pretrained": "openai"}, "ViT-B-16-openai.safetensors"),
        ({"kind": "open_clip", "checkpoint": "tiny.pt"}, "tiny.pt"),
        ({"kind": "timm", "model": "resnet18.a1_in1k"}, "resnet18.a1_in1k.safetensors"),
        ({"kind": "timm", "model": "resnet18", "checkpoint": "ours.safetensors"}, "ours.safetensors"),
    ],
)
def test_a_descriptor_names_a_model_of_a_library(settings: FeatureSettings, keys: dict[str, str], file: str) -> None:
    write_descriptor(Path(settings.model_dir), file=None, input_px=None, dimensions=None, **keys)
    model = model_named("mine", settings)
    assert (model.kind, model.files[0].name, model.custom) == (keys["kind"], file, True)
    assert model.files[0].can_be_fetched == ("checkpoint" not in keys)
    assert "'mine' is left out" in available(settings).missing["mine"]
