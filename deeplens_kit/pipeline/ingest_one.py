"""One picture taken in: its bytes had, looked at, stored under a free name, noted in the ledger, put into the catalog.

Takes what a person gave, gives a row that says what became of it; must not look for copies that are alike, and stops
for nothing but the workspace itself. What is stored and not in the catalog yet when the process is killed is found by
the next index run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from deeplens_kit.errors import (
    CredentialMissingError,
    DeepLensError,
    LocationError,
    ObjectError,
    ObjectExistsError,
    QueryError,
    SettingsError,
    StoreFullError,
)
from deeplens_kit.ledger import Location, NoteChange
from deeplens_kit.pipeline.analysis import Analysed, Toolbox, analyse
from deeplens_kit.pipeline.dropping import let_in_object
from deeplens_kit.pipeline.ingest_claims import NameClaims
from deeplens_kit.pipeline.ingest_known import KnownPlaces, PlaceFound
from deeplens_kit.pipeline.ingest_names import TEMPLATE, PathFacts, PathTemplate, is_left_out, numbered
from deeplens_kit.pipeline.ingest_sources import Given, GivenBytes, read_given, said_of
from deeplens_kit.pipeline.kept_out import kept_out_error, load_kept_out
from deeplens_kit.pipeline.reading import Content, ObjectRead, ReadTask
from deeplens_kit.pipeline.scanner import Scanner
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.pipeline.writing import BatchWriter
from deeplens_kit.schemas import Tier
from deeplens_kit.storage import LocationKind, ObjectStat, digest_content, encode_path
from deeplens_kit.storage.paths import display_path
from deeplens_kit.telemetry import redact

__all__ = ["IngestOptions", "IngestRow", "IngestState", "IngestTarget", "Ingestor", "Looked"]

_MOST_NUMBERS = 99
# Object stores take two thousand bytes of metadata, and some write a byte as three.
_LONGEST_NAME_BYTES = 500
_LONGEST_SOURCE = 2_000  # letters of a link; it is shown on one line
_STORED_ONLY = "It was stored, and then the work was broken off; the next `deeplens index` takes it up."
# A judgement on the content or the link; all else is a failure, and may go well another time.
_REFUSALS = frozenset(
    {
        "kept_out",
        "link_refused",
        "not_a_picture",
        "unsupported",
        "corrupt",
        "too_large",
        "empty",
        "infected",
        "not_scanned",
    }
)


class IngestState(StrEnum):
    """What became of a thing that was to be ingested."""

    STORED = "stored"
    KNOWN = "known"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How pictures are taken in.

    Attributes:
        template: Where they go; see `ingest_names`.
        note: What is said of each.
        even_if_known: Store also what is there already.
        allow_private: Links may lead to addresses that are not public.
        name: What to call what comes through a stream.
        features: Compute features now; else the next index run does.
        thumbnails: Keep thumbnails.
        workers: Pictures that are looked at at the same time; 0 for all cores.
        batch_size: Pictures that are put into the catalog together; None for the setting.
        claims: Under what an earlier try stored each; with it what that put into the catalog is left as it is.
    """

    template: str = TEMPLATE
    note: NoteChange = field(default_factory=NoteChange)
    even_if_known: bool = False
    allow_private: bool = False
    name: str | None = None
    features: bool = True
    thumbnails: bool = True
    workers: int = 1
    batch_size: int | None = None
    claims: NameClaims | None = None


@dataclass(frozen=True, slots=True)
class IngestRow:
    """What became of one thing.

    Attributes:
        given: As it was named; a link without what may be a key.
        state: What became of it.
        code: Of the error, where it was refused or failed; "known" where it is there already.
        message: The same in words; empty where there is nothing to say.
        path: Where it was stored, encoded; None where it was not.
        digest: SHA-256 of its content; None where that could not be had.
        size_bytes: Of it.
        indexed: Whether it is in the catalog now.
        matches: Where the same picture or a copy of it lies, the likeliest first.
    """

    given: str
    state: IngestState
    code: str = ""
    message: str = ""
    path: str | None = None
    digest: str | None = None
    size_bytes: int | None = None
    indexed: bool = False
    matches: tuple[PlaceFound, ...] = ()


@dataclass(frozen=True, slots=True)
class IngestTarget:
    """Where pictures go, and what they pass on the way.

    Attributes:
        location: Where they go.
        storage: The same, opened.
        template: Of their paths there.
        scanner: Looks at each; None for none.
    """

    location: Location
    storage: LocationKind
    template: PathTemplate
    scanner: Scanner | None


class _Declined(ObjectError):
    """A picture that is not taken in, for a reason that has a code of its own."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Looked:
    """What was had of a thing before its turn.

    Attributes:
        came: Its bytes.
        content: The same with their digests; None where there are none.
        analysed: What was computed of them; None where that is still to come.
    """

    came: GivenBytes
    content: Content | None = None
    analysed: Analysed | None = None


class Ingestor:
    """Takes pictures in at one location, one after the other.

    Args:
        workspace: An open workspace.
        target: Where they go.
        options: How.
        toolbox: Decodes, and computes features.
        writer: Puts them into the catalog; None where another run has the location.
        known: Digests that the writer takes for known; those that turn out to be are added.

    Attributes:
        begun: The picture that is stored, while it is not noted and in the catalog yet.
    """

    def __init__(
        self,
        workspace: Workspace,
        target: IngestTarget,
        options: IngestOptions,
        toolbox: Toolbox,
        writer: BatchWriter | None,
        known: set[str],
    ) -> None:
        self._workspace, self._options, self._toolbox, self._writer = workspace, options, toolbox, writer
        self._location, self._storage = target.location, target.storage
        self._template, self._scanner = target.template, target.scanner
        self._places, self._kept_out = KnownPlaces(workspace), load_kept_out(workspace.directory)
        # What is in the catalog, and what came in this batch and may not be there yet.
        self._whole, self._formats = known, dict[str, str]()
        self._new: dict[str, PlaceFound] = {}
        self._own = _own_places(workspace)
        self.begun: IngestRow | None = None

    def look(self, given: Given, *, ahead: bool = False) -> Looked:
        """Read a thing; stores nothing, so that several threads may look at several.

        Args:
            given: The thing.
            ahead: Compute its features too, unless a scanner or what is kept out speaks first.
        """
        options = self._options
        settings = self._workspace.settings
        came = read_given(given, settings, name=options.name, allow_private=options.allow_private)
        if not came.data:
            return Looked(came)
        content = Content(came.data, digest_content(came.data))
        if not ahead or self._scanner is not None or self._kept_out.covers(content.digests.sha256):
            return Looked(came, content)
        return Looked(came, content, analyse([content], self._toolbox))

    def take(self, given: Given, looked: Callable[[], Looked] | None = None) -> IngestRow:
        """Take one thing in; what is wrong with it is the row.

        Args:
            given: The thing.
            looked: Gives what `look` came to, or raises what it raised; None: it is looked at now.
        """
        row = IngestRow(said_of(given), IngestState.FAILED)
        try:
            seen = self.look(given) if looked is None else looked()
            if seen.content is None:
                raise _Declined("empty", "It is empty (0 bytes); give a picture.")
            row = replace(row, digest=seen.content.digests.sha256, size_bytes=len(seen.came.data))
            return self._taken(seen.came, seen.content, row, seen.analysed)
        except (ObjectError, LocationError, QueryError, SettingsError, CredentialMissingError) as error:
            state = IngestState.REFUSED if _is_refusal(error) else IngestState.FAILED
            return replace(row, state=state, code=error.code, message=redact(str(error)))

    def _taken(self, came: GivenBytes, content: Content, row: IngestRow, ahead: Analysed | None) -> IngestRow:
        digest = content.digests.sha256
        # 1. What is there already.
        if self._kept_out.covers(digest):
            raise kept_out_error()
        known = self._new.get(digest) or self._places.first(digest)
        if known is not None and not self._options.even_if_known:
            return _already(row, known)
        # 2. Nothing is decoded, and nothing stored, that the scanner does not like.
        warning = self._scanned(content.data)
        # 3. A picture, decoded within the limits; its features are computed of the same bytes.
        picture_format, analysed = self._looked_at(content, ahead)
        # 4. A free name.
        at = datetime.now(UTC)
        facts = PathFacts(self._options.note.collection or "", at, digest, came.name, picture_format)
        note = self._note_of(came)
        path, stat, found = self._stored(content, facts, row.given)
        self.begun = replace(row, state=IngestState.STORED, message=_STORED_ONLY, path=path)
        let_in_object(self._workspace, f"{self._location.location_id}/{path}", digest)
        # 5. The ledger first, then the catalog: what a kill leaves out of the latter the next index run finds.
        try:
            if note != NoteChange():
                self._workspace.ledger.annotate(self._location, path, digest, note)
        except SettingsError as error:
            warning = f"{warning} It was stored, but not noted: {redact(str(error))}".strip()
        indexed = self._indexed(path, stat, content, analysed)
        self.begun = None
        place = PlaceFound(self._location.name, path, digest, Tier.BYTES, 1.0)
        self._new.setdefault(digest, place)
        if found:
            return replace(_already(row, place), indexed=indexed)
        is_other = known is not None and (known.location, known.path) != (self._location.name, path)
        matches = (known,) if known is not None and is_other else ()
        return replace(row, state=IngestState.STORED, message=warning, path=path, indexed=indexed, matches=matches)

    def _scanned(self, data: bytes) -> str:
        """What is to be said of a content that may pass; empty for nothing."""
        if self._scanner is None:
            return ""
        verdict = self._scanner.scan(data)
        if verdict.signature is not None:
            raise _Declined("infected", f"The scanner found {display_path(verdict.signature)}; it was not stored.")
        if not verdict.away:
            return ""
        if self._workspace.settings.ingest.scanner_away == "refuse":
            raise _Declined(
                "not_scanned",
                f"It could not be scanned: {verdict.away}. It was not stored; see to the scanner, or set "
                "ingest.scanner_away to 'warn'.",
            )
        return f"It was stored without a scan: {verdict.away}."

    def _looked_at(self, content: Content, ahead: Analysed | None) -> tuple[str, Analysed | None]:
        """The format, and what there is to put into the catalog where it is not there."""
        digest = content.digests.sha256
        if digest not in self._formats:
            columns = ["format"]
            kept = self._workspace.catalog.pictures([digest], columns) if self._places.holds(digest) else None
            if kept is None or kept.is_empty():
                analysed = analyse([content], self._toolbox) if ahead is None else ahead
                for failure in analysed.failures:
                    raise _Declined(failure.code, failure.message)
                self._formats[digest] = str(analysed.pictures[0]["format"])
                return self._formats[digest], analysed
            # Where it lacks a feature the next index run adds it, as to any other.
            self._whole.add(digest)
            self._formats[digest] = str(kept["format"][0])
        return self._formats[digest], None

    def _stored(self, content: Content, facts: PathFacts, given: str) -> tuple[str, ObjectStat, bool]:
        """Store under the first free name; True where the very bytes lie there already, and not by an earlier try."""
        claims = self._options.claims
        if claims is not None and (own := claims.of(given)) and (stat := self._same(own, content)):
            return own, stat, False
        path = self._template.path(facts)
        self._require_usable(path)
        metadata = {
            "uploaded-at": f"{facts.at:%Y-%m-%dT%H:%M:%SZ}",
            "original-name": display_path(facts.name).encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore"),
            "sha256": facts.digest,
        }
        for number in range(1, _MOST_NUMBERS + 1):
            target = numbered(path, number)
            if claims is not None and not claims.note_if_free(given, target, self._storage):
                continue
            try:
                return target, self._storage.create(target, content.data, metadata=metadata), False
            except StoreFullError as error:
                raise _Declined(error.code, str(error)) from error
            except ObjectExistsError:
                if not self._options.even_if_known and (stat := self._same(target, content)):
                    return target, stat, True
        raise _Declined(
            "exists",
            f"{display_path(path)!r} and {_MOST_NUMBERS - 1} numbered names beside it are taken by other files; "
            "they were left as they are. Use {digest} in the template.",
        )

    def _same(self, path: str, content: Content) -> ObjectStat | None:
        """The state of an object that holds the very bytes: of an ingest that was killed, or that runs beside this."""
        try:
            stat = self._storage.stat(path)
            if stat.size_bytes != len(content.data):
                return None
            data = self._storage.read(path, expected=stat, max_bytes=len(content.data))
        except ObjectError:
            return None
        return stat if data == content.data else None

    def _require_usable(self, path: str) -> None:
        options = self._location.options
        exclude = (*options.get("exclude", ()), *self._workspace.settings.index.exclude)
        if is_left_out(path, tuple(options.get("include", ())), exclude):
            raise SettingsError(
                f"{display_path(path)!r} would never be indexed: the options include and exclude of location "
                f"{self._location.name!r}, or index.exclude, leave it out. Use another template."
            )
        place = self._storage.place + path
        if any(place == own or place.startswith(f"{own}/") for own in self._own):
            raise SettingsError(
                f"{display_path(path)!r} lies among the workspace's own files, which nothing is stored in; use another "
                "template."
            )

    def _note_of(self, came: GivenBytes) -> NoteChange:
        """What is to be said of a picture, in a form that the ledger takes: asked before anything is stored."""
        note = self._options.note
        if note.source is None and came.source:
            note = replace(note, source=came.source[:_LONGEST_SOURCE])
        self._workspace.ledger.check_note(note)
        return note

    def _indexed(self, path: str, stat: ObjectStat, content: Content, analysed: Analysed | None) -> bool:
        if self._writer is None:
            return False
        if analysed is not None:
            self._writer.add(analysed)
        digests = content.digests
        if self._options.claims is not None:
            row = self._workspace.catalog.object_at(self._location.location_id, path)
            if row is not None and row["digest"] == digests.sha256:
                # An earlier try came so far; it was told of.
                return True
        self._writer.add(ObjectRead(ReadTask(path, stat), digests.sha256, digests.md5))
        return True


def _already(row: IngestRow, place: PlaceFound) -> IngestRow:
    message = f"You have this picture already: {place.words}"
    return replace(row, state=IngestState.KNOWN, code="known", message=message, matches=(place,))


def _is_refusal(error: DeepLensError) -> bool:
    return error.code in _REFUSALS


def _own_places(workspace: Workspace) -> list[str]:
    """The workspace's own files and folders as places of local locations are written."""
    return [encode_path(str(Path(path).resolve())) for path in workspace.own_paths()]
