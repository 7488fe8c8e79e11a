"""What an id of the API means: the row of the object in the catalog, and its location.

Takes an open workspace and an id, gives what is known; must not read a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.ledger import Location
from deeplens_kit.pipeline import Workspace
from deeplens_kit.schemas import Outcome
from deeplens_kit.service.api.ids import is_picture_id, object_parts

__all__ = ["FoundImage", "digest_of", "found_image"]

_ADVICE = "take it from an answer of this API; what is new is known once it is indexed."


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An object of the catalog.

    Attributes:
        location: Where it lies.
        row: Of `objects`.
    """

    location: Location
    row: Mapping[str, Any]

    @property
    def digest(self) -> str | None:
        """Its content; None where it was never read."""
        digest: str | None = self.row["digest"]
        return digest

    def require_digest(self) -> str:
        """Its content.

        Raises:
            UnknownNameError: It could not be read so far, so nobody knows it.
        """
        if self.digest is None:
            said = f"{self.location.name}:{self.row['path']}"
            raise UnknownNameError("picture of the image", said, (), advice="it could not be read so far.")
        return self.digest


def found_image(workspace: Workspace, image: str) -> FoundImage:
    """The object that an id names; of a picture_id the first that holds it, at an active location if there is one.

    Raises:
        UnknownNameError: There is none.
    """
    locations = {item.location_id: item for item in workspace.ledger.locations(inactive=True)}
    if is_picture_id(image):
        rows = workspace.catalog.objects_of([image]).to_dicts()
        known = [row for row in rows if row["location_id"] in locations]
        if not known:
            raise _unknown("picture", image)

        def order(row: Mapping[str, Any]) -> tuple[bool, bool, str, str]:
            location = locations[row["location_id"]]
            return not location.active, row["outcome"] != Outcome.INDEXED, location.name, row["path"]

        first = min(known, key=order)
        return FoundImage(locations[first["location_id"]], first)
    location_id, path = object_parts(image)
    row = workspace.catalog.object_at(location_id, path) if location_id in locations else None
    # What was forgotten is not there for anybody who asks.
    if row is None or row["outcome"] == Outcome.KEPT_OUT:
        raise _unknown("image", image)
    return FoundImage(locations[location_id], row)


def digest_of(workspace: Workspace, image: str) -> str:
    """The picture that an id names; of an image_id its content.

    Raises:
        UnknownNameError: There is none, or it could not be read so far.
    """
    if is_picture_id(image):
        return image
    return found_image(workspace, image).require_digest()


def _unknown(kind: str, image: str) -> UnknownNameError:
    return UnknownNameError(kind, image[:80], (), advice=_ADVICE)
