"""A workspace over the sample library, indexed, and the ground truth beside it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from data.make_sample_library import LOCATIONS, TRUTH_FILE, make
from deeplens_kit.pipeline import Workspace, add_location, index

Place = tuple[str, str]
"""Location and path of a file."""


@dataclass(frozen=True, slots=True)
class SampleWorkspace:
    """Where it lies.

    Attributes:
        folder: Holds `sample-library` and `workspace`.
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
        return self.folder / "sample-library"

    def places(self, **wanted: str) -> list[Place]:
        """Files whose row of the ground truth has these values."""
        return [place for place, row in self.truth.items() if wanted.items() <= row.items()]


def make_sample_workspace(folder: Path, *, indexed: bool = True) -> SampleWorkspace:
    """Make the sample library in a folder, and a workspace over it."""
    library = make(folder / "sample-library").folder
    with (library / TRUTH_FILE).open(encoding="utf-8", newline="") as stream:
        truth = {(row["location"], row["path"]): row for row in csv.DictReader(stream)}
    with Workspace.create(folder / "workspace") as workspace:
        for location in LOCATIONS:
            add_location(workspace, location, str(library / location))
        if indexed:
            index(workspace)
    return SampleWorkspace(folder, truth)
