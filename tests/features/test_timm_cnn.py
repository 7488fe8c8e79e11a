"""ImageNet networks: pooled features of published files, prepared as timm prepares, and what a wrong file says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError
from deeplens_kit.features import extractor
from deeplens_kit.features.onnx_export import LEAST_COSINE, cosine
from deeplens_kit.features.preprocessing import Preprocessing
from deeplens_kit.features.timm_cnn import TIMM_PRESETS, TimmModel, timm_extractor
from deeplens_kit.features.torch_runtime import import_library
from deeplens_kit.features.towers import OnnxTower
from deeplens_kit.matching.evidence import VECTOR_COLUMNS
from deeplens_kit.settings import FeatureSettings
from tests.features.test_efficientnet_lite0 import Intruder
from tests.features.tiny_clip import needs_semantic
from tests.features.tiny_cnn import TINY_CNN

pytestmark = needs_semantic


def test_it_is_not_computed_unless_asked_for_and_is_no_evidence() -> None:
    assert not set(TIMM_PRESETS) & set(FeatureSettings().enabled)
    assert not set(TIMM_PRESETS) & set(VECTOR_COLUMNS)


def test_vectors_are_those_of_timm(tiny_cnn: Path, pictures: dict[str, NDArray[np.uint8]]) -> None:
    """By its own loading, preparation and pooling, in PyTorch, from the same file."""
    timm, torch = import_library("timm", "tiny_cnn"), import_library("torch", "tiny_cnn")
    path = tiny_cnn / TINY_CNN.checkpoint
    theirs = timm.create_model(TINY_CNN.model, checkpoint_path=str(path)).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(theirs))
    made = timm_extractor(TINY_CNN, str(tiny_cnn))
    assert isinstance(made.tower, OnnxTower)
    for name in ("astronaut", "coffee", "page"):
        found = made.extract([pictures[name]])["vector"][0].astype(np.float32)
        with torch.inference_mode():
            shown = torch.from_numpy(made.preprocessing.apply(pictures[name]))[None]
            same_input = theirs.forward_head(theirs.forward_features(shown), pre_logits=True)[0].numpy()
            whole = transform(Image.fromarray(pictures[name]))[None]
            own_input = theirs.forward_head(theirs.forward_features(whole), pre_logits=True)[0].numpy()
        assert cosine(found, same_input) >= LEAST_COSINE
        assert cosine(found, own_input) >= 0.99, "another pixel at the edge, no more"


@pytest.mark.parametrize(("name", "crop", "size"), [("resnet50", 0.95, 2048), ("efficientnet_b0", 0.875, 1280)])
def test_presets_are_what_timm_knows(name: str, crop: float, size: int) -> None:
    timm = import_library("timm", name)
    known = timm.get_pretrained_cfg(TIMM_PRESETS[name].model)
    shown = Preprocessing.of_timm(known.to_dict())
    assert (shown.height_px, shown.crop, shown.interpolation) == (224, crop, "bicubic")
    assert known.license == TIMM_PRESETS[name].licence.lower()
    assert TIMM_PRESETS[name].dimensions == size


def test_missing_weights_say_what_goes_where(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError) as caught:
        extractor("resnet50", FeatureSettings(model_dir=str(tmp_path)))
    message = str(caught.value)
    for word in ("`deeplens models pull resnet50`", "'resnet50.a1_in1k.safetensors' (or .bin", repr(str(tmp_path))):
        assert word in message
    assert "\n" not in message


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".bin"])
def test_a_file_of_other_weights_is_refused(tmp_path: Path, suffix: str) -> None:
    torch = import_library("torch", "tiny_cnn")
    path = tmp_path / f"tiny_cnn{suffix}"
    if suffix == ".safetensors":
        path.write_bytes(b"not tensors")
    elif suffix == ".pt":
        torch.save({"conv1.weight": torch.zeros(3)}, path)
    else:
        torch.save({"conv1.weight": Intruder(tmp_path / "ran")}, path)
    with pytest.raises(ModelCorruptError, match="does not hold the weights of test_resnet") as caught:
        timm_extractor(TINY_CNN, str(tmp_path))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("model", "words"),
    [("resnet5o", "did you mean 'resnet50'"), ("resnet50.nobody", "knows no weights 'nobody' of 'resnet50'")],
)
def test_a_model_that_timm_does_not_know_is_one_line(tmp_path: Path, tiny_cnn: Path, model: str, words: str) -> None:
    shutil.copy(tiny_cnn / TINY_CNN.checkpoint, tmp_path / "own.safetensors")
    with pytest.raises(ModelUnavailableError, match=words):
        timm_extractor(TimmModel("own", model, "own.safetensors"), str(tmp_path))
