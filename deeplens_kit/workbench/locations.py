"""What the workbench does with locations: add, change, check, estimate, index.

Takes an open workspace, gives frames and summaries; must not compute anything itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deeplens_kit import pipeline

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import Budget, Throttle, Workspace
    from deeplens_kit.reporting.index_summary import IndexSummary

__all__ = ["WorkbenchLocations"]


class WorkbenchLocations:
    """The part of the workbench that is about locations.

    Attributes:
        workspace: The open workspace behind it.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @property
    def locations(self) -> pl.DataFrame:
        """Every location: location, kind, url, options (JSON), active, created_at, location_id.

        Example:
            >>> workbench.locations.select("location", "kind", "active").rows()
            [('laptop', 'file', True), ('share', 'file', True)]
        """
        return pipeline.list_locations(self.workspace)

    def add_location(self, name: str, folder: Path | str, **options: object) -> Self:
        """Add a place under a name. It is read, never written, unless its option `permissions` says otherwise.

        Args:
            name: What to call it.
            folder: A folder of this machine, or a URL as `deeplens locations kinds` shows them.
            options: Of its kind of storage; for folders `include` and `exclude` (lists of globs) and `hidden` (True).

        Returns:
            The workbench, so that calls can follow one another.

        Raises:
            LocationUnavailableError: It cannot be reached.
            SettingsError: The name, the folder or an option is not allowed.

        Example:
            >>> new = Workbench.create(folder / "another-workspace")
            >>> new.add_location("pictures", folder / "sample-library" / "share", exclude=["*.tmp"])
            Workbench of another-workspace: 1 location (pictures)
            Nothing is indexed yet; `index()` does it
            >>> new.close()
        """
        pipeline.add_location(self.workspace, name, str(folder), options)
        return self

    def check_locations(self, names: str | Sequence[str] | None = None) -> pl.DataFrame:
        """Ask locations what can be done there: state ("ok" or why not), message, what may be done, space, clock.

        Args:
            names: One or several; all active ones by default.

        Example:
            >>> workbench.check_locations().select("location", "state").rows()
            [('laptop', 'ok'), ('share', 'ok')]
        """
        return pipeline.check_locations(self.workspace, [names] if isinstance(names, str) else names)

    def change_location(self, name: str, *, without: Collection[str] = (), **options: object) -> Self:
        """Change options of a location; the others stay as they are.

        Args:
            name: The location.
            without: Names of options that go back to their default.
            options: Options to set; `permissions="create"` opens it for new files.

        Raises:
            UnknownNameError: A location or an option that does not exist.
            SettingsError: A value that is not allowed, or a credential in clear.

        Example:
            >>> new = Workbench.create(folder / "third-workspace")
            >>> new = new.add_location("pictures", folder / "sample-library" / "share")
            >>> new.change_location("pictures", redundancy=3).locations["options"].to_list()
            ['{"redundancy": 3}']
            >>> new.close()
        """
        pipeline.change_location(self.workspace, name, options, without=without)
        return self

    def estimate(self, names: str | Sequence[str] | None = None) -> pl.DataFrame:
        """What an index run would read, how long it would take and what it would cost; nothing is read.

        Args:
            names: One location or several; all active ones by default.

        Returns:
            Columns location, found, known, to_read, read_bytes, over_network, list_requests, head_requests, seconds,
            money (exact, as text), currency, unstated (what the price book lacks), problem.

        Example:
            >>> workbench.estimate().select("location", "to_read").rows()
            [('laptop', 0), ('share', 0)]
        """
        from deeplens_kit.reporting.estimates import estimates_frame

        return estimates_frame(pipeline.estimate(self.workspace, [names] if isinstance(names, str) else names))

    def index(
        self,
        names: str | Sequence[str] | None = None,
        *,
        workers: int | None = None,
        retry_failed: bool = False,
        accept_gone: bool = False,
        and_match: bool = True,
        throttle: Throttle | None = None,
        budget: Budget | None = None,
        quiet: bool = False,
    ) -> IndexSummary:
        """Read what is new or changed at locations, and find what is alike, showing how it goes.

        In a notebook the progress is a widget, on a terminal a bar. Interrupting the kernel (or Ctrl-C) commits what
        was read and raises Interrupted; the next call goes on from there.

        Args:
            names: One location or several; all active ones by default.
            workers: Threads that decode; None for the setting, 0 for all cores.
            retry_failed: Read files again that failed, though they did not change.
            accept_gone: Take at its word a location that lists nothing of what it held.
            and_match: Find pairs afterwards.
            throttle: What the run may take of the machine: `Throttle(niceness=10)`; None for the settings.
            budget: The most that is read over networks: `Budget(max_bytes=10**10)`; the next run goes on.
            quiet: Show no lines of progress where neither a notebook nor a terminal is.

        Raises:
            LocationError: One cannot be listed; the others were indexed, `reports` on the error tells of them.
            LeaseHeldError: Another run works on one; as above.
            Interrupted: It was stopped; what was read is kept.

        Example:
            >>> summary = workbench.index(quiet=True)
            >>> summary.frame.select("location", "read_files").rows()
            [('laptop', 0), ('share', 0)]
        """
        from deeplens_kit.views.index_run import watched_index

        return watched_index(
            self.workspace,
            [names] if isinstance(names, str) else names,
            workers=workers,
            retry_failed=retry_failed,
            accept_gone=accept_gone,
            and_match=and_match,
            throttle=throttle,
            budget=budget,
            quiet=quiet,
        )
