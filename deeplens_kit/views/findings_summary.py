"""What all groups add up to, at the top of a page or a notebook's viewer; and what is said where there is none.

Takes findings, gives HTML with every text escaped; must not count anything itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.views.cards import message

if TYPE_CHECKING:
    from deeplens_kit.views.state.duplicates_state import Findings

__all__ = ["findings_summary"]


def findings_summary(findings: Findings, *, again: str = "reload this page") -> str:
    """The totals with what limits them; or why there are none, and what to do.

    Args:
        findings: What was found.
        again: How what is shown is made anew, as an imperative.
    """
    totals, coverage = findings.totals, findings.coverage
    notes = "".join(message(note, kind="note") for note in findings.notes)
    of = f"{coverage.analysed_objects:,} of {plural(coverage.objects, 'file')}"
    if totals.objects:
        links = "all of it can be freed"
        if totals.gross_bytes != totals.realisable_bytes:
            links = "hard links free nothing"
        return (
            f'<div class="totals"><div><h1><b>{format_bytes(totals.realisable_bytes)}</b> could be freed</h1>'
            '<p class="small quiet">Nothing has been removed: this is what was found, and why.</p></div>'
            f'<dl class="figures"><div><dt>Size of the copies</dt><dd>{format_bytes(totals.gross_bytes)}</dd>'
            f"<dd>{links}</dd></div><div><dt>Files that could go</dt><dd>{totals.objects:,}</dd>"
            f"<dd>in {plural(totals.groups, 'group')}</dd></div>"
            f"<div><dt>Analysed</dt><dd>{coverage.share}</dd><dd>{of}</dd></div></dl></div>{notes}"
        )
    if coverage.analysed_objects:
        heading = "No duplicates found"
        text = f"Among the files that could be analysed ({of}) none is proposed as a copy of another."
    elif coverage.objects:
        heading = "Nothing could be analysed"
        text = (
            f"{plural(coverage.objects, 'file was', 'files were')} found and none could be read as a picture. That "
            "says nothing about duplicates among them. `deeplens failures` lists each with the reason."
        )
    else:
        heading = "Nothing indexed yet"
        text = (
            "This workspace holds no files. Add a location with `deeplens locations add`, run `deeplens index`, "
            f"then {again}."
        )
    return notes + message(heading, text)
