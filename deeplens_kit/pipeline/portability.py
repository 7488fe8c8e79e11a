"""Everything that is known of one location, as files that need no DeepLens: Parquet, with a manifest and a README.

Takes an open workspace and a place, gives what was written; must not change the stores (but for a line in the audit
trail) or touch the location. Files are made new and never written over; each is read back, and the manifest with the
SHA-256 of each comes last: a place without one holds no whole export.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes

import polars as pl

from deeplens_kit.errors import ObjectExistsError, SettingsError, WorkspaceError
from deeplens_kit.ledger import Location, refuse_secrets
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.pipeline.portable_content import parts_of_location
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import TableSchema
from deeplens_kit.storage import LocationKind, Permission, open_location
from deeplens_kit.telemetry import redact

__all__ = ["EXPORT_FORMAT", "LocationExport", "export_location"]

EXPORT_FORMAT = "deeplens-location/1"
MANIFEST = "manifest.json"
README = "README.md"
_LOCAL = "file://"


@dataclass(frozen=True, slots=True)
class LocationExport:
    """What was written.

    Attributes:
        location: The location, by name.
        url: Where, without credentials.
        files: Columns path, table, rows, size_bytes and sha256; the manifest itself is not among them.
    """

    location: str
    url: str
    files: pl.DataFrame


def export_location(
    workspace: Workspace, location: str, to: str, options: Mapping[str, object] | None = None
) -> LocationExport:
    """Write everything that is known of a location: what was found, compared, said and done there.

    It holds private facts (places, camera makers' blocks, notes) without a mask. The pictures themselves are not in it.

    Args:
        workspace: An open workspace.
        location: Name of the location; one that is left out too.
        to: An empty or new folder, or a URL as locations have it.
        options: Of its kind of storage, credentials as references.

    Raises:
        UnknownNameError: There is no such location.
        SettingsError: The place is not empty, or its URL or an option is not allowed.
        LocationError: The place cannot be reached or takes no files.
        WorkspaceError: What was written did not come back as it was.
    """
    place = workspace.ledger.location(location)
    with closing(_opened(to, options)) as target:
        if target.list().frame.height:
            raise SettingsError(f"There are files at {redact(target.url)!r} already; name a new or empty place.")
        written: list[dict[str, object]] = []
        schemas: dict[str, TableSchema] = {}
        for part in parts_of_location(workspace, place):
            schemas[part.schema.name] = part.schema
            content = io.BytesIO()
            part.frame.write_parquet(content, compression="zstd")
            path = f"{part.schema.name}.{part.number:05}.parquet"
            written.append(_sent(target, path, content.getvalue(), table=part.schema.name, rows=part.frame.height))
        readme = _readme(place, schemas, written)
        written.append(_sent(target, README, readme.encode(), table=None, rows=None))
        manifest = {
            "format": EXPORT_FORMAT,
            "location": _facts(place),
            "made_at": datetime.now(UTC).isoformat(),
            "made_by": current_person(),
            "made_with": str(sys.modules[__name__.partition(".")[0]].__version__),
            "files": written,
        }
        document = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        _sent(target, MANIFEST, document.encode(), table=None, rows=None)
        url = redact(target.url)
    size = sum(int(str(row["size_bytes"])) for row in written)
    details = {"location_id": place.location_id, "name": place.name, "url": url, "size_bytes": size}
    workspace.ledger.record_audit("location.exported", details)
    schema = {"path": pl.String, "table": pl.String, "rows": pl.Int64, "size_bytes": pl.Int64, "sha256": pl.String}
    return LocationExport(place.name, url, pl.DataFrame(written, schema=schema))


def _opened(to: str, options: Mapping[str, object] | None) -> LocationKind:
    given = dict(options or {})
    refuse_secrets("export", to if "://" in to else "", given)
    # Whoever asks for an export opens the place for new files by that.
    given.setdefault("permissions", Permission.CREATE.value)
    kind = open_location("", "export", to, given)
    if kind.url.startswith(_LOCAL):
        Path(os.fsdecode(unquote_to_bytes(kind.url.removeprefix(_LOCAL)))).mkdir(parents=True, exist_ok=True)
    kind.check()
    return kind


def _sent(target: LocationKind, path: str, content: bytes, *, table: str | None, rows: int | None) -> dict[str, object]:
    try:
        target.create(path, content)
    except ObjectExistsError as error:
        raise SettingsError(f"{path!r} is at {redact(target.url)!r} already; name a new or empty place.") from error
    if target.read(path, max_bytes=len(content)) != content:
        raise WorkspaceError(f"{path!r} did not come back from {redact(target.url)!r} as it was sent; export again.")
    digest = hashlib.sha256(content).hexdigest()
    return {"path": path, "table": table, "rows": rows, "size_bytes": len(content), "sha256": digest}


def _facts(place: Location) -> dict[str, object]:
    return {
        "location_id": place.location_id,
        "name": place.name,
        "url": redact(place.url),
        "options": {name: redact(str(value)) for name, value in place.options.items()},
        "created_at": place.created_at.isoformat(),
        "active": place.active,
    }


def _readme(place: Location, schemas: Mapping[str, TableSchema], written: list[dict[str, object]]) -> str:
    return "\n".join(_lines(place, schemas, written)) + "\n"


def _lines(place: Location, schemas: Mapping[str, TableSchema], written: list[dict[str, object]]) -> Iterator[str]:
    yield f"# Everything known of the location {json.dumps(place.name, ensure_ascii=False)}"
    yield ""
    yield (
        f"Tables as Parquet, several files where one would be large; `{MANIFEST}` has the SHA-256 of each. Times are "
        "UTC unless a column says otherwise, digests are SHA-256 in hexadecimal. Paths are relative to the location, "
        "with '/' between parts; a byte that is not UTF-8 is escaped. Facts about people and places are in it without "
        "a mask."
    )
    for name, schema in schemas.items():
        rows = sum(int(str(row["rows"])) for row in written if row["table"] == name)
        yield from ("", f"## {name}", "", f"{rows:,} rows.", "", "| column | type | meaning |", "|---|---|---|")
        for column in schema.columns:
            empty = "; may be null" if column.nullable else ""
            meaning = column.meaning.replace("|", "\\|")
            yield f"| `{column.name}` | {column.dtype} | {meaning}{empty} |"
