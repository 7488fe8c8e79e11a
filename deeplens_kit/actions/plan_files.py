"""Plans as files that people and programs read, and read back: CSV, Parquet, and a signed JSON manifest.

Takes PLAN_STEPS and what is known of the plan, gives bytes, and takes those back; must not touch a file or a key store.
The manifest's signature (Ed25519) covers what the plan is and the digest of its steps, which bind the steps themselves.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
from polars.exceptions import PolarsError

from deeplens_kit.actions.plan_digest import steps_digest
from deeplens_kit.errors import PlanError
from deeplens_kit.schemas import PLAN_STEPS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "MANIFEST_FORM",
    "CheckedManifest",
    "checked_manifest",
    "manifest_pieces",
    "rows_of_csv",
    "steps_as_csv",
    "steps_as_parquet",
    "steps_from_csv",
    "steps_from_parquet",
]

MANIFEST_FORM = "deeplens plan manifest 1"
"""Of the form of a manifest; another one is not understood."""

_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"


@dataclass(frozen=True, slots=True)
class CheckedManifest:
    """What a manifest says, once its signature and digest were found right.

    Attributes:
        plan: plan_id, kind, author, created_at, document, steps_digest, steps ..., as they were signed.
        steps: PLAN_STEPS.
        public_key: 64 hexadecimal digits: whose signature it is.
    """

    plan: Mapping[str, Any]
    steps: pl.DataFrame
    public_key: str


def steps_as_csv(steps: pl.DataFrame, names: Mapping[str, str]) -> bytes:
    """CSV in UTF-8 with the names of locations before the columns of PLAN_STEPS."""
    content = io.BytesIO()
    named = _plain(PLAN_STEPS.check(steps)).with_columns(
        pl.col(f"{end}_id").replace_strict(dict(names), default=None, return_dtype=pl.String).alias(end)
        for end in ("victim_location", "keeper_location")
    )
    named.select("victim_location", "keeper_location", *PLAN_STEPS.names).write_csv(content)
    return content.getvalue()


def steps_from_csv(content: bytes) -> pl.DataFrame:
    """The steps that a CSV file of `steps_as_csv` holds: PLAN_STEPS.

    Raises:
        PlanError: It is none.
    """
    try:
        rows = pl.read_csv(io.BytesIO(content), infer_schema=False)
        return _exact(rows)
    except (PolarsError, TypeError, ValueError) as error:
        raise _unreadable("CSV file", error) from error


def rows_of_csv(content: bytes) -> pl.DataFrame:
    """The rows of an export that somebody edited, every value as text: a spreadsheet may write the others anew.

    Raises:
        PlanError: It is no table.
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    header = content.split(b"\n", 1)[0]
    try:
        return pl.read_csv(
            io.BytesIO(content),
            infer_schema=False,
            separator=";" if header.count(b";") > header.count(b",") else ",",
            truncate_ragged_lines=True,
        )
    except (PolarsError, ValueError) as error:
        raise _unreadable("CSV file", error) from error


def steps_as_parquet(steps: pl.DataFrame) -> bytes:
    """One Parquet file of PLAN_STEPS."""
    content = io.BytesIO()
    PLAN_STEPS.check(steps).write_parquet(content, compression="zstd")
    return content.getvalue()


def steps_from_parquet(content: bytes) -> pl.DataFrame:
    """The steps that a Parquet file holds: PLAN_STEPS.

    Raises:
        PlanError: It holds something else.
    """
    try:
        return PLAN_STEPS.check(pl.read_parquet(io.BytesIO(content)))
    except (PolarsError, TypeError, OSError) as error:
        raise _unreadable("Parquet file", error) from error


def manifest_pieces(steps: pl.DataFrame, plan: Mapping[str, Any], key: Ed25519PrivateKey) -> Iterator[bytes]:
    """A signed manifest in pieces of UTF-8, a step to a line.

    Args:
        steps: PLAN_STEPS.
        plan: What the plan is, as JSON can hold it; the digest and number of its steps are put in here.
        key: Which signs.
    """
    signed = {**plan, "steps_digest": steps_digest(steps), "steps": steps.height}
    public = key.public_key().public_bytes_raw().hex()
    head = {"form": MANIFEST_FORM, "plan": signed, "public_key": public}
    yield json.dumps({**head, "signature": key.sign(_canonical(head)).hex()}, ensure_ascii=False)[:-1].encode()
    yield b', "steps": ['
    separator = b"\n"
    for row in _plain(PLAN_STEPS.check(steps)).iter_rows(named=True):
        yield separator + json.dumps(row, ensure_ascii=False).encode("utf-8")
        separator = b",\n"
    yield b"\n]}\n"


def checked_manifest(content: bytes) -> CheckedManifest:
    """What a manifest says.

    Raises:
        PlanError: It is no manifest, its signature is not of what it says, or its steps are others.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        document = json.loads(content)
        head = {name: document[name] for name in ("form", "plan", "public_key")}
        if head["form"] != MANIFEST_FORM:
            raise PlanError(f"The manifest has the form {head['form']!r}; this DeepLens reads {MANIFEST_FORM!r}.")
        steps = _exact(pl.DataFrame(document["steps"], schema=_plain_schema()))
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(head["public_key"]))
        key.verify(bytes.fromhex(document["signature"]), _canonical(head))
        signed_digest, signed_steps = head["plan"]["steps_digest"], head["plan"]["steps"]
    except InvalidSignature as error:
        raise PlanError(
            "The signature of the manifest is not of what it says: it was altered after it was signed. Export the plan "
            "again."
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, PolarsError) as error:
        raise _unreadable("manifest", error) from error
    if steps_digest(steps) != signed_digest or steps.height != signed_steps:
        raise PlanError(
            "The steps of the manifest are not those that were signed: a step was altered, added or taken out. Export "
            "the plan again."
        )
    return CheckedManifest(head["plan"], steps, head["public_key"])


def _canonical(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _plain(steps: pl.DataFrame) -> pl.DataFrame:
    """Times as texts and scores as doubles, which both forms hold exactly."""
    return steps.with_columns(pl.col("victim_modified_at").dt.strftime(_TIME), pl.col("score").cast(pl.Float64))


def _plain_schema() -> pl.Schema:
    changed = {"victim_modified_at": pl.String(), "score": pl.Float64()}
    return pl.Schema({name: changed.get(name, dtype) for name, dtype in PLAN_STEPS.polars.items()})


def _exact(rows: pl.DataFrame) -> pl.DataFrame:
    time = pl.col("victim_modified_at").str.to_datetime(_TIME, time_unit="us", time_zone="UTC")
    known = rows.with_columns(time).select(PLAN_STEPS.names)
    return PLAN_STEPS.check(known.cast(dict(PLAN_STEPS.polars.items())))


def _unreadable(what: str, error: Exception) -> PlanError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return PlanError(f"This is no {what} of a plan: {reason}; `deeplens plan export` writes one.")
