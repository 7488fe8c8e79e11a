"""The two pictures of a pair for a person who compares them: both, one laid on the other, and where they differ.

Takes an open workspace and two digests, gives WebP images and where the common view lies in either; must not judge or
write anything. How one lies on the other comes from the stored pair; a pair that nobody looked at is looked at here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.decode import THUMBNAIL_SIDES_PX, decode_thumbnail, encode_thumbnail
from deeplens_kit.errors import DecoderUnavailableError, ObjectError
from deeplens_kit.pipeline.laid_pictures import common_view, difference_of, laid_on, looked_transform, moved
from deeplens_kit.pipeline.picture_bytes import HeldPicture, PictureBytes
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Tier
from deeplens_kit.storage.paths import display_path

__all__ = ["PAIR_SIDE_PX", "PairLooks", "pair_looks"]

PAIR_SIDE_PX = 900
"""Long side of the images, in pixels: two of them fill a screen."""

_QUALITY = 82
_APART = "Nothing of one was found in the other: they cannot be laid over each other."
_WHOLE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_PLACE_COLUMNS = ("digest", "location_id", "path", "size_bytes", "storage_class")

Corners = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class PairLooks:
    """Two pictures as a person compares them.

    Attributes:
        digest_a: As asked for.
        digest_b: As asked for.
        name_a: Location and path of a file that holds a, "location:path"; empty where none does any more.
        name_b: The same of b.
        a: WebP, upright, long side at most `PAIR_SIDE_PX`; None where neither the file nor a thumbnail can be had.
        b: The same.
        size_a: Width and height of `a` in pixels; (0, 0) where there is none.
        size_b: The same of `b`.
        corners_a: The common view in a: corners as shares 0..1 of its sides, in turn; empty where none is known.
        corners_b: The same corners in b, in the same order: how they turn tells how b is turned.
        laid: b laid on a, of the size of `a`, see-through where b shows nothing; None where it cannot be laid.
        difference: Where the two differ once light was evened out, over a dimmed a; None as `laid`.
        unlike: How much they differ in the common view on average, 0 (not at all) to 1; None as `laid`.
        notes: Sentences that belong beside the images: what stands in for a lost file, what cannot be laid.
    """

    digest_a: str
    digest_b: str
    name_a: str
    name_b: str
    a: bytes | None
    b: bytes | None
    size_a: tuple[int, int] = (0, 0)
    size_b: tuple[int, int] = (0, 0)
    corners_a: Corners = ()
    corners_b: Corners = ()
    laid: bytes | None = None
    difference: bytes | None = None
    unlike: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What can be shown of a picture, and what has to be said of it."""

    name: str
    rgb: NDArray[np.uint8] | None
    note: str = ""

    @property
    def size(self) -> tuple[int, int]:
        return (0, 0) if self.rgb is None else (self.rgb.shape[1], self.rgb.shape[0])


def pair_looks(
    workspace: Workspace, digest_a: str, digest_b: str, given: Mapping[str, tuple[str, bytes]] | None = None
) -> PairLooks:
    """Two pictures side by side, laid over one another, and where they differ.

    Reads a file of either picture; a lost one is shown by its thumbnail, and a note says so.

    Args:
        workspace: An open workspace.
        digest_a: A picture; the other is laid on it.
        digest_b: The other one.
        given: Name and bytes of pictures that are not indexed, by digest.
    """
    # 1. Both pictures.
    held = workspace.catalog.objects_of([digest_a, digest_b], _PLACE_COLUMNS)
    names = dict(workspace.location_names().iter_rows())
    source = PictureBytes(workspace)
    a, b = (
        _given(workspace, *given[digest])
        if given and digest in given
        else _seen(workspace, source, digest, held, names)
        for digest in (digest_a, digest_b)
    )
    notes = [f"{end}: {seen.note}" for end, seen in (("A", a), ("B", b)) if seen.note]
    shown = PairLooks(
        digest_a, digest_b, a.name, b.name, _image(a.rgb), _image(b.rgb), a.size, b.size, notes=tuple(notes)
    )
    if a.rgb is None or b.rgb is None:
        return shown
    # 2. How one lies on the other.
    transform = _transform(workspace, digest_a, digest_b, a.rgb, b.rgb)
    corners = common_view(transform) if transform else ()
    if transform is None or not corners:
        return replace(shown, notes=(*notes, _APART))
    # 3. What that comes to.
    laid, shows = laid_on(b.rgb, a.size, transform)
    difference, unlike = difference_of(a.rgb, laid, shows)
    seen_through = np.dstack([laid, np.where(shows, 255, 0).astype(np.uint8)])
    return replace(
        shown,
        corners_a=corners,
        corners_b=moved(transform, corners),
        laid=_image(seen_through),
        difference=_image(difference),
        unlike=unlike,
    )


def _given(workspace: Workspace, name: str, content: bytes) -> _Seen:
    """A picture that was handed in."""
    try:
        return _Seen(name, workspace.decoder.preview(content, PAIR_SIDE_PX).rgb)
    except (ObjectError, DecoderUnavailableError) as error:
        return _Seen(name, None, f"{display_path(name)} cannot be shown: {error}")


def _seen(workspace: Workspace, source: PictureBytes, digest: str, held: pl.DataFrame, names: dict[str, str]) -> _Seen:
    """The picture from a file of it, else from a thumbnail that was kept."""
    mine = held.filter(digest=digest).sort("location_id", "path")
    places = tuple(mine.select("location_id", "path", "storage_class").iter_rows())
    known = [(location, path) for location, path, _ in places if location in names]
    name = f"{names[known[0][0]]}:{known[0][1]}" if known else ""
    said = f"{display_path(name)} cannot be read now" if known else "no file of it is in a location any more"
    if known:
        readable = tuple(place for place in places if place[0] in names)
        data = source.read_held(HeldPicture(digest, int(mine["size_bytes"][0]), readable))
        try:
            if data is not None:
                return _Seen(name, workspace.decoder.preview(data, PAIR_SIDE_PX).rgb)
        except (ObjectError, DecoderUnavailableError) as error:
            said = f"{display_path(name)} cannot be shown: {error}"
    for side in sorted(THUMBNAIL_SIDES_PX, reverse=True):
        kept = workspace.thumbnails.get(digest, side)
        rgb = None if kept is None else decode_thumbnail(kept)
        if rgb is not None:
            return _Seen(name, rgb, f"{said.rstrip('.')}; its thumbnail of {side} px is shown.")
    return _Seen(name, None, f"{said.rstrip('.')}, and no thumbnail of it was kept.")


def _transform(
    workspace: Workspace, digest_a: str, digest_b: str, a: NDArray[np.uint8], b: NDArray[np.uint8]
) -> Sequence[float] | None:
    """Six numbers, shares of a to shares of b; None where nothing of one can be laid on the other."""
    from deeplens_kit.matching.verification.shares import inverse_transform

    if digest_a == digest_b:
        return _WHOLE
    found = workspace.catalog.pairs(["digest_a", "tier", "verification", "transform"], (digest_a, digest_b))
    if found.height:
        pair = found.row(0, named=True)
        if pair["transform"] is not None:
            stored = tuple(float(value) for value in pair["transform"])
            return stored if pair["digest_a"] == digest_a else inverse_transform(stored)
        if pair["tier"] == Tier.PIXELS:
            return _WHOLE
        if pair["verification"] is not None:
            return None
    return looked_transform(a, b)


def _image(samples: NDArray[np.uint8] | None) -> bytes | None:
    return None if samples is None else encode_thumbnail(samples, PAIR_SIDE_PX, quality=_QUALITY)
