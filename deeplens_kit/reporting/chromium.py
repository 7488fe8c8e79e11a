"""A page as PDF, printed by the Chromium or Chrome that is installed.

Takes a page that needs nothing else, gives a PDF of A4 pages; must not fetch anything: no network, no profile of the
user's, no script. Without such a browser it says which one to install.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from deeplens_kit.errors import ReportError, SettingsError
from deeplens_kit.telemetry.redaction import redact

__all__ = ["BROWSER_VARIABLE", "find_chromium", "print_page"]

BROWSER_VARIABLE = "DEEPLENS_CHROMIUM"
"""The environment variable that names the browser where it is not found by itself."""

_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "microsoft-edge-stable",
    "chrome-headless-shell",
)
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# A page of 1,000 groups with their pictures takes one minute on two cores.
_PRINT_SECONDS = 300
_OPTIONS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pdf-header-footer",
    # Nothing outside is found, should a page ever ask for it.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def find_chromium() -> Path:
    """The browser that prints.

    Raises:
        SettingsError: There is none, or the variable `DEEPLENS_CHROMIUM` names none.
    """
    named = os.environ.get(BROWSER_VARIABLE, "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise SettingsError(f"{BROWSER_VARIABLE} is {named!r}, which is no program; name Chromium or Chrome.")
        return Path(found)
    for name in (*_NAMES, *_PLACES):
        if (found := shutil.which(name)) is not None:
            return Path(found)
    raise SettingsError(
        "A PDF is printed by Chromium or Chrome, and none is installed here; install one (`apt-get install chromium`), "
        f"name it in {BROWSER_VARIABLE}, or leave out --pdf: the page prints well from any browser."
    )


def print_page(page: Path, folder: Path) -> bytes:
    """Print a page.

    Args:
        page: HTML that loads nothing from elsewhere.
        folder: Empty, for what the browser writes.

    Returns:
        The PDF.

    Raises:
        SettingsError: There is no such browser.
        ReportError: It did not print.
    """
    browser = find_chromium()
    target = folder / "page.pdf"
    options = [*_OPTIONS, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={target}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Chromium has no sandbox for root; the page runs no script and loads nothing.
        options.append("--no-sandbox")
    # A start script may keep its own files in the home folder.
    environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    process = subprocess.Popen(
        [str(browser), *options, page.as_uri()],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # The browser is several processes, which end together.
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=_PRINT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ReportError(
            f"The PDF was not made: {browser.name} took longer than {_PRINT_SECONDS} s; show fewer groups "
            "(--param max_groups=20), or leave out --pdf."
        ) from error
    finally:
        _end(process)
    content = target.read_bytes() if target.is_file() else b""
    if not content.startswith(b"%PDF"):
        words = said.decode("utf-8", "replace").strip().splitlines()
        last = redact(words[-1]) if words else f"it ended with {process.returncode}"
        raise ReportError(f"The PDF was not made: {browser.name} did not print ({last}); leave out --pdf to go on.")
    return content


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
