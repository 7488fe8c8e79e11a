"""Jobs whose worker, server or machine is killed at random moments: is each done, once, and told of in order?

    python -m benchmarks.job_kills [--runs 63] [--seconds S] [--seed N] [--kinds NAMES] [--json]

`deeplens serve --only api` with two workers that answer and one of jobs, over a small library. Each run asks for one
job of a kind under an idempotency key and kills at a seeded moment, with SIGKILL: the worker of jobs, once or twice;
the process of the server, which is started anew; all processes at once, as a loss of power does; or whoever answers,
between the question and its answer, so that the client asks again. Then the job must end well, and files, catalog,
ledger and outbox are held against what was asked for (`benchmarks/job_truth.py`).
"""

from __future__ import annotations

import argparse
import http.client
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

import psutil

from benchmarks.job_truth import Problem, told_in_order
from benchmarks.job_wishes import KINDS, Library, Wish
from benchmarks.report import Report, print_report
from deeplens_kit.ledger import Job, JobState

__all__ = ["SEED", "Way", "main", "measure"]

SEED = 20_261_130
_COMMAND = "import sys; from deeplens_kit.cli import main; sys.exit(main())"
_PATIENCE_SECONDS = 240.0
_TRIES = 60
# A second kill of the same job; after a third it would be a dead letter, as it should.
_TWICE = 0.5


class Way(StrEnum):
    """Who is killed."""

    WORKER = "worker"
    """The worker of jobs."""
    SERVER = "server"
    """The process that looks after the others, which end with it."""
    MACHINE = "machine"
    """All processes at once."""
    ANSWER = "answer"
    """The workers of the API, while they answer."""


_WAYS = (*[Way.WORKER] * 4, Way.SERVER, Way.MACHINE, *[Way.ANSWER] * 2)


class Server:
    """`deeplens serve`, started anew as often as it is killed.

    Args:
        folder: With the workspace, for its log.

    Attributes:
        api: The port that it answers on.
        usual_answer_seconds: How long it took for the latest answer while nobody was killed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = (folder / "serve.log").open("a", encoding="utf-8")
        self._process: subprocess.Popen[str] | None = None
        self.api = 0
        self.usual_answer_seconds = 0.1

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [sys.executable, "-c", _COMMAND, "--workspace", str(self._folder / "workspace"), "serve", "--no-open"]
        words += ["--only", "api", "--port", "0", "--workers", "2", "--job-workers", "1"]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=self._log, text=True)
        assert self._process.stdout is not None
        ready = re.search(r":(\d+)/", self._process.stdout.readline())
        if ready is None:
            raise RuntimeError((self._folder / "serve.log").read_text(encoding="utf-8"))
        self.api = int(ready[1])

    def kill(self, way: Way) -> bool:
        """Kill who is to be killed; False where nobody of them runs just now."""
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        if way in (Way.WORKER, Way.ANSWER):
            module = "worker_process" if way is Way.WORKER else "api_process"
            victims = [child for child in main.children() if _runs(child, module)]
        else:
            victims = [main, *(main.children(recursive=True) if way is Way.MACHINE else ())]
        rest = [] if way is not Way.SERVER else main.children(recursive=True)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        if main in victims:
            self._process.communicate()
            # They see that it is gone, and end.
            psutil.wait_procs(rest, 60)
            self.start()
        return bool(victims)

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate(timeout=90)
            if self._process.returncode:
                raise RuntimeError(f"the server ended with {self._process.returncode}")
        self._log.close()


def _runs(process: psutil.Process, module: str) -> bool:
    try:
        return any(module in word for word in process.cmdline())
    except psutil.Error:
        # It has ended, and nobody has asked how.
        return False


class Asking(threading.Thread):
    """Asks until it is answered, always with the same key, as a program does.

    Attributes:
        answer: What it was told in the end.
        tries: How often it asked.
        seconds: How long the last try took.
    """

    def __init__(self, server: Server, path: str, body: object, key: str) -> None:
        super().__init__(daemon=True)
        self._server, self._path, self._body, self._key = server, path, body, key
        self.answer: dict[str, object] = {}
        self.status, self.tries, self.seconds = 0, 0, 0.0

    def run(self) -> None:
        """Ask."""
        headers = {"content-type": "application/json", "idempotency-key": self._key}
        for _ in range(_TRIES):
            self.tries += 1
            began = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._server.api, timeout=60)
                connection.request("POST", f"/api/v1/{self._path}", json.dumps(self._body), headers)
                came = connection.getresponse()
                content = came.read()
            except (OSError, http.client.HTTPException):
                time.sleep(0.25)
                continue
            finally:
                connection.close()
            self.status, self.answer = came.status, json.loads(content)
            self.seconds = time.monotonic() - began
            # 409 of its own key: whoever worked on it is not seen to be dead yet.
            if self.status not in (409, 429, 503):
                return
            time.sleep(0.25)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.job_kills", description=__doc__)
    parser.add_argument("--runs", type=int, default=63, help="jobs, each killed at (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of moments and pictures (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="begin no run later (default: %(default)s)")
    names = [kind.name for kind in KINDS]
    parser.add_argument("--kinds", default=",".join(names), help="of jobs (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="deeplens-jobs-") as name:
        report = measure(
            options.runs, Path(name), options.seed, options.seconds, [_named(kind) for kind in options.kinds.split(",")]
        )
    print_report(report, as_json=options.json)
    return 0 if report.figures["passed"] else 1


def _named(name: str) -> type[Wish]:
    found = next((kind for kind in KINDS if kind.name == name), None)
    if found is None:
        raise SystemExit(f"{name!r} is no kind; known are {', '.join(kind.name for kind in KINDS)}.")
    return found


def measure(
    runs: int,
    folder: Path,
    seed: int = SEED,
    seconds: float = 3600.0,
    kinds: Sequence[type[Wish]] = KINDS,
) -> Report:
    """Kill so many times, in turn at each kind of job.

    Args:
        runs: Jobs; each is killed at once or twice.
        folder: An empty one, for the library and its workspace.
        seed: Of the moments, the ways and the pictures.
        seconds: After so long no further run is begun.
        kinds: Of jobs, in turn.
    """
    report, chance, began = Report("job_kills", seed), random.Random(seed), time.monotonic()
    counts: dict[tuple[str, str], Counter[str]] = {}
    told: list[str] = []
    with Library.made(folder, seed) as library, _served(folder) as server:
        usual = {kind.name: _undisturbed(server, kind(library, -1 - which)) for which, kind in enumerate(kinds)}
        for number in range(runs):
            if time.monotonic() - began > seconds:
                break
            kind, way = kinds[number % len(kinds)], chance.choice(_WAYS)
            counted, problems = _run(server, kind(library, number), way, chance, usual[kind.name])
            counts.setdefault((kind.name, way), Counter()).update(counted)
            said = [f"run {number}, {kind.name}, {way}: {problem.kind}: {problem.said}" for problem in problems]
            told += said
            print("".join(f"{line}\n" for line in said), end="", file=sys.stderr, flush=True)
            _show(number, runs, told, began)
        everywhere = told_in_order(library.workspace)
    for (name, way), counted in sorted(counts.items()):
        report.add(job=name, killed=way, **{column: counted[column] for column in _COLUMNS})
    total: Counter[str] = sum(counts.values(), Counter())
    report.figures = {column: total[column] for column in _COLUMNS}
    report.figures["wrong_in_the_whole"] = len(everywhere)
    report.figures["usual_seconds"] = {name: round(seconds, 2) for name, seconds in usual.items()}
    report.figures["seconds"] = round(time.monotonic() - began, 1)
    report.figures["passed"] = not everywhere and not any(total[problem] for problem in _PROBLEMS)
    if told or everywhere:
        report.figures["told"] = [*told, *(problem.said for problem in everywhere)][:30]
    return report


_PROBLEMS = ("lost", "doubled", "not_ended", "disordered")
_COLUMNS = ("runs", "kills", "struck_at_work", "asked_again", *_PROBLEMS)


@contextmanager
def _served(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _undisturbed(server: Server, wish: Wish) -> float:
    """How long a job takes that nobody is killed at."""
    job_id = _asked(server, wish, "undisturbed").job_id
    job = _ended(wish.library, job_id)
    assert job is not None and job.state is JobState.DONE, (wish.name, job)
    assert not wish.problems(job), (wish.name, wish.problems(job))
    assert job.started_at is not None and job.finished_at is not None, "it is done"
    return (job.finished_at - job.started_at).total_seconds()


def _run(
    server: Server, wish: Wish, way: Way, chance: random.Random, usual: float
) -> tuple[Counter[str], list[Problem]]:
    counted: Counter[str] = Counter(runs=1)
    key = f"run-{wish.number}"
    if way is Way.ANSWER and wish.path:
        asking = Asking(server, wish.path, wish.body, key)
        asking.start()
        time.sleep(chance.uniform(0.3, 1.2) * server.usual_answer_seconds)
        counted["kills"] += server.kill(way)
        asking.join()
        job_id = str(asking.answer.get("job_id"))
        counted["asked_again"] += asking.tries > 1
        if asking.status != 202:
            return counted, [Problem("lost", f"{asking.status} {asking.answer}")]
        wish.answered = asking.answer
    else:
        job_id = _asked(server, wish, key).job_id
        for _ in range(2 if chance.random() < _TWICE else 1):
            counted.update(_struck(server, wish, job_id, way, chance.uniform(-0.15, 1.05) * usual))
    job = _ended(wish.library, job_id)
    problems = [Problem("not_ended", job_id)] if job is None else wish.problems(job)
    if job is not None and job.state is not JobState.DONE:
        problems.append(Problem("not_ended", f"{job_id} is {job.state}: {job.error}"))
    if others := wish.others(job_id):
        problems.append(Problem("doubled", f"asked for once, there are jobs {job_id}, {', '.join(others)}"))
    counted.update({problem.kind: 1 for problem in problems})
    return counted, problems


def _asked(server: Server, wish: Wish, key: str) -> Job:
    """Ask as a program does, or as a page does where the API has no such thing."""
    if not wish.path:
        return wish.submitted()
    asking = Asking(server, wish.path, wish.body, f"{key}-{wish.name}")
    asking.run()
    if asking.status != 202:
        raise RuntimeError(f"{wish.name}: {asking.status} {asking.answer}")
    server.usual_answer_seconds = asking.seconds
    wish.answered = asking.answer
    return wish.library.workspace.ledger.job(str(asking.answer["job_id"]))


def _struck(server: Server, wish: Wish, job_id: str, way: Way, seconds: float) -> Counter[str]:
    """Kill so many seconds after the job was begun; sooner where it has ended, at once where that is before."""
    ledger, until = wish.library.workspace.ledger, time.monotonic() + _PATIENCE_SECONDS
    while seconds > 0 and ledger.job(job_id).state is JobState.QUEUED and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(max(0.0, seconds))
    at_work = ledger.job(job_id).state is JobState.RUNNING
    struck = server.kill(Way.WORKER if way is Way.ANSWER else way)
    return Counter(kills=int(struck), struck_at_work=int(struck and at_work))


def _ended(library: Library, job_id: str) -> Job | None:
    """The job once it has ended; None where it does not."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        job = library.workspace.ledger.job(job_id)
        if job.is_finished:
            return job
        time.sleep(0.02)
    return None


def _show(number: int, runs: int, told: Sequence[str], began: float) -> None:
    if sys.stderr.isatty():
        left = (time.monotonic() - began) / (number + 1) * (runs - number - 1)
        print(f"\r{number + 1} of {runs} runs, {len(told)} wrong, {left:.0f} s left ", end="", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
