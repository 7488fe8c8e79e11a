"""What the workbench does about how long pictures and what is known of them are kept.

Takes an open workspace, gives frozen values; must not compute anything itself. No plan is applied here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit.workbench.locations import WorkbenchLocations

if TYPE_CHECKING:
    from deeplens_kit.ledger import PlanRecord
    from deeplens_kit.pipeline.forgetting import Forgotten
    from deeplens_kit.pipeline.kept_out import KeptOutEntry
    from deeplens_kit.pipeline.portability import LocationExport
    from deeplens_kit.pipeline.retention_rules import RetentionRule

__all__ = ["WorkbenchKeeping"]


class WorkbenchKeeping(WorkbenchLocations):
    """The part of the workbench that is about how long pictures are kept."""

    def forget(self, what: str, why: str, *, really: bool = False, keep_out: bool = False) -> Forgotten:
        """Remove every trace of a picture from the workspace, or say what would go; its files are not touched.

        Args:
            what: Its digest, LOCATION/path of an object, or a file with its content.
            why: The reason, for the audit trail.
            really: Do it; else nothing is changed.
            keep_out: Have later runs leave it out.

        Raises:
            UnknownNameError: Nothing is known by this name.
            SettingsError: A legal hold covers it, or it is in quarantine.

        Example:
            >>> told = workbench.forget("share/photos/portraits/astronaut.png", "asked by the person shown")
            >>> told.really, told.removed.filter(what="pictures")["count"].to_list()
            (False, [1])
        """
        from deeplens_kit.pipeline import forgetting

        return forgetting.forget(self.workspace, what, why, really=really, keep_out=keep_out)

    def kept_out(self) -> tuple[KeptOutEntry, ...]:
        """The pictures that were forgotten and are kept out: since when and by whom, and nothing else of them.

        Example:
            >>> workbench.kept_out()
            ()
        """
        from deeplens_kit.pipeline import forgetting

        return forgetting.kept_out_entries(self.workspace)

    def let_in(self, what: str) -> KeptOutEntry:
        """Keep a picture out no longer, by the id of its entry, its digest, or a file with its content.

        Example:
            >>> workbench.let_in("0" * 64)
            Traceback (most recent call last):
            ...
            deeplens_kit.errors.base.UnknownNameError: There is no picture that is kept out named ...
        """
        from deeplens_kit.pipeline import forgetting

        return forgetting.withdraw_kept_out(self.workspace, what)

    def export_location(
        self, location: str, to: Path | str, options: Mapping[str, object] | None = None
    ) -> LocationExport:
        """Write everything that is known of a location as Parquet, with a manifest and the meaning of each column.

        Args:
            location: Its name.
            to: A new or empty folder, or a URL as locations have it.
            options: Of its kind of storage, credentials as references.

        Example:
            >>> done = workbench.export_location("laptop", folder / "handover")
            >>> done.files.filter(table="objects")["rows"].sum() == workbench.objects().filter(location="laptop").height
            True
        """
        from deeplens_kit.pipeline import portability

        return portability.export_location(self.workspace, location, str(to), options)

    def add_retention(self, rule: RetentionRule) -> RetentionRule:
        """Keep a rule of how long pictures are kept; nothing is done before a plan of it is applied.

        Example:
            >>> from deeplens_kit.pipeline.retention_rules import RetentionRule
            >>> rule = workbench.add_retention(RetentionRule("ten-years", 3650, locations=("share",)))
            >>> list(workbench.retention()), workbench.remove_retention("ten-years") == rule
            (['ten-years'], True)
        """
        from deeplens_kit.pipeline import retention

        return retention.add_retention(self.workspace, rule)

    def retention(self) -> Mapping[str, RetentionRule]:
        """The retention rules, by name.

        Example:
            >>> dict(workbench.retention())
            {}
        """
        from deeplens_kit.pipeline import retention

        return retention.known_retention(self.workspace)

    def remove_retention(self, name: str) -> RetentionRule:
        """Take a retention rule away; plans that were made by it stay.

        Example:
            >>> workbench.remove_retention("ten-years")
            Traceback (most recent call last):
            ...
            deeplens_kit.errors.base.UnknownNameError: There is no retention rule named 'ten-years'; ...
        """
        from deeplens_kit.pipeline import retention

        return retention.remove_retention(self.workspace, name)

    def plan_retention(self, name: str) -> PlanRecord:
        """Make a plan of what has to go by a rule, a draft; the last copy of a picture is left out.

        Example:
            >>> workbench.plan_retention("ten-years")
            Traceback (most recent call last):
            ...
            deeplens_kit.errors.base.UnknownNameError: There is no retention rule named 'ten-years'; ...
        """
        from deeplens_kit.pipeline import retention

        return retention.plan_retention(self.workspace, name)
