"""The table of what a plan proposes, and the words of acting; must not compute or touch anything."""

from __future__ import annotations

from enum import StrEnum

from deeplens_kit.schemas.base import Column, TableSchema
from deeplens_kit.schemas.kinds import FLOAT, INT, SHORT, TEXT, TIME

__all__ = ["PLAN_STEPS", "ActionKind"]


class ActionKind(StrEnum):
    """What a step does with its file; whatever it is, the file itself goes to quarantine first and is not deleted.

    `REMOVE` leaves nothing at its path, `HARDLINK`, `SYMLINK` and `REFLINK` the keeper under its name, `REDIRECT` a
    small file that says where the keeper is. `MOVE` takes it to another location. `STORAGE_CLASS` changes how its
    storage keeps it, where it is. `CREATE` writes a new small file (a sidecar), `REWRITE` a text or table whose
    references change. `RELINK` has a symbolic link lead to another file; nothing of it goes to quarantine, as the
    journal holds all that a link is.
    """

    REMOVE = "remove"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"
    REFLINK = "reflink"
    REDIRECT = "redirect"
    MOVE = "move"
    STORAGE_CLASS = "storage_class"
    CREATE = "create"
    REWRITE = "rewrite"
    RELINK = "relink"


PLAN_STEPS = TableSchema(
    "plan_steps",
    (
        Column("step", INT, "number, from 0, in the order of acting"),
        Column("action", TEXT, "an ActionKind"),
        Column("group_id", TEXT, "as in groups; null where no group asks for it", nullable=True),
        Column("victim_location_id", TEXT, "the location of the file that is acted on"),
        Column("victim_path", TEXT, "its path there, encoded"),
        Column("victim_digest", TEXT, "SHA-256 of what it holds; null where nobody knows", nullable=True),
        Column("victim_basis", TEXT, "how the digest is known, as identity_basis in objects", nullable=True),
        Column("victim_token", TEXT, "its change token when the plan was made"),
        Column("victim_size_bytes", INT, "bytes"),
        Column("victim_modified_at", TIME, "last modification", nullable=True),
        Column("victim_link_id", TEXT, "as link_id in objects", nullable=True),
        Column("victim_link_count", SHORT, "names that the file has"),
        Column("victim_storage_class", TEXT, "as in objects", nullable=True),
        Column("keeper_location_id", TEXT, "the location of the keeper; null where the step needs none", nullable=True),
        Column("keeper_path", TEXT, "its path there, encoded", nullable=True),
        Column("keeper_digest", TEXT, "SHA-256 of what it holds", nullable=True),
        Column("keeper_basis", TEXT, "how the digest is known", nullable=True),
        Column("keeper_token", TEXT, "its change token when the plan was made", nullable=True),
        Column("keeper_size_bytes", INT, "bytes", nullable=True),
        Column("keeper_link_id", TEXT, "as link_id in objects", nullable=True),
        Column("tier", TEXT, "a Tier: how strong the evidence is", nullable=True),
        Column("relation", TEXT, "a Relation of the victim to its keeper", nullable=True),
        Column("score", FLOAT, "of the victim against its keeper, 0..1", nullable=True),
        Column("rule", TEXT, "name and version of the rule that asks for it"),
        Column("reason", TEXT, "why it is proposed, in a sentence"),
        Column("loses", TEXT, "what its file tells and the keeper's does not", nullable=True),
        Column("frees_bytes", INT, "bytes that emptying the quarantine of it frees"),
        Column("money_per_month", TEXT, "what it saves a month; an exact decimal; null: no price", nullable=True),
        Column("proof_bytes", INT, "bytes that are read to prove its digest and its keeper's"),
        Column("target_location_id", TEXT, "where a moved file goes", nullable=True),
        Column("target", TEXT, "path there, the storage class, the new SHA-256 or link; else null", nullable=True),
        Column("together", TEXT, "steps of one name are done all or none (a picture and its sidecars)", nullable=True),
    ),
    key=("step",),
)
