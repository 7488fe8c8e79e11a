"""CLIP through the product: words find pictures, files of any kind are told apart, and both runtimes agree."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError
from deeplens_kit.features import extractor, onnx_export
from deeplens_kit.features.base import TextExtractor
from deeplens_kit.features.onnx_export import LEAST_COSINE, cosine
from deeplens_kit.features.open_clip import (
    OPEN_CLIP_PRESETS,
    OpenClip,
    OpenClipModel,
    _picture_tower,
    _text_tower,
    open_clip_extractor,
)
from deeplens_kit.features.preprocessing import Preprocessing
from deeplens_kit.features.torch_runtime import import_library
from deeplens_kit.features.towers import OnnxTower, TorchTower
from deeplens_kit.matching.evidence import VECTOR_COLUMNS
from deeplens_kit.settings import FeatureSettings
from tests.features.test_efficientnet_lite0 import Intruder
from tests.features.tiny_clip import CAPTIONS, TINY, drawn, needs_semantic

pytestmark = needs_semantic

CPU = "the towers are compared on the CPU"


@pytest.fixture(scope="module")
def made(tiny_clip: Path) -> OpenClip:
    return open_clip_extractor(TINY, str(tiny_clip))


@pytest.fixture
def anew() -> Any:
    """Forget which models are loaded, before and after."""
    for forget in (_picture_tower, _text_tower):
        forget.cache_clear()
    yield
    for forget in (_picture_tower, _text_tower):
        forget.cache_clear()


def test_a_red_circle_finds_the_red_circles(made: OpenClip) -> None:
    pictures, shown = drawn(8, seed=7)
    vectors = made.extract(pictures)["vector"].astype(np.float32)
    words = made.embed_texts(list(CAPTIONS)).astype(np.float32)
    for caption, row in zip(CAPTIONS, words @ vectors.T, strict=True):
        first = [shown[place] for place in np.argsort(-row)[:8]]
        least = 8 if caption == "a red circle" else 6
        assert first.count(caption) >= least, (caption, first)


def test_what_it_gives_fits_the_protocol(made: OpenClip) -> None:
    assert isinstance(made, TextExtractor)
    words = made.embed_texts(["a red circle", "", "a blue cross " * 50])
    assert words.dtype == np.float16
    assert words.shape == (3, made.spec.size)
    assert np.abs(np.linalg.norm(words.astype(np.float32), axis=1) - 1).max() < 2e-3
    assert words[0].tobytes() == made.embed_texts(["a red circle"])[0].tobytes()
    assert made.embed_texts([]).shape == (0, made.spec.size)
    with pytest.raises(TypeError, match="sequence"):
        made.embed_texts("a red circle")


def test_it_is_not_computed_unless_asked_for_and_is_no_evidence() -> None:
    assert not set(OPEN_CLIP_PRESETS) & set(FeatureSettings().enabled)
    assert not set(OPEN_CLIP_PRESETS) & set(VECTOR_COLUMNS)


def test_both_runtimes_give_the_same(
    made: OpenClip, tiny_clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, anew: None
) -> None:
    assert isinstance(made.pictures, OnnxTower), CPU

    def fails(*_: object) -> None:
        raise ValueError("cannot be exported")

    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(tmp_path))
    monkeypatch.setattr(onnx_export, "_write", fails)
    by_torch = open_clip_extractor(TINY, str(tiny_clip))
    assert isinstance(by_torch.pictures, TorchTower)
    assert by_torch.spec == made.spec
    pictures, _ = drawn(2, seed=8)
    for one, other in (
        (made.extract(pictures)["vector"], by_torch.extract(pictures)["vector"]),
        (made.embed_texts(CAPTIONS), by_torch.embed_texts(CAPTIONS)),
    ):
        pairs = zip(one.astype(np.float32), other.astype(np.float32), strict=True)
        assert min(cosine(*pair) for pair in pairs) >= LEAST_COSINE


def test_a_spoilt_export_is_made_anew(
    tiny_clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, anew: None
) -> None:
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(tmp_path))
    first = open_clip_extractor(TINY, str(tiny_clip))
    (path,) = (tmp_path / "onnx").iterdir()
    path.write_bytes(path.read_bytes()[:5000])
    _picture_tower.cache_clear()
    again = open_clip_extractor(TINY, str(tiny_clip))
    assert isinstance(again.pictures, OnnxTower)
    assert again.spec == first.spec
    assert [item.name for item in (tmp_path / "onnx").iterdir()] == [path.name]


def test_the_key_tells_weights_and_architecture(made: OpenClip, tiny_clip: Path, tmp_path: Path) -> None:
    for name in ("tiny_clip.pt", "tiny_clip.json"):
        shutil.copy(tiny_clip / name, tmp_path)
    assert open_clip_extractor(TINY, str(tmp_path)).spec == made.spec
    config = json.loads((tmp_path / "tiny_clip.json").read_text())
    config["preprocess_cfg"]["mean"] = [0.4, 0.4, 0.4]
    (tmp_path / "tiny_clip.json").write_text(json.dumps(config))
    other = open_clip_extractor(TINY, str(tmp_path)).spec
    assert other.key != made.spec.key
    assert other.preprocessing != made.spec.preprocessing


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_pictures_are_prepared_as_open_clip_does(pictures: dict[str, NDArray[np.uint8]], mode: str) -> None:
    transform = import_library("open_clip.transform", TINY.name).image_transform
    config = {
        "size": 64,
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.3, 0.4),
        "interpolation": "bicubic",
        "resize_mode": mode,
        "fill_color": 0,
    }
    theirs = transform(64, False, config["mean"], config["std"], mode, "bicubic")
    ours = Preprocessing.of_open_clip(config)
    for name in ("astronaut", "coffee", "page"):
        difference = np.abs(ours.apply(pictures[name]) - theirs(Image.fromarray(pictures[name])).numpy())
        assert difference.mean() < 0.08, name


def test_missing_weights_say_what_goes_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelUnavailableError) as caught:
        extractor("clip_vit_b_32", FeatureSettings(model_dir=str(tmp_path / "own")))
    message = str(caught.value)
    assert "\n" not in message
    for word in (
        "'clip_vit_b_32' is left out",
        "`deeplens models pull clip_vit_b_32`",
        "'ViT-B-32-laion2b_s34b_b79k.safetensors' (or .bin, .pt, .pth)",
        repr(str(tmp_path / "own")),
        repr(str(tmp_path / "cache")),
    ):
        assert word in message
    with pytest.raises(ModelUnavailableError) as caught:
        open_clip_extractor(TINY, "")
    assert "pull" not in str(caught.value), "nobody publishes it"
    assert "'tiny_clip.pt'" in str(caught.value)


def test_a_file_that_is_a_program_is_refused_and_not_run(tmp_path: Path, tiny_clip: Path) -> None:
    torch = import_library("torch", TINY.name)
    shutil.copy(tiny_clip / "tiny_clip.json", tmp_path)
    torch.save({"state_dict": {"visual.proj": Intruder(tmp_path / "ran")}}, tmp_path / "tiny_clip.pt")
    with pytest.raises(ModelCorruptError, match="replace the file") as caught:
        open_clip_extractor(TINY, str(tmp_path))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("model", "config", "error", "words"),
    [
        (OpenClipModel("f", "ViT-B-23", checkpoint="f.pt"), None, ModelUnavailableError, "did you mean 'ViT-B-32'"),
        (OpenClipModel("f", "ViT-B-32", "laion", "f.pt"), None, ModelUnavailableError, "laion2b_s34b_b79k"),
        (OpenClipModel("f", "", checkpoint="f.pt"), None, ModelUnavailableError, "'f.json' beside"),
        (OpenClipModel("f", "", checkpoint="f.pt"), "{]", ModelCorruptError, "does not describe a model"),
        (OpenClipModel("f", "", checkpoint="f.pt"), '{"embed_dim": 3}', ModelCorruptError, "text_cfg is missing"),
        (OpenClipModel("f", "", checkpoint="f.pt"), "tokenizer", ModelUnavailableError, "transformers"),
    ],
)
def test_a_model_that_cannot_be_is_one_line(
    tmp_path: Path, tiny_clip: Path, model: OpenClipModel, config: str | None, error: type[Exception], words: str
) -> None:
    shutil.copy(tiny_clip / "tiny_clip.pt", tmp_path / "f.pt")
    if config == "tokenizer":
        whole = json.loads((tiny_clip / "tiny_clip.json").read_text())
        whole["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "somebody/words"
        config = json.dumps(whole)
    if config is not None:
        (tmp_path / "f.json").write_text(config)
    with pytest.raises(error) as caught:
        open_clip_extractor(model, str(tmp_path)).embed_texts(["words"])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
