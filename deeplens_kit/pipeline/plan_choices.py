"""What is wanted of a plan, as a frozen value that can be kept and used again.

Takes a rule, a policy and words, gives them as JSON and back; must not open a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deeplens_kit.errors import PlanError
from deeplens_kit.matching import KeepPolicy, Rule, policy_from_json, rule_from_json, rule_to_json
from deeplens_kit.schemas import ActionKind, Tier

__all__ = ["PlanChoice"]


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """What is wanted of a plan; with the catalog as it is then it says all that the plan is made from.

    Attributes:
        action: What becomes of each copy.
        tiers: Evidence that is strong enough.
        rule: When a pair is a copy.
        policy: Which copy stays.
        locations: Names of locations; files elsewhere are passed over. Empty for all.
        limit: Steps at most; None for all.
        to: For `move` the name of a location, and a folder there behind a '/'; else empty.
        storage_class: For `storage_class` its name; else empty.
        merge_metadata: Whether what only files that go tell is kept in sidecars.
    """

    action: ActionKind
    tiers: tuple[Tier, ...]
    rule: Rule
    policy: KeepPolicy
    locations: tuple[str, ...] = ()
    limit: int | None = None
    to: str = ""
    storage_class: str = ""
    merge_metadata: bool = False

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "action": str(self.action),
            "tiers": [str(tier) for tier in self.tiers],
            "rule": rule_to_json(self.rule),
            "policy": self.policy.to_json(),
            "locations": list(self.locations),
            "limit": self.limit,
            "to": self.to,
            "storage_class": self.storage_class,
            "merge_metadata": self.merge_metadata,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> PlanChoice:
        """Take what `to_json` gave.

        Raises:
            PlanError: It is something else.
        """
        try:
            return cls(
                ActionKind(document["action"]),
                tuple(Tier(tier) for tier in document["tiers"]),
                rule_from_json(document["rule"]),
                policy_from_json(document["policy"]),
                tuple(document["locations"]),
                document["limit"],
                document["to"],
                document["storage_class"],
                bool(document.get("merge_metadata", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PlanError("What the plan was made from cannot be read; make a new one.") from error
