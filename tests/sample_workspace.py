"""A workspace over the sample library, indexed, and the ground truth beside it."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from shared_folder import shared_folder

from data.make_sample_library import LOCATIONS, TRUTH_FILE, make
from deeplens_kit.pipeline import Workspace, add_location, index

SAMPLE_LIBRARY = "sample-library"
Place = tuple[str, str]
"""Location and path of a file."""


@dataclass(frozen=True, slots=True)
class SampleWorkspace:
    """Where it lies.

    Attributes:
        folder: Holds `sample-library`, or a link to it, and `workspace`.
        truth: The row of the ground truth of every file.
    """

    folder: Path
    truth: dict[Place, dict[str, str]]

    @property
    def workspace(self) -> Path:
        """Folder of the workspace."""
        return self.folder / "workspace"

    @property
    def library(self) -> Path:
        """Folder of the sample library."""
        return self.folder / SAMPLE_LIBRARY

    def places(self, **wanted: str) -> list[Place]:
        """Files whose row of the ground truth has these values."""
        return [place for place, row in self.truth.items() if wanted.items() <= row.items()]


def sample_workspace(factory: pytest.TempPathFactory) -> SampleWorkspace:
    """A workspace of its own over the one sample library of the run, indexed once: the library is not to be changed."""
    made = shared_folder(factory, "sample", make_sample_workspace)
    folder = factory.mktemp("sample")
    # Its stores and caches are of its own; its locations name the files of the shared library.
    shutil.copytree(made / "workspace", folder / "workspace")
    (folder / SAMPLE_LIBRARY).symlink_to(made / SAMPLE_LIBRARY)
    return SampleWorkspace(folder, _truth(made / SAMPLE_LIBRARY))


def make_sample_workspace(folder: Path) -> SampleWorkspace:
    """Make the sample library in a folder, and a workspace over it, indexed."""
    library = make(folder / SAMPLE_LIBRARY).folder
    with Workspace.create(folder / "workspace") as workspace:
        for location in LOCATIONS:
            add_location(workspace, location, str(library / location))
        index(workspace)
    return SampleWorkspace(folder, _truth(library))


def _truth(library: Path) -> dict[Place, dict[str, str]]:
    with (library / TRUTH_FILE).open(encoding="utf-8", newline="") as stream:
        return {(row["location"], row["path"]): row for row in csv.DictReader(stream)}
