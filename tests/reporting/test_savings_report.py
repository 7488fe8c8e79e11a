"""What the savings report says adds up, is escaped, and reads well where there is nothing to say."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching import STRICT, Clause, Thresholds
from deeplens_kit.pipeline import Workspace
from deeplens_kit.reporting import SavingsFrames, SavingsReport, describe_savings, report_savings, save_numbers
from deeplens_kit.reporting import savings_sections as sections
from deeplens_kit.reporting.bundled import bundled
from deeplens_kit.reporting.palette import palette, themed
from deeplens_kit.reporting.report_section import Previews
from deeplens_kit.reporting.rule_words import rule_lines
from deeplens_kit.reporting.savings_figures import concentration_figure, locations_figure
from deeplens_kit.reporting.savings_files import NUMBERS_ENDINGS, read_numbers
from deeplens_kit.reporting.savings_tables import locations_table, table_markup, tiers_table
from deeplens_kit.savings import savings

HOSTILE = "Shop & <Web>"


def frames_of(answer: Any) -> SavingsFrames:
    """The frames of an answer about savings, of those of an answer about duplicates."""
    frames = answer.frames
    names = dict(frames.groups.select("location_id", "location").iter_rows())
    amounts = savings(frames.groups.drop("location"))
    location = pl.col("location_id").replace_strict(names, default=None, return_dtype=pl.String)
    runs = pl.DataFrame(
        [("index", HOSTILE, "r1", "finished", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))],
        schema=["kind", "location", "run_id", "state", "started_at", "finished_at"],
        orient="row",
    )
    return SavingsFrames(
        groups=frames.groups,
        withheld=frames.withheld,
        pairs=frames.pairs,
        pictures=frames.pictures,
        coverage=frames.coverage,
        failures=frames.failures,
        savings=amounts.with_columns(location=location),
        runs=runs,
        features=("pdq_1",),
    )


def report_of(answer: Any, **options: Any) -> SavingsReport:
    return describe_savings(
        frames_of(answer),
        workspace="pictures <b>of</b> the office",
        made_at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        version="1.2.3",
        rule=STRICT,
        **options,
    )


def all_sections(report: SavingsReport, answer: Any) -> list[sections.Section]:
    """Every section, in the order of the notebook."""
    notebook = json.loads((bundled("reports") / "savings.ipynb").read_text(encoding="utf-8"))
    text = "".join("".join(cell["source"]) + "\n" for cell in notebook["cells"] if cell["cell_type"] == "code")
    names = re.findall(r"savings_sections\.(\w+)_section\(", text)
    assert {f"{name}_section" for name in names} == {name for name in sections.__all__ if name.endswith("_section")}
    given = {"groups": (report, answer.thumbnail)}
    return [getattr(sections, f"{name}_section")(*given.get(name, (report,))) for name in names]


def all_html(report: SavingsReport, answer: Any) -> str:
    return "\n".join(section.html for section in all_sections(report, answer))


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_every_way_to_add_up_gives_the_same_sums(answer: Any) -> None:
    report = report_of(answer)
    totals = report.totals
    for lines in (report.by_tier, report.by_location, report.lines):
        assert sum(line.objects for line in lines) == totals.objects
        assert sum(line.gross_bytes for line in lines) == totals.gross_bytes
        assert sum(line.realisable_bytes for line in lines) == totals.realisable_bytes
    assert report.numbers.objects == totals.objects
    assert report.numbers.realisable_bytes == totals.realisable_bytes < totals.gross_bytes == report.numbers.gross_bytes
    going = report.members.filter(~pl.col("is_keeper"))
    assert going["frees_bytes"].sum() == totals.realisable_bytes
    assert report.concentration[-1] == (totals.groups, totals.realisable_bytes)
    freed = [bytes_ for _, bytes_ in report.concentration]
    assert freed == sorted(freed)
    assert report.withheld_in_all == answer.frames.withheld.height == 1


def test_the_curve_of_many_groups_is_thinned_out_and_ends_at_the_sum() -> None:
    from deeplens_kit.reporting.savings_report import _concentration

    sizes = [int(1e6 / (at + 1)) for at in range(5000)]
    groups = pl.DataFrame(
        {
            "group_id": [f"g{at}" for at in range(5000)],
            "object_id": [f"o{at}" for at in range(5000)],
            "is_keeper": [False] * 5000,
            "frees_bytes": sizes,
        }
    )
    points = _concentration(groups)
    assert 200 < len(points) < 400
    assert points[0] == (1, sizes[0])
    assert points[-1] == (5000, sum(sizes))
    assert all(freed == sum(sizes[:count]) for count, freed in points[:: len(points) // 7])


def test_the_sections_say_the_numbers_and_escape_every_name(answer: Any) -> None:
    report = report_of(answer, notes=["A folder <could> not be listed."])
    html = all_html(report, answer)
    text = text_of(html)
    assert f"{report.totals.realisable_bytes:,} bytes" in text
    assert "71.4 % of 14 files" in text
    assert "A folder &lt;could&gt; not be listed." in html
    assert "pictures &lt;b&gt;of&lt;/b&gt; the office" in html
    assert "Shop &amp; &lt;Web&gt;" in html
    assert "<script" not in html
    assert "evil/&lt;script&gt;" in html
    assert "the likelihood is at least 0.9" in text
    assert "1 match looks like a copy" in text
    assert "it has more pixels than the picture that would stay" in text
    assert "damaged: the decoder gave up" in text
    assert (
        html.count('src="data:image/webp;base64,') + html.count("No preview")
        == html.count('class="frame"') + html.count('class="thumb')
        > 5
    )
    assert html.count("<svg ") == 3


def test_a_section_with_nothing_to_say_is_empty(
    answer: Any, no_duplicates: Any, nothing_analysed: Any, nothing_found: Any
) -> None:
    heads = {
        "full": "could be freed",
        "no_duplicates": "Nothing to save",
        "nothing_analysed": "Nothing could be analysed",
        "nothing_found": "Nothing indexed yet",
    }
    given = {"no_duplicates": no_duplicates, "nothing_analysed": nothing_analysed, "nothing_found": nothing_found}
    for name, item in {"full": answer, **given}.items():
        report = report_of(item)
        html = all_html(report, item)
        assert heads[name] in text_of(html)
        assert [other for other in heads.values() if other in text_of(html)] == [heads[name]]
        if name != "full":
            for part in ("tiers_section", "locations_section"):
                assert getattr(sections, part)(report).html == ""
            assert sections.groups_section(report, item.thumbnail).html == ""
            assert locations_figure(report) is None
            assert concentration_figure(report) is None
    assert sections.coverage_section(report_of(nothing_found)).html == ""
    assert "Not analysed" in sections.coverage_section(report_of(nothing_analysed)).html


def test_only_so_many_groups_are_shown_and_the_rest_is_counted(answer: Any) -> None:
    report = report_of(answer, max_groups=1)
    html = sections.groups_section(report, answer.thumbnail).html
    assert html.count("<article") == 1
    assert "Showing 1 of 3" in text_of(html)
    assert sections.groups_section(report_of(answer, max_groups=0), answer.thumbnail).html == ""


@pytest.mark.parametrize("number", [-1, 1001, 10**30])
def test_a_number_of_groups_that_no_page_can_show_is_refused(tmp_path: Path, number: int) -> None:
    with Workspace.create(tmp_path / "workspace") as workspace:
        with pytest.raises(SettingsError, match=f"max_groups is {number}; it must be from 0 to 1,000"):
            report_savings(workspace, max_groups=number)
        assert report_savings(workspace, max_groups=1000).groups == ()


def test_tables_are_escaped_and_bring_no_style_into_the_page(answer: Any) -> None:
    report = report_of(answer)
    assert "<style>" in locations_table(report).as_raw_html()
    for make in (tiers_table, locations_table):
        html = table_markup(make(report))
        assert "<style" not in html
        assert "Total" in html
    assert "Shop &amp; &lt;Web&gt;" in table_markup(locations_table(report))
    stacked = table_markup(tiers_table(report), stacks=True)
    assert 'data-label="Can be freed"' in stacked


def test_figures_are_equal_for_equal_numbers_and_follow_the_page(answer: Any) -> None:
    report = report_of(answer)
    first, second = locations_figure(report), locations_figure(report)
    assert first is not None
    assert first == second
    assert f"var(--copy, {palette()['copy']})" in first.svg
    assert "<style" not in first.svg
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", first.svg)
    assert "Shop" in first.says
    curve = concentration_figure(report)
    assert curve is not None
    assert curve.says.endswith("all 3 free all of it.")
    # Two drawings on one page share no name.
    names = [set(re.findall(r'id="([^"]+)"', figure.svg)) for figure in (first, curve)]
    assert names[0].isdisjoint(names[1])
    assert 'Shop &amp; &lt;Web&gt;: 90.5 kB."' in first._repr_html_()


@pytest.mark.parametrize("name", ["cost $5 and $6", "写真の倉庫", "a" * 200, "x_{1}^2"])
def test_a_location_may_have_any_name(answer: Any, name: str) -> None:
    frames = frames_of(answer)
    renamed = replace(
        frames,
        **{
            part: getattr(frames, part).with_columns(
                location=pl.when(pl.col("location") == HOSTILE).then(pl.lit(name)).otherwise("location")
            )
            for part in ("groups", "coverage", "failures", "savings")
        },
    )
    report = describe_savings(
        renamed, workspace="w", made_at=datetime(2026, 1, 1, tzinfo=UTC), version="1", rule=STRICT
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = locations_figure(report)
    assert figure is not None
    assert name[:15] in figure.svg


def test_figures_leave_the_plotting_backend_of_a_notebook_alone(answer: Any) -> None:
    import holoviews

    report = report_of(answer)
    holoviews.extension("bokeh", logo=False)
    assert locations_figure(report) is not None
    assert holoviews.Store.current_backend == "bokeh"


def test_colours_of_a_drawing_are_those_of_the_page() -> None:
    assert themed("fill: #1B1D22; stroke: #123456") == "fill: var(--ink, #1B1D22); stroke: #123456"
    assert {"ink", "line", "keep", "bytes", "copy", "pixels"} <= set(palette())


def test_a_rule_is_told_in_words() -> None:
    assert rule_lines(STRICT) == (
        "Pictures that were looked at closely: the likelihood is at least 0.9.",
        "Pages, icons and crowds of near pictures: the likelihood is at least 0.9.",
        "Where the cameras noted different times, also: PDQ differs in at most 2 of 256 bits.",
    )
    loose = Thresholds(likelihood_min=0.5, page_likelihood_min=0.75, other_shots_pdq_max=7).rule()
    for line, bound in zip(rule_lines(loose), ("at least 0.5", "at least 0.75", "at most 7 of 256"), strict=True):
        assert bound in line
    either = (Clause(pdq_max=3, phash_max=2), Clause(sscd_small_min=0.9))
    both = replace(STRICT, verified=either, other_shots=None)
    assert "pHash differs in at most 2 of 64 bits and PDQ differs in at most 3" in rule_lines(both)[0]
    assert rule_lines(both)[0].endswith(", or the cosine of SSCD small is at least 0.9.")
    assert len(rule_lines(both)) == len(rule_lines(STRICT)) - 1


def test_the_files_of_numbers_hold_what_the_report_says(answer: Any, tmp_path: Path) -> None:
    report = report_of(answer, notes=["note"])
    save_numbers(report, "")
    assert list(tmp_path.iterdir()) == []
    save_numbers(report, tmp_path)
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted(f"savings{ending}" for ending in NUMBERS_ENDINGS)
    read = read_numbers(tmp_path / "savings.json")
    assert read.summary == report.numbers.summary
    assert read.lines == report.numbers.lines
    assert read.rows.equals(pl.read_parquet(tmp_path / "savings.parquet"))
    members = pl.read_parquet(tmp_path / "savings-groups.parquet")
    assert members.filter(~pl.col("is_keeper"))["size_bytes"].sum() == report.totals.gross_bytes
    assert r"evil/<script>alert(1)</script>" in "".join(members["path"].to_list())
    assert not any("\ufdd0" in path for path in members["path"])


def test_previews_end_where_a_page_would_be_too_large(answer: Any) -> None:
    previews = Previews({"a": b"x" * 600, "b": b"y" * 600, "c": b"z" * 300}.get, max_bytes=1000)
    assert [bool(previews.data(digest)) for digest in ("a", "b", "c", "none")] == [True, False, True, False]
    assert previews.left_out == 1
    html = sections.groups_section(report_of(answer), lambda _digest: bytes(2_000_000)).html
    assert len(html) < 5_000_000
    assert "previews are left out to keep this page small enough" in html
