"""The list of models: what is there, how to get the rest, and whether it is right here."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from onnx_models import write_descriptor, write_model

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError, UnknownNameError
from deeplens_kit.features import (
    Model,
    ModelFile,
    Purpose,
    check_model,
    extractor,
    model_named,
    model_state,
    models,
    pull_model,
    vector_names,
)
from deeplens_kit.features.canonical_vectors import CANONICAL
from deeplens_kit.features.model_check import canonical_pictures
from deeplens_kit.features.sscd_torch import PUBLISHED
from deeplens_kit.features.weights import sha256_of
from deeplens_kit.matching.evidence import VECTOR_COLUMNS
from deeplens_kit.settings import FeatureSettings

SETTINGS = FeatureSettings()
HERE = ("sscd_small", "colour", "dominant_colours", "edges")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which a server gives its files."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def a_model(*files: ModelFile) -> Model:
    return Model("any", "onnx", (Purpose.LIKENESS,), 5, (8, 6), "CC0-1.0", "a test", files)


def test_each_model_says_what_it_is() -> None:
    shelf = models(SETTINGS)
    assert not shelf.broken
    assert sorted(model.name for model in shelf.models) == list(vector_names())
    for model in shelf.models:
        assert model.purposes and model.licence and model.source and model.dimensions > 0, model.name
        assert bool(model.files) == (model.kind != "rule"), model.name
        assert not model.custom


def test_what_is_evidence_for_a_copy_is_what_matching_has_a_column_for() -> None:
    copies = {model.name for model in models(SETTINGS).models if Purpose.COPY in model.purposes}
    assert copies == set(VECTOR_COLUMNS)


@pytest.mark.parametrize("name", HERE)
def test_descriptors_and_extractors_agree(name: str) -> None:
    model, spec = model_named(name, SETTINGS), extractor(name, SETTINGS).spec
    assert (spec.name, spec.kind, spec.size) == (model.name, "vector", model.dimensions)
    assert model_state(model, SETTINGS).installed


@pytest.mark.parametrize("name", ["sscd_small", "sscd"])
def test_the_files_of_the_packages_are_those_that_are_described(name: str) -> None:
    model = model_named(name, SETTINGS)
    (path,) = model_state(model, SETTINGS).files
    assert (path.stat().st_size, sha256_of(path)) == (model.files[0].size_bytes, model.files[0].sha256)


def test_the_published_file_is_the_one_that_is_described() -> None:
    (file,) = model_named("sscd_torch", SETTINGS).files
    assert (file.url, file.name, file.size_bytes, file.sha256) == (
        PUBLISHED.url,
        PUBLISHED.file_name,
        PUBLISHED.size_bytes,
        PUBLISHED.sha256,
    )


def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(tmp_path / "cache"))
    own = FeatureSettings(model_dir=str(tmp_path))
    state = model_state(model_named("sscd_torch", own), own)
    assert not state.installed
    assert f"run `deeplens models pull sscd_torch`, or place it in {str(tmp_path)!r}" in state.reason
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    reason = model_state(model_named("sscd_small", own), own).reason
    assert reason == "onnxruntime is not installed: install deeplens-kit with the extra `cpu` (or `gpu`)"
    other = a_model(ModelFile("x.onnx", package="no-such-package", extra="models"), ModelFile("y.onnx"))
    words = model_state(other, own).reason
    assert "x.onnx is not there: install deeplens-kit with the extra `models` (package no-such-package)" in words
    assert f"y.onnx is not there: place it in {str(tmp_path)!r}" in words
    with pytest.raises(ModelUnavailableError, match=r"Model 'any': x\.onnx is not there: install"):
        pull_model(other, own)


def test_a_model_is_fetched_once_and_checked(
    tmp_path: Path, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(tmp_path / "cache"))
    folder, address = served
    content = bytes(range(256)) * 9000
    (folder / "x.onnx").write_bytes(content)
    file = ModelFile("x.onnx", len(content), hashlib.sha256(content).hexdigest(), url=f"{address}/x.onnx")
    seen: list[int] = []
    (weights,) = pull_model(a_model(file), SETTINGS, seen.append)
    assert weights.path == tmp_path / "cache" / "x.onnx"
    assert weights.path.read_bytes() == content
    assert seen == sorted(seen) and seen[-1] == len(content)
    assert model_state(a_model(file), SETTINGS).installed
    (folder / "x.onnx").unlink()
    assert pull_model(a_model(file), SETTINGS) == (weights,)
    weights.path.write_bytes(content[:-1])
    with pytest.raises(ModelCorruptError, match="remove the file"):
        pull_model(a_model(file), SETTINGS)


def test_offline_one_line_names_the_file_and_the_folder(
    tmp_path: Path, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(tmp_path / "cache"))
    file = ModelFile("x.onnx", 3, "0" * 64, url=f"{served[1]}/x.onnx")
    with pytest.raises(ModelUnavailableError, match=r"HTTP 404\); place x.onnx in '.*cache' or in features.model_dir"):
        pull_model(a_model(file), SETTINGS)


def test_a_file_in_the_folder_that_is_another_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"other")
    with pytest.raises(ModelCorruptError, match=r"is not the x\.onnx that 'any' was tested with"):
        pull_model(a_model(ModelFile("x.onnx", 3, "0" * 64)), FeatureSettings(model_dir=str(tmp_path)))


@pytest.mark.parametrize("name", HERE)
def test_models_are_right_here(name: str) -> None:
    found = check_model(model_named(name, SETTINGS), SETTINGS)
    assert (found.wrong, found.known) == ("", True)
    assert found.pictures_per_second > 0


def test_other_numbers_than_elsewhere_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    right = CANONICAL["colour"]
    other = tuple((row[0] + 0.05, *row[1:]) for row in right.sums)
    monkeypatch.setitem(CANONICAL, "colour", replace(right, sums=other))
    found = check_model(model_named("colour", SETTINGS), SETTINGS)
    assert "sums over the vector of the picture 'rings' are off by 0.0" in found.wrong
    assert "at most 0.01 is allowed" in found.wrong


def test_a_model_of_ones_own_is_sound_and_compared_with_nothing(tmp_path: Path) -> None:
    write_model(tmp_path / "mine.onnx")
    write_descriptor(tmp_path)
    own = FeatureSettings(model_dir=str(tmp_path))
    found = check_model(model_named("mine", own), own)
    assert (found.wrong, found.known, found.dimensions) == ("", False, 5)


def test_the_canonical_pictures_stay_as_they_are() -> None:
    digests = {name: hashlib.sha256(pixels.tobytes()).hexdigest()[:16] for name, pixels in canonical_pictures().items()}
    assert digests == {"rings": "0545000568974adc", "board": "719c6d995b676353"}


def test_an_unknown_model_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="There is no model named 'sscd_smal'; did you mean 'sscd_small'"):
        model_named("sscd_smal", SETTINGS)
