"""What a catalog says about itself: its schema version and its vector tables.

Takes and gives names and texts kept in a small Lance table, so that it works wherever the other tables do; must
not open them. The manifest is written last when a catalog is made or upgraded: without it there is no catalog.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deeplens_kit.catalog.lance_table import LanceTable
from deeplens_kit.catalog.tables import KEY_METADATA, parse_spec, spec_text
from deeplens_kit.schemas import FeatureSpec

__all__ = ["Manifest", "table_url"]

_VERSION = "schema_version"
_VECTORS = "vectors/"


def table_url(url: str, name: str) -> str:
    """Address of a table of the catalog at `url`."""
    return f"{url.rstrip('/')}/{name}.lance"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of the catalog at an address."""

    table: LanceTable

    @classmethod
    def at(cls, url: str, storage_options: Mapping[str, str]) -> Manifest:
        """The manifest of the catalog at `url`, which may not exist yet."""
        import pyarrow as pa

        schema = pa.schema(
            [
                pa.field("name", pa.large_string(), nullable=False, metadata=KEY_METADATA),
                pa.field("value", pa.large_string(), nullable=False),
            ]
        )
        return cls(LanceTable("manifest", table_url(url, "manifest"), schema, "name", storage_options))

    def version(self) -> str | None:
        """The schema version written last; None where there is no catalog, or one that was never finished."""
        return self._entries().get(_VERSION) if self.table.exists() else None

    def write_version(self, version: int) -> None:
        """Set the schema version; makes the manifest where there is none."""
        self.table.create()
        self._put(_VERSION, str(version))

    def vector_specs(self) -> list[FeatureSpec]:
        """Features that have a vector table, by table name."""
        entries = self._entries()
        return [parse_spec(entries[name]) for name in sorted(entries) if name.startswith(_VECTORS)]

    def add_vectors(self, spec: FeatureSpec) -> None:
        """Make a vector table known; to be called after the table was made."""
        self._put(_VECTORS + spec.table, spec_text(spec))

    def _entries(self) -> dict[str, str]:
        rows = self.table.read(["name", "value"])
        return dict(zip(rows["name"].to_pylist(), rows["value"].to_pylist(), strict=True))

    def _put(self, name: str, value: str) -> None:
        import pyarrow as pa

        self.table.upsert(pa.table([[name], [value]], schema=self.table.schema))
