"""What is done to single files of a folder: new, moved, linked, replaced and removed ones, and what they have beside.

Takes a `LocalFolder` and says for each act whether it is allowed; must replace nothing but in `replace`, and touch
nothing that is not in the expected state.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from deeplens_kit.errors import LocationReadOnlyError, ObjectUnreadableError
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.facts import QUARANTINE_FOLDER, KeptAfter, LinkForm, ObjectFacts, in_quarantine
from deeplens_kit.storage.local_attributes import facts_of, give_attributes, identity_of, set_modified
from deeplens_kit.storage.local_changing import (
    copy_file,
    create_file,
    missing_folder,
    move_file,
    remove_empty_folders,
    remove_file,
    remove_made_folders,
    remove_unfinished,
    replace_file,
)
from deeplens_kit.storage.local_folder import LocalFolder
from deeplens_kit.storage.local_links import (
    ReflinkError,
    change_symlink,
    hard_link,
    link_text,
    read_symlink,
    reflink,
    remove_symlink,
    shares_blocks,
    symlink,
    symlinks_below,
)
from deeplens_kit.storage.local_reading import open_regular
from deeplens_kit.storage.options import Permission
from deeplens_kit.storage.paths import decode_path, encode_path

__all__ = ["ActingFolder"]


class ActingFolder(LocalFolder):
    """What of `storage.base.LocationKind` acts on single files; see `local.LocalLocation`."""

    proves_by_token = False
    keeps_times_on_move = True
    can_set_storage_class = False
    _reflinks: bool | None = None

    def create(self, path: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> ObjectStat:
        """Make a new file; see `LocationKind.create`. Metadata is not kept."""
        self._permit(Permission.CREATE)
        with self._opened_root() as root, self._translated():
            create_file(root, decode_path(path), data)
        return self.stat(path)

    def create_like(self, path: str, data: bytes, facts: ObjectFacts) -> tuple[ObjectStat, tuple[str, ...]]:
        """Make a new file with permissions and extended attributes of another; see `LocationKind.create_like`."""
        if facts.mode is None:
            return self.create(path, data), ()
        self._permit(Permission.CREATE)
        left: list[str] = []
        with self._opened_root() as root, self._translated():
            # Before it has its name: nobody reads it meanwhile whom its permissions shut out.
            create_file(root, decode_path(path), data, lambda made: left.extend(give_attributes(made, facts)))
        return self.stat(path), tuple(left)

    def copy(self, path: str, target: str, *, expected: ObjectStat) -> ObjectStat:
        """Copy a file to a free name; see `LocationKind.copy`."""
        self._permit(Permission.CREATE)
        with self._opened_root() as root, self._translated():
            copy_file(root, decode_path(path), decode_path(target), expected)
        return self.stat(target)

    def move(self, path: str, target: str, *, expected: ObjectStat) -> ObjectStat:
        """Give a file a free name; see `LocationKind.move`. The names are on the disk when this returns."""
        self._permit(Permission.CHANGE)
        with self._opened_root() as root, self._translated():
            move_file(root, decode_path(path), decode_path(target), expected)
        return self.stat(target)

    def remove(self, path: str, *, expected: ObjectStat) -> None:
        """Remove a file; see `LocationKind.remove`. Its name is off the disk when this returns."""
        self._permit(Permission.CHANGE)
        with self._opened_root() as root, self._translated():
            remove_file(root, decode_path(path), expected)

    def replace(self, path: str, data: bytes, *, expected: ObjectStat) -> ObjectStat:
        """Put a new content in the place of a file; see `LocationKind.replace`."""
        self._permit(Permission.CHANGE)
        with self._opened_root() as root, self._translated():
            replace_file(root, decode_path(path), data, expected)
        return self.stat(path)

    def about(self, path: str) -> ObjectFacts:
        """Permissions, owner and extended attributes; see `LocationKind.about`."""
        with self._opened(path) as file, self._translated():
            return facts_of(file)

    def set_times(self, path: str, modified_at: datetime, *, expected: ObjectStat, was: str | None = None) -> bool:
        """Set the time of the last modification; see `LocationKind.set_times`."""
        self._permit(Permission.CHANGE)
        with self._opened_root() as root, self._translated():
            set_modified(root, decode_path(path), modified_at, expected, was)
        return True

    def set_storage_class(self, path: str, storage_class: str, *, expected: ObjectStat) -> ObjectStat:
        """Refused: files of a file system have none."""
        raise LocationReadOnlyError(
            self.name, f"Location {self.name!r} has no storage classes: its files lie in a file system."
        )

    def kept_after_removal(self, path: str) -> KeptAfter | None:
        """A file system keeps nothing that it tells of."""
        return None

    def identity(self, path: str) -> str:
        """File system and inode, whatever name leads there; see `LocationKind.identity`."""
        with self._opened(path) as file, self._translated():
            return identity_of(file) or self.place + path

    def remove_empty_folders(self, path: str) -> None:
        """Remove what is left of a quarantine; see `LocationKind.remove_empty_folders`."""
        self._permit(Permission.CHANGE)
        if not in_quarantine(f"{path}/"):
            raise ObjectUnreadableError(f"Folders are removed beneath {QUARANTINE_FOLDER} alone.")
        with self._opened_root() as root, self._translated():
            remove_empty_folders(root, decode_path(path))

    def missing_folder(self, path: str) -> str | None:
        """Tell the first folder that is not there; see `LocationKind.missing_folder`."""
        with self._opened_root() as root, self._translated():
            found = missing_folder(root, decode_path(path))
        return None if found is None else encode_path(found)

    def remove_made_folders(self, path: str, first: str) -> None:
        """Remove folders that hold nothing; see `LocationKind.remove_made_folders`."""
        self._permit(Permission.CHANGE)
        with self._opened_root() as root, self._translated():
            remove_made_folders(root, decode_path(path), decode_path(first))

    def remove_unfinished(self, path: str) -> int:
        """Remove what dead processes left in the folder of a path; see `LocationKind.remove_unfinished`."""
        self._permit(Permission.CHANGE)
        with self._opened_root() as root, self._translated():
            return remove_unfinished(root, decode_path(path))

    @property
    def can_link(self) -> frozenset[LinkForm]:
        """Reflinks only where the file system of the root is found to share blocks."""
        if not self.may_change:
            return frozenset()
        if self._reflinks is None:
            with self._opened_root() as root:
                self._reflinks = shares_blocks(root)
        return frozenset(LinkForm) if self._reflinks else frozenset(LinkForm) - {LinkForm.REFLINK}

    def link(self, path: str, target: str, how: LinkForm, *, expected: ObjectStat) -> ObjectStat:
        """Have a free name stand for a file; see `LocationKind.link`. A symbolic link is relative."""
        self._permit(Permission.CHANGE)
        native, goal = decode_path(path), decode_path(target)
        with self._opened_root() as root, self._translated():
            match LinkForm(how):
                case LinkForm.HARDLINK:
                    hard_link(root, native, goal, expected)
                case LinkForm.SYMLINK:
                    with open_regular(root, native) as file:
                        symlink(root, link_text(native, goal), goal, file, expected)
                case LinkForm.REFLINK:
                    try:
                        reflink(root, native, goal, expected)
                    except ReflinkError as error:
                        raise LocationReadOnlyError(
                            self.name,
                            f"The file system of location {self.name!r} cannot let two files share their blocks; "
                            "hardlink and symlink are possible. Nothing was made.",
                        ) from error
        return self.stat(path if how == LinkForm.SYMLINK else target)

    def link_to(self, file: Path, target: str) -> None:
        """Make a symbolic link to a file outside; see `LocationKind.link_to`."""
        self._permit(Permission.CHANGE)
        native = os.fspath(file)
        with self._opened_root() as root, self._translated(), _opened_outside(native) as handle:
            symlink(root, native, decode_path(target), handle, None)

    def link_target(self, path: str) -> str | None:
        """Tell what a symbolic link says; see `LocationKind.link_target`."""
        with self._opened_root() as root, self._translated():
            return read_symlink(root, decode_path(path))

    def remove_link(self, path: str, expected_target: str) -> None:
        """Remove a symbolic link; see `LocationKind.remove_link`."""
        self._permit(Permission.CHANGE)
        native = decode_path(path)
        wanted = decode_path(expected_target)
        text = wanted if wanted.startswith("/") else link_text(wanted, native)
        with self._opened_root() as root, self._translated():
            remove_symlink(root, native, text)

    def symlinks(self) -> Mapping[str, str]:
        """Those that a listing passes over; see `LocationKind.symlinks`."""
        with self._opened_root() as root, self._translated():
            found = symlinks_below(root, hidden=self.options.hidden)
        return {encode_path(path): encode_path(text) for path, text in found.items()}

    def relink(self, path: str, text: str, *, expected: str) -> None:
        """Change a symbolic link; see `LocationKind.relink`."""
        self._permit(Permission.CHANGE)
        with self._opened_root() as root, self._translated():
            change_symlink(root, decode_path(path), decode_path(text), decode_path(expected))


@contextmanager
def _opened_outside(native: str) -> Iterator[int]:
    """Open a file by its absolute path; its own name may be no link."""
    if not native.startswith("/"):
        raise ObjectUnreadableError(f"{native!r} is no absolute path, which a link to another location needs.")
    handle = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        folder, name = os.path.split(native)
        with open_regular(handle, os.path.join(os.path.realpath(folder), name).lstrip("/")) as file:  # noqa: PTH118
            yield file
    finally:
        os.close(handle)
