"""Every error that DeepLens raises on purpose, in one tree.

Takes nothing, gives exception classes; must not import any other module of the package. Each class has a
stable `code` (rows of `failures`, JSON, problem documents) and an `exit_code` (the CLI). A message says what
happened, to which value, what is allowed and what to do next, in one line without secrets.

    DeepLensError                    exit 1
    ├── SettingsError                exit 2   a setting, option or argument that is not allowed
    │   ├── UnknownNameError         exit 2   a name that does not exist, with the nearest that does
    │   └── CredentialMissingError   exit 2   a credential is not where its reference says
    ├── WorkspaceError               exit 3   the workspace cannot be used
    │   ├── WorkspaceMissingError    exit 3   no workspace.toml there
    │   ├── WorkspaceSchemaError     exit 3   older (run `deeplens upgrade`) or newer than this version
    │   └── StoreFullError           exit 3   no space left, or a quota reached
    ├── LocationError                exit 4   a location cannot be used at all
    │   ├── LocationUnavailableError exit 4   cannot be reached or listed
    │   ├── LocationEmptiedError     exit 4   lists empty where it held objects
    │   └── LocationReadOnlyError    exit 4   not opened for what was asked, or its kind cannot do it
    ├── LeaseHeldError               exit 5   another run works on this location
    ├── ObjectError                  exit 1   one stored file; becomes a row in `failures`
    │   ├── ObjectUnreadableError             the bytes cannot be had
    │   │   ├── ObjectForbiddenError          we may not read it
    │   │   └── ObjectGoneError               it is no longer there
    │   ├── PlaceholderError                  a cloud client keeps only its name here
    │   ├── ObjectChangedError                it changed while it was read
    │   ├── ObjectExistsError                 something has the name already
    │   ├── UnsupportedFormatError            not a picture format that is read
    │   │   └── NotAPictureError              not a picture, drawing or video at all
    │   ├── CorruptPictureError               the decoder gave up
    │   ├── DecoderCrashedError               the decoder's process ended over it
    │   ├── DecodeTimeoutError                it was not decoded in time
    │   └── LimitExceededError                bytes, pixels, frames or memory above the limit
    ├── QueryError                   exit 2   a picture or link to search for that cannot be used
    │   └── LinkRefusedError         exit 2   a link that is not followed: private address, wrong kind, too large
    ├── ReportError                  exit 1   a report could not be made; the last good one stands
    ├── TooFewLabelsError            exit 1   there are too few labels for what was asked
    ├── DecoderUnavailableError      exit 1   no process to decode in can be started
    ├── ExtraMissingError            exit 6   a part of DeepLens that is not installed
    ├── ModelUnavailableError        exit 6   a model's weights or runtime are not installed
    ├── ModelCorruptError            exit 6   weights do not have the checksum or shape they should
    └── Interrupted                  exit 130 stopped by the user; the work so far is kept
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CorruptPictureError",
    "CredentialMissingError",
    "DecodeTimeoutError",
    "DecoderCrashedError",
    "DecoderUnavailableError",
    "DeepLensError",
    "ExtraMissingError",
    "Interrupted",
    "LeaseHeldError",
    "LimitExceededError",
    "LinkRefusedError",
    "LocationEmptiedError",
    "LocationError",
    "LocationReadOnlyError",
    "LocationUnavailableError",
    "ModelCorruptError",
    "ModelUnavailableError",
    "NotAPictureError",
    "ObjectChangedError",
    "ObjectError",
    "ObjectExistsError",
    "ObjectForbiddenError",
    "ObjectGoneError",
    "ObjectUnreadableError",
    "PlaceholderError",
    "QueryError",
    "ReportError",
    "SettingsError",
    "StoreFullError",
    "TooFewLabelsError",
    "UnknownNameError",
    "UnsupportedFormatError",
    "WorkspaceError",
    "WorkspaceMissingError",
    "WorkspaceSchemaError",
]


class DeepLensError(Exception):
    """The root: anything DeepLens says went wrong.

    Attributes:
        code: Stable name of the kind of error.
        exit_code: What a command ends with.
        reports: What work over several locations had done before or besides; set by whoever did it.
        others: What else went wrong at other locations; set as `reports`.
    """

    code = "error"
    exit_code = 1
    reports: tuple[object, ...] = ()
    others: tuple[DeepLensError, ...] = ()

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of a traceback: the message says what to do."""
        return [f"{type(self).__name__}: {self}"]


class SettingsError(DeepLensError):
    """A setting, option or argument has a value that is not allowed."""

    code = "settings"
    exit_code = 2


class UnknownNameError(SettingsError):
    """A name that does not exist.

    Args:
        kind: What the name names, for example "setting" or "location".
        name: The name that was given.
        known: The names that exist; the nearest is suggested.
        advice: Where they may be too many to list: `known` is then what is near, the nearest first, and this is what to
            do where nothing is.
    """

    code = "unknown_name"

    def __init__(self, kind: str, name: str, known: Iterable[str], *, advice: str = "") -> None:
        names = list(known)
        self.kind, self.name, self.known, self.advice = kind, name, tuple(sorted(names)), advice
        near = names if advice else difflib.get_close_matches(name, self.known, n=1, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else advice
        hint = hint or f"known: {', '.join(self.known) or 'none yet'}."
        super().__init__(f"There is no {kind} named {name!r}; {hint}")


class CredentialMissingError(SettingsError):
    """A credential is not where its reference says.

    Args:
        reference: The reference as it was written, for example "${NAME}".
        looked: What was found where it was looked for, without "." at the end.
        advice: What to do next, without "." at the end.
        passing: It may be the circumstances (a server that does not answer): another try may go well.
    """

    code = "credential_missing"

    def __init__(self, reference: str, looked: str, advice: str, *, passing: bool = False) -> None:
        self.reference, self.passing = reference, passing
        super().__init__(f"There is no credential for {reference}: {looked}; {advice}.")


class WorkspaceError(DeepLensError):
    """The workspace cannot be used as it is."""

    code = "workspace"
    exit_code = 3


class WorkspaceMissingError(WorkspaceError):
    """The folder holds no `workspace.toml`."""

    code = "workspace_missing"


class WorkspaceSchemaError(WorkspaceError):
    """The stores have another schema version than this release of DeepLens."""

    code = "workspace_schema"

    def __init__(self, store: str, found: str, expected: str, *, newer: bool) -> None:
        self.store, self.found, self.expected, self.newer = store, found, expected, newer
        advice = (
            "this workspace was made by a newer DeepLens; install that version"
            if newer
            else "run `deeplens upgrade` (it makes a backup first)"
        )
        super().__init__(f"The {store} has schema {found}, this DeepLens uses {expected}; {advice}.")


class StoreFullError(WorkspaceError):
    """A store or cache cannot be written because the disk or quota is full."""

    code = "store_full"


class LocationError(DeepLensError):
    """A location cannot be used."""

    code = "location"
    exit_code = 4

    def __init__(self, location: str, message: str) -> None:
        self.location = location
        super().__init__(message)


class LocationUnavailableError(LocationError):
    """A location cannot be reached or listed; nothing is marked as gone."""

    code = "location_unavailable"


class LocationEmptiedError(LocationError):
    """A location lists empty where it held objects; nothing is marked as gone."""

    code = "location_emptied"


class LocationReadOnlyError(LocationError):
    """A location is not opened for what was asked (option `permissions`), or its kind of storage cannot do it."""

    code = "location_read_only"


class LeaseHeldError(DeepLensError):
    """Another run holds the lease on a location.

    Args:
        location: Name of the location.
        holder: Who holds it, as "user@host pid N".
        age_seconds: Seconds since the holder took the lease.
    """

    code = "lease_held"
    exit_code = 5

    def __init__(self, location: str, holder: str, age_seconds: float) -> None:
        self.location, self.holder, self.age_seconds = location, holder, age_seconds
        super().__init__(
            f"Location {location!r} is being indexed by {holder} for {age_seconds:.0f} s; "
            "wait for it to end, or stop it and run again."
        )


class ObjectError(DeepLensError):
    """One stored file cannot be analysed; it becomes a row in `failures`, never a silence.

    Attributes:
        passing: It may be the circumstances (time, memory, a process that ended) and not the bytes: another try, under
            other circumstances, may go well, so nothing is concluded from it.
    """

    code = "object"
    passing = False


class ObjectUnreadableError(ObjectError):
    """The bytes of an object cannot be had."""

    code = "unreadable"


class ObjectForbiddenError(ObjectUnreadableError):
    """The storage does not let us read an object."""

    code = "permission"


class ObjectGoneError(ObjectUnreadableError):
    """An object that was listed is no longer there."""

    code = "gone"


class PlaceholderError(ObjectError):
    """A cloud client keeps only the name of the file here: reading it would download it."""

    code = "placeholder"


class ObjectChangedError(ObjectError):
    """An object changed while it was read."""

    code = "changed_while_read"


class ObjectExistsError(ObjectError):
    """Something has the name already; what has it is as it was."""

    code = "exists"


class UnsupportedFormatError(ObjectError):
    """The bytes are not in a picture format that is read."""

    code = "unsupported"


class NotAPictureError(UnsupportedFormatError):
    """The bytes are no picture, drawing or video, whatever their name says."""

    code = "not_a_picture"


class CorruptPictureError(ObjectError):
    """The decoder could not make a picture of the bytes."""

    code = "corrupt"


class DecoderCrashedError(ObjectError):
    """The process that decoded the bytes ended over them; they are not tried again until somebody asks."""

    code = "crashed"
    passing = True


class DecodeTimeoutError(ObjectError):
    """The bytes were not decoded in time; they are not tried again until somebody asks."""

    code = "timed_out"
    passing = True


class LimitExceededError(ObjectError):
    """Bytes, pixels, frames or the memory for them are above the limit set for decoding."""

    code = "too_large"
    passing = True


class QueryError(DeepLensError):
    """A picture or link to search for cannot be used."""

    code = "query"
    exit_code = 2


class LinkRefusedError(QueryError):
    """A link is not followed: a private address, another scheme, too many redirects, too large, no picture."""

    code = "link_refused"


class ReportError(DeepLensError):
    """A report could not be made; nothing of it was written, and the last good one stands."""

    code = "report"


class TooFewLabelsError(DeepLensError):
    """There are too few labels for what was asked; nothing is made up in their place."""

    code = "too_few_labels"


class DecoderUnavailableError(DeepLensError):
    """No process to decode in can be started."""

    code = "decoder_unavailable"


class ExtraMissingError(DeepLensError):
    """A part of DeepLens that is installed apart is not there.

    Args:
        what: What was wanted, for example "The map".
        extra: The extra that brings it, for example "workbench".
    """

    code = "extra_missing"
    exit_code = 6

    def __init__(self, what: str, extra: str) -> None:
        self.what, self.extra = what, extra
        super().__init__(f"{what} needs the extra {extra!r}; install it with `pip install 'deeplens-kit[{extra}]'`.")


class ModelUnavailableError(DeepLensError):
    """A model cannot be used: its weights or its runtime are not installed."""

    code = "model_unavailable"
    exit_code = 6


class ModelCorruptError(DeepLensError):
    """A model file does not have the checksum, inputs or outputs that it should."""

    code = "model_corrupt"
    exit_code = 6


class Interrupted(DeepLensError):
    """The user stopped the work; what was committed is kept and the next run goes on."""

    code = "interrupted"
    exit_code = 130
