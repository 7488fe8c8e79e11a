"""What the search by picture or words works with: the searcher of a workspace, and what was found in it.

Takes an open workspace, gives what viewers and their states need; must not hold anything of a person who searches. All
of it may be used from any thread. What was found is read anew when the catalog, the locations, the runs or what was
decided have changed, and once for everybody.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from deeplens_kit.errors import DeepLensError
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.pipeline.searching import Searcher
    from deeplens_kit.views.state.duplicates_state import Findings
    from deeplens_kit.views.state.search_state import SearchState

__all__ = ["SearchDesk"]

_PREVIEW_PX = 300


class SearchDesk:
    """What all who search in a workspace share.

    Args:
        workspace: An open workspace; whoever opened it closes it.

    Attributes:
        workspace: The workspace.
        searcher: Holds the indices.
    """

    def __init__(self, workspace: Workspace) -> None:
        from deeplens_kit.pipeline.searching import Searcher

        self.workspace = workspace
        self.searcher: Searcher = Searcher(workspace)
        self._lock = threading.Lock()
        self._findings: tuple[object, Findings] | None = None

    @property
    def name(self) -> str:
        """What to call the workspace."""
        return display_path(self.workspace.directory.name)

    def search_state(self) -> SearchState:
        """A question of somebody, with nothing asked yet."""
        from deeplens_kit.views.state.search_state import SearchState

        return SearchState(
            self.searcher.search, self.searcher.facets(), fetch=self.fetch, preview=self.preview, keepers=self.keepers
        )

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

    def example(self) -> str:
        """The digest of a picture to try a search with: that of whose group most can be freed; empty for none."""
        from deeplens_kit.views.state.duplicates_state import ranked_groups

        findings = self.findings()
        most = ranked_groups(findings.removals)["group_id"].head(1)
        kept = findings.frames.groups.filter(findings.frames.groups["group_id"].is_in(most.implode()), "is_keeper")
        return str(kept["digest"][0]) if kept.height else ""

    def image_source(self, digest: str, side_px: int) -> str:
        """The address of a thumbnail: here the picture itself."""
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
        from deeplens_kit.reporting.duplicates_frames import read_duplicates
        from deeplens_kit.views.state.duplicates_state import Findings

        return Findings.of(*read_duplicates(self.workspace))
