"""Jobs that make the thumbnails which are missing.

Takes parameters and an open workspace, gives counts; fills the cache of thumbnails and writes nothing else. What is
there is left, so that a try after a kill goes on behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deeplens_kit.decode import THUMBNAIL_SIDES_PX
from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline import Workspace, thumbnail
from deeplens_kit.pipeline.progress import ProgressMeter
from deeplens_kit.service.jobs.parameters import Parameters
from deeplens_kit.service.jobs.running import JobRun

__all__ = ["ThumbnailParameters", "parse_thumbnails", "run_thumbnails"]


@dataclass(frozen=True, slots=True)
class ThumbnailParameters:
    """What a job of kind "thumbnails" is told.

    Attributes:
        digests: Pictures; empty for all.
        side_px: The longer side: 150, 300 or 600.
    """

    digests: tuple[str, ...] = ()
    side_px: int = 300


def parse_thumbnails(parameters: Mapping[str, Any]) -> ThumbnailParameters:
    """Check the parameters of a job of kind "thumbnails"."""
    given = Parameters("thumbnails", parameters, ("digests", "side_px"))
    side = given.number("side_px", 300) or 300
    if side not in THUMBNAIL_SIDES_PX:
        allowed = ", ".join(map(str, THUMBNAIL_SIDES_PX))
        raise SettingsError(f"Thumbnails of {side} pixels are not made; allowed are {allowed}.")
    return ThumbnailParameters(given.texts("digests"), side)


def run_thumbnails(workspace: Workspace, value: ThumbnailParameters, run: JobRun) -> dict[str, Any]:
    """Make them; gives how many there are, were made, and could not be."""
    wanted = value.digests or tuple(workspace.catalog.pictures(columns=["digest"])["digest"])
    there = made = failed = 0
    meter = ProgressMeter(run.progress, "", "thumbnails", len(wanted))
    for digest in wanted:
        run.check()
        if workspace.thumbnails.path(digest, value.side_px).is_file():
            there += 1
            meter.advance()
        elif thumbnail(workspace, digest, value.side_px) is not None:
            made += 1
            meter.advance()
        else:
            failed += 1
            meter.advance(failures=1)
    meter.finish()
    return {"there": there, "made": made, "failed": failed}
