"""What the pages of one server share: the workspace, its searcher and what was found in it.

Takes an open workspace, gives what a session needs; must not hold anything of a session. All of it may be used from any
thread. What was found is read anew when the catalog, the locations or the runs have changed, and once for everybody.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.errors import DeepLensError
from deeplens_kit.settings import workspace_of_environment
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.pipeline.searching import Searcher
    from deeplens_kit.views.state.duplicates_state import Findings

__all__ = ["Desk", "lay_out", "shared_desk"]

_FACTS = ["digest", "format", "width_px", "height_px", "jpeg_quality"]
_PREVIEW_PX = 300


class Desk:
    """What all sessions of a server work with.

    Args:
        workspace: An open workspace; whoever opened it closes it.
        has_thumbnail_route: The server answers `thumbnail_path`; else thumbnails go within the pages.

    Attributes:
        workspace: The workspace.
        searcher: Holds the indices.
    """

    def __init__(self, workspace: Workspace, *, has_thumbnail_route: bool = False) -> None:
        from deeplens_kit.pipeline.searching import Searcher

        self.workspace = workspace
        self.searcher: Searcher = Searcher(workspace)
        self._has_route = has_thumbnail_route
        self._lock = threading.Lock()
        self._findings: tuple[object, Findings] | None = None

    @property
    def name(self) -> str:
        """What to call the workspace."""
        return display_path(self.workspace.directory.name)

    def warm(self) -> None:
        """Do now what the first visitor would wait for."""
        self.searcher.warm()
        self.findings()

    def findings(self) -> Findings:
        """The groups, and what limits them; the same object until something has changed."""
        with self._lock:
            state = self._state()
            if self._findings is None or self._findings[0] != state:
                self._findings = (state, self._read())
            return self._findings[1]

    def keepers(self) -> frozenset[str]:
        """Ids of the objects that stay when copies go."""
        return self.findings().keepers

    def image_source(self, digest: str, side_px: int) -> str:
        """The address of a thumbnail: a path on this server where it has them, else the picture itself."""
        if self._has_route:
            return thumbnail_path(digest, side_px)
        from deeplens_kit.views.cards import picture_src

        return picture_src(self.thumbnail(digest, side_px))

    def thumbnail(self, digest: str, side_px: int) -> bytes | None:
        """A thumbnail as WebP, or None."""
        from deeplens_kit.pipeline import thumbnail

        return thumbnail(self.workspace, digest, side_px)

    def preview(self, content: bytes) -> bytes | None:
        """A picture that is not indexed as a thumbnail, or None where it cannot be decoded."""
        from deeplens_kit.decode import encode_thumbnail

        try:
            decoded = self.workspace.decoder.preview(content, _PREVIEW_PX)
        except DeepLensError:
            return None
        return encode_thumbnail(decoded.rgb, _PREVIEW_PX)

    def fetch(self, link: str) -> tuple[bytes, str]:
        """The picture behind a link, and its name.

        Raises:
            LinkRefusedError: The link is not followed, or leads to no picture.
            QueryError: The host cannot be reached, or does not answer as it should.
        """
        from deeplens_kit.search.link import LinkLimits, fetch
        from deeplens_kit.views.state import MAX_UPLOAD_BYTES

        limit = min(MAX_UPLOAD_BYTES, self.workspace.settings.decode.max_bytes)
        picture = fetch(link, LinkLimits(max_bytes=limit))
        return picture.data, picture.name

    def _state(self) -> object:
        from deeplens_kit.pipeline.choices_in_use import choices_state

        ledger = self.workspace.ledger
        return (
            self.workspace.catalog.versions(),
            self.workspace.catalog.pairs_fingerprint(),
            [(item.location_id, item.name) for item in ledger.locations()],
            [(run.run_id, run.state) for run in ledger.runs()],
            ledger.decisions_version(),
            choices_state(self.workspace),
        )

    def _read(self) -> Findings:
        from deeplens_kit import pipeline
        from deeplens_kit.reporting import DuplicatesFrames
        from deeplens_kit.reporting.policy_words import policy_notes
        from deeplens_kit.views.state.duplicates_state import Findings

        workspace = self.workspace
        keep = pipeline.chosen_policy(workspace)
        view = pipeline.list_groups(workspace, policy=keep)
        ends = [view.withheld["digest"], view.withheld["keeper_digest"], view.related["digest"]]
        named = pl.concat([view.groups["digest"], *ends, view.related["other_digest"]]).unique()
        named_objects = pl.concat(
            [
                *(view.withheld[name] for name in ("object_id", "keeper_object_id")),
                *(view.related[name] for name in ("object_id", "other_object_id")),
            ]
        ).unique()
        places = (
            workspace.catalog.objects(columns=["object_id", "location_id", "path"])
            .filter(pl.col("object_id").is_in(named_objects.implode()))
            .join(workspace.location_names(), on="location_id", how="left")
        )
        frames = DuplicatesFrames(
            groups=view.groups,
            withheld=view.withheld,
            related=view.related,
            pairs=workspace.catalog.pairs(),
            pictures=workspace.catalog.pictures(digests=named.to_list(), columns=_FACTS),
            places=places.select("object_id", "location", "path"),
            coverage=pipeline.of_active_locations(workspace, pipeline.coverage(workspace)),
            failures=pipeline.of_active_locations(workspace, pipeline.list_failures(workspace)),
        )
        return Findings.of(frames, [*pipeline.caveats(workspace, current=view.current), *policy_notes(keep)])


def thumbnail_path(digest: str, side_px: int) -> str:
    """The path of a thumbnail on a server that has them."""
    return f"/thumbnails/{digest}/{side_px}.webp"


_desk: Desk | None = None
_lock = threading.Lock()


def lay_out(laid: Desk | None) -> None:
    """Set what the pages of this process work with; None takes it away."""
    global _desk
    with _lock:
        _desk = laid


def shared_desk() -> Desk:
    """What the pages of this process work with.

    A page that is served by itself (`panel serve dashboards/search.py`) opens the workspace that the variable
    DEEPLENS_WORKSPACE names.

    Raises:
        WorkspaceMissingError: No server has laid out a desk, and the variable names no workspace.
    """
    global _desk
    with _lock:
        if _desk is None:
            from deeplens_kit.pipeline import Workspace

            _desk = Desk(Workspace.open(workspace_of_environment()))
        return _desk
