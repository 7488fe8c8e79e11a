"""What all tests share: a clean environment and the profile of hypothesis."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest_plugins = [
    "tests.servers.fixtures",
    "tests.leak_guard",
    "tests.remembered_migrations",
    "tests.features.tiny_clip",
    "tests.features.tiny_cnn",
]

# Machines of CI are slow and shared: a deadline per example would fail for reasons that are not the code's.
settings.register_profile("deeplens", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("deeplens")


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Ten thousand tests and all that they load stay: what looks for cycles would go through them time and again."""
    gc.disable()
    yield
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, _model_cache: Path) -> None:
    """Whoever runs the tests may have a workspace and models of their own, which no test may touch."""
    for name in ("DEEPLENS_WORKSPACE",):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DEEPLENS_MODEL_CACHE", str(_model_cache))


@pytest.fixture(scope="session")
def _model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all processes of a run: what is exported there is exported once."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "model_cache"


@pytest.fixture(autouse=True)
def _no_secrets_of_another_test() -> Iterator[None]:
    """What one test had masked must not be masked in the texts of the next."""
    from deeplens_kit.telemetry import redaction

    names = ("_values", "_registered", "_registered_base64")
    before = {name: getattr(redaction, name) for name in names}
    yield
    for name, values in before.items():
        setattr(redaction, name, values)


@pytest.fixture(autouse=True)
def _priority_of_before() -> Iterator[None]:
    """A command that steps back ends with its process; in the process of the tests it would slow down all others."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    yield
    if os.getpriority(os.PRIO_PROCESS, 0) != before:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, before)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Folder of the checkout."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, one for all: a process can start Playwright only once at a time."""
    chromium = shutil.which("chromium")
    if chromium is None:
        message = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("DEEPLENS_REQUIRE_SERVERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    api = pytest.importorskip("playwright.sync_api")
    # Of what changes at once; on a machine that does much else it takes longer than the usual five seconds.
    api.expect.set_options(timeout=20_000)
    with api.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        started = driver.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()
