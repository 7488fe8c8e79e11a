"""What a file or an indexed picture says about itself.

Takes what a person names: a file on this machine, "location:path" of an indexed file, or a digest; gives tags and
dates, those that are kept where there are some, else read now. Must not write, nor mask: whoever shows it does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from deeplens_kit.decode import IsolatedDecoder
from deeplens_kit.decode.tags import PictureDates, PictureTags, picture_dates
from deeplens_kit.errors import ObjectUnreadableError, SettingsError, UnknownNameError
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.picture_bytes import PictureBytes
from deeplens_kit.pipeline.subjects import file_named
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.settings import DecodeSettings
from deeplens_kit.storage import digest_content, encode_path, open_location
from deeplens_kit.storage.paths import display_path

__all__ = ["FileMetadata", "file_metadata"]

_DIGEST = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_ALLOWED = "a picture file on this machine, location:path of an indexed file, or the digest of an indexed picture"


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """What a file says about itself.

    Attributes:
        name: How the file is called, as it may be shown.
        digest: SHA-256 of its bytes.
        format: As the catalog names it.
        tags: Private ones are marked, not masked: see `decode.mask_tags`.
        dates: When it was made.
        kept: It comes from the catalog; else it was read from the file now.
    """

    name: str
    digest: str
    format: str
    tags: PictureTags = field(repr=False)
    dates: PictureDates
    kept: bool


def file_metadata(workspace: Workspace | None, what: str) -> FileMetadata:
    """Find out what a file says about itself.

    Args:
        workspace: Where indexed files are looked up, and whose limits hold; None: only files on this machine.
        what: A file on this machine, else "location:path" of an indexed file, else the digest of an indexed picture.

    Raises:
        UnsupportedFormatError: The file is of no picture format that is read.
        ObjectUnreadableError: It cannot be read.
        SettingsError: Nothing is named like this; UnknownNameError where a workspace was looked through.
    """
    what = what.strip()
    if not what:
        raise SettingsError(f"There is nothing to tell of; give {_ALLOWED}.")
    settings = workspace.settings.decode if workspace else DecodeSettings()
    if _is_file(what):
        return _of_file(Path(what), settings)
    if workspace is None:
        _refuse_folder(what)
        raise SettingsError(f"{what!r} is no file on this machine; give {_ALLOWED}, these two with --workspace.")
    if _DIGEST.fullmatch(what):
        return _of_picture(workspace, f"picture {what[:12].lower()}", what.lower())
    files = active_files(workspace)
    object_id = file_named(what, files, workspace)
    if object_id is None:
        _refuse_folder(what)
        raise UnknownNameError("file", what, [], advice=f"give {_ALLOWED}.")
    digest = files.filter(object_id=object_id)["digest"][0]
    if digest is None:
        raise ObjectUnreadableError(f"{what!r} could not be read so far; `deeplens failures` says why.")
    return _of_picture(workspace, what, digest)


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def _refuse_folder(text: str) -> None:
    try:
        folder = Path(text).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return
    if folder:
        raise SettingsError(f"{text!r} is a folder; give {_ALLOWED}.")


def _of_file(path: Path, settings: DecodeSettings) -> FileMetadata:
    path = path.expanduser().absolute().resolve()
    # Through the same door as indexing, so that no device or pipe is read and limits hold alike.
    folder = open_location("", "described", str(path.parent), {})
    data = folder.read(encode_path(path.name), expected=None, max_bytes=settings.max_bytes)
    return _of_bytes(display_path(encode_path(path.name)), data, settings)


def _of_bytes(name: str, data: bytes, settings: DecodeSettings) -> FileMetadata:
    found = IsolatedDecoder(settings).tags(data)
    return FileMetadata(name, digest_content(data).sha256, found.format, found.tags, found.dates, kept=False)


def _of_picture(workspace: Workspace, name: str, digest: str) -> FileMetadata:
    kept = workspace.catalog.metadata([digest])
    pictures = workspace.catalog.pictures([digest], columns=["format"])
    if kept.height and pictures.height:
        row = kept.row(0, named=True)
        problems = [text for text in row["problems"].split("; ") if text]
        tags = PictureTags.from_json({"tags": row["tags"], "problems": problems}, row["maker_note"])
        return FileMetadata(name, digest, pictures["format"][0], tags, picture_dates(tags), kept=True)
    # Indexed by a version that kept none, or a file that is no picture for us.
    data = PictureBytes(workspace).read(digest)
    if data is None:
        raise ObjectUnreadableError(
            f"No file that holds {name!r} can be read now; `deeplens locations check` tells more."
        )
    return _of_bytes(name, data, workspace.settings.decode)
