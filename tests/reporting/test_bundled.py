"""Reports, dashboards and notebooks are found in a checkout and in what is installed from a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Literal

import pytest

from deeplens_kit.errors import DeepLensError
from deeplens_kit.reporting.bundled import bundled

FOLDERS: tuple[Literal["reports", "dashboards", "notebooks"], ...] = ("reports", "dashboards", "notebooks")


def test_a_checkout_has_them_beside_the_package(repository: Path) -> None:
    for folder in FOLDERS:
        assert bundled(folder) == repository / folder
    assert (bundled("reports") / "savings.ipynb").is_file()


@pytest.fixture(scope="module")
def installed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a wheel of this checkout puts into site-packages."""
    wheel = pytest.importorskip("hatchling.builders.wheel")
    folder = tmp_path_factory.mktemp("wheel")
    (file,) = wheel.WheelBuilder(str(repository)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "site-packages")
    return folder / "site-packages"


def test_a_wheel_brings_them_along(installed: Path, repository: Path) -> None:
    # Somebody else's package of that name.
    (installed / "reports").mkdir()
    code = "from deeplens_kit.reporting.bundled import bundled\n" + "".join(
        f"print(bundled({folder!r}))\n" for folder in FOLDERS
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [Path(line) for line in done.stdout.splitlines()]
    assert found == [installed / "deeplens_kit" / "bundled" / folder for folder in FOLDERS]
    for folder, place in zip(FOLDERS, found, strict=True):
        names = {path.name for path in (repository / folder).glob("*") if path.suffix in {".py", ".ipynb"}}
        assert names
        assert names <= {path.name for path in place.iterdir()}


def test_a_wheel_brings_the_example_of_prices_along(installed: Path, repository: Path) -> None:
    name = Path("data") / "prices.example.yaml"
    assert bundled("data") / name.name == repository / name
    assert (installed / "deeplens_kit" / "bundled" / name).read_bytes() == (repository / name).read_bytes()


def test_a_wheel_brings_the_templates_along(installed: Path, repository: Path) -> None:
    ours = Path("deeplens_kit") / "reporting" / "templates"
    wanted = {path.relative_to(repository) for path in (repository / ours).rglob("*") if path.is_file()}
    assert wanted
    assert {path for path in wanted if not (installed / path).is_file()} == set()


def test_an_installation_without_them_says_so(tmp_path: Path) -> None:
    (tmp_path / "deeplens_kit").mkdir()
    with pytest.raises(DeepLensError, match="'reports' did not come with this DeepLens"):
        bundled("reports", tmp_path / "deeplens_kit")
