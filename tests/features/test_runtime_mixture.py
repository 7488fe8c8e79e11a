"""Distributions that ship the same module are named at start-up."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.features.runtime import check_runtime, mixtures


def installed(folder: Path, *names: str) -> list[metadata.Distribution]:
    """Really installed as far as importlib.metadata can tell: one dist-info folder each."""
    for name in names:
        info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    return list(metadata.distributions(path=[str(folder)]))


def test_one_of_each_is_fine(tmp_path: Path) -> None:
    check_runtime(installed(tmp_path, "faiss-cpu", "onnxruntime-gpu", "numpy"))


def test_what_runs_here_is_no_mixture() -> None:
    assert mixtures() == {}


@pytest.mark.parametrize(
    ("module", "pair"),
    [("faiss", ("faiss-cpu", "faiss-gpu")), ("onnxruntime", ("onnxruntime", "onnxruntime_GPU"))],
)
def test_a_mixture_is_named_with_the_command_that_mends_it(tmp_path: Path, module: str, pair: tuple[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        check_runtime(installed(tmp_path, *pair))
    first, second = (name.lower().replace("_", "-") for name in pair)
    assert f"{first} and {second} both ship the module {module}" in str(caught.value)
    assert f"pip uninstall -y {first} {second}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_mixtures_are_both_named(tmp_path: Path) -> None:
    found = mixtures(installed(tmp_path, "faiss-cpu", "faiss-gpu-cu12", "onnxruntime", "onnxruntime-gpu"))
    assert found == {
        "faiss": ("faiss-cpu", "faiss-gpu-cu12"),
        "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    }
