"""A schedule is due when cron would be, whoever runs it, and its texts are read back as they were meant."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.cron import last_run, next_runs, parse_cron
from deeplens_kit.reporting.schedule import (
    Job,
    check_zone,
    crontab_text,
    kubernetes_text,
    local_zone,
    program,
    service_text,
    timer_text,
)

# What people write, what cron reads in its own way, and what comes seldom.
EXPRESSIONS = [
    "0 6 * * 1", "@weekly", "@daily", "@hourly", "@monthly", "@yearly", "@MIDNIGHT", "@annually", "*/15 * * * *",
    "0 6 1,15 * mon-fri", "30 4 1 * 0", "30 4 1 * 7", "0 0 29 2 *", "0 0 31 * *", "5/20 8-18/2 * JAN,jul MON-FRI",
    "0 12 */2 * 1", "0 12 1 * */2", "0 12 1-31 * 1", "0 12 * * 0-7", "0 12 */10,5 * SAT,SUN", "59 23 31 12 5-7",
    "0 0 30 2 1", "0 3 */31 * 3", "15 10 * * 1-5/2",
]  # fmt: skip
NASTY = "/pl ace/100%/a\\b\\%c/\"d\"/$HOME/${x}/$(y)/`e`/'f'/{date}/ü"
START = datetime(2026, 1, 1, 0, 0, tzinfo=UTC)


def job_of(expression: str = "0 6 * * 1", path: str = "/home page/savings.html", zone: str = "UTC") -> Job:
    out = Path(path)
    arguments = ("report", "savings", "--out", path, "--param", "tiers=bytes, copy")
    return Job(parse_cron(expression), zone, ("/opt/deep lens/deeplens",), arguments, Path(path + ".ws"), out, "i:1")


def systemd_analyze() -> str:
    """The tool that reads units without a running systemd."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        message = "systemd-analyze is not installed: apt-get install systemd"
        if os.environ.get("DEEPLENS_REQUIRE_SERVERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return analyze


def runs_of(calendar: tuple[str, ...], count: int) -> list[datetime]:
    """When systemd would start a timer of these lines."""
    analyze = systemd_analyze()
    found: set[datetime] = set()
    for line in calendar:
        done = subprocess.run(
            [analyze, "calendar", f"--iterations={count}", "--base-time=2026-01-01 00:00:00 UTC", f"{line} UTC"],
            capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        times = re.findall(
            r"(?:Next elapse|Iter(?:ation)?\.? #\d+): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", done.stdout
        )
        found |= {datetime.strptime(time, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) for time in times}
    return sorted(found)[:count]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_systemd_is_due_when_cron_is(expression: str) -> None:
    times = parse_cron(expression)
    # Of the 29th of February systemd names 42: it looks ahead to 2199.
    runs = runs_of(times.on_calendar, 50)
    assert len(runs) >= 40
    assert runs == next_runs(times, START, len(runs))


@pytest.mark.parametrize("expression", [item for item in EXPRESSIONS if not item.startswith("@")])
def test_the_text_for_cron_means_what_was_written(expression: str) -> None:
    """cronsim, which follows Debian's cron, reads the words of the user and ours alike."""
    if "5/20" in expression:
        expression = expression.replace("5/20", "5-59/20")
    given_runs = CronSim(expression, START)
    assert next_runs(parse_cron(expression), START, 40) == [next(given_runs) for _ in range(40)]


number = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> str:
    def term() -> str:
        kind = draw(st.sampled_from(["*", "number", "range", "star step", "range step"]))
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, high))
        return {
            "*": "*", "number": f"{first}", "range": f"{first}-{last}", "star step": f"*/{step}",
            # Of one value cronsim steps on to the end, where cron stays: not compared.
            "range step": f"{first}-{last}/{step}" if last > first else f"{first}",
        }[kind]  # fmt: skip

    return ",".join(term() for _ in range(draw(st.integers(1, 3))))


@given(st.tuples(*(fields(*limits) for limits in number.values())))
def test_any_expression_is_due_when_cron_is(words: tuple[str, ...]) -> None:
    expression = " ".join(words)
    try:
        times = parse_cron(expression)
    except SettingsError as error:
        assert "never comes" in str(error)
        return
    assert next_runs(times, START, 8) == next_runs(parse_cron(times.text), START, 8)
    simulated = CronSim(expression, START)
    assert next_runs(times, START, 8) == [next(simulated) for _ in range(8)]
    for run in next_runs(times, START, 8):
        day, weekday = run.day in times.days, run.isoweekday() % 7 in times.weekdays
        assert run.minute in times.minutes and run.hour in times.hours and run.month in times.months
        assert (day and weekday) if times.both_days else (day or weekday)


def kubernetes_runs(schedule: str, count: int) -> list[datetime]:
    """When Kubernetes is due, by the rule of its parser (robfig/cron v3, spec.go, dayMatches)."""
    times = parse_cron(schedule)
    _, _, days, _, weekdays = schedule.split()
    # There only a star without a step frees a field; we write none with a step.
    assert "/" not in schedule
    both = days == "*" or weekdays == "*"
    assert both == times.both_days
    return next_runs(times, START, count)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_kubernetes_is_due_when_cron_is_or_says_that_it_cannot(expression: str) -> None:
    times = parse_cron(expression)
    every_day, every_weekday = len(times.days) == 31, len(times.weekdays) == 7
    if times.both_days and not every_day and not every_weekday:
        with pytest.raises(SettingsError, match="Kubernetes cannot say"):
            _ = times.kubernetes
        return
    # Sunday is 0 there, and 7 is an error.
    assert "7" not in times.kubernetes.split()[4]
    assert kubernetes_runs(times.kubernetes, 30) == next_runs(times, START, 30)


@pytest.mark.parametrize("expression", ["30 2 * * *", "*/40 * * * *", "15 1,2 * * *"])
@pytest.mark.parametrize("day", [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)])
def test_the_last_and_the_next_time_agree_when_the_clock_changes(expression: str, day: datetime) -> None:
    zone, times = ZoneInfo("Europe/Berlin"), parse_cron(expression)
    due, at = [], (day - timedelta(days=2)).astimezone(zone)
    while at.astimezone(UTC) < day + timedelta(hours=6):
        (following,) = next_runs(times, at, 1)
        assert following.astimezone(UTC) > at.astimezone(UTC)
        due.append(following.astimezone(UTC))
        at = following
    for minutes in range(0, 360, 10):
        now = day + timedelta(minutes=minutes)
        found = last_run(times, now.astimezone(zone))
        assert found is not None and found.astimezone(UTC) == max(item for item in due if item <= now)
        assert next_runs(times, now.astimezone(zone), 1)[0].astimezone(UTC) == min(item for item in due if item > now)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_last_time_is_that_of_brute_force(expression: str) -> None:
    times = parse_cron(expression)
    found = last_run(times, START)
    assert found is not None and found <= START
    assert next(iter(next_runs(times, found, 1))) > START


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "0 fields"), ("0 6 * *", "4 fields"), ("0 0 6 * * 1", "6 fields"), ("@reboot", "@weekly"),
        ("60 6 * * 1", "minute '60'.*numbers 0..59"), ("0 24 * * 1", "hour '24'"),
        ("0 6 0 * 1", "day of the month '0'"),
        ("0 6 * 13 1", "month '13'.*jan..dec"), ("0 6 * * 8", "weekday '8'.*sun..sat"), ("0 6 * * mo", "weekday 'mo'"),
        ("*/0 6 * * 1", "step"), ("*/x 6 * * 1", "step"), ("5-1 6 * * 1", "backwards"),
        ("0 6 * * fri-mon", "backwards"),
        ("0 6 L * *", "not understood"), ("0 6 * * 1#2", "not understood"), ("0 6 ? * 1", "not understood"),
        ("1,,2 6 * * 1", "not understood"), ("0 6 30 2 *", "never comes"), ("0 6 31 4,6,9,11 *", "never comes"),
        ("² 6 * * 1", "not understood"), ("-1 6 * * 1", "not understood"),
    ],
)  # fmt: skip
def test_what_no_cron_reads_says_what_is_allowed(expression: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        parse_cron(expression)
    assert repr(expression) in str(caught.value)


def as_cron_runs_it(text: str, folder: Path) -> tuple[str, list[str], str]:
    """(times, arguments, workspace) of a crontab's line: cut as Vixie's cron does, then run by sh."""
    (line,) = [line for line in text.splitlines() if not line.startswith("#") and "=" not in line.split()[0]]
    *times, command = line.split(None, 5)
    kept, escaped = "", False
    for letter in command:
        if escaped and letter == "%":
            kept = kept[:-1] + letter
        elif letter == "%":
            break
        else:
            kept += letter
        escaped = letter == "\\" and not escaped
    script = folder / "deeplens"
    script.write_text('#!/bin/sh\nprintf \'%s\\0\' "$DEEPLENS_WORKSPACE" "$@" >"$(dirname "$0")/said"\n')
    script.chmod(0o755)
    program_word = next(word for word in shlex.split(kept) if word.endswith("/deeplens"))
    subprocess.run(
        ["/bin/sh", "-c", kept.replace(shlex.quote(program_word), shlex.quote(str(script)))], check=True, cwd=folder
    )
    workspace, *arguments = (folder / "said").read_text(encoding="utf-8").split("\0")[:-1]
    return " ".join(times), arguments, workspace


@pytest.mark.parametrize("path", ["/plain/savings.html", NASTY])
def test_the_line_for_cron_runs_what_was_meant(tmp_path: Path, path: str) -> None:
    job = job_of("0 6 1,15 * 1", path)
    text = crontab_text(job, machine_zone="UTC")
    times, arguments, workspace = as_cron_runs_it(text, tmp_path)
    assert times == "0 6 1,15 * 1"
    assert tuple(arguments) == job.arguments
    assert workspace == str(job.workspace)
    assert "UTC" in text
    elsewhere = crontab_text(job_of(zone="Europe/Berlin"), machine_zone="UTC")
    assert "\nCRON_TZ=Europe/Berlin\n" in elsewhere


def systemd_words(text: str) -> list[str]:
    """A line of words as systemd reads it (systemd.syntax(7)), for those that are in double quotes."""
    return [
        re.sub(r"\\(.)", r"\1", word).replace("%%", "%").replace("$$", "$")
        for word in re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    ]


@pytest.mark.parametrize("path", ["/plain/savings.html", NASTY])
def test_the_units_run_what_was_meant(tmp_path: Path, path: str) -> None:
    job = job_of("0 6 1,15 * 1", path, "Europe/Berlin")
    service, timer = service_text(job), timer_text(job)
    (start,) = re.findall(r"^ExecStart=(.*)$", service, re.MULTILINE)
    assert systemd_words(start) == [*job.program, *job.arguments]
    (environment,) = re.findall(r"^Environment=(.*)$", service, re.MULTILINE)
    assert re.sub(r"\\(.)", r"\1", environment[1:-1]).replace("%%", "%") == f"DEEPLENS_WORKSPACE={job.workspace}"
    assert re.findall(r"^OnCalendar=(.*)$", timer, re.MULTILINE) == [
        "*-*-01,15 06:00:00 Europe/Berlin", "Mon *-*-* 06:00:00 Europe/Berlin",
    ]  # fmt: skip
    analyze = systemd_analyze()
    (tmp_path / f"{job.name}.service").write_text(service.replace(job.program[0], "/bin/true"), encoding="utf-8")
    (tmp_path / f"{job.name}.timer").write_text(timer, encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / f"{job.name}.timer", tmp_path / f"{job.name}.service"],
        capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert job.name not in done.stderr, done.stderr


@pytest.mark.parametrize("path", ["/plain/savings.html", NASTY])
def test_the_cronjob_is_valid_and_runs_what_was_meant(path: str) -> None:
    yaml = pytest.importorskip("yaml")
    kubernetes = pytest.importorskip("kubernetes_validate")
    job = job_of("0 6 * * 7", path, "Europe/Berlin")
    document = yaml.safe_load(kubernetes_text(job))
    kubernetes.validate(document, kubernetes.latest_version(), strict=True)
    spec = document["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 6 * * 0", "Europe/Berlin")
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    words = [word.replace("$$(", "$(") for word in container["command"]]
    assert words == ["deeplens", *job.arguments]
    assert not any(re.search(r"(?<!\$)\$\(", word) for word in container["command"])
    values: dict[str, Any] = {item["name"]: item["value"] for item in container["env"]}
    assert values["DEEPLENS_WORKSPACE"].replace("$$(", "$(") == str(job.workspace)
    mounted = {item["name"]: item["mountPath"] for item in container["volumeMounts"]}
    assert mounted == {"workspace": str(job.workspace), "reports": str(job.out.parent)}
    assert {item["name"] for item in pod["volumes"]} == set(mounted)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", document["metadata"]["name"])
    assert len(document["metadata"]["name"]) <= 52


def test_a_report_within_the_workspace_needs_one_volume() -> None:
    yaml = pytest.importorskip("yaml")
    job = job_of()
    inside = Job(
        job.times, "UTC", job.program, job.arguments, Path("/data"), Path("/data/reports/" + "long name " * 20), "i:1"
    )
    document = yaml.safe_load(kubernetes_text(inside))
    pod = document["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert [item["name"] for item in pod["volumes"]] == ["workspace"]
    assert len(document["metadata"]["name"]) <= 52


@pytest.mark.parametrize("path", ["/a\nb.html", "/a\x7f.html", "/caf\udce9.html", "/a\u2028b", "/a\x85b"])
def test_a_name_that_no_schedule_can_hold_is_refused(path: str) -> None:
    with pytest.raises(SettingsError, match="cannot be written into a schedule"):
        job_of(path=path)


def test_what_kubernetes_cannot_mount_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"cannot mount '/data:/.*has a colon"):
        kubernetes_text(job_of(path="/data:/reports/savings.html"))


def test_the_zone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_zone("Europe/Berlin") == "Europe/Berlin"
    for wrong in ("Europe/Berlni", "", "/etc/passwd", "../UTC"):
        with pytest.raises(SettingsError, match="no time zone"):
            check_zone(wrong)
    monkeypatch.setenv("TZ", ":Europe/Oslo")
    assert local_zone() == "Europe/Oslo"
    monkeypatch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
    with pytest.raises(SettingsError, match="--timezone"):
        local_zone()
    monkeypatch.delenv("TZ")
    assert ZoneInfo(local_zone())


def test_the_command_is_named_by_its_whole_path() -> None:
    first, *rest = program()
    assert Path(first).is_absolute()
    assert os.access(first, os.X_OK)
    done = subprocess.run([first, *rest, "--version"], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.startswith("deeplens ")
