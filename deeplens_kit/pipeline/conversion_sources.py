"""What is to be converted: files of this machine and objects of locations, found by what a user calls them.

Takes texts, gives for each an open place that its bytes can be read from, or why there is none; must not read a
picture yet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deeplens_kit.errors import LocationError, ObjectError, ObjectGoneError, ObjectUnreadableError
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.storage import LocationKind, decode_path, encode_path, open_location
from deeplens_kit.storage.paths import ESCAPE

__all__ = ["ConversionSource", "find_sources"]

_NO_SUCH_FILE = "There is no such file at the location; check its path there."

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ConversionSource:
    """One source.

    Attributes:
        said: As it was named, encoded as paths are.
        name: Of the file, native, without folders.
        kind: Where it is read from; None where it is not there.
        path: Its path there, encoded.
        size_bytes: When it was found.
        code: Why it is not there.
        message: The same in words.
    """

    said: str
    name: str
    kind: LocationKind | None = None
    path: str = ""
    size_bytes: int = 0
    code: str = ""
    message: str = ""

    def read(self, max_bytes: int) -> tuple[bytes, int | None]:
        """The bytes as they are now, and when they were last changed, in nanoseconds since 1970 where it is known.

        Raises:
            ObjectError: They cannot be had.
            LocationError: The location cannot.
        """
        assert self.kind is not None, "only what was found is read"
        stat = self.kind.stat(self.path)
        data = self.kind.read(self.path, expected=stat, max_bytes=max_bytes)
        if stat.modified_at is None:
            return data, None
        return data, (stat.modified_at - _EPOCH) // timedelta(microseconds=1) * 1000


def find_sources(what: Sequence[str], workspace: Workspace | None) -> list[ConversionSource]:
    """Find each source: "location:path" of the workspace first, indexed or not, then a file of this machine."""
    kinds = {item.name: workspace.kind_of(item) for item in workspace.ledger.locations()} if workspace else {}
    return [_found(text, kinds) for text in what]


def _found(text: str, kinds: dict[str, LocationKind]) -> ConversionSource:
    said = _encoded(text)
    problem: ObjectError | LocationError | None = None
    for kind, path in _places(text, kinds):
        try:
            return _of(said, kind, path)
        except ObjectGoneError:
            # It may never have been there: nothing was listed to find it.
            problem = problem or ObjectGoneError(_NO_SUCH_FILE)
        except (ObjectError, LocationError) as error:
            problem = problem or error
    try:
        return _of_file(text, said)
    except ObjectError as error:
        # A location was named: what is wrong there is what the user wants to hear.
        problem = problem or error
    return ConversionSource(said, os.path.basename(text) or text, code=problem.code, message=str(problem))  # noqa: PTH119


def _places(text: str, kinds: dict[str, LocationKind]) -> Iterator[tuple[LocationKind, str]]:
    """Where an object of this name may be; a name of a location may hold colons too."""
    for at, letter in enumerate(text):
        if letter != ":" or text[:at] not in kinds:
            continue
        try:
            spelt = encode_path(text[at + 1 :])
        except ObjectError:
            continue  # no file has such a name
        # As the file system has it, or as an answer has it, where it is encoded already.
        for path in dict.fromkeys((spelt, spelt.replace(f"{ESCAPE}00", ESCAPE))):
            yield kinds[text[:at]], path


def _of(said: str, kind: LocationKind, path: str) -> ConversionSource:
    size_bytes = kind.stat(path).size_bytes
    name = os.path.basename(decode_path(path))  # noqa: PTH119 - a name may be no valid text
    return ConversionSource(said, name, kind, path, size_bytes)


def _of_file(text: str, said: str) -> ConversionSource:
    try:
        path = os.path.realpath(os.path.expanduser(text))  # noqa: PTH111 - Path.resolve raises on loops
        what = "is not there" if not os.path.lexists(path) else "is a folder" if os.path.isdir(path) else ""  # noqa: PTH112
    except (OSError, ValueError) as error:
        raise ObjectUnreadableError(f"{said!r} cannot be looked at: {error}; name another file.") from error
    if what:
        raise ObjectUnreadableError(f"{said!r} {what}; name picture files, or location:path of the workspace.")
    folder, name = os.path.split(path)
    # Through the same door as indexing: links and special files are refused alike, limits hold alike.
    found = _of(said, open_location("", "converted", folder, {}), encode_path(name))
    # The copy is called as the user calls its source, whatever a link leads to.
    given = os.path.basename(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111, PTH119
    return ConversionSource(said, given, found.kind, found.path, found.size_bytes)


def _encoded(text: str) -> str:
    try:
        return encode_path(text)
    except ObjectError:
        return text.encode("utf-8", "replace").decode("utf-8")
