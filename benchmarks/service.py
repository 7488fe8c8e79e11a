"""What the API of a server takes for a request, and how many it answers, in a library of given size.

    python -m benchmarks.service [--scale N ...] [--workers N ...] [--seconds S] [--clients N] [--json]

A library is made as `benchmarks.search` makes it and served by `deeplens serve --only api`, with one worker and more.
Programs ask at the same time: for copies of pictures by id, for what is like them by their vectors, or like a vector
that they send, for copies of photographs that they send, and for thumbnails. Answers are not kept: each is made.
Clients ask from this very machine and share its cores, so beside the requests of a second there stands what the server
itself took of a core for each (`cpu_ms`), and how many a second that is if one core does nothing else (`core_rate`).
`wrk` asks where it is installed; else, and for uploads, threads of this process do.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks import search
from benchmarks.report import Report, print_report
from deeplens_kit.pipeline import Workspace

__all__ = ["Kind", "main", "measure"]

SEED = 20_261_130
SCALES = (10_000, 100_000)
WORKERS = (1, 2, 4)
CLIENTS = 10
SECONDS = 10.0

UPLOAD_P95_MS, BY_ID_P95_MS, BY_ID_RATE, LINEAR = 300.0, 60.0, 200.0, 0.8
"""The figures to reach: of an upload and of a search by id, requests a second, and the share of the rate of one worker
that each of several has, up to the cores."""

_COMMAND = "import sys; from deeplens_kit.cli import main; sys.exit(main())"
_WARM_SECONDS = 2.0
# Of one core, and how long at most it is waited for.
_IDLE_SHARE, _REST_SECONDS = 0.1, 180.0
_IDS = 20_000
_VECTORS = 1_000  # given as numbers; the rest are named by an id
_SEARCH = "/api/v1/search/similarity"
_BOUNDARY = "one-picture"
_JSON = {"content-type": "application/json"}

# Every thread of wrk begins elsewhere among what is asked, and each goes on from there.
_SCRIPT = """
local requests, at, step, threads = {}, 0, 1, {}
for line in io.lines(arg_file) do requests[#requests + 1] = line end
function setup(thread) thread:set("first", #threads); threads[#threads + 1] = thread end
function init(args) at = first + tonumber(args[1]); step = tonumber(args[2]) end
function request()
  at = at + step
  local method, path, body = requests[at % #requests + 1]:match("^(%S+) (%S+) ?(.*)$")
  return wrk.format(method, path, {["content-type"] = "application/json"}, body)
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("FIGURES %d %d %f %f %f %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request.

    Attributes:
        name: What to call it.
        requests: Method, path and body of each.
        headers: Of all of them.
    """

    name: str
    requests: Sequence[tuple[str, str, bytes]]
    headers: dict[str, str]


@dataclass
class Load:
    """What came of a load.

    Attributes:
        answered: Answered with a status below 400.
        errors: Not answered, or with another status.
        seconds: How long it was.
        milliseconds: p50, p95 and p99 of a request.
    """

    answered: int
    errors: int
    seconds: float
    milliseconds: dict[str, float] = field(default_factory=dict)


def measure(
    scales: Sequence[int],
    workers: Sequence[int],
    seconds: float,
    clients: int = CLIENTS,
    seed: int = SEED,
    *,
    photographs: int = 8,
) -> Report:
    """Measure a server at each number of pictures and workers.

    Args:
        scales: Pictures of the library.
        workers: Processes that answer.
        seconds: Of each load.
        clients: That ask at the same time.
        seed: Of the library and of what is asked.
        photographs: Whose copies are sent, up to eight.
    """
    report = Report("service", seed)
    report.figures["asked_by"] = "wrk" if shutil.which("wrk") else "threads"
    for scale in scales:
        with tempfile.TemporaryDirectory(prefix="deeplens-service-") as name:
            folder = Path(name)
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                pool.submit(search.make_workspace, folder, scale, seed, photographs).result()
            # Each answer is to be made: the copies of a few photographs are asked for again and again.
            with (folder / "workspace" / "workspace.toml").open("a", encoding="utf-8") as settings:
                settings.write('\n[search]\nresult_cache = ""\n')
            kinds = _kinds(folder, seed, photographs)
            alone: dict[str, float] = {}
            for count in workers:
                with _served(folder, count) as (port, process):
                    _come_to_rest(kinds[0], port, process, clients)
                    for kind in kinds:
                        _loaded(kind, port, min(seconds, _WARM_SECONDS), clients)
                        row = _row(kind, port, process, seconds, clients)
                        row["ratio"] = _ratio(alone, kind.name, row, count)
                        report.add(pictures=scale, workers=count, kind=kind.name, **row)
    report.figures["reached"] = _reached(report.rows)
    return report


def _kinds(folder: Path, seed: int, photographs: int) -> list[Kind]:
    """What is asked, in an order of its own."""
    random = np.random.default_rng(seed + 3)
    with Workspace.open(folder / "workspace") as workspace:
        rows = workspace.catalog.pictures(columns=["digest", "run_id"])
        made = rows.filter(rows["run_id"] == "made")["digest"]
        real = rows.filter(rows["run_id"] != "made")["digest"].to_list()
        chosen = made.gather(random.permutation(len(made))[:_IDS]).to_list()
        (spec,) = (spec for spec in workspace.catalog.vector_specs() if spec.kind == "vector")
        _, vectors = workspace.catalog.vectors(spec, chosen[:_VECTORS])

    def asked(**more: object) -> list[tuple[str, str, bytes]]:
        bodies = (json.dumps({"image_id": digest, "max_results": 10, **more}) for digest in chosen)
        return [("POST", _SEARCH, body.encode()) for body in bodies]

    copies = [content for _, content in search._queries(search._COPIES, photographs)]
    form = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
    thumbnails = [f"/api/v1/thumbnails/{digest}?size={size}" for digest in real for size in (150, 300)]
    return [
        Kind("by_id", asked(), _JSON),
        Kind("by_vector", asked(search_by="likeness"), _JSON),
        Kind("by_given_vector", [("POST", _SEARCH, _given(spec.name, vector)) for vector in vectors], _JSON),
        Kind("upload", [("POST", _SEARCH, _form(content, number)) for number, content in enumerate(copies)], form),
        Kind("thumbnail", [("GET", path, b"") for path in thumbnails], {}),
    ]


def _given(feature: str, vector: np.ndarray) -> bytes:
    return json.dumps({"feature": feature, "vector": vector.tolist(), "max_results": 10}).encode()


def _form(content: bytes, number: int) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="copy-{number}.jpg"\r\n'
    end = f"\r\n--{_BOUNDARY}--\r\n"
    return f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + content + end.encode()


@contextmanager
def _served(folder: Path, workers: int) -> Iterator[tuple[int, psutil.Process]]:
    """The port of the API, and the process that looks after its workers."""
    words = [sys.executable, "-c", _COMMAND, "--workspace", str(folder / "workspace"), "serve", "--no-open"]
    words += ["--port", "0", "--only", "api", "--workers", str(workers), "--job-workers", "0"]
    with (folder / "serve.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        ready = re.search(r":(\d+)/", process.stdout.readline())
        if ready is None:
            raise RuntimeError((folder / "serve.log").read_text(encoding="utf-8"))
        yield int(ready[1]), psutil.Process(process.pid)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _come_to_rest(kind: Kind, port: int, process: psutil.Process, clients: int) -> None:
    """Until what the first searches have made beside them is there: the groups of all pictures, once in each worker."""
    _loaded(kind, port, _WARM_SECONDS, clients)
    end = time.monotonic() + _REST_SECONDS
    while time.monotonic() < end:
        before = _cpu_seconds(process)
        time.sleep(1.0)
        if _cpu_seconds(process) - before < _IDLE_SHARE:
            return


def _row(kind: Kind, port: int, process: psutil.Process, seconds: float, clients: int) -> dict[str, object]:
    before = _cpu_seconds(process)
    load = _loaded(kind, port, seconds, clients)
    spent = _cpu_seconds(process) - before
    cpu_ms = 1000 * spent / max(1, load.answered)
    return {
        "ms": load.milliseconds,
        "rate": round(load.answered / load.seconds, 1),
        "errors": load.errors,
        "cpu_ms": round(cpu_ms, 2),
        "core_rate": round(1000 / cpu_ms, 1) if cpu_ms else 0.0,
        "worker_mib": round(max(_memory_mib(child) for child in process.children()), 1),
    }


def _ratio(alone: dict[str, float], name: str, row: dict[str, object], workers: int) -> float:
    """The rate as a share of that of one worker for each that can have a core."""
    rate = float(row["rate"])  # type: ignore[arg-type]
    alone.setdefault(name, rate / workers)
    cores = len(os.sched_getaffinity(0))
    return round(rate / max(1e-9, alone[name] * min(workers, cores)), 2)


def _reached(rows: Sequence[dict[str, object]]) -> dict[str, bool]:
    """Whether the figures to reach are, by all rows that tell of them."""

    def every(kind: str, good: Callable[[dict[str, object]], bool]) -> bool:
        return all(good(row) for row in rows if row["kind"] == kind)

    def p95(row: dict[str, object]) -> float:
        return float(row["ms"]["p95"])  # type: ignore[index]

    return {
        "upload_p95": every("upload", lambda row: p95(row) < UPLOAD_P95_MS),
        "by_id_p95": every("by_id", lambda row: p95(row) < BY_ID_P95_MS),
        "by_id_rate": every("by_id", lambda row: row["rate"] >= BY_ID_RATE),  # type: ignore[operator]
        "linear": every("by_id", lambda row: row["ratio"] >= LINEAR),  # type: ignore[operator]
        "no_errors": all(row["errors"] == 0 for row in rows),
    }


def _cpu_seconds(process: psutil.Process) -> float:
    """Of a server with its workers, which live on."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def _memory_mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


# --- Who asks --------------------------------------------------------------------------------------------------


def _loaded(kind: Kind, port: int, seconds: float, clients: int) -> Load:
    # wrk speaks plain text: bodies that are pictures are not for it.
    with_wrk = shutil.which("wrk") is not None and kind.name != "upload"
    return (_by_wrk if with_wrk else _by_threads)(kind, port, seconds, clients)


def _by_wrk(kind: Kind, port: int, seconds: float, clients: int) -> Load:
    with tempfile.TemporaryDirectory() as name:
        asked, script = Path(name) / "requests", Path(name) / "script.lua"
        asked.write_text(
            "".join(f"{method} {path} {body.decode()}\n" for method, path, body in kind.requests), encoding="utf-8"
        )
        script.write_text(_SCRIPT.replace("arg_file", json.dumps(str(asked))), encoding="utf-8")
        first = np.random.default_rng().integers(0, len(kind.requests))
        words = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(script)]
        done = subprocess.run(
            [*words, f"http://127.0.0.1:{port}", "--", str(first), "1"], capture_output=True, text=True, check=True
        )
    return figures_of_wrk(done.stdout)


def figures_of_wrk(said: str) -> Load:
    """What the script had wrk say in the end; times are in microseconds."""
    (line,) = (line for line in said.splitlines() if line.startswith("FIGURES "))
    requests, duration, *spread, errors = (float(word) for word in line.split()[1:])
    names = ("p50", "p95", "p99")
    milliseconds = {name: round(value / 1000, 2) for name, value in zip(names, spread, strict=True)}
    return Load(int(requests - errors), int(errors), duration / 1e6, milliseconds)


def _by_threads(kind: Kind, port: int, seconds: float, clients: int) -> Load:
    numbers = itertools.count(int(np.random.default_rng().integers(0, len(kind.requests))))
    taken: list[float] = []
    wrong: list[int] = []
    began = time.perf_counter()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.perf_counter() - began < seconds:
            method, path, body = kind.requests[next(numbers) % len(kind.requests)]
            started = time.perf_counter()
            try:
                connection.request(method, path, body or None, kind.headers)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 599
            if status < 400:
                taken.append(time.perf_counter() - started)
            else:
                wrong.append(status)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    return Load(len(taken), len(wrong), elapsed, search._milliseconds(taken) if taken else {})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, nargs="+", default=list(SCALES), help="numbers of pictures")
    parser.add_argument("--workers", type=int, nargs="+", default=list(WORKERS), help="processes that answer")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each load")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="that ask at the same time")
    parser.add_argument("--photographs", type=int, default=8, help="whose copies are sent, up to eight")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    report = measure(given.scale, given.workers, given.seconds, given.clients, photographs=given.photographs)
    print_report(report, as_json=given.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
