"""A report or a workflow that runs by itself: the texts that crontab, systemd and Kubernetes want.

Takes a job (which command, in which workspace, when), gives texts to install; must not install them. Every value is
quoted by the rules of whoever reads it, and the time zone is named.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import zoneinfo
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.cron import CronTimes

__all__ = [
    "FORMS",
    "Job",
    "check_zone",
    "crontab_text",
    "kubernetes_text",
    "local_zone",
    "program",
    "service_text",
    "spoken",
    "texts_of",
    "timer_text",
]

FORMS = ("crontab", "systemd", "kubernetes")

_LOCALTIME = Path("/etc/localtime")
# A CronJob's name has 52 characters at most: its jobs' names add eleven (Kubernetes documentation, CronJob).
_LONGEST_NAME = 52
# Controls, what YAML takes for the end of a line (its specification, 5.4), and bytes that are no text.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Job:
    """What is to run, and when.

    Attributes:
        times: When.
        zone: Time zone by its IANA name, for example "Europe/Berlin".
        program: The command by its absolute path, with what comes before its arguments.
        arguments: What follows it.
        workspace: Absolute.
        out: The page, absolute; None where nothing is written outside the workspace.
        image: Container image with DeepLens, for Kubernetes.
        role: What runs, in a word.
        title: What it is called; empty for the name of the page.

    Raises:
        SettingsError: A path or parameter holds a line break or bytes that are no text.
    """

    times: CronTimes
    zone: str
    program: tuple[str, ...]
    arguments: tuple[str, ...]
    workspace: Path
    out: Path | None
    image: str
    role: Literal["report", "workflow"] = "report"
    title: str = ""

    def __post_init__(self) -> None:
        out = () if self.out is None else (str(self.out),)
        for text in (*self.program, *self.arguments, str(self.workspace), *out, self.image):
            if _UNWRITABLE.search(text):
                raise SettingsError(f"{text!r} cannot be written into a schedule; use a name of ordinary letters.")

    @property
    def name(self) -> str:
        """What units and jobs are called, after the title or page: lower-case letters, digits and dashes."""
        page = "" if self.out is None else self.out.stem.replace("{date}", "")
        called = self.title or page
        stem = re.sub(r"[^a-z0-9]+", "-", called.lower()).strip("-") or self.role
        return f"deeplens-{stem}"[:_LONGEST_NAME].rstrip("-")


def program() -> tuple[str, ...]:
    """The command `deeplens` of the running environment, by its absolute path."""
    interpreter = Path(sys.executable).absolute()
    script = interpreter.with_name("deeplens")
    return (str(script),) if os.access(script, os.X_OK) else (str(interpreter), "-m", "deeplens_kit.cli")


def local_zone() -> str:
    """The time zone of this machine by its IANA name.

    Raises:
        SettingsError: It has no name here.
    """
    named = os.environ.get("TZ", "").removeprefix(":")
    if not named:
        named = os.path.realpath(_LOCALTIME).partition("zoneinfo/")[2] if _LOCALTIME.exists() else "UTC"
    try:
        return check_zone(named)
    except SettingsError as error:
        raise SettingsError("The time zone of this machine has no name; give it with --timezone.") from error


def check_zone(name: str) -> str:
    """The name of a time zone that exists.

    Raises:
        SettingsError: There is none of that name.
    """
    try:
        return zoneinfo.ZoneInfo(name).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(f"There is no time zone {name!r}; name one as in 'Europe/Berlin' or 'UTC'.") from error


def texts_of(job: Job, form: str | None) -> list[tuple[str, str, str]]:
    """(form, name of the file, text) of one form of `FORMS`, or of all.

    Raises:
        SettingsError: The form that is asked for has no words for the job.
    """
    texts = []
    if form in (None, "crontab"):
        texts.append(("crontab", "crontab", crontab_text(job, machine_zone=local_zone())))
    if form in (None, "systemd"):
        texts.append(("systemd", f"{job.name}.service", service_text(job)))
        texts.append(("systemd", f"{job.name}.timer", timer_text(job)))
    if form in (None, "kubernetes"):
        try:
            texts.append(("kubernetes", f"{job.name}.yaml", kubernetes_text(job)))
        except SettingsError as error:
            if form is not None:
                raise
            texts.append(("kubernetes", f"{job.name}.yaml", f"# {error}\n"))
    return texts


def crontab_text(job: Job, *, machine_zone: str) -> str:
    """A line for `crontab -e`; what the command says is mailed only where something is wrong.

    Args:
        job: What runs.
        machine_zone: The zone that cron lives in.
    """
    words = [f"DEEPLENS_WORKSPACE={shlex.quote(str(job.workspace))}", *map(shlex.quote, (*job.program, *job.arguments))]
    # Cron takes a percent sign for the end of the line unless a backslash stands before it, and two backslashes for one
    # pair: where one already stands before the sign, the quotes are closed and opened between them.
    command = " ".join(words).replace("\\%", "\\''%").replace("%", "\\%")
    lines = [f"# DeepLens {job.role}; times are of {job.zone}. Add this with `crontab -e`."]
    if job.zone != machine_zone:
        lines += [
            f"# This machine is in {machine_zone}. Cronie reads CRON_TZ, for all lines below; Debian's cron does not.",
            f"CRON_TZ={job.zone}",
        ]
    return "\n".join([*lines, f"{job.times.text} {command} >/dev/null"]) + "\n"


def service_text(job: Job) -> str:
    """The unit that runs it once."""
    start = " ".join(_unit_quoted(word).replace("$", "$$") for word in (*job.program, *job.arguments))
    return (
        f"# ~/.config/systemd/user/{job.name}.service\n"
        "[Unit]\n"
        f"Description=DeepLens {job.role}\n"
        "\n"
        "[Service]\n"
        "Type=oneshot\n"
        f"Environment={_unit_quoted(f'DEEPLENS_WORKSPACE={job.workspace}')}\n"
        f"ExecStart={start}\n"
    )


def timer_text(job: Job) -> str:
    """The unit that says when; what a machine slept through is made up for."""
    calendar = "".join(f"OnCalendar={line} {job.zone}\n" for line in job.times.on_calendar)
    return (
        f"# ~/.config/systemd/user/{job.name}.timer, then:\n"
        f"# systemctl --user daemon-reload && systemctl --user enable --now {job.name}.timer\n"
        "[Unit]\n"
        f"Description=When the DeepLens {job.role} {'is made' if job.role == 'report' else 'runs'}\n"
        "\n"
        "[Timer]\n"
        f"{calendar}"
        "Persistent=true\n"
        "\n"
        "[Install]\n"
        "WantedBy=timers.target\n"
    )


def kubernetes_text(job: Job) -> str:
    """A CronJob; the image and the claims are the user's own.

    Raises:
        SettingsError: Kubernetes has no words for these times, or cannot mount a path.
    """
    # The paths of this machine, at which the claims are mounted, are those of the workspace's own locations as well.
    mounts = [("workspace", "deeplens-workspace", job.workspace)]
    if job.out is not None and not job.out.parent.is_relative_to(job.workspace):
        mounts.append(("reports", "deeplens-reports", job.out.parent))
    for _, _, path in mounts:
        # Kubernetes API, VolumeMount.mountPath.
        if ":" in str(path):
            raise SettingsError(f"Kubernetes cannot mount {str(path)!r}, which has a colon; use crontab or systemd.")
    # "$(NAME)" would be replaced by a variable's value.
    command = [word.replace("$(", "$$(") for word in ("deeplens", *job.arguments)]
    volume_mounts = "".join(
        f"                - name: {name}\n                  mountPath: {_yaml(str(path))}\n" for name, _, path in mounts
    )
    volumes = "".join(
        f"            - name: {name}\n              persistentVolumeClaim:\n                claimName: {claim}\n"
        for name, claim, _ in mounts
    )
    return f"""\
# kubectl apply -f {job.name}.yaml
# The image is one that you build with DeepLens in it. The claims hold the workspace and the reports at the paths that
# they have here; a ledger in SQLite needs a volume that is no network share.
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {job.name}
spec:
  schedule: {_yaml(job.times.kubernetes)}
  timeZone: {_yaml(job.zone)}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      backoffLimit: 1
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: {job.role}
              image: {_yaml(job.image)}
              command: {json.dumps(command, ensure_ascii=False)}
              env:
                - name: DEEPLENS_WORKSPACE
                  value: {_yaml(str(job.workspace).replace("$(", "$$("))}
                - name: HOME
                  value: /tmp
              volumeMounts:
{volume_mounts}\
          volumes:
{volumes}"""


def spoken(run: datetime) -> str:
    """A time at which it is due, for people."""
    return run.strftime("%a %-d %B %Y, %H:%M %Z")


def _unit_quoted(text: str) -> str:
    """Quoted for systemd (systemd.syntax(7)): specifiers begin with a percent sign."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _yaml(text: str) -> str:
    """JSON is YAML, and its strings need no rules of their own."""
    return json.dumps(text, ensure_ascii=False)
