"""Words in, help, usage errors and exit codes out: one line each, never a traceback."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import typer
from cli_process import ROOT, Deeplens, command, environment, in_process
from leaks import assert_no_secret

from deeplens_kit import __version__, errors, schemas
from deeplens_kit.cli import choices
from deeplens_kit.cli.app import app
from deeplens_kit.cli.boundary import EXIT_PIPE_CLOSED, EXIT_UNEXPECTED

COMMANDS = [
    ("init",), ("locations",), ("locations", "add"), ("locations", "list"), ("locations", "check"),
    ("locations", "rename"), ("locations", "activate"), ("locations", "deactivate"), ("index",), ("status",),
    ("failures",), ("pairs",), ("duplicates",), ("savings",), ("search",), ("compare",), ("explain",),
    ("upgrade",), ("catalog",), ("catalog", "digest"), ("report",), ("report", "savings"), ("report", "schedule"),
    ("prices",), ("prices", "example"), ("prices", "check"),
    ("policy",), ("policy", "list"), ("policy", "show"), ("policy", "check"), ("policy", "compare"), ("policy", "use"),
    ("searches",), ("searches", "list"), ("searches", "show"), ("searches", "run"), ("searches", "history"),
    ("clusters",), ("clusters", "show"), ("evaluate",), ("recommend",),
    ("label",), ("label", "sample"), ("label", "next"), ("label", "list"), ("label", "status"),
    ("plan",), ("plan", "make"), ("plan", "list"), ("plan", "show"), ("plan", "diff"), ("plan", "trim"),
    ("plan", "refresh"), ("apply",), ("undo",), ("quarantine",), ("quarantine", "list"), ("quarantine", "empty"),
    ("certificate",),
    ("decide",), ("decide", "list"), ("rules",), ("rules", "list"), ("rules", "diff"),

    ("users",), ("users", "list"), ("keys",), ("keys", "list"),
    ("audit",), ("holds",), ("holds", "list"), ("backup",), ("backup", "list"),
    ("forget",), ("kept-out",), ("kept-out", "list"), ("export",),
    ("retention",), ("retention", "list"), ("retention", "plan"),
    ("jobs",), ("jobs", "list"), ("jobs", "events"),
]  # fmt: skip
# Groups that only show their help.
_SILENT = set(
    "backup catalog decide holds jobs keys kept-out label locations plan policy prices quarantine report retention "
    "rules searches users".split()
)
ANSWERING = [words for words in COMMANDS if words[1:] or words[0] not in _SILENT]
# What a report says is in its files, and a schedule is texts.
WITH_ROWS = [words for words in ANSWERING if words[0] != "report"]


def one_line(text: str) -> str:
    assert text.startswith("deeplens: ")
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return text


def test_without_words_it_shows_help(deeplens: Deeplens) -> None:
    done = deeplens()
    assert (done.code, done.err) == (0, "")
    names = re.findall(r"^│ (\w+) ", done.out, re.MULTILINE)
    assert names == [
        "init", "locations", "index", "ingest", "watch", "status", "failures", "duplicates", "savings", "policy",
        "prices", "pairs", "search", "searches", "clusters", "compare", "explain", "label", "evaluate", "recommend",
        "decide", "rules", "plan", "apply", "undo", "quarantine", "certificate", "references", "retention", "workflows",
        "metadata", "tag", "collections", "models", "convert", "report", "schedule", "jobs", "serve", "users",
        "keys", "holds", "audit", "backup", "restore", "export", "forget", "upgrade", "catalog",
    ]  # fmt: skip
    assert deeplens("--help").out == done.out


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_examples(deeplens: Deeplens, words: tuple[str, ...]) -> None:
    done = deeplens(*words, "--help")
    assert done.code == 0
    assert " ".join(("deeplens", *words)) in done.out
    if words in ANSWERING:
        after = done.out.partition("Examples")[2]
        assert " ".join(words) in after


@pytest.mark.parametrize("words", WITH_ROWS, ids=" ".join)
def test_json_and_csv_are_everywhere(deeplens: Deeplens, words: tuple[str, ...]) -> None:
    done = deeplens(*words, "--help")
    assert "--json" in done.out
    assert "--csv" in done.out


def test_every_command_and_option_is_documented() -> None:
    """docs/cli.md has a row for each command, and names each of its options in it or among the common ones."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `deeplens ([a-z -]+?)((?: [A-Z\[-][^`]*)?` \| .*)$", text, re.MULTILINE))
    common = set(re.findall(r"--[a-z0-9-]+", text.partition("## Output")[2].partition("\n## ")[0]))
    commands = dict(_commands(typer.main.get_command(app)))
    assert set(rows) == set(commands)
    for name, options in commands.items():
        assert options - common == set(re.findall(r"--[a-z0-9-]+", rows[name])) - common, name


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, set[str]]]:
    for name, command_ in group.commands.items():
        words = [word for item in command_.params for word in (*item.opts, *item.secondary_opts)]
        options = {word for word in words if word.startswith("--")} - {"--help"}
        if hasattr(command_, "commands"):
            yield from _commands(command_, f"{name} ")
        # A group with options of its own is a command too.
        if options or not hasattr(command_, "commands"):
            yield f"{before}{name}", options


def test_version(deeplens: Deeplens) -> None:
    assert deeplens("--version").out == f"deeplens {__version__}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("idnex",), "index"),
        (("index", "--wrokers", "2"), "--workers"),
        (("index", "--workers", "many"), "--workers"),
        (("compare", "one.jpg"), "B"),
        (("--log-format", "xml", "index"), "json"),
        (("failures", "--limit", "0"), "--limit"),
    ],
)
def test_usage_errors_are_one_line_with_code_2(deeplens: Deeplens, words: tuple[str, ...], says: str) -> None:
    done = deeplens(*words)
    assert (done.code, done.out) == (2, "")
    assert says in one_line(done.err)
    assert "--help" in done.err


def test_no_workspace(deeplens: Deeplens, tmp_path: Path) -> None:
    for words in (("status",), ("index",), ("duplicates", "--json"), ("upgrade",)):
        done = deeplens("--workspace", tmp_path / "missing", *words)
        assert (done.code, done.out) == (3, "")
        assert "deeplens init" in one_line(done.err)


def test_global_options_may_stand_anywhere(deeplens: Deeplens, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    deeplens("init", workspace)
    for words in (
        ("--workspace", workspace, "status"),
        ("status", "--workspace", workspace),
        ("status", f"--workspace={workspace}"),
        ("locations", "list", "--workspace", workspace, "--verbose"),
    ):
        assert deeplens(*words).code == 0
    # After "--" a word is an argument, whatever it looks like.
    done = deeplens("--workspace", workspace, "index", "--", "--workspace")
    assert done.code == 2
    assert "location" in one_line(done.err)


def test_the_variable_names_the_workspace(deeplens: Deeplens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deeplens("init", tmp_path / "w")
    monkeypatch.setenv("DEEPLENS_WORKSPACE", str(tmp_path / "w"))
    assert deeplens("status").code == 0
    assert deeplens("--workspace", tmp_path / "other", "status").code == 3


def test_the_current_folder_is_the_workspace_by_default(deeplens: Deeplens) -> None:
    assert deeplens("init").code == 0
    assert deeplens("status").code == 0
    assert Path("workspace.toml").is_file()


def test_tiers_are_those_of_the_schema(deeplens: Deeplens, indexed: Path) -> None:
    assert list(choices.ANY_TIER) == [str(tier) for tier in schemas.Tier]
    done = deeplens("--workspace", indexed, "pairs", "--tier", "coppy")
    assert done.code == 2
    assert "did you mean 'copy'?" in one_line(done.err)
    assert deeplens("--workspace", indexed, "duplicates", "--tier", "scene").code == 2


def broken(message: str = "a defect") -> None:
    raise ZeroDivisionError(message)


def test_a_defect_is_one_line_and_a_traceback_only_on_request(
    deeplens: Deeplens, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deeplens_kit.pipeline import findings

    monkeypatch.setattr(findings, "list_failures", lambda _workspace: broken("at sftp://anna:secret@host/x"))
    done = deeplens("--workspace", indexed, "failures")
    assert (done.code, done.out) == (EXIT_UNEXPECTED, "")
    assert "--verbose" in one_line(done.err)
    assert "secret" not in done.err
    done = deeplens("--verbose", "--workspace", indexed, "failures")
    assert done.code == EXIT_UNEXPECTED
    assert "Traceback" in done.err
    assert "in broken" in done.err
    assert "secret" not in done.err


def test_a_credential_that_was_read_is_shown_by_no_error(
    deeplens: Deeplens, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deeplens_kit.pipeline import findings
    from deeplens_kit.storage.credentials import resolve

    monkeypatch.setenv("ZQ_CLI_PASSWORD", "zqc/hunter 22")
    value = resolve("${ZQ_CLI_PASSWORD}")
    login = base64.b64encode(f"anna:{value}".encode()).decode()
    for error in (
        errors.LocationUnavailableError("pics", f"The server refused {value!r} and {login}."),
        ConnectionError(f"refused {value} at https://h/?q={quote(value)}"),
        errors.CredentialMissingError("${A}", f"not {value}", "set it"),
    ):

        def failing(_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(findings, "list_failures", failing)
        for words in ((), ("--verbose",), ("--log-format", "json")):
            done = deeplens(*words, "--workspace", indexed, "failures", "--json")
            assert done.code in {EXIT_UNEXPECTED, 2, 4}
            assert "***" in done.err
            assert_no_secret([], [done.out, done.err], [value])


@pytest.mark.parametrize(
    "error",
    [
        errors.LeaseHeldError("pics", "anna@host pid 7", 12),
        errors.LocationUnavailableError("pics", "It is not\nthere."),
        errors.StoreFullError("No space left."),
        errors.ModelUnavailableError("Not installed."),
        errors.Interrupted("Stopped."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_each_error_has_its_code(
    deeplens: Deeplens, indexed: Path, monkeypatch: pytest.MonkeyPatch, error: errors.DeepLensError
) -> None:
    from deeplens_kit.pipeline import findings

    def fail(_workspace: object) -> None:
        raise error

    monkeypatch.setattr(findings, "list_failures", fail)
    done = deeplens("--workspace", indexed, "failures", "--json")
    assert (done.code, done.out) == (error.exit_code, "")
    one_line(done.err)


def test_interrupting_an_answer_is_one_line(deeplens: Deeplens, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deeplens_kit.pipeline import findings

    for kind in (KeyboardInterrupt, typer.Abort):

        def fail(_workspace: object, kind: type[BaseException] = kind) -> None:
            raise kind

        monkeypatch.setattr(findings, "list_failures", fail)
        done = deeplens("--workspace", indexed, "failures")
        assert done.code == 130
        one_line(done.err)


def test_a_closed_pipe_is_quiet(indexed: Path) -> None:
    process = subprocess.Popen(
        command("--workspace", indexed, "pairs", "--json"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == EXIT_PIPE_CLOSED
    assert err == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device of Linux")
def test_a_full_disk_behind_the_answer_is_one_line(indexed: Path) -> None:
    with Path("/dev/full").open("w") as full:
        words = command("--workspace", indexed, "pairs", "--json")
        done = subprocess.run(words, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == errors.StoreFullError.exit_code
    assert "no space left" in one_line(done.stderr)


def test_an_ascii_terminal_does_not_end_the_command(indexed: Path) -> None:
    done = in_process("--workspace", indexed, "failures", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.code == 0, done.err
    assert done.out.isascii()


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, time; start = time.process_time(); from deeplens_kit.cli import main; code = main(['--help']);"
        "spent = time.process_time() - start;"
        "heavy = {'polars', 'numpy', 'sqlalchemy', 'lance', 'numba', 'structlog', 'jinja2', 'PIL'} & set(sys.modules);"
        "print(code, spent, *heavy, file=sys.stderr)"
    )
    spent = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
        )
        code_of, seconds, *heavy = done.stderr.split()
        assert (code_of, heavy) == ("0", [])
        spent.append(float(seconds))
    # CPU seconds, the best of three: what the command costs, not how busy the machine is.
    assert min(spent) < 0.6
