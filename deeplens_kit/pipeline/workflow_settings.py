"""What a workflow does, when, and whom it tells, as a frozen value that the ledger keeps.

Takes a choice and words, gives them as JSON and back; must not open a store or run anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline.plan_choices import PlanChoice

__all__ = ["DRIFT_FACTOR", "WorkflowSettings"]

DRIFT_FACTOR = 5.0
"""A plan of more than so many times the usual steps is looked at by a person first; our choice."""


@dataclass(frozen=True, slots=True)
class WorkflowSettings:
    """A workflow as it was added.

    Attributes:
        choice: What its plans are made from; rule and keep policy as they were then.
        every: When it should run, as cron says it.
        timezone: Of these times, by its IANA name.
        notify: Addresses that are told, see `notify_targets`.
        drift_factor: A plan of more than so many times the median of the last five is an anomaly; above 1.

    Raises:
        SettingsError: The factor is not allowed.
    """

    choice: PlanChoice
    every: str
    timezone: str
    notify: tuple[str, ...] = ()
    drift_factor: float = DRIFT_FACTOR

    def __post_init__(self) -> None:
        if not self.drift_factor > 1:
            raise SettingsError(f"The factor of drift is {self.drift_factor:g}; it must be above 1.")

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "choice": self.choice.to_json(),
            "every": self.every,
            "timezone": self.timezone,
            "notify": list(self.notify),
            "drift_factor": self.drift_factor,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> WorkflowSettings:
        """Take what `to_json` gave.

        Raises:
            SettingsError: It is something else.
        """
        try:
            return cls(
                PlanChoice.of(document["choice"]),
                document["every"],
                document["timezone"],
                tuple(document["notify"]),
                float(document["drift_factor"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError("What the workflow does cannot be read; remove it and add it again.") from error
