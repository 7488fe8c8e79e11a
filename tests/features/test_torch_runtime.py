"""PyTorch and what stands on it: where an import is mended, and where it must not be; batches of one size."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from deeplens_kit.errors import ModelUnavailableError
from deeplens_kit.features.torch_runtime import auto_device, import_library
from deeplens_kit.features.towers import TorchTower
from tests.features.tiny_clip import needs_semantic

STAND_IN = "torchvision._meta_registrations"


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that goes before all others on the path, and no torchvision that was imported before."""
    for name in [item for item in sys.modules if item.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "torchvision").mkdir()
    return tmp_path / "torchvision"


def forget_it() -> None:
    for name in [item for item in sys.modules if item.split(".")[0] == "torchvision"]:
        del sys.modules[name]


def test_an_import_is_mended_where_the_operators_are_missing(torchvision: Path) -> None:
    (torchvision / "_meta_registrations.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    (torchvision / "__init__.py").write_text("from torchvision import _meta_registrations\nMENDED = True\n")
    assert import_library("torchvision", "f").MENDED
    forget_it()


def test_a_proper_install_is_left_alone(torchvision: Path) -> None:
    (torchvision / "__init__.py").write_text("PROPER = True\n")
    assert import_library("torchvision", "f").PROPER
    assert STAND_IN not in sys.modules
    forget_it()


def test_another_failure_is_told_and_nothing_is_put_in_its_place(torchvision: Path) -> None:
    (torchvision / "__init__.py").write_text("raise RuntimeError('compiled for another PyTorch')\n")
    with pytest.raises(ModelUnavailableError, match=r"'f' is left out.*compiled for another PyTorch.*constraints.txt"):
        import_library("torchvision", "f")
    assert STAND_IN not in sys.modules
    forget_it()


def test_what_is_not_installed_says_what_installs_it(torchvision: Path) -> None:
    (torchvision / "__init__.py").write_text("")
    with pytest.raises(ModelUnavailableError, match=r"no_such_library is not installed; .*extra `semantic`"):
        import_library("no_such_library", "f")
    forget_it()


@needs_semantic
def test_the_device_is_one_that_there_is() -> None:
    torch = import_library("torch", "f")
    assert auto_device() == ("cuda" if torch.cuda.is_available() else "cpu")


@needs_semantic
def test_batches_of_one_size_are_filled_and_cut() -> None:
    torch = import_library("torch", "f")
    seen: list[int] = []

    class Doubled(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, batch: object) -> object:
            seen.append(len(batch))  # type: ignore[arg-type]
            return batch * 2  # type: ignore[operator]

    inputs = [np.full(3, index, dtype=np.float32) for index in range(10)]
    rows = TorchTower(Doubled(), 3, batch=4).rows(inputs)
    assert seen == [4, 4, 4]
    assert np.array_equal(rows, 2 * np.stack(inputs))
    assert TorchTower(Doubled(), 3, batch=4).rows([]).shape == (0, 3)
