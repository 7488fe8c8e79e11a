"""Where the page of a schedule goes: a file of this machine, or new files in a store of any kind.

Takes a schedule and the time, gives a file to write and puts what was made where it belongs; must not replace a file
in a store, nor write among the files that DeepLens looks after.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deeplens_kit.errors import (
    CredentialMissingError,
    LocationError,
    ObjectError,
    ObjectExistsError,
    ObjectGoneError,
    ReportError,
    SettingsError,
)
from deeplens_kit.ledger import refuse_secrets
from deeplens_kit.pipeline import Workspace
from deeplens_kit.reporting.precious import refuse_precious
from deeplens_kit.service.schedules.values import Schedule
from deeplens_kit.storage import LocationKind, Permission, encode_path, open_location
from deeplens_kit.telemetry import redact

__all__ = ["PagePlace", "filled", "page_place"]

_MOST_NAMES = 100


@dataclass(frozen=True, slots=True)
class PagePlace:
    """Where a page is made, and where it goes from there.

    Attributes:
        page: The file that is to be written.
        store: The store that it goes to; None where the file is the place.
    """

    page: Path
    store: LocationKind | None = None

    def put(self, page: Path, beside: Sequence[Path]) -> str:
        """Put the page and what belongs to it in place, the page last.

        Args:
            page: As it was made.
            beside: The files that are called after it.

        Returns:
            Where the page is: a path, or a URL without credentials.

        Raises:
            LocationError: The store cannot be reached, or takes no files.
            ReportError: What was sent did not come back as it was.
        """
        if self.store is None:
            return str(page)
        for number in range(1, _MOST_NAMES):
            stem = page.stem if number == 1 else f"{page.stem}-{number}"
            named = [(file, stem + file.name.removeprefix(page.stem)) for file in (*beside, page)]
            if not _is_free(self.store, named[-1][1]):
                continue
            with suppress(ObjectExistsError):
                for file, name in named:
                    _send(self.store, file, name)
                return self._url(named[-1][1])
        raise ReportError(f"All names after {page.name!r} are taken at {redact(self.store.url)!r}; name another page.")

    def put_failed(self, file: Path, content: bytes) -> str:
        """Put a notebook that failed where its page would have come to lie.

        Args:
            file: Its name.
            content: The notebook.

        Returns:
            Where it is: a URL without credentials; empty where the store does not take it.
        """
        assert self.store is not None, "beside a page of this machine it is kept by whoever makes it"
        stem, ending = self.page.stem, file.name.removeprefix(self.page.stem)
        with suppress(LocationError, ObjectError):
            for number in range(1, _MOST_NAMES):
                name = f"{stem if number == 1 else f'{stem}-{number}'}{ending}"
                with suppress(ObjectExistsError):
                    self.store.create(encode_path(name), content)
                    return self._url(name)
        return ""

    def _url(self, name: str) -> str:
        assert self.store is not None
        return f"{redact(self.store.url).rstrip('/')}/{name}"


def filled(template: str, at: datetime, file: str = "") -> str:
    """A template with its places filled.

    Args:
        template: With {date}, {time} and {file}.
        at: In the zone of the schedule. Where the clock is put back an hour is told twice: in its second turn a "b"
            follows the time, so that the pages of the first are not written over.
        file: Name of the page.
    """
    time = f"{at:%H%M}{'b' if at.fold else ''}"
    filled_in = template.replace("{date}", f"{at:%Y-%m-%d}").replace("{time}", time)
    return filled_in.replace("{file}", file)


@contextmanager
def page_place(workspace: Workspace, schedule: Schedule, at: datetime) -> Iterator[PagePlace]:
    """The place of a schedule's page, for one run.

    Args:
        workspace: An open workspace.
        schedule: A report's.
        at: When, in the zone of the schedule.

    Raises:
        SettingsError: The place is among the files that are looked after, or an option is not allowed.
        LocationError: The store cannot be reached.
    """
    to = filled(schedule.to, at)
    if not schedule.in_store:
        refuse_precious(workspace, Path(to))
        yield PagePlace(Path(to))
        return
    folder, _, name = to.rpartition("/")
    with (
        closing(_opened(folder, schedule)) as store,
        tempfile.TemporaryDirectory(prefix="deeplens-schedule-", ignore_cleanup_errors=True) as temporary,
    ):
        _refuse_location(workspace, store)
        store.check()
        yield PagePlace(Path(temporary) / name, store)


def _opened(folder: str, schedule: Schedule) -> LocationKind:
    given = dict(schedule.to_options)
    refuse_secrets("report", folder, given)
    # Whoever writes the schedule opens the place for new files by that.
    given.setdefault("permissions", Permission.CREATE.value)
    return open_location("", "report", folder, given)


def _refuse_location(workspace: Workspace, store: LocationKind) -> None:
    """Pictures are looked after there: files of ours would be listed among them."""
    scheme = store.url.partition("://")[0]
    for location in workspace.ledger.locations(inactive=True):
        if location.url.partition("://")[0] != scheme:
            continue
        try:
            with closing(workspace.kind_of(location)) as other:
                place = other.place
        except (LocationError, CredentialMissingError):
            continue
        if store.place.startswith(place):
            raise SettingsError(
                f"Cannot put a report at {redact(store.url)!r}: it is inside the location {location.name!r}, which is "
                "never written to; name another place."
            )


def _is_free(store: LocationKind, name: str) -> bool:
    try:
        store.stat(encode_path(name))
    except ObjectGoneError:
        return True
    return False


def _send(store: LocationKind, file: Path, name: str) -> None:
    content = file.read_bytes()
    store.create(encode_path(name), content)
    if store.read(encode_path(name), max_bytes=len(content)) != content:
        raise ReportError(f"{name!r} did not come back from {redact(store.url)!r} as it was sent.")
