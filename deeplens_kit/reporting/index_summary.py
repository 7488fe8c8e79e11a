"""What a run over locations did, as a table and in words.

Takes the report of each location, gives one value that shows itself well in a notebook and on a terminal; must not
look into the stores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deeplens_kit.reporting.words import (
    format_bytes,
    format_count,
    format_seconds,
    missing_lines,
    plural,
    skipped_words,
)

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import IndexReport, MatchReport

__all__ = ["COUNTS", "HEADINGS", "IndexSummary"]

COUNTS = (
    "found",
    "new",
    "changed",
    "unchanged",
    "gone",
    "found_bytes",
    "unchanged_bytes",
    "gone_bytes",
    "read_files",
    "read_bytes",
    "indexed",
    "pictures",
    "failures",
    "problems",
    "from_thumbnails",
    "identified",
    "left",
    "left_bytes",
)
"""Counts of an IndexReport, as its attributes are called."""

HEADINGS = ("location", "found", "new", "changed", "unchanged", "gone", "read", "failures", "time")
"""Of the table for people; all but the first are numbers."""


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What a run over locations did.

    Attributes:
        reports: One per location, in the order of the run.
        failures_at: Where the reasons of failures are found, as people call it.
        when_empty: Said where no location was indexed.
        match: What matching found; None where nothing had to be matched.
    """

    reports: Sequence[IndexReport]
    failures_at: str = "`failures()`"
    when_empty: str = "No location is active; add one with `add_location(name, folder)` and index again."
    match: MatchReport | None = None

    @property
    def frame(self) -> pl.DataFrame:
        """The reports as rows: location, state, COUNTS, skipped, seconds, run_id."""
        import polars as pl

        rows = [
            {
                "location": report.location,
                "state": report.state,
                **{name: getattr(report, name) for name in COUNTS},
                "skipped": sum(report.skipped.values()),
                "seconds": round(report.seconds, 3),
                "run_id": report.run_id,
            }
            for report in self.reports
        ]
        schema = (
            dict.fromkeys(("location", "state"), pl.String)
            | dict.fromkeys((*COUNTS, "skipped"), pl.Int64)
            | {"seconds": pl.Float64, "run_id": pl.String}
        )
        return pl.DataFrame(rows, schema=schema)

    @property
    def totals(self) -> dict[str, int]:
        """COUNTS and `skipped`, over all locations."""
        frame = self.frame
        return {name: int(frame[name].sum()) for name in (*COUNTS, "skipped")}

    @property
    def skipped(self) -> Mapping[str, int]:
        """What the listings left out, by reason."""
        skipped: Counter[str] = Counter()
        for report in self.reports:
            skipped.update(report.skipped)
        return dict(skipped)

    @property
    def missing(self) -> Mapping[str, str]:
        """Features that could not be computed, with the reason."""
        missing: dict[str, str] = {}
        for report in self.reports:
            missing.update(report.missing_features)
        return missing

    @property
    def rows(self) -> list[list[str]]:
        """The table for people: a text for each of HEADINGS."""
        # Imported here: the storages load polars, which help need not wait for.
        from deeplens_kit.storage.paths import display_path

        return [
            [
                display_path(report.location),
                *(format_count(getattr(report, name)) for name in ("found", "new", "changed", "unchanged", "gone")),
                format_count(report.read_files),
                format_count(report.failures + report.problems),
                format_seconds(report.seconds),
            ]
            for report in self.reports
        ]

    @property
    def lines(self) -> list[str]:
        """What the table does not say: how much was read, what could not be, what was left out."""
        if not self.reports:
            return []
        totals = self.totals
        read = f"{plural(totals['read_files'], 'file')} read ({format_bytes(totals['read_bytes'])})"
        lines = [f"{read}, {plural(totals['pictures'], 'picture')} analysed."]
        if totals["from_thumbnails"]:
            got = plural(totals["from_thumbnails"], "known picture")
            lines.append(f"{got} got new features from the stored thumbnails; not read.")
        if totals["identified"]:
            lines.append(
                f"{plural(totals['identified'], 'file')} known by the checksum that the storage lists; not read."
            )
        if totals["left"]:
            left = f"{plural(totals['left'], 'file')} ({format_bytes(totals['left_bytes'])})"
            lines.append(f"The budget is used up: {left} left for the next run, which goes on with them.")
        if self.match is not None:
            lines += _match_lines(self.match)
        missed = [
            f"{plural(totals[name], noun)} {what}"
            for name, noun, what in (
                ("failures", "file", "read in this run could not be analysed"),
                ("problems", "folder", "could not be listed"),
            )
            if totals[name]
        ]
        if missed:
            lines.append(f"{' and '.join(missed)}; {self.failures_at} gives the reasons.")
        if self.skipped:
            lines.append(f"Left out: {skipped_words(self.skipped)}.")
        return lines + missing_lines(self.missing)

    def __str__(self) -> str:
        if not self.reports:
            return self.when_empty
        table = [HEADINGS, *self.rows]
        widths = [max(len(row[at]) for row in table) for at in range(len(HEADINGS))]
        aligned = [
            "  ".join(
                text.rjust(width) if at else text.ljust(width)
                for at, (text, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        ]
        return "\n".join([*aligned, *self.lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from markupsafe import escape

        if not self.reports:
            return f"<p>{escape(self.when_empty)}</p>"
        head = "".join(f'<th scope="col">{name}</th>' for name in HEADINGS)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in self.rows
        )  # fmt: skip
        lines = "".join(f"<p>{escape(line)}</p>" for line in self.lines)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{lines}"


def _match_lines(match: MatchReport) -> list[str]:
    """How many pairs were looked at closely, and what is left to look at."""
    lines = []
    if match.verified:
        known = f"; {format_count(match.reused)} had been before" if match.reused else ""
        lines.append(f"{plural(match.verified, 'pair')} looked at closely{known}.")
    if match.pending:
        are = "is" if match.pending == 1 else "are"
        lines.append(f"{plural(match.pending, 'pair')} {are} still to be looked at: index again to go on.")
    if match.failed:
        are = "is" if match.failed == 1 else "are"
        lines.append(f"{plural(match.failed, 'pair')} could not be compared and {are} not proposed; see the log.")
    return lines
