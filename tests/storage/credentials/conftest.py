"""What the tests of credentials share: the log as lines, with the logging put back as it was."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from deeplens_kit.telemetry import configure_logging


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, as JSON lines."""
    root = logging.getLogger()
    handlers, level, routes = list(root.handlers), root.level, structlog.get_config()
    stream = io.StringIO()
    configure_logging(json=True, level="debug", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.configure(**routes)
