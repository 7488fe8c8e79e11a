"""Log lines: both forms, ids across threads and processes, libraries' lines, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
import multiprocessing
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest
import structlog

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.telemetry import (
    MASK,
    bound_context,
    carry_context,
    configure_logging,
    current_context,
    get_logger,
    register_secret,
)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, routes = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.configure(**routes)


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_bear_level_time_logger_and_ids() -> None:
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    with bound_context(run_id="r1", correlation_id="c1"):
        get_logger("deeplens.scan").info("scanned", objects=12)
    get_logger("deeplens.scan").info("after")
    first, second = _lines(stream)
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "scanned", "objects": 12, "level": "info", "logger": "deeplens.scan",
        "run_id": "r1", "correlation_id": "c1",
    }  # fmt: skip
    assert "run_id" not in second


def test_text_holds_event_values_and_ids_in_one_line() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    with bound_context(run_id="r1"):
        get_logger("deeplens").warning("file is gone", path="a b.jpg")
    (line,) = stream.getvalue().splitlines()
    assert "file is gone" in line and "path='a b.jpg'" in line and "run_id=r1" in line and "warning" in line
    assert "\x1b" not in line  # no colours into a file


def test_level_holds_for_ours_and_for_libraries() -> None:
    stream = io.StringIO()
    configure_logging(json=True, level="warning", stream=stream)
    get_logger("deeplens").info("quiet")
    logging.getLogger("somelib").info("quiet")
    logging.getLogger("somelib").warning("loud %d", 3)
    assert [line["event"] for line in _lines(stream)] == ["loud 3"]
    with pytest.raises(UnknownNameError, match="did you mean 'warning'"):
        configure_logging(level="warnin")  # type: ignore[arg-type]


def test_talkative_libraries_stay_quiet_at_debug() -> None:
    stream = io.StringIO()
    configure_logging(json=True, level="debug", stream=stream)
    logging.getLogger("numba.core.byteflow").debug("a line per byte code")
    logging.getLogger("urllib3.connectionpool").debug('"GET /pictures?sig=c2VjcmV0 HTTP/1.1" 200')
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").info("a line per header")
    get_logger("deeplens").debug("ours")
    assert [line["event"] for line in _lines(stream)] == ["ours"]


def test_configuring_again_replaces_and_does_not_double() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logging(json=True, stream=first)
    configure_logging(json=True, stream=second)
    get_logger("deeplens").info("once")
    assert first.getvalue() == ""
    assert len(_lines(second)) == 1


def test_without_a_stream_lines_follow_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging(json=True)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)  # as a progress bar does
    get_logger("deeplens").info("above the bar")
    assert _lines(stream)[0]["event"] == "above the bar"


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_in_values_texts_tracebacks_or_library_lines(as_json: bool) -> None:
    stream = io.StringIO()
    configure_logging(json=as_json, stream=stream)
    register_secret("vkx-hunter22")
    log = get_logger("deeplens")
    log.info("open", options={"secret": "hunter22-a"}, password="hunter22-b")
    log.info("GET https://h/x?X-Amz-Signature=hunter22-c")
    logging.getLogger("lib").error("cannot reach %s", "postgresql://u:hunter22-d@h/db")
    for write in (log.exception, logging.getLogger("lib").exception):
        try:
            raise ValueError("token=hunter22-e and vkx-hunter22")
        except ValueError:
            write("failed")
    shown = stream.getvalue()
    assert shown.count("ValueError: token=") == 2
    assert "hunter22" not in shown
    assert shown.count(MASK) >= 8


def test_warnings_become_lines() -> None:
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old option", stacklevel=1)
    assert "old option" in _lines(stream)[0]["event"]


def test_names_that_break_lines_stay_in_one_line() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    get_logger("deeplens").info("read", path="a\nerror fake.jpg", odd="\udcff")
    assert len(stream.getvalue().splitlines()) == 1


def _log_in_worker(number: int) -> dict[str, str]:
    get_logger("deeplens.worker").info("worked", number=number)
    return current_context()


def test_ids_reach_threads_and_do_not_leak() -> None:
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    with ThreadPoolExecutor(1) as pool:
        with bound_context(run_id="r7", correlation_id="c7"):
            seen = pool.submit(carry_context(_log_in_worker), 1).result()
        bare = pool.submit(_log_in_worker, 2).result()
    assert seen == {"run_id": "r7", "correlation_id": "c7"}
    assert bare == {}
    assert [line.get("run_id") for line in _lines(stream)] == ["r7", None]


def test_ids_logging_and_secrets_reach_a_spawned_process(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging(json=True)
    register_secret("ptq-hunter22")
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        bound_context(run_id="r8", correlation_id="c8"),
    ):
        seen = pool.submit(carry_context(_log_in_worker), 5).result()
        pool.submit(carry_context(_log_secret)).result()
    assert seen == {"run_id": "r8", "correlation_id": "c8"}
    worked, told = (json.loads(line) for line in capfd.readouterr().err.splitlines())
    assert worked["event"] == "worked" and worked["run_id"] == "r8" and worked["correlation_id"] == "c8"
    assert told["value"] == f"<{MASK}>"


def _log_secret() -> None:
    get_logger("deeplens.worker").info("told", value="<ptq-hunter22>")


def test_what_is_carried_does_not_print_secrets() -> None:
    register_secret("mmy-hunter22")
    assert "hunter22" not in repr(carry_context(_log_secret))


def test_without_a_set_up_it_behaves_as_a_library_and_leaves_standard_output_alone() -> None:
    script = (
        "from deeplens_kit.telemetry import get_logger\n"
        "log = get_logger('deeplens_kit.anything')\n"
        "log.info('unseen', path='a')\n"
        "log.warning('seen', path='b', password='hush-hush')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr.splitlines() == ["seen path=b password=***"]
