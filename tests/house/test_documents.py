"""Links in the documents lead somewhere, the commands exist, and those of the guides run as they are written."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from deeplens_kit import errors
from deeplens_kit.cli import main
from deeplens_kit.cli.boundary import EXIT_PIPE_CLOSED, EXIT_UNEXPECTED

_ROOT = Path(__file__).parent.parent.parent
_DOCUMENTS = sorted(
    path.relative_to(_ROOT).as_posix()
    for path in (*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md"), *_ROOT.glob("data/*.md"))
)
_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
Deeplens = Callable[[list[str]], tuple[int, str, str]]


def _text(document: str) -> str:
    return (_ROOT / document).read_text(encoding="utf-8")


def _commands(document: str) -> list[list[str]]:
    # A line that ends in a backslash goes on in the next.
    lines = "".join(_CONSOLE.findall(_text(document))).replace("\\\n", " ").splitlines()
    return [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if line.strip()]


def _said(program: str, documents: list[str] = _DOCUMENTS) -> set[tuple[str, ...]]:
    """Every command of a program in a code block or in backquotes, as the words before options and values."""
    found = set()
    for document in documents:
        inline = [shlex.split(item) for item in re.findall(rf"`({program} [^`]*)`", _text(document))]
        found |= {tuple(command[1:]) for command in [*_commands(document), *inline] if command[0] == program}
    return found


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_links_lead_to_files_and_headings(document: str) -> None:
    for target in _LINK.findall(_text(document)):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = (_ROOT / document).parent / name if name else _ROOT / document
        assert path.exists(), f"{document} links to {target}"
        if anchor:
            anchors = {
                re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in _HEADING.findall(path.read_text())
            }
            assert anchor in anchors, f"{document} links to {target}"


def test_every_make_target_that_is_told_of_exists() -> None:
    told = {word for words in _said("make") for word in words if "=" not in word}
    assert {"demo", "test"} <= told
    makefile = (_ROOT / "Makefile").read_text(encoding="utf-8")
    for target in told:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.fixture
def deeplens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Deeplens]:
    """Runs a command in this process, which has loaded what each would load: exit code, output and complaints."""
    monkeypatch.setenv("NO_COLOR", "1")
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)

    def run(words: list[str]) -> tuple[int, str, str]:
        code = main(words)
        return code, *capsys.readouterr()

    yield run
    logging.captureWarnings(False)
    root.setLevel(level)
    root.handlers[:] = handlers


def test_every_deeplens_command_that_is_told_of_exists(deeplens: Deeplens, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--help` after the words of a command ends with 0, and lists each option that the documents use with it."""
    monkeypatch.setenv("COLUMNS", "200")
    groups = {
        "locations": 2,
        "catalog": 2,
        "models": 2,
        "prices": 2,
        "report": 2,
        "schedule": 2,
        "searches": 2,
        "decide": 2,
        "rules": 2,
        "plan": 2,
        "references": 2,
        "quarantine": 2,
        "label": 2,
        "holds": 2,
        "keys": 2,
        "users": 2,
        "workflows": 2,
        "retention": 2,
        "kept-out": 2,
        "jobs": 2,
    }
    # Of groups that are commands themselves.
    own = {("failures", "retry"), ("collections", "add"), ("clusters", "show")}
    own |= {("audit", "verify"), ("audit", "head"), *(("backup", name) for name in ("make", "list", "verify", "prune"))}
    options: dict[tuple[str, ...], set[str]] = {}
    for words in _said("deeplens"):
        command = words[:2] if tuple(words[:2]) in own else words[: groups.get(words[0], 1)]
        options.setdefault(command, set()).update(word for word in words if word.startswith("--"))
    assert {("index",), ("duplicates",), ("locations", "add"), ("catalog", "digest")} <= set(options)
    for command, used in options.items():
        code, out, err = deeplens([*command, "--help"])
        assert code == 0, f"deeplens {' '.join(command)}: {err}"
        shown = set(re.findall(r"--[a-z][a-z-]*", out))
        assert used <= shown, f"deeplens {' '.join(command)}"


def test_every_exit_code_is_told() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", _text("docs/cli.md"), re.MULTILINE)}
    kinds = [
        item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, errors.DeepLensError)
    ]
    assert told == {0, EXIT_UNEXPECTED, EXIT_PIPE_CLOSED, *(kind.exit_code for kind in kinds)}


@pytest.mark.slow
@pytest.mark.parametrize("document", ["README.md", "docs/user-guide.md"])
def test_the_deeplens_commands_run_as_they_are_written(
    document: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deeplens: Deeplens,
) -> None:
    (tmp_path / "pictures").mkdir()
    photograph = Image.fromarray(skimage.data.coffee())
    photograph.save(tmp_path / "pictures" / "original.png")
    photograph.save(tmp_path / "a.jpg", quality=90)
    photograph.resize((300, 200)).save(tmp_path / "b.jpg")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "pictures" / name).write_bytes((tmp_path / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    ran = 0
    for command in _commands(document):
        if command[0] == "export":
            for item in command[1:]:
                monkeypatch.setenv(*item.split("=", 1))
        if command[0] == "mkdir":
            (tmp_path / command[1]).mkdir()
        if command[0] != "deeplens":
            continue
        code, out, err = deeplens(command[1:])
        assert code == 0, f"{shlex.join(command)}\n{out}{err}"
        assert "Traceback" not in err
        ran += 1
    assert ran >= 7
    assert "original.png" in (tmp_path / "duplicates.html").read_text(encoding="utf-8")
