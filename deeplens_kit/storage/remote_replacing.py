"""A new content in the place of an object of a storage behind a network, and the end of one.

Takes a store by `remote_changing`. A service that compares and replaces in one request is asked for that. A server can
only rename over whatever has the name by then, so there the old object is renamed to a private name, looked at, and
removed once the new one has the name: whatever somebody saves meanwhile keeps it. For a moment nothing has the name;
where the process ends in it, whoever kept a copy of the old content puts it back.
"""

from __future__ import annotations

import secrets
from contextlib import suppress

from deeplens_kit.errors import DeepLensError, ObjectChangedError, ObjectExistsError
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.facts import in_quarantine
from deeplens_kit.storage.listing import settled
from deeplens_kit.storage.options import Permission
from deeplens_kit.storage.paths import decode_path
from deeplens_kit.storage.remote_changing import ChangingLocation
from deeplens_kit.storage.remote_reading import CHANGED
from deeplens_kit.storage.store import MOST_CARRIED_BYTES

__all__ = ["ReplacingLocation"]

_PRIVATE = ".deeplens-"
_CHANGED = "It was saved anew while it was replaced; what was saved stays."


class ReplacingLocation(ChangingLocation):
    """What of `storage.base.LocationKind` replaces and removes objects of a store; see `remote.RemoteLocation`."""

    def remove(self, path: str, *, expected: ObjectStat) -> None:
        """Remove an object; see `LocationKind.remove`."""
        name = path.rpartition("/")[2]
        if self.store.removes_exactly or in_quarantine(path) or name.startswith(_PRIVATE):
            super().remove(path, expected=expected)
            return
        caught = _private(path)
        taken = self.move(path, caught, expected=expected)
        if settled(taken.change_token) != settled(expected.change_token):
            self._give_back(caught, path)
            raise ObjectChangedError(CHANGED)
        super().remove(caught, expected=taken)

    def replace(self, path: str, data: bytes, *, expected: ObjectStat) -> ObjectStat:
        """Put a new content in the place of an object; see `LocationKind.replace`."""
        self._permit(Permission.CHANGE, "changes")
        if not self.store.replaces_exactly:
            return self._replace_by_names(path, data, expected)
        native = decode_path(path)

        def replace() -> None:
            self._expect(native, expected)
            self.store.replace(native, data, settled(expected.change_token))

        self._done(replace, path, {ObjectChangedError: lambda: self._holds(path, data)})
        return self.stat(path)

    def _replace_by_names(self, path: str, data: bytes, expected: ObjectStat) -> ObjectStat:
        was = self.read(path, expected=expected, max_bytes=MOST_CARRIED_BYTES)
        made, caught = _private(path), _private(path)
        new = self.create(made, data)
        try:
            self._of_object(lambda: self.store.make_alike(decode_path(path), decode_path(made)), path)
            new = self.stat(made)
            self.move(path, caught, expected=expected)
        except BaseException:
            self._discard(made, new)
            self._give_back(caught, path)  # where it was renamed and nobody heard of it
            raise
        try:
            taken = self.stat(caught)
            # A server changes tokens as it renames, and clocks are coarse: what it holds is what tells.
            if not self._holds(caught, was):
                raise ObjectChangedError(_CHANGED)
            self.move(made, path, expected=new)
        except ObjectExistsError as error:
            self._discard(made, new)
            self._discard(caught, taken)
            raise ObjectChangedError(_CHANGED) from error
        except BaseException:
            self._discard(made, new)
            self._give_back(caught, path)
            raise
        self.remove(caught, expected=taken)
        return self.stat(path)

    def _give_back(self, caught: str, path: str) -> None:
        with suppress(DeepLensError):  # as below
            self.move(caught, path, expected=self.stat(caught))

    def _discard(self, path: str, state: ObjectStat) -> None:
        with suppress(DeepLensError):  # what went wrong before is what has to be told
            self.remove(path, expected=state)


def _private(path: str) -> str:
    """A name in the folder of a path that nothing else has."""
    return f"{path[: path.rfind('/') + 1]}{_PRIVATE}{secrets.token_hex(8)}.part"
