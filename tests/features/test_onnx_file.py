"""Any ONNX file by a descriptor: the numbers of numpy, whatever the layout, and errors that say what to mend."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import DIMENSIONS, HEIGHT_PX, WIDTH_PX, matrix, write_descriptor, write_model
from PIL import Image, ImageOps

from deeplens_kit.errors import ModelCorruptError, SettingsError, UnknownNameError
from deeplens_kit.features import available, extractor, model_named, models, names, vector_names
from deeplens_kit.settings import FeatureSettings

Picture = NDArray[np.uint8]
SIZE = (WIDTH_PX, HEIGHT_PX)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "mine.onnx")
    return tmp_path


def settings(folder: Path, *enabled: str) -> FeatureSettings:
    return FeatureSettings(enabled=enabled or ("mine",), model_dir=str(folder))


def resized(pixels: Picture, how: str) -> Picture:
    """What the file should see, by Pillow's own words for each way."""
    image = Image.fromarray(pixels)
    if how == "crop":
        return np.asarray(ImageOps.fit(image, SIZE, Image.Resampling.BILINEAR))
    if how == "pad":
        return np.asarray(ImageOps.pad(image, SIZE, Image.Resampling.BILINEAR))
    return np.asarray(image.resize(SIZE, Image.Resampling.BILINEAR))


def by_numpy(pixels: Picture, how: str, layout: str, *, plain: bool = False) -> NDArray[np.float64]:
    numbers = resized(pixels, how).astype(np.float64)
    if not plain:
        numbers = (numbers / 255 - np.array(MEAN)) / np.array(STD)
    row = (numbers.transpose(2, 0, 1) if layout == "nchw" else numbers).ravel() @ matrix().astype(np.float64)
    return row / np.linalg.norm(row)


@pytest.mark.parametrize(("layout", "resize"), list(product(("nchw", "nhwc"), ("crop", "squash", "pad"))))
def test_numbers_are_those_of_numpy(tmp_path: Path, pictures: dict[str, Picture], layout: str, resize: str) -> None:
    write_model(tmp_path / "mine.onnx", layout=layout)
    write_descriptor(tmp_path, layout=layout, resize=resize, mean=list(MEAN), std=list(STD))
    chosen = [pictures[name] for name in ("astronaut", "coffee", "page")]
    found = extractor("mine", settings(tmp_path)).extract(chosen)["vector"]
    assert found.dtype == np.float16
    assert found == pytest.approx(np.stack([by_numpy(item, resize, layout) for item in chosen]), abs=2e-3)


@pytest.mark.parametrize("dtype", ["uint8", "float16"])
def test_other_types_of_input(tmp_path: Path, pictures: dict[str, Picture], dtype: str) -> None:
    write_model(tmp_path / "mine.onnx", dtype=dtype)
    changes = {} if dtype == "uint8" else {"mean": list(MEAN), "std": list(STD)}
    write_descriptor(tmp_path, output_name="embedding", input_name="pixels", **changes)
    found = extractor("mine", settings(tmp_path)).extract([pictures["coffee"]])["vector"][0]
    assert found == pytest.approx(by_numpy(pictures["coffee"], "crop", "nchw", plain=dtype == "uint8"), abs=5e-3)


def test_batch_mates_change_nothing_and_the_smallest_pictures_pass(folder: Path, pictures: dict[str, Picture]) -> None:
    for resize in ("crop", "squash", "pad"):
        write_descriptor(folder, resize=resize)
        made = extractor("mine", settings(folder))
        strips = [np.full((*size, 3), 90, dtype=np.uint8) for size in ((1, 1), (1, 384), (384, 1))]
        batch = [*strips, *list(pictures.values())[:3]]
        whole = made.extract(batch)["vector"]
        assert np.isfinite(whole).all()
        assert whole.tobytes() == b"".join(made.extract([item])["vector"].tobytes() for item in batch)
        assert made.extract([])["vector"].shape == (0, DIMENSIONS)


def test_the_key_changes_with_the_file_and_with_all_that_is_done_to_a_picture(folder: Path) -> None:
    changes: list[dict[str, object]] = [
        {},
        {"mean": [0.1, 0.1, 0.1]},
        {"std": [0.5, 0.5, 0.5]},
        {"scale": 1.0},
        {"resize": "squash"},
        {"resample": "bicubic"},
        {"dimensions": 1, "output_name": "sum"},
    ]
    keys = []
    for change in changes:
        write_descriptor(folder, **change)
        keys.append(extractor("mine", settings(folder)).spec.key)
    write_descriptor(folder)
    spec = extractor("mine", settings(folder)).spec
    assert spec.key == keys[0]
    assert spec.weights.startswith("mine.onnx:")
    write_model(folder / "mine.onnx", seed=4)
    keys.append(extractor("mine", settings(folder)).spec.key)
    assert len(set(keys)) == len(changes) + 1


def test_own_models_are_features_beside_the_others(folder: Path) -> None:
    write_descriptor(folder, licence="CC0-1.0", source="made for a test")
    (folder / "notes.txt").write_text("no model")
    own = settings(folder, "pdq", "mine")
    assert "mine" in names(own) and "mine" in vector_names(own)
    assert "mine" not in names()
    model = model_named("mine", own)
    assert (model.custom, model.licence, model.dimensions) == (True, "CC0-1.0", DIMENSIONS)
    assert tuple(available(own).extractors) == ("pdq", "mine")
    assert extractor("mine", own).spec.source == "made for a test"
    (folder / "mine.onnx").unlink()
    found = available(own)
    assert tuple(found.extractors) == ("pdq",)
    assert found.missing["mine"] == (
        f"Feature 'mine' is left out: {str(folder / 'mine.onnx')!r} does not exist; "
        "place the file there, or mend `file` in mine.toml."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dimensions": 7}, r"one picture gives \(1, 5\), the descriptor says 7 numbers"),
        ({"input_px": 8}, "it fails on a picture of 8 x 8 px as nchw"),
        ({"layout": "nhwc"}, "it fails on a picture of 8 x 6 px as nhwc"),
    ],
)
def test_a_file_that_does_something_else_is_told(folder: Path, changes: dict[str, object], words: str) -> None:
    write_descriptor(folder, **changes)
    with pytest.raises(ModelCorruptError, match=f"is not what mine.toml says: {words}.*mend the") as caught:
        extractor("mine", settings(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "tensorflow"}, "'kind' is 'tensorflow'; it must be 'onnx' or 'open_clip' or 'timm'"),
        ({"kind": None}, "must set 'kind'; add it"),
        ({"file": None}, "must set 'file'; add it"),
        ({"dimensions": 0}, "'dimensions' is 0; it must be a whole number from 1 to 16384"),
        ({"dimensions": True}, "'dimensions' is True; it must be a whole number"),
        ({"input_px": [8]}, r"'input_px' is \[8\]; it must be a side from 1 to 4096 px, or \[height, width\]"),
        ({"input_px": 5000}, "'input_px' is 5000; it must be a side from 1 to 4096"),
        ({"layout": "chw"}, "'layout' is 'chw'; it must be 'nchw' or 'nhwc'"),
        ({"resize": "fit"}, "'resize' is 'fit'; it must be 'crop' or 'squash' or 'pad'"),
        ({"mean": [0.5, 0.5]}, r"'mean' is \[0.5, 0.5\]; it must be three numbers, by channel"),
        ({"std": [0.5, 0.5, 0]}, r"'std' is \[0.5, 0.5, 0\]; it must be three numbers, by channel, each above 0"),
        ({"thumbnail_px": -1}, "'thumbnail_px' is -1; it must be a whole number from 0 to 4096"),
        ({"scale": -1}, "'scale' is -1; it must be a number above 0"),
        ({"metric": "euclidean"}, "'metric' is 'euclidean'; it must be 'cosine'"),
        ({"purposes": ["copy"]}, r"'purposes' is \['copy'\]; it must be a list of 'likeness' and 'words'"),
        ({"input_name": "image"}, "mine.toml sets input_name to 'image', which .* does not have; it has: pixels"),
        ({"output_name": "vector"}, "sets output_name to 'vector', which .* does not have; it has: embedding, sum"),
        (
            {"kind": "open_clip", "file": None, "input_px": None, "dimensions": None},
            "must set `model` and `pretrained`",
        ),
        ({"kind": "timm", "file": None, "input_px": None, "dimensions": None}, "must set 'model'; add it"),
    ],
)
def test_what_a_descriptor_may_not_say(folder: Path, changes: dict[str, object], words: str) -> None:
    write_descriptor(folder, **changes)
    with pytest.raises(SettingsError, match=words) as caught:
        extractor("mine", settings(folder))
    assert "mine.toml" in str(caught.value)


def test_an_unknown_key_is_told_with_the_nearest(folder: Path) -> None:
    write_descriptor(folder, dimension=5)
    with pytest.raises(UnknownNameError, match=r"key in .*mine\.toml' named 'dimension'; did you mean 'dimensions'"):
        extractor("mine", settings(folder))


def test_a_scale_for_a_file_that_takes_bytes_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "mine.onnx", dtype="uint8")
    write_descriptor(tmp_path, scale=1.0)
    with pytest.raises(SettingsError, match=r"takes samples of 0\.\.255 as they are \(uint8\); remove these keys"):
        extractor("mine", settings(tmp_path))


def test_names_that_are_taken_or_not_allowed(folder: Path) -> None:
    write_descriptor(folder, "phash")
    write_descriptor(folder, "Mine-2")
    (folder / "broken.toml").write_text("kind = ")
    with pytest.raises(SettingsError, match="has the name of the feature 'phash', which comes with DeepLens; rename"):
        extractor("phash", settings(folder))
    with pytest.raises(UnknownNameError, match="There is no feature named 'Mine-2'"):
        available(settings(folder, "Mine-2"))
    shelf = models(settings(folder))
    assert set(shelf.broken) == {"broken", "phash", "Mine-2"}
    assert "is not valid TOML" in shelf.broken["broken"]
    assert "begins with a letter a-z" in shelf.broken["Mine-2"]


def test_the_example_of_the_guide_is_a_descriptor(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "user-guide.md").read_text(encoding="utf-8")
    start = guide.index('kind = "onnx"\n')
    (tmp_path / "products.toml").write_text(guide[start : guide.index("```", start)])
    model = model_named("products", settings(tmp_path))
    assert (model.dimensions, model.input_px, model.files[0].name) == (256, (224, 224), "products.onnx")
    assert model.thumbnail_px == 0
    write_descriptor(tmp_path, thumbnail_px=200)
    assert model_named("mine", settings(tmp_path)).thumbnail_px == 200
