"""`deeplens report`: the numbers of the other commands, whole or not at all, and one line where something is wrong."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from cli_process import Deeplens, command, environment, in_process
from examples import IN_FULL

from deeplens_kit.pipeline import Workspace
from deeplens_kit.reporting.words import format_bytes

FILES = [
    "report-groups.parquet", "report.csv", "report.eml", "report.executed.ipynb", "report.html", "report.json",
    "report.parquet", "report.pdf", "report.xlsx",
]  # fmt: skip
# Prints as fast as nothing; the real one is tested with the pages.
BROWSER = """#!/bin/sh
for word; do case $word in --print-to-pdf=*) printf '%%PDF-1.4 of a test' > "${word#--print-to-pdf=}";; esac; done
"""


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


@pytest.fixture(scope="module")
def reported(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a report of the indexed workspace, printed and told in a mail."""
    folder = tmp_path_factory.mktemp("reports")
    browser = tmp_path_factory.mktemp("browser") / "chromium"
    browser.write_text(BROWSER)
    browser.chmod(0o755)
    words = ("report", "savings", "--out", folder / "report.html", "--pdf", "--mail", "--json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPLENS_CHROMIUM", str(browser))
        done = in_process("--workspace", indexed, *words)
    assert done.code == 0, done.err
    assert done.err == ""
    listed = [Path(row["file"]).name for row in done.json["rows"]]
    assert listed[0] == "report.html"
    assert sorted(listed) == FILES
    for row in done.json["rows"]:
        assert row["size_bytes"] == Path(row["file"]).stat().st_size
    return folder


def test_the_numbers_are_those_of_the_other_commands(deeplens: Deeplens, indexed: Path, reported: Path) -> None:
    assert names(reported) == FILES
    document = json.loads((reported / "report.json").read_text(encoding="utf-8"))
    savings = deeplens("--workspace", indexed, "savings", "--json").json
    assert {name: document[name] for name in savings} == savings
    assert pl.read_parquet(reported / "report.parquet").to_dicts() == savings["rows"]
    duplicates = deeplens("--workspace", indexed, "duplicates", "--json").json
    assert pl.read_parquet(reported / "report-groups.parquet").to_dicts() == duplicates["rows"]
    assert sum(row["matches"] for row in document["withheld"]) == duplicates["summary"]["withheld"]
    assert sum(row["objects"] for row in document["coverage"]) == savings["summary"]["found_objects"] == 12
    runs = document["report"]["runs"]
    assert sorted(run["kind"] for run in runs) == ["index", "index", "match"]
    assert all(run["run_id"] and run["finished_at"] for run in runs)


def test_what_lies_beside_the_page_is_of_the_same_run(indexed: Path, reported: Path) -> None:
    assert (reported / "report.pdf").read_bytes() == b"%PDF-1.4 of a test"
    document = json.loads((reported / "report.json").read_text(encoding="utf-8"))
    assert pl.read_csv(reported / "report.csv").to_dicts() == document["rows"]
    message = email.message_from_bytes((reported / "report.eml").read_bytes(), policy=email.policy.default)
    assert "could be freed" in message["Subject"]
    (page,) = message.iter_attachments()  # type: ignore[attr-defined]
    assert page.get_content().replace("\r\n", "\n").strip() == (reported / "report.html").read_text().strip()
    notebook = (reported / "report.executed.ipynb").read_text(encoding="utf-8")
    assert "deeplens-report-" not in notebook
    outputs = [cell.get("outputs", []) for cell in json.loads(notebook)["cells"]]
    assert "could be freed" in json.dumps(outputs)
    with Workspace.open(indexed) as workspace:
        run = workspace.ledger.report_runs("savings")[-1]
        assert (run.state, run.parameters, run.out) == ("finished", {}, str(reported / "report.html"))
        assert run.figures["realisable_bytes"] == document["summary"]["realisable_bytes"]
        assert run.message == f"{format_bytes(document['summary']['realisable_bytes'])} could be freed"


def test_another_report_is_made_the_same_way(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    done = deeplens(
        "--workspace", indexed, "report", "coverage", "--out", tmp_path / "c.html", "--param", "max_files=1"
    )
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("75.0 % of 12 files analysed.\n")
    assert "Showing 1 of 3" in (tmp_path / "c.html").read_text(encoding="utf-8")
    document = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert sum(row["objects"] for row in document["rows"]) == 12
    # Numbers of another kind of report are not replaced.
    done = deeplens("--workspace", indexed, "report", "drift", "--out", tmp_path / "c.html")
    assert done.code == 2
    assert "not of an earlier report of this kind" in done.err


def test_the_page_says_the_numbers_and_asks_for_nothing(reported: Path) -> None:
    page = (reported / "report.html").read_text(encoding="utf-8")
    summary = json.loads((reported / "report.json").read_text(encoding="utf-8"))["summary"]
    assert f"{summary['realisable_bytes']:,} bytes" in page
    assert "75.0 % of 12 files" in page
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "default-src 'none'; img-src data:" in page
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(url.startswith(("data:", "#")) for url in loaded), loaded
    assert page.count('src="data:image/webp;base64,') >= 6
    assert page.count("<svg ") >= 2
    assert str(reported) not in page


def test_two_reports_hold_the_same_numbers_whatever_their_names(
    deeplens: Deeplens, indexed: Path, reported: Path, tmp_path: Path
) -> None:
    out = tmp_path / os.fsdecode(b"week \xff {date}.html")
    done = deeplens("--workspace", indexed, "report", "savings", "--out", out, "--json")
    assert (done.code, done.err) == (0, "")
    page = out.with_name(out.name.replace("{date}", date.today().isoformat()))
    shown = f"{tmp_path}/week \\xff {date.today().isoformat()}.html"
    assert done.json["rows"][0] == {"file": shown, "size_bytes": page.stat().st_size}
    first, second = (
        json.loads(path.read_text(encoding="utf-8")) for path in (reported / "report.json", page.with_suffix(".json"))
    )
    assert first.pop("report").keys() == second.pop("report").keys()
    assert first == second
    for ending in (".parquet", "-groups.parquet"):
        assert pl.read_parquet(reported / f"report{ending}").equals(
            # polars takes no name that is not UTF-8.
            pl.read_parquet(page.with_name(page.stem + ending).read_bytes())
        )


@pytest.mark.parametrize(
    ("param", "says"),
    [
        ("max_group=3", "did you mean 'max_groups'"), ("max_groups=many", "a whole number"),
        ("max_groups", "NAME=VALUE"),
        ("=3", "NAME=VALUE"), ("workspace=/", "--workspace"), ("numbers=/", "--out"), ("run=1", "by itself"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_refused_before_anything_runs(
    deeplens: Deeplens, indexed: Path, tmp_path: Path, param: str, says: str
) -> None:
    for words in (("savings",), ("schedule", "--cron", "@weekly")):
        done = deeplens("--workspace", indexed, "report", *words, "--out", tmp_path / "x.html", "--param", param)
        assert (done.code, done.out) == (2, "")
        assert says in done.err
        assert done.err.count("\n") == 1
    twice = ("--param", "max_groups=3", "--param", "max_groups=4")
    assert "twice" in deeplens("--workspace", indexed, "report", "savings", "--out", tmp_path / "x.html", *twice).err
    assert names(tmp_path) == ["current"]


def test_a_report_that_fails_leaves_the_last_one(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    out, damaged = tmp_path / "report.html", tmp_path / "damaged"
    out.write_text("the last one")
    shutil.copytree(indexed, damaged)
    for file in (damaged / "catalog" / "pairs.lance" / "data").iterdir():
        os.truncate(file, 40)
    done = deeplens("--workspace", damaged, "report", "savings", "--out", out)
    assert (done.code, done.out) == (1, "")
    assert "Cannot read the catalog" in done.err and "The last good report stands" in done.err
    assert "Traceback" not in done.err
    assert done.err.count("\n") == 1
    assert out.read_text() == "the last one"
    assert names(tmp_path) == ["current", "damaged", "report.failed.ipynb", "report.html"]
    with Workspace.open(damaged) as workspace:
        (run,) = workspace.ledger.report_runs("savings", limit=1)
        assert run.state == "failed"
        assert "Cannot read the catalog" in run.message


@pytest.mark.parametrize(
    ("param", "says"),
    [
        ("tiers=byte", "no tier named 'byte'; did you mean 'bytes'?"),
        ("likelihood_min=1.5", "probability from 0 to 1"),
        ("other_shots_pdq_max=300", "from 0 to 256"),
        ("pdq_max=24", "give likelihood_min, from 0 to 1"),
        ("page_pdq_max=16", "give page_likelihood_min, from 0 to 1"),
        ("max_groups=1001", "from 0 to 1,000"),
    ],
)
def test_a_value_out_of_its_range_is_refused_before_anything_runs(
    deeplens: Deeplens, indexed: Path, tmp_path: Path, param: str, says: str
) -> None:
    done = deeplens("--workspace", indexed, "report", "savings", "--out", tmp_path / "report.html", "--param", param)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert names(tmp_path) == ["current"]


def test_bounds_that_nobody_measured_are_told_beside_the_figures(
    deeplens: Deeplens, indexed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    done = deeplens("--workspace", indexed, "report", "savings", "--out", out, "--param", "likelihood_min=0.8")
    assert done.code == 0
    assert "Only the strict rule was measured" in done.err
    assert "Only the strict rule was measured" in out.read_text(encoding="utf-8")
    assert f"Wrote {out}" in done.out
    assert "can be freed" in done.out


@pytest.mark.parametrize("target", ["", "missing/x.html", "x.txt", "-"])
def test_a_page_that_cannot_be_written_is_refused_first(
    deeplens: Deeplens, indexed: Path, tmp_path: Path, target: str
) -> None:
    out = target if target == "-" else tmp_path / target
    done = deeplens("--workspace", indexed, "report", "savings", "--out", out)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert names(tmp_path) == ["current"]


def test_nothing_precious_is_written_over(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    pictures = indexed.parent / "pictures"
    for name in ("mine.json", "page.json", "page.html", "table.parquet"):
        (tmp_path / name).write_text("mine")
    twin = tmp_path / "twin.json"
    twin.symlink_to(pictures / "shop" / "notes.json")
    before = sorted(pictures.rglob("*"))
    for out, says in (
        (pictures / "shop" / "x.html", "inside the location 'shop'"),
        (indexed / "catalog" / "x.html", "part of the workspace"),
        (tmp_path / "mine.html", "not of an earlier report"),
        (tmp_path / "page.html", "not of an earlier report"),
        (tmp_path / "table.html", "not of an earlier report"),
        (tmp_path / "twin.html", "inside the location 'shop'"),
    ):
        done = deeplens("--workspace", indexed, "report", "savings", "--out", out)
        assert (done.code, done.out) == (2, ""), out
        assert says in done.err
    for name in ("mine.json", "page.json", "page.html", "table.parquet"):
        assert (tmp_path / name).read_text() == "mine"
    assert sorted(pictures.rglob("*")) == before


@pytest.fixture
def poor(tmp_path: Path, deeplens: Deeplens) -> Iterator[dict[str, Path]]:
    """Workspaces with little in them: no locations, nothing indexed, and failures only."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (folder / "<b>notes.txt").write_text("no picture")
    made = {name: tmp_path / name for name in ("empty", "new", "failures")}
    for name, workspace in made.items():
        assert deeplens("init", workspace).code == 0
        if name != "empty":
            assert deeplens("--workspace", workspace, "locations", "add", "pics", folder).code == 0
    assert deeplens("--workspace", made["failures"], "index").code == 0
    yield made


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_a_workspace_with_little_in_it_has_a_report_too(
    deeplens: Deeplens, poor: dict[str, Path], tmp_path: Path
) -> None:
    says = {
        "empty": "Nothing indexed yet",
        "new": "Nothing indexed yet",
        "failures": "Nothing could be analysed",
    }
    # A report takes seconds: of the two that say the same, one where time is to be spared.
    for name in ("empty", "new", "failures") if IN_FULL else ("new", "failures"):
        workspace = poor[name]
        out = tmp_path / f"of-{name}.html"
        done = deeplens("--workspace", workspace, "report", "savings", "--out", out)
        assert done.code == 0, done.err
        assert ("nothing to save" if name == "failures" else "No file was found") in done.out
        page = out.read_text(encoding="utf-8")
        assert says[name] in page
        assert "The groups that free most" not in page
        assert "<b>notes" not in page
        savings = deeplens("--workspace", workspace, "savings", "--json").json
        document = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
        assert {key: document[key] for key in savings} == savings
        assert pl.read_parquet(out.with_suffix(".parquet")).height == 0
    assert "damaged" in (tmp_path / "of-failures.html").read_text(encoding="utf-8")


def test_no_workspace_is_no_report(deeplens: Deeplens, tmp_path: Path) -> None:
    done = deeplens("--workspace", tmp_path / "none", "report", "savings", "--out", tmp_path / "x.html")
    assert (done.code, done.out) == (3, "")
    assert "is no workspace" in done.err


def test_ctrl_c_leaves_nothing(indexed: Path, tmp_path: Path) -> None:
    """Stopped once the kernel has begun: its folder is there."""
    temporary, out = tmp_path / "tmp", tmp_path / "out"
    temporary.mkdir()
    out.mkdir()
    process = subprocess.Popen(
        command("--workspace", indexed, "report", "savings", "--out", out / "x.html"),
        env=environment(TMPDIR=str(temporary)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while not list(temporary.glob("deeplens-report-*/kernel*")):
            try:
                process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(process.communicate())
        os.killpg(process.pid, signal.SIGINT)
        said, complained = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said) == (130, ""), complained
    assert complained == "deeplens: Interrupted; what was committed is kept.\n"
    assert names(out) == []
    assert list(temporary.glob("deeplens-report-*")) == []


def test_a_schedule_is_printed_and_nothing_is_installed(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    words = (
        "report",
        "schedule",
        "--cron",
        "0 6 * * mon",
        "--out",
        tmp_path / "my report.html",
        "--param",
        "tiers=bytes",
    )
    whole = deeplens("--workspace", indexed, *words, "--timezone", "Europe/Berlin")
    assert whole.code == 0
    assert re.search(r"^Next: Mon \d+ \w+ \d{4}, 06:00 CES?T; ", whole.err)
    assert names(tmp_path) == ["current"]
    parts = {
        form: deeplens("--workspace", indexed, *words, "--timezone", "Europe/Berlin", "--form", form).out
        for form in ("crontab", "systemd", "kubernetes")
    }
    assert whole.out.split() == " ".join(parts.values()).split()
    document = deeplens("--workspace", indexed, *words, "--json").json
    assert [(row["form"], row["name"]) for row in document["rows"]] == [
        ("crontab", "crontab"), ("systemd", "deeplens-my-report.service"), ("systemd", "deeplens-my-report.timer"),
        ("kubernetes", "deeplens-my-report.yaml"),
    ]  # fmt: skip
    assert document["summary"]["cron"] == "0 6 * * 1"
    line = parts["crontab"].splitlines()[-1]
    command_words = shlex.split(line.partition("0 6 * * 1 ")[2])
    assert command_words[0] == f"DEEPLENS_WORKSPACE={indexed}"
    assert command_words[-1] == ">/dev/null"
    assert command_words[-7:-1] == [
        "report",
        "savings",
        "--out",
        str(tmp_path / "my report.html"),
        "--param",
        "tiers=bytes",
    ]


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_what_cron_writes_makes_the_report(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    """The line as cron runs it: by sh, in the home folder, with hardly any environment."""
    out = tmp_path / "100% of it.html"
    line = deeplens(
        "--workspace", indexed, "report", "schedule", "--cron", "@daily", "--out", out, "--form", "crontab"
    ).out
    shell = line.splitlines()[-1].partition("0 0 * * * ")[2].replace("\\%", "%")
    bare = {"HOME": str(tmp_path / "current"), "PATH": "/usr/bin:/bin", "PYTHONPATH": environment()["PYTHONPATH"]}
    done = subprocess.run(
        ["/bin/sh", "-c", shell], cwd=tmp_path / "current", env=bare, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert out.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--cron", "0 6 * *"), "five"), (("--cron", "0 6 31 2 *"), "never comes"),
        (("--cron", "@daily", "--timezone", "Berlin"), "no time zone 'Berlin'"),
        (("--cron", "0 6 */2 * 1", "--form", "kubernetes"), "Kubernetes cannot say"),
        (("--cron", "@daily", "--form", "launchd"), "--form"), ((), "--cron"),
    ],
)  # fmt: skip
def test_a_wrong_schedule_says_what_is_allowed(
    deeplens: Deeplens, indexed: Path, words: tuple[str, ...], says: str
) -> None:
    done = deeplens("--workspace", indexed, "report", "schedule", *words)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert done.err.count("\n") == 1


def test_what_kubernetes_cannot_say_is_told_beside_the_others(deeplens: Deeplens, indexed: Path) -> None:
    done = deeplens("--workspace", indexed, "report", "schedule", "--cron", "0 6 */2 * 1")
    assert done.code == 0
    assert "# Kubernetes cannot say" in done.out
    assert "OnCalendar=Mon *-*-01,03," in done.out
    assert "apiVersion" not in done.out
