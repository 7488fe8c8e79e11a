"""Schedules by command: looked at, run by hand and by their own loop in processes of their own, handed to others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_process import Deeplens, Result
from mail_server import Mailbox, serving
from web_hook import Hook

from deeplens_kit.pipeline import Workspace, index
from deeplens_kit.reporting.schedule import local_zone

SCHEDULES = """
defaults: {timezone: UTC}
schedules:
  yearly: {workflow: nightly, cron: "0 0 1 1 *", notify: "HOOK"}
  weekly:
    report: savings
    cron: "0 6 * * mon"
    to: pages/savings-{date}.html
    timezone: Europe/Berlin
    paused: true
"""


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def workspace(tmp_path: Path, hook: Hook) -> Path:
    with Workspace.create(tmp_path / "ws") as made:
        (made.directory / "reports").mkdir()
        (tmp_path / "pics").mkdir()
        made.ledger.add_location("pics", str(tmp_path / "pics"), {"permissions": "change"})
    file = tmp_path / "ws/reports/schedules.yaml"
    file.write_text(SCHEDULES.replace("HOOK", hook.url), encoding="utf-8")
    # Older than the last first of January: that one was missed.
    os.utime(file, (0, 0))
    return tmp_path / "ws"


@pytest.fixture
def run(deeplens: Deeplens, workspace: Path) -> Callable[..., Result]:
    added = deeplens("--workspace", workspace, "workflows", "add", "nightly", "--every", "@daily", "--timezone", "UTC")
    assert added.code == 0, added.err
    return lambda *words: deeplens("--workspace", workspace, "schedule", *words)


def test_schedules_are_looked_at_run_by_hand_and_handed_to_others(
    run: Callable[..., Result], workspace: Path, hook: Hook, deeplens: Deeplens
) -> None:
    yearly, weekly = run("list", "--json").json["rows"]
    assert (yearly["what"], yearly["next_at"][5:16], yearly["last_state"], yearly["notify"]) == (
        "workflow nightly", "01-01T00:00", None, ["http://127.0.0.1"],
    )  # fmt: skip
    assert (weekly["paused"], weekly["next_at"], weekly["cron"]) == (True, None, "0 6 * * 1")
    assert weekly["to"] == str(workspace / "reports/pages/savings-{date}.html")
    assert "paused" in run("list").out and "No schedule ran yet." in run("history").out

    hook.answers = [400]
    due = run("run-now", "yearly", "--if-due")
    assert (due.code, due.out.strip()) == (0, "There was nothing to do."), due.err
    assert "Notice to http://127.0.0.1: the server said 400" in due.err
    assert "is not due, or was run for its last time" in run("run-now", "yearly", "--if-due").out
    assert run("run-now", "yearly", "--json").json["summary"]["state"] == "finished"
    assert len(hook.posted) == 3, "what was not taken is sent with the next"
    by_hand, made_good = run("history", "yearly", "--json").json["rows"]
    assert (by_hand["due_at"], made_good["due_at"][5:16], made_good["state"]) == (None, "01-01T00:00", "finished")
    assert "nothing to do" in run("history").out and "finished" in run("list").out
    wrong = run("run-now", "yearli")
    assert (wrong.code, "did you mean 'yearly'?" in wrong.err) == (2, True)
    deeplens("--workspace", workspace, "workflows", "pause", "nightly", "--why", "the share moves")
    paused = run("run-now", "yearly")
    assert (paused.code, "the share moves" in paused.err) == (7, True)
    assert run("history", "--json").json["rows"][0]["state"] == "failed"
    assert json.loads(hook.posted[-1][2])["made"] is False

    lines = run("export", "--cron").out
    assert "0 0 1 1 * DEEPLENS_WORKSPACE=" in lines and "schedule run-now yearly --if-due >/dev/null" in lines
    assert "weekly" not in lines, "it is paused"
    both = run("export", "yearly", "weekly", "--systemd", "--file", workspace / "reports/schedules.yaml").out
    assert "deeplens-yearly.timer" in both and "OnCalendar=Mon *-*-* 06:00:00 Europe/Berlin" in both
    assert f'"--if-due" "--file" "{workspace}/reports/schedules.yaml"' in both
    rows = run("export", "weekly", "--k8s", "--image", "me:1", "--json").json["rows"]
    assert [(row["schedule"], row["form"], row["name"]) for row in rows] == [
        ("weekly", "kubernetes", "deeplens-weekly.yaml"),
    ]  # fmt: skip
    assert 'image: "me:1"' in rows[0]["text"]


def test_what_is_due_is_a_real_page_told_by_mail_and_webhook(
    run: Callable[..., Result], workspace: Path, hook: Hook
) -> None:
    box, file = Mailbox(), workspace / "reports/schedules.yaml"
    (workspace.parent / "pics/notes.jpg").write_text("no picture", encoding="utf-8")
    with Workspace.open(workspace) as opened:
        index(opened)
    with serving(box):
        mail = f"smtp://127.0.0.1:{box.port}/?to=ben@example.org&from=anna@example.org&plain=true"
        told = f'notify: ["{mail}", "{hook.url}"]'
        entry = f'{{report: coverage, cron: "0 0 1 1 *", timezone: UTC, to: "p-{{date}}.html", {told}}}'
        file.write_text(f"schedules: {{seen: {entry}}}", encoding="utf-8")
        os.utime(file, (0, 0))
        once = run("run", "--once")
    assert once.code == 0, once.err
    (page,) = (workspace / "reports").glob("p-*.html")
    (sent,), ((_, _, body),) = box.mails, hook.posted
    plain, html = (part.get_content() for part in sent.iter_parts())
    headline = json.loads(body)["headline"]
    assert headline in plain and headline in html
    assert "notes.jpg" in page.read_text(encoding="utf-8")
    assert plain.startswith(str(page)) and page.name in html and json.loads(body)["link"] == str(page)


def test_lines_of_another_zone_come_last_in_a_crontab(run: Callable[..., Result], workspace: Path) -> None:
    other = "Asia/Tokyo" if local_zone() != "Asia/Tokyo" else "Asia/Seoul"
    text = "".join(
        f"  {name}: {{report: savings, cron: 0 6 * * 1, timezone: {zone}, to: {name}.html}}\n"
        for name, zone in (("far", other), ("near", local_zone()))
    )
    (workspace / "reports/schedules.yaml").write_text(f"schedules:\n{text}", encoding="utf-8")
    lines = run("export", "--cron").out
    assert lines.index("run-now near") < lines.index(f"CRON_TZ={other}") < lines.index("run-now far")


def test_the_example_is_printed_and_a_wrong_file_says_its_lines(run: Callable[..., Result], workspace: Path) -> None:
    example = run("example").out
    (workspace / "reports/schedules.yaml").write_text(example, encoding="utf-8")
    assert [row["schedule"] for row in run("list", "--json").json["rows"]] == ["weekly-savings"]
    (workspace / "reports/schedules.yaml").write_text(example.replace("cron:", "corn:"), encoding="utf-8")
    wrong = run("run", "--once")
    assert wrong.code == 2 and "Line 19: There is no key of a schedule named 'corn'" in wrong.err


@pytest.fixture
def going(run: Callable[..., Result], workspace: Path) -> Iterator[subprocess.Popen[str]]:
    words = ["--workspace", str(workspace), "schedule", "run", "--json-lines"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "deeplens_kit.cli", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def _until(process: subprocess.Popen[str], event: str) -> Any:
    assert process.stdout is not None
    for line in process.stdout:
        found = json.loads(line)
        if found["event"] == event:
            return found
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())


def test_the_loop_runs_what_was_missed_in_a_process_of_its_own_and_ends_by_a_signal(
    going: subprocess.Popen[str], run: Callable[..., Result]
) -> None:
    read = _until(going, "file")
    assert (read["schedules"], read["problem"]) == (2, None)
    ran = _until(going, "run")
    assert (ran["schedule"], ran["state"], ran["message"], ran["attempt"], ran["tries"]) == (
        "yearly", "finished", "There was nothing to do.", 1, 3,
    )  # fmt: skip
    going.send_signal(signal.SIGTERM)
    assert _until(going, "stopped")
    assert going.wait(60) == 0
    again = run("run", "--once")
    assert (again.code, "yearly:" in again.out) == (0, False), "it is made good"
    assert again.out.rstrip().endswith("Nothing is due now.")
    assert run("history", "--json").json["summary"]["runs"] == 1
