"""What the search by picture or words works with: the searcher of a workspace, and what was found in it.

Takes an open workspace, gives what viewers and their states need; must not hold anything of a person who searches. All
of it may be used from any thread. What was found is read anew when the catalog, the locations, the runs or what was
decided have changed, and once for everybody.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from deeplens_kit.errors import DeepLensError
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.state.shared_states import QUICK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.pipeline.pair_pictures import PairLooks
    from deeplens_kit.pipeline.searching import SearchAnswer, Searcher
    from deeplens_kit.search.query import Query
    from deeplens_kit.views.state.duplicates_state import Findings
    from deeplens_kit.views.state.search_state import SearchState

__all__ = ["SearchDesk"]

_PREVIEW_PX = 600


@dataclass(frozen=True, slots=True)
class _Made:
    """What groups were made from, and the runs that limit them."""

    made_from: object
    runs: object

    def is_but_for_runs(self, other: _Made) -> bool:
        """Whether no more than runs have begun or ended between the two."""
        return self.made_from == other.made_from


class SearchDesk:
    """What all who search in a workspace share.

    Args:
        workspace: An open workspace; whoever opened it closes it.
        asks_every_seconds: As for `Searcher`.

    Attributes:
        workspace: The workspace.
        searcher: Holds the indices.
    """

    def __init__(self, workspace: Workspace, *, asks_every_seconds: float = 0.0) -> None:
        from deeplens_kit.pipeline.searching import Searcher

        self.workspace = workspace
        self.searcher: Searcher = Searcher(workspace, asks_every_seconds=asks_every_seconds)
        self._lock = threading.Lock()
        self._findings: tuple[_Made, Findings] | None = None
        self._reading_seconds = 0.0

    @property
    def name(self) -> str:
        """What to call the workspace."""
        return display_path(self.workspace.directory.name)

    def search_state(
        self,
        *,
        search: Callable[..., SearchAnswer] | None = None,
        ratings: Callable[[Query, Sequence[str | None]], Mapping[str, str]] | None = None,
        told: Callable[[Query, SearchAnswer], object] = lambda _query, _answer: None,
    ) -> SearchState:
        """A question of somebody, with nothing asked yet.

        Args:
            search: In the place of the searcher's, for example one that asks who may search.
            ratings: Gives what the person said of results before.
            told: Told what was searched for, to be remembered.
        """
        from deeplens_kit.pipeline.asked_pictures import KEPT_DAYS, asked_picture, keep_asked_picture
        from deeplens_kit.views.state.search_state import SearchState

        return SearchState(
            search or self.searcher.search,
            self.searcher.facets(),
            fetch=self.fetch,
            preview=self.preview,
            keepers=self.keepers,
            keep=partial(keep_asked_picture, self.workspace),
            kept=partial(asked_picture, self.workspace),
            kept_words=f"It is kept for {KEPT_DAYS} days, so that a link to the search works.",
            ratings=ratings or (lambda _query, _digests: {}),
            told=told,
        )

    def looks(self, digest_a: str, digest_b: str) -> PairLooks:
        """Two pictures to be compared closely; either may be one that was searched for and is not indexed."""
        from deeplens_kit.pipeline import pair_looks
        from deeplens_kit.pipeline.asked_pictures import asked_picture

        held = self.workspace.catalog.objects_of([digest_a, digest_b], ("digest",))["digest"]
        given = {}
        for digest in {digest_a, digest_b} - set(held):
            content = asked_picture(self.workspace, digest)
            if content is not None:
                given[digest] = ("The picture asked for", content)
        return pair_looks(self.workspace, digest_a, digest_b, given)

    def reads_text(self) -> bool:
        """Whether words can be understood as what pictures show: whether a model that knows both is in use."""
        from deeplens_kit.features.model_descriptor import Purpose
        from deeplens_kit.features.registry import models

        settings = self.workspace.settings.features
        return any(
            Purpose.WORDS in model.purposes for model in models(settings).models if model.name in settings.enabled
        )

    def findings(self) -> Findings:
        """The groups, and what limits them; the same object until something has changed."""
        with self._lock:
            state = self.state()
            held = self._findings
            if held is not None and held[0] == state:
                return held[1]
            if held is not None and held[0].is_but_for_runs(state):
                # A scan that finds nothing new, every few minutes, must not have all groups made anew, twice.
                self._findings = (state, self._told_anew(held[1]))
            else:
                started = time.monotonic()
                self._findings = (state, self._read())
                self._reading_seconds = time.monotonic() - started
            return self._findings[1]

    def findings_at_hand(self) -> tuple[Findings, bool]:
        """Groups without waiting for those that take long: the last ones, and whether something has changed since.

        Where there are none yet, or making them was quick, they are made.
        """
        held = self._findings
        if held is None or self._reading_seconds <= QUICK_SECONDS or held[0].is_but_for_runs(self.state()):
            return self.findings(), False
        return held[1], True

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

    def state(self) -> _Made:
        """Names everything that the groups are made from: equal while none of it has changed."""
        from deeplens_kit.pipeline.choices_in_use import choices_state

        ledger = self.workspace.ledger
        made_from = (
            self.workspace.catalog.versions(),
            self.workspace.catalog.pairs_fingerprint(),
            [(item.location_id, item.name) for item in ledger.locations()],
            ledger.decisions_version(),
            choices_state(self.workspace),
        )
        return _Made(made_from, ledger.runs_version())

    def _read(self) -> Findings:
        from deeplens_kit.reporting.duplicates_frames import read_duplicates
        from deeplens_kit.views.state.duplicates_state import Findings

        return Findings.of(*read_duplicates(self.workspace))

    def _told_anew(self, findings: Findings) -> Findings:
        from deeplens_kit.reporting.duplicates_frames import notes_after_runs

        return replace(findings, notes=tuple(notes_after_runs(self.workspace, findings.notes)))
