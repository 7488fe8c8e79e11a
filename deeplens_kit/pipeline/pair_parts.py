"""What was found out about pairs, in files of a few hundred, until the pairs are stored.

Takes rows and gives them back in the next run, however this one ended; must not know how they were found. The files
lie in the cache folder and may be deleted at any time: their pairs are then looked at again. A damaged file counts as
missing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from deeplens_kit.schemas import PAIRS
from deeplens_kit.telemetry import get_logger

__all__ = ["PairParts"]

_log = get_logger(__name__)

_ENDING = ".parquet"
_TEMPORARY = ".new-"


class PairParts:
    """Rows of pairs in files of a folder, written one after the other; safe for several writers.

    Args:
        folder: Named by what the rows depend on beside the two pictures.
        columns: Of PAIRS, the rows' columns; the key first.
    """

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self._folder = folder
        self._schema = pl.Schema({name: PAIRS.polars[name] for name in columns})
        self._own: list[Path] = []
        self._told = False

    def empty(self) -> pl.DataFrame:
        """Rows of these columns, none."""
        return pl.DataFrame(schema=self._schema)

    def read(self) -> pl.DataFrame:
        """All rows, each pair once, in no order."""
        frames = []
        for path in self._files():
            try:
                frame = pl.read_parquet(path, memory_map=False)
            except (OSError, pl.exceptions.PolarsError):
                _log.warning("findings of an earlier run cannot be read and are made again", file=path.name)
                path.unlink(missing_ok=True)
                continue
            if frame.schema == self._schema:
                frames.append(frame)
            self._own.append(path)
        if not frames:
            return self.empty()
        return pl.concat(frames).unique(list(PAIRS.key), keep="any")

    def append(self, rows: pl.DataFrame) -> None:
        """Keep rows; readers see all of them or none. Where they cannot be kept the log says so once."""
        name = f"{secrets.token_hex(12)}{_ENDING}"
        temporary = self._folder / f"{_TEMPORARY}{os.getpid()}-{name}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as stream:
                    rows.select(self._schema.names()).write_parquet(stream)
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(self._folder / name)
            finally:
                temporary.unlink(missing_ok=True)
            self._own.append(self._folder / name)
        except (OSError, pl.exceptions.PolarsError) as error:
            if not self._told:
                self._told = True
                reason = getattr(error, "strerror", None) or str(error)
                _log.warning("findings are not kept until the run ends", folder=str(self._folder), reason=reason)

    def keep_only(self, rows: pl.DataFrame) -> None:
        """Put these rows in place of the files that were read or written here; files of another run stay."""
        old, self._own = self._own, []
        if rows.height:
            self.append(rows)
        for path in (*old, *self._abandoned()):
            path.unlink(missing_ok=True)

    def _abandoned(self) -> list[Path]:
        """What processes were writing when they were killed."""
        return [path for path in self._listed(f"{_TEMPORARY}*") if not _is_running(path.name.split("-")[1])]

    def _files(self) -> list[Path]:
        return [path for path in self._listed("*") if not path.name.startswith(".")]

    def _listed(self, names: str) -> list[Path]:
        try:
            return sorted(self._folder.glob(names + _ENDING))
        except OSError:
            return []


def _is_running(pid: str) -> bool:
    """Whether a process of this machine has this number."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except OSError:
        pass  # of somebody else
    return True
