"""A table of PostgreSQL: what the catalogs say of it, and the statements that read it.

Takes a connection and the names that options give, gives composed statements with their values; must not run those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deeplens_kit.storage.database.rows import DatabaseOptions, Row, chosen
from deeplens_kit.storage.resilience import FaultKind, KnownFault

if TYPE_CHECKING:
    from psycopg.sql import Composed, Identifier

__all__ = ["PostgresTable", "find_table", "table_name"]

_SCHEMA = "public"
_TIMES = ("timestamptz", "timestamp", "date")
_NUMBERS = ("int2", "int4", "int8", "float4", "float8", "numeric")
_KINDS = {"r": "table", "p": "table", "m": "materialized view"}

_RELATIONS = """
SELECT c.relname::text, c.relkind::text, c.oid FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'm', 'v', 'f')
"""
_COLUMNS = """
SELECT a.attname::text, t.typname::text, pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT')
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
"""
# The first column of each index, and whether it is unique by that alone.
_INDEXES = """
SELECT a.attname::text, i.indisprimary, i.indisunique AND i.indnkeyatts = 1 AND i.indimmediate
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = %s AND i.indpred IS NULL AND i.indisvalid
"""


@dataclass(frozen=True, slots=True)
class PostgresTable:
    """A table and the columns that are read.

    Attributes:
        schema: Its schema.
        table: Its name.
        key: The column by which rows are told apart.
        blob: Of their bytes.
        name: Of their names; the key where there are none.
        name_is_text: Names are plain text.
        modified: Of the time of their change, with its type; empty.
        checksum: Of their digests, with its type; empty.
        remarks: What is worth knowing, a sentence each.
    """

    schema: str
    table: str
    key: str
    blob: str
    name: str
    name_is_text: bool
    modified: tuple[str, str] | None
    checksum: tuple[str, str] | None
    remarks: tuple[str, ...]

    def page(self, last: object, rows: int) -> tuple[Composed, tuple[object, ...]]:
        """The rows behind a key, in order of key."""
        from psycopg import sql

        behind = sql.SQL("") if last is None else sql.SQL("AND {} > %s").format(_column(self.key))
        statement = sql.SQL("SELECT {} FROM {} WHERE {} IS NOT NULL {} ORDER BY {} LIMIT %s").format(
            self._columns(), self._from(), _column(self.blob), behind, _column(self.key)
        )
        return statement, ((rows,) if last is None else (last, rows))

    def one(self, key: str | None, name: str) -> tuple[Composed, tuple[object, ...]]:
        """The row of a key, or the first of a name."""
        return self._one(self._columns(), (), key, name)

    def bytes_of(
        self, key: str | None, name: str, start: int, length: int | None, token: str | None
    ) -> tuple[Composed, tuple[object, ...]]:
        """The bytes of such a row, or NULL where it has another mark or size than `token` names; then its columns."""
        from psycopg import sql

        blob = _column(self.blob)
        part, values = sql.SQL("substring({} FROM %s::int)").format(blob), [start + 1]
        if length is not None:
            part, values = sql.SQL("substring({} FROM %s::int FOR %s::int)").format(blob), [start + 1, length]
        if token is None:
            return self._one(sql.SQL("{}, {}").format(part, self._columns()), values, key, name)
        mark, size = token.split("|")[:2]
        part = sql.SQL("CASE WHEN held.xmin::text = %s AND octet_length({})::text = %s THEN {} END").format(blob, part)
        return self._one(sql.SQL("{}, {}").format(part, self._columns()), (mark, size, *values), key, name)

    def row(self, values: Sequence[Any]) -> Row:
        """A row from the columns of those statements."""
        key, name, size, mark, modified, digest = values
        return Row(key, key, name or "", size, mark, modified, (digest or "").lower())

    def _one(
        self, wanted: Composed, values: Sequence[object], key: str | None, name: str
    ) -> tuple[Composed, tuple[object, ...]]:
        from psycopg import sql

        by_key = key is not None or self.name == self.key
        column = _column(self.key if by_key else self.name)
        # A type of its own for names may call others equal (citext): there the text counts.
        form = "{} = %s" if by_key or self.name_is_text else "{}::text = %s"
        statement = sql.SQL("SELECT {} FROM {} WHERE {} AND {} IS NOT NULL ORDER BY {} LIMIT 1").format(
            wanted, self._from(), sql.SQL(form).format(column), _column(self.blob), _column(self.key)
        )
        return statement, (*values, name if key is None else key)

    def _columns(self) -> Composed:
        from psycopg import sql

        modified: sql.Composable = sql.SQL("NULL::float8")
        if self.modified is not None:
            column = _column(self.modified[0])
            time = sql.SQL("CASE WHEN isfinite({}) THEN extract(epoch FROM {}) END").format(column, column)
            modified = sql.SQL("({})::float8").format(time if self.modified[1] in _TIMES else column)
        digest: sql.Composable = sql.SQL("NULL::text")
        if self.checksum is not None:
            form = "encode({}, 'hex')" if self.checksum[1] == "bytea" else "{}::text"
            digest = sql.SQL(form).format(_column(self.checksum[0]))
        return sql.SQL("{}::text, {}::text, octet_length({}), held.xmin::text, {}, {}").format(
            _column(self.key), _column(self.name), _column(self.blob), modified, digest
        )

    def _from(self) -> Composed:
        from psycopg import sql

        return sql.SQL("{} AS held").format(_quoted(self.schema, self.table))


def _quoted(*names: str) -> Identifier:
    from psycopg import sql

    # psycopg takes a % of a name for the beginning of a value's place.
    return sql.Identifier(*(name.replace("%", "%%") for name in names))


def _column(name: str) -> Identifier:
    """Of the table by its alias: a bare name in ORDER BY is that of what is selected, which is text here."""
    return _quoted("held", name)


def table_name(text: str) -> tuple[str, str]:
    """Schema and table as an option names them; without a schema it is `public`."""
    schema, dot, table = text.partition(".")
    return (schema, table) if dot else (_SCHEMA, text)


def find_table(connection: Any, options: DatabaseOptions) -> PostgresTable:
    """Look a table up in the catalogs of its database.

    Raises:
        KnownFault: It is not there, is not allowed, or cannot be read as files; with what there is instead.
    """
    schema, wanted = table_name(options.table)
    relations = {name: (kind, oid) for name, kind, oid in connection.execute(_RELATIONS, (schema,)).fetchall()}
    table = chosen("table", wanted, relations, f"schema {schema!r}")
    kind, oid = relations[table]
    where = f"table {schema}.{table}"
    if kind not in _KINDS:
        raise KnownFault(FaultKind.LOCATION, f"{schema}.{table} is a view or foreign; name the table that it shows")
    found = connection.execute(_COLUMNS, (oid,)).fetchall()
    types, readable = {name: of for name, of, _ in found}, {name for name, _, may in found if may}
    indexes = connection.execute(_INDEXES, (oid,)).fetchall()
    key = _key(options, types, indexes, where)
    blob = _blob(options, types, where)
    name = chosen("column", options.name_column, types, where) if options.name_column else key
    modified = _typed(options.modified_column, types, where, (*_TIMES, *_NUMBERS), "a time or seconds since 1970")
    checksum = _typed(options.checksum_column, types, where, ("text", "varchar", "bpchar", "bytea"), "text or bytea")
    used = {key, blob, name} | {pair[0] for pair in (modified, checksum) if pair}
    if missing := sorted(used - readable):
        columns = ", ".join(missing)
        raise KnownFault(FaultKind.FORBIDDEN, f"the user lacks SELECT on columns {columns} of {schema}.{table}")
    remarks: list[str] = []
    if name not in {first for first, _, _ in indexes}:
        remarks.append(
            f"Column {name!r} has no index: each file that is read is looked for in the whole table. Give it one, or "
            "leave out name_column."
        )
    is_text = types[name] in ("text", "varchar")
    return PostgresTable(schema, table, key, blob, name, is_text, modified, checksum, tuple(remarks))


def _key(options: DatabaseOptions, types: dict[str, str], indexes: list[tuple[str, bool, bool]], where: str) -> str:
    unique = sorted({name for name, _, alone in indexes if alone})
    if not options.key_column:
        primary = [name for name, is_primary, alone in indexes if is_primary and alone]
        if primary:
            return primary[0]
        some = f"; unique are: {', '.join(unique)}" if unique else ""
        raise KnownFault(FaultKind.LOCATION, f"{where} has no primary key of one column: name a key_column{some}")
    key = chosen("column", options.key_column, types, where)
    if key not in unique:
        some = ", ".join(unique) or "none"
        raise KnownFault(
            FaultKind.LOCATION, f"key_column {key!r} of {where} has no unique index; those that do: {some}"
        )
    return key


def _blob(options: DatabaseOptions, types: dict[str, str], where: str) -> str:
    blob = chosen("column", options.blob_column, types, where)
    if types[blob] != "bytea":
        raise KnownFault(FaultKind.LOCATION, f"blob_column {blob!r} of {where} is of type {types[blob]}, not bytea")
    return blob


def _typed(
    wanted: str, types: dict[str, str], where: str, allowed: Sequence[str], words: str
) -> tuple[str, str] | None:
    if not wanted:
        return None
    column = chosen("column", wanted, types, where)
    if types[column] not in allowed:
        raise KnownFault(
            FaultKind.LOCATION, f"column {column!r} of {where} is of type {types[column]}; it must be {words}"
        )
    return column, types[column]
