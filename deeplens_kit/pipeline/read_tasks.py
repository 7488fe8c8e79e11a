"""Which objects a run reads: what is new, changed, lacks a feature, or failed for a reason that may have passed.

Takes the result of a scan and rows of the catalog, gives tasks; must not read an object or write a row.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.decode import DECODE_SPEC
from deeplens_kit.pipeline.analysis import Toolbox
from deeplens_kit.pipeline.known_failures import settled
from deeplens_kit.pipeline.reading import ReadTask
from deeplens_kit.pipeline.scan import ScanResult
from deeplens_kit.schemas import LISTING, Outcome
from deeplens_kit.settings import DecodeSettings
from deeplens_kit.storage import ObjectStat

__all__ = ["complete_pictures", "read_tasks"]

# Failures of the moment rather than of the content: their files are read again by every run.
_PASSING_CODES = ("unreadable", "permission", "gone", "placeholder", "changed_while_read")


def complete_pictures(pictures: pl.DataFrame, toolbox: Toolbox) -> pl.Series:
    """Digests that need no analysis: decoded by the present path, with every feature that can be computed."""
    wanted = {item.spec.key for item in toolbox.extractors}
    whole = [keys for keys in pictures["features"].unique() if wanted <= set(keys.split(","))]
    present = pictures.filter(pl.col("features").is_in(whole) & (pl.col("decode_spec") == DECODE_SPEC))
    return present["digest"]


def read_tasks(
    found: ScanResult,
    complete: pl.Series,
    failures: pl.DataFrame,
    decode: DecodeSettings,
    retry: frozenset[str] | None,
    *,
    lacking: bool,
    kept_out: str = "",
) -> list[ReadTask]:
    """What to read: new and changed objects, one object of each picture that lacks a feature, and failures to retry.

    Args:
        found: The scan of the location.
        complete: As `complete_pictures`.
        failures: FAILURES of the location.
        decode: The limits that hold now.
        retry: Codes of failures that somebody asked for; None for all.
        lacking: Whether any picture lacks a feature.
        kept_out: Which pictures are kept out now: `KeptOut.version`.
    """
    tasks = _of(found.new) + _of(found.changed)
    if lacking:
        incomplete = found.unchanged.filter(
            (pl.col("outcome") == Outcome.INDEXED) & ~pl.col("digest").is_in(complete.implode())
        )
        once = incomplete.sort("path").unique("digest", keep="first", maintain_order=True)
        tasks += _of(once, indexed=True)
    return tasks + _retries(found, complete, failures, decode, retry, kept_out)


def _retries(
    found: ScanResult,
    complete: pl.Series,
    failures: pl.DataFrame,
    decode: DecodeSettings,
    retry: frozenset[str] | None,
    kept_out: str,
) -> list[ReadTask]:
    """Unchanged files whose failure may have passed, and those that somebody asked for.

    What passes are lost connections, permissions that were mended, formats that an earlier version did not read,
    limits that were raised, and failures of bytes that were read elsewhere since. What was kept out is read again where
    another set of pictures is kept out now.
    """
    stage, code = pl.col("stage"), pl.col("code")
    if retry is not None:
        passing = (stage == "read") & code.is_in(_PASSING_CODES)
        depends = ((stage == "decode") | (code == "too_large")) & ~settled(failures, decode)
        read_since = pl.col("digest").is_in(complete.implode())
        let_in = (code == Outcome.KEPT_OUT) & (pl.col("decode_spec").ne_missing(kept_out))
        failures = failures.filter(passing | depends | read_since | let_in | code.is_in(list(retry)))
    again = found.unchanged.join(failures.select("path"), on="path", how="semi").sort("path")
    return _of(again.filter(pl.col("outcome") != Outcome.INDEXED))


def _of(listed: pl.DataFrame, *, indexed: bool = False) -> list[ReadTask]:
    columns = ["path", *[name for name in LISTING.names if name != "path"]]
    return [ReadTask(path, ObjectStat(*state), indexed) for path, *state in listed.select(columns).iter_rows()]
