"""A server of dashboards as a process of its own, and a browser's visit to it that forgives nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent.parent
_COMMAND = "import sys; from deeplens_kit.cli import main; sys.argv[0] = 'deeplens'; sys.exit(main())"
_READY = re.compile(r"Serving on (http://127\.0\.0\.1:\d+)/ \(Ctrl-C ends it\)")
# What a browser says when a page is left while pictures load; nobody misses them.
_ABORTED = "net::ERR_ABORTED"


@dataclass(frozen=True)
class Served:
    """A server: its address and what it has written to its log."""

    url: str
    log_file: Path
    process: subprocess.Popen[str]

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **changes}


@contextmanager
def serving(workspace: Path, folder: Path, port: int = 0) -> Iterator[Served]:
    """`deeplens serve` on a free port or on this one, until the block ends; Ctrl-C has to end it well."""
    log = folder / "serve.log"
    words = [sys.executable, "-c", _COMMAND, "--workspace", str(workspace), "serve", "--port", str(port), "--no-open"]
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=stream, text=True)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        ready = _READY.fullmatch(first.strip())
        assert ready, f"{first}{log.read_text(encoding='utf-8')}"
        yield Served(ready[1], log, process)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0, log.read_text(encoding="utf-8")
        assert rest == "Stopped.\n", f"{rest}{log.read_text(encoding='utf-8')}"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


@dataclass
class Visit:
    """A page that is open, and what went wrong on it."""

    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.url}{path}", wait_until="load")
        return self.page


@contextmanager
def visiting(browser: Browser, served: Served, width: int = 1440, height: int = 900, **options: Any) -> Iterator[Visit]:
    """Visit a server; what counts: errors on the console, requests that fail or go elsewhere, and in its log tracebacks
    and whatever BokehJS sends back that the server sent."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(20_000)
    visit = Visit(context.new_page(), served.url)
    before = len(served.log)
    page, wrong = visit.page, visit.wrong
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: wrong.append(asked.url) if not _is_own(asked.url, served.url) else None)
    page.on("requestfailed", lambda asked: wrong.append(f"{asked.url}: {asked.failure}") if _failed(asked) else None)
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    yield visit
    context.close()
    assert wrong == []
    log = served.log[before:]
    assert "Traceback" not in log, log
    assert "error" not in log.lower(), log
    assert "reference already known" not in log, log


def _is_own(url: str, own: str) -> bool:
    return url.startswith((f"{own}/", f"ws{own.removeprefix('http')}/", "data:", "blob:"))


def _failed(asked: Any) -> bool:
    return _ABORTED not in str(asked.failure)
