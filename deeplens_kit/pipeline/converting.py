"""Converted copies of pictures, written into a folder of their own.

Takes files or objects of locations and what they are to become, gives a row for each: the copy and what was lost, or
the reason why there is none. Plans nothing; must not change or remove a file, nor write into a location or over a
name that is taken.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deeplens_kit.decode import ConversionTarget, Converted, IsolatedDecoder
from deeplens_kit.errors import DeepLensError, LocationError, ObjectError
from deeplens_kit.pipeline.conversion_sources import ConversionSource, find_sources
from deeplens_kit.pipeline.conversion_targets import check_folder, names_of_copies
from deeplens_kit.pipeline.execution import Flow, run_flow
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.workspace import Workspace, default_workers
from deeplens_kit.settings import DecodeSettings, IndexSettings
from deeplens_kit.storage import encode_path
from deeplens_kit.storage.new_files import NewFiles
from deeplens_kit.telemetry import span

__all__ = ["Conversion", "convert_files"]

NAME_TAKEN = "name_taken"
"""Code of a source whose copy would have had a name that something has already."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of one source.

    Attributes:
        source: As it was named, encoded as paths are.
        path: The copy, encoded; None where there is none.
        size_bytes_before: Of the source; None where it could not be read.
        size_bytes: Of the copy.
        facts: What the copy is, without its bytes; None where there is none.
        code: Of the failure, empty where it went well.
        message: Why there is no copy.
    """

    source: str
    path: str | None = None
    size_bytes_before: int | None = None
    size_bytes: int | None = None
    facts: Converted | None = None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Task:
    number: int
    source: ConversionSource
    name: str  # native, of the copy


@dataclass(frozen=True, slots=True)
class _Content:
    task: _Task
    data: bytes
    modified_ns: int | None


def convert_files(
    workspace: Workspace | None,
    what: Sequence[str],
    folder: Path | str,
    target: ConversionTarget,
    *,
    workers: int | None = None,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
) -> list[Conversion]:
    """Write a converted copy of each picture.

    Args:
        workspace: For its locations and limits; None for files of this machine under the default limits.
        what: Files, or "location:path" of the workspace.
        folder: Where the copies go: it exists, can be written to, and lies in no location.
        target: What they are to become.
        workers: Threads; None for the setting.
        progress: Told how it goes, as stage `convert`.
        stop: Set it to end early: what is begun is finished, the rest has no row.

    Returns:
        A row for each source that was begun, in the order given.

    Raises:
        SettingsError: The folder is not one to write to.
        StoreFullError: No space is left; copies that were finished stay.
    """
    decode = workspace.settings.decode if workspace else DecodeSettings()
    index = workspace.settings.index if workspace else IndexSettings()
    count = default_workers(index.workers if workers is None else workers)
    # 1. Where to, and what from.
    place = check_folder(folder, workspace)
    sources = find_sources(what, workspace)
    rows: dict[int, Conversion] = {
        number: Conversion(source.said, code=source.code, message=source.message)
        for number, source in enumerate(sources)
        if source.kind is None
    }
    with NewFiles(place) as files:
        # 2. Names, before anything is written: the same call gives the same names.
        names = names_of_copies([source.name for source in sources], target.held.ending)
        tasks = [_Task(*item) for item in zip(range(len(sources)), sources, names, strict=True)]
        tasks = [task for task in tasks if task.number not in rows]
        # 3. Read, convert, write.
        meter = ProgressMeter(progress, "", "convert", len(sources))
        meter.advance(len(rows), failures=len(rows))
        work = _Work(files, target, decode)
        flow: Flow[_Task, _Content, tuple[int, Conversion]] = Flow(
            read=work.read,
            size_of=lambda task: task.source.size_bytes,
            work=work.convert,
            readers=1,
            workers=max(1, min(count, len(tasks))),
            batch_size=1,
            budget_bytes=index.max_waiting_bytes,
        )
        for number, row in run_flow(flow, tasks, stop or threading.Event()):
            rows[number] = row
            meter.advance(failures=bool(row.code), bytes_read=row.size_bytes_before or 0)
        meter.finish()
    return [rows[number] for number in sorted(rows)]


@dataclass(frozen=True, slots=True)
class _Work:
    files: NewFiles
    target: ConversionTarget
    decode: DecodeSettings

    def read(self, task: _Task) -> tuple[Sequence[tuple[int, Conversion]], _Content | None]:
        """The bytes of a source; a name that is taken needs none."""
        said = task.source.said
        if self.files.holds(task.name):
            return [(task.number, _taken(said, task.name, self.files))], None
        try:
            data, modified_ns = task.source.read(self.decode.max_bytes)
        except (ObjectError, LocationError) as error:
            return [(task.number, _failed(said, None, error))], None
        return [], _Content(task, data, modified_ns)

    def convert(self, contents: Sequence[_Content]) -> Sequence[tuple[int, Conversion]]:
        """Convert and write; a failure is a row, but a full disk ends the run."""
        return [(content.task.number, self._converted(content)) for content in contents]

    def _converted(self, content: _Content) -> Conversion:
        said, size_bytes = content.task.source.said, len(content.data)
        try:
            with span("convert"):
                found = IsolatedDecoder(self.decode).converted(content.data, self.target)
            self.files.create(content.task.name, found.data, modified_ns=content.modified_ns)
        except FileExistsError:
            return _taken(said, content.task.name, self.files)
        except ObjectError as error:
            return _failed(said, size_bytes, error)
        path = encode_path(f"{self.files.folder.rstrip('/')}/{content.task.name}")
        return Conversion(said, path, size_bytes, len(found.data), found.without_data())


def _failed(said: str, size_bytes: int | None, error: DeepLensError) -> Conversion:
    return Conversion(said, size_bytes_before=size_bytes, code=error.code, message=str(error))


def _taken(said: str, name: str, files: NewFiles) -> Conversion:
    message = (
        f"The name {encode_path(name)!r} is taken in {encode_path(files.folder)!r}, and nothing is written over; "
        "name another folder."
    )
    return Conversion(said, code=NAME_TAKEN, message=message)
