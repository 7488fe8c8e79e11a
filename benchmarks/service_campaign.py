"""A mixed load on a server whose workers are killed and whose database is started anew: what is answered, what is lost.

    python -m benchmarks.service_campaign --seconds 600 --json

`deeplens serve` with two workers of the API, one of jobs and a ledger in PostgreSQL. Clients search by upload and id,
fetch thumbnails and figures, make collections under an idempotency key, ask for scans, and open pages. Every twenty
seconds a worker is killed, of the API and of jobs in turn; once, half way, the database is stopped and started. Whoever
is not answered asks again, as a program would, and each try counts. In the end every collection that a client was told
of is there once, and every job has ended well.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import io
import itertools
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import websockets.sync.client
from PIL import Image, ImageFilter

from benchmarks.report import Report, print_report
from deeplens_kit.ledger import JobState
from deeplens_kit.pipeline import Workspace, add_location, index
from tests.servers import postgres

_COMMAND = "import sys; from deeplens_kit.cli import main; sys.exit(main())"
_CLIENTS = 6
_ANSWERED_RIGHT = {200, 201, 202, 304}
_TRIES = 8
_SETTLE_SECONDS = 120.0
# What is asked how often, of a hundred.
_MIX = {"id": 38, "thumbnail": 24, "upload": 14, "figures": 10, "collection": 8, "scan": 2, "page": 4}


@dataclass
class Tally:
    """What became of the tries of all clients."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, outcome: str, seconds: float) -> None:
        """Count a try."""
        with self.lock:
            self.outcomes[outcome] += 1
            if outcome == "right":
                self.seconds.setdefault(kind, []).append(seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service_campaign", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="of load (default: %(default)s)")
    parser.add_argument("--kill-every", type=float, default=20.0, help="seconds between kills (default: %(default)s)")
    parser.add_argument("--pictures", type=int, default=200, help="in the workspace (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    report = Report("service_campaign", 0)
    with tempfile.TemporaryDirectory(prefix="deeplens-service-") as name, postgres.running(Path(name) / "pg") as server:
        folder = Path(name)
        digests = _prepare(folder, server.url, options.pictures)
        with _served(folder) as (pages, api, process):
            tally, samples = _campaign(server, process, pages, api, folder, digests, options)
        with Workspace.open(folder / "workspace") as workspace:
            _settle(report, workspace, tally)
    _tell(report, tally, samples)
    print_report(report, as_json=options.json)
    return 0 if report.figures["passed"] else 1


def _prepare(folder: Path, ledger_url: str, pictures: int) -> list[str]:
    """A workspace over made-up pictures; gives their digests."""
    generator = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(pictures):
        noise = Image.fromarray(generator.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        picture = noise.resize((640, 480), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2))
        picture.save(folder / "pictures" / f"{number:04}.jpg", quality=85)
    with Workspace.create(folder / "workspace", ledger_url=ledger_url) as workspace:
        add_location(workspace, "pictures", str(folder / "pictures"))
        index(workspace)
        return [str(digest) for digest in workspace.catalog.pictures(columns=["digest"])["digest"]]


@contextmanager
def _served(folder: Path) -> Iterator[tuple[int, int, psutil.Process]]:
    """The ports of the pages and of the API, and the process that looks after the others."""
    words = [sys.executable, "-c", _COMMAND, "--workspace", str(folder / "workspace"), "serve", "--no-open"]
    words += ["--port", "0", "--workers", "2", "--job-workers", "1"]
    with (folder / "serve.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        ready = re.search(r":(\d+)/", process.stdout.readline())
        if ready is None:
            raise RuntimeError((folder / "serve.log").read_text(encoding="utf-8"))
        pages, watched = int(ready[1]), psutil.Process(process.pid)
        listening = {one.laddr.port for one in watched.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
        (api,) = listening - {pages}
        yield pages, api, watched
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)
        if process.returncode:
            raise RuntimeError(f"the server ended with {process.returncode}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _campaign(
    server: postgres.PostgresServer,
    process: psutil.Process,
    pages: int,
    api: int,
    folder: Path,
    digests: list[str],
    options: argparse.Namespace,
) -> tuple[Tally, list[dict[str, float]]]:
    tally, stop = Tally(), threading.Event()
    queries = [path.read_bytes() for path in sorted((folder / "pictures").glob("*.jpg"))[:20]]
    clients = [_Client(number, api, pages, digests, queries, tally, stop) for number in range(_CLIENTS)]
    samples: list[dict[str, float]] = []
    began, restarted, kills = time.monotonic(), False, 0
    for client in clients:
        client.start()
    pause = min(options.kill_every, 5.0)
    while (gone := time.monotonic() - began) < options.seconds:
        samples.append({"seconds": round(gone, 1), **_sample(process)})
        stop.wait(min(pause, options.seconds - gone))
        if time.monotonic() - began >= (kills + 1) * options.kill_every:
            _kill(process, ("api_process", "worker_process")[kills % 2])
            kills += 1
        if not restarted and time.monotonic() - began > options.seconds / 2:
            server.restart()
            restarted = True
    stop.set()
    for client in clients:
        client.join(60)
    samples.append({"seconds": round(time.monotonic() - began, 1), **_sample(process)})
    tally.outcomes["kills"] = kills
    return tally, samples


def _kill(process: psutil.Process, kind: str) -> None:
    of_kind = [child for child in process.children() if any(kind in word for word in child.cmdline())]
    if of_kind:
        random.Random(0).choice(of_kind).kill()


def _sample(process: psutil.Process) -> dict[str, float]:
    """Of the process with the pages, which lives as long as the server."""
    return {
        "memory_mib": round(process.memory_info().rss / 2**20, 1),
        "files": process.num_fds(),
        "threads": process.num_threads(),
        "processes": len(process.children(recursive=True)),
    }


class _Client(threading.Thread):
    """Somebody who asks one thing after another, each until it is answered."""

    def __init__(
        self,
        number: int,
        api: int,
        pages: int,
        digests: list[str],
        queries: list[bytes],
        tally: Tally,
        stop: threading.Event,
    ) -> None:
        super().__init__(name=f"client {number}", daemon=True)
        self._number, self._api, self._pages = number, api, pages
        self._digests, self._queries, self._tally, self._stopped = digests, queries, tally, stop
        self._chance = random.Random(number)
        self._connection = http.client.HTTPConnection("127.0.0.1", api, timeout=30)

    def run(self) -> None:
        """Ask until it is enough."""
        kinds, weights = list(_MIX), list(_MIX.values())
        for turn in itertools.count():
            if self._stopped.is_set():
                break
            kind = self._chance.choices(kinds, weights)[0]
            self._until_answered(kind, getattr(self, f"_{kind}"), turn)
        self._connection.close()

    def _until_answered(self, kind: str, act: Callable[[int], str], turn: int) -> None:
        for tries in range(_TRIES):
            began = time.perf_counter()
            try:
                outcome = act(turn)
            except (OSError, http.client.HTTPException, websockets.exceptions.WebSocketException):
                outcome = "broken connection"
                self._connection.close()
            self._tally.add(kind, outcome, time.perf_counter() - began)
            if outcome == "right":
                return
            self._stopped.wait(0.2 * 2**tries) if not self._stopped.is_set() else time.sleep(0.2 * 2**tries)
        with self._tally.lock:
            self._tally.unanswered.append(kind)

    # --- What is asked -----------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None
        if body is not None:
            content, named = json.dumps(body), {"content-type": "application/json", **named}
        self._connection.request(method, path, content, named)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _outcome(self, status: int, is_right: bool) -> str:
        if status in (409, 429, 503):
            return str(status)
        if status in _ANSWERED_RIGHT and is_right:
            return "right"
        with self._tally.lock:
            self._tally.wrong.append(str(status))
        return f"wrong: {status}"

    def _search(self, body: dict[str, object], wanted: str) -> str:
        status, answer = self._ask("POST", "/api/v1/search/similarity", {**body, "max_results": 5})
        found = json.loads(answer).get("results", []) if status == 200 else []
        return self._outcome(status, bool(found) and found[0]["picture_id"] == wanted)

    def _id(self, turn: int) -> str:
        digest = self._digests[turn % len(self._digests)]
        return self._search({"image_id": digest}, digest)

    def _upload(self, turn: int) -> str:
        content = self._queries[turn % len(self._queries)]
        return self._search({"image_base64": base64.b64encode(content).decode()}, hashlib.sha256(content).hexdigest())

    def _thumbnail(self, turn: int) -> str:
        digest = self._digests[turn % len(self._digests)]
        status, answer = self._ask("GET", f"/api/v1/thumbnails/{digest}?size=small")
        return self._outcome(status, status == 200 and Image.open(io.BytesIO(answer)).format == "WEBP")

    def _figures(self, _turn: int) -> str:
        status, _ = self._ask("GET", "/api/v1/stats/overview")
        return self._outcome(status, True)

    def _collection(self, turn: int) -> str:
        name = f"c-{self._number}-{turn}"
        status, answer = self._ask("POST", "/api/v1/collections", {"collection_id": name}, idempotency_key=name)
        outcome = self._outcome(status, status == 201 and json.loads(answer)["collection_id"] == name)
        if outcome == "right":
            with self._tally.lock:
                self._tally.made.append(name)
        return outcome

    def _scan(self, turn: int) -> str:
        key = f"s-{self._number}-{turn}"
        status, answer = self._ask("POST", "/api/v1/index/scan", {}, idempotency_key=key)
        outcome = self._outcome(status, status == 202)
        if outcome == "right":
            with self._tally.lock:
                self._tally.jobs.append(json.loads(answer)["job_id"])
        return outcome

    def _page(self, _turn: int) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._pages, timeout=30)
        try:
            connection.request("GET", "/search")
            answer = connection.getresponse()
            token = re.search(rb'"token":"([^"]+)"', answer.read())
        finally:
            connection.close()
        if token is None:
            return self._outcome(answer.status, False)
        with websockets.sync.client.connect(
            f"ws://127.0.0.1:{self._pages}/search/ws",
            origin=f"http://127.0.0.1:{self._pages}",  # type: ignore[arg-type]
            subprotocols=["bokeh", token[1].decode()],  # type: ignore[list-item]
            max_size=None,
        ) as page:
            return self._outcome(answer.status, "ACK" in str(page.recv(timeout=30)))


def _settle(report: Report, workspace: Workspace, tally: Tally) -> None:
    """Do what jobs are left, and hold what was promised against what is there."""
    from deeplens_kit.service.jobs.worker import run_worker

    run_worker(workspace.directory, until_idle=True)
    names = Counter(collection.name for collection in workspace.ledger.collections())
    states = Counter(str(workspace.ledger.job(job_id).state) for job_id in set(tally.jobs))
    report.figures["collections_told"] = len(tally.made)
    report.figures["collections_lost"] = sum(names[name] == 0 for name in tally.made)
    report.figures["collections_twice"] = sum(count > 1 for count in names.values())
    report.figures["jobs_told"] = len(set(tally.jobs))
    report.figures["jobs_not_done"] = sum(count for state, count in states.items() if state != JobState.DONE)


def _tell(report: Report, tally: Tally, samples: list[dict[str, float]]) -> None:
    kills = tally.outcomes.pop("kills")
    tries = sum(tally.outcomes.values())
    for outcome, count in tally.outcomes.most_common():
        report.add(outcome=outcome, tries=count, share=round(count / tries, 5))
    for kind, seconds in sorted(tally.seconds.items()):
        low, high = np.percentile(seconds, [50, 95]) * 1000
        report.add(outcome=f"right: {kind}", tries=len(seconds), p50_ms=round(low, 1), p95_ms=round(high, 1))
    # The first fifth is for what is loaded when it is first used.
    later = samples[len(samples) // 5 :]
    memory = [sample["memory_mib"] for sample in later]
    figures = {
        "kills": kills,
        "tries": tries,
        "answered_right": round(tally.outcomes["right"] / tries, 5),
        "never_answered": dict(Counter(tally.unanswered)),
        "answered_wrong": dict(Counter(tally.wrong)),
        "memory_growth": round(max(memory) / memory[0] - 1, 3),
        "files": [int(samples[0]["files"]), int(max(s["files"] for s in later)), int(samples[-1]["files"])],
        "threads": [int(samples[0]["threads"]), int(max(s["threads"] for s in later)), int(samples[-1]["threads"])],
        "samples": samples,
    }
    report.figures.update(figures)
    lost = report.figures["collections_lost"], report.figures["collections_twice"], report.figures["jobs_not_done"]
    report.figures["passed"] = not any(lost) and not tally.unanswered and not tally.wrong


if __name__ == "__main__":
    raise SystemExit(main())
