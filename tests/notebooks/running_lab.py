"""A real JupyterLab on a free port of this machine, and a notebook in it as a person sees it.

Takes a folder of notebooks and an environment, gives the pages of a browser; the settings of whoever runs the tests
are neither read nor changed, and nothing outside this machine is asked for anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_SETTINGS = {
    # Every cell is in the page, also what is scrolled away.
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {
        "windowingMode": "none",
        "autoStartDefaultKernel": True,
    },
    "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings": {"autosave": False},
}
_NO_NEWS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Lab:
    """A running JupyterLab.

    Attributes:
        url: With a slash at its end.
        token: That it asks for.
        log: What it and its kernels write.
    """

    url: str
    token: str
    log: Path


@contextmanager
def running_lab(folder: Path, home: Path, environment: Mapping[str, str]) -> Iterator[Lab]:
    """Start JupyterLab over a folder; it ends, with its kernels, at the end.

    Args:
        folder: With the notebooks.
        home: An empty folder for everything that JupyterLab keeps.
        environment: Of the kernels, besides that of this process.
    """
    for name, content in _SETTINGS.items():
        _write(home / "user-settings" / name, content)
    _write(home / "config" / "labconfig" / "page_config.json", _NO_NEWS)
    log = home / "log.txt"
    runtime = home / "runtime"
    own = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": runtime,
        "JUPYTERLAB_SETTINGS_DIR": home / "user-settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
    }
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += ["--ServerApp.port=0", f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True"]
    command += [
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with log.open("wb") as stream:
        server = subprocess.Popen(
            command,
            env={**os.environ, **{key: str(value) for key, value in own.items()}, **environment},
            cwd=folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        info = wait_for(lambda: _started(runtime, server), _START_SECONDS, lambda: log.read_text(errors="replace"))
        yield Lab(info["url"], info["token"], log)
    finally:
        server.terminate()
        server.wait(30)


def wait_for(condition: Callable[[], Any], seconds: float, otherwise: Callable[[], str]) -> Any:
    """What a condition gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while not (given := condition()):
        assert time.monotonic() < end, otherwise()
        time.sleep(0.05)
    return given


def _started(runtime: Path, server: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    assert server.poll() is None, "JupyterLab ended"
    for file in runtime.glob("jpserver-*.json"):
        try:
            info: dict[str, Any] = json.loads(file.read_text())
        except ValueError:
            return None  # being written
        return info
    return None


def _write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


@dataclass
class Sheet:
    """A notebook opened in JupyterLab.

    Attributes:
        page: The browser's page.
        refused: Addresses outside this machine that the page asked for; none was answered.
        said: Errors of the page's console.
    """

    page: Page
    refused: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def run_all(self, seconds: float = 120) -> None:
        """Run every cell and wait until the last is done."""
        self.page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.settled(seconds)

    def settled(self, seconds: float = 120) -> None:
        """Wait until no cell runs and each has its number."""
        self.page.wait_for_function(
            """() => { const prompts = [...document.querySelectorAll(
              '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputPrompt')];
              return prompts.length && prompts.every(p => /^\\[\\d+\\]:$/.test(p.textContent.trim())); }""",
            timeout=seconds * 1000,
        )

    def errors(self) -> list[str]:
        """Text of every error in an output."""
        return self.page.locator(
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error'], "
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']"
        ).all_inner_texts()


@contextmanager
def opened_sheet(browser: Browser, lab: Lab, name: str, *, width: int = 1440, height: int = 900) -> Iterator[Sheet]:
    """Open a notebook of the lab in a fresh browser profile, its kernel started."""
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    sheet = Sheet(page)

    def guard(route: Any) -> None:
        if route.request.url.startswith((lab.url, "data:", "blob:")):
            route.continue_()
        else:
            sheet.refused.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    page.on("console", lambda message: sheet.said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: sheet.said.append(str(error)))
    page.goto(f"{lab.url}doc/tree/{name}?reset&token={lab.token}")
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.locator(".jp-NotebookPanel .jp-CodeCell").first.wait_for(timeout=60_000)
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=60_000,
    )
    try:
        yield sheet
    finally:
        context.close()
