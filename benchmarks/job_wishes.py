"""What jobs are asked for, one class for each kind, and what must be there when one has ended.

Takes a small library, asks nothing by itself; gives paths and bodies of the API, and what is wrong afterwards.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.job_truth import Problem, once_told
from deeplens_kit.ledger import Job, ReportRunState
from deeplens_kit.pipeline import IngestOptions, Workspace, add_location, approve_plan, index, ingest, make_plan
from deeplens_kit.pipeline.applying import apply
from deeplens_kit.service.jobs import submit

__all__ = ["KINDS", "Library", "Wish"]

_SETTINGS = '\n[features]\nenabled = ["phash"]\n\n[index]\ncommit_pictures = 2\nworkers = 1\n'
_SIDE_PX = 300
_TAKEN = {"storage_location": "taken"}


@dataclass
class Library:
    """A workspace over three folders: `pictures` are scanned, `taken` takes new ones, `copies` may be changed.

    Attributes:
        folder: With all of it.
        workspace: Open, beside the server's.
        seed: Of the pictures.
    """

    folder: Path
    workspace: Workspace
    seed: int

    @classmethod
    @contextmanager
    def made(cls, folder: Path, seed: int) -> Iterator[Library]:
        """A new one."""
        for name in ("pictures", "taken", "copies"):
            (folder / name).mkdir(parents=True)
        with Workspace.create(folder / "workspace") as workspace:
            add_location(workspace, "pictures", str(folder / "pictures"))
            add_location(workspace, "taken", str(folder / "taken"), {"permissions": "create"})
            add_location(workspace, "copies", str(folder / "copies"), {"permissions": "change"})
        with (folder / "workspace" / "workspace.toml").open("a", encoding="utf-8") as stream:
            stream.write(_SETTINGS)
        with Workspace.open(folder / "workspace") as workspace:
            yield cls(folder, workspace, seed)

    def picture(self, *number: int) -> bytes:
        """A picture like no other, as JPEG."""
        coarse = np.random.default_rng([self.seed, *(abs(part) + 10**6 * (part < 0) for part in number)])
        noise = Image.fromarray(coarse.integers(0, 255, (9, 12, 3), dtype=np.uint8))
        stream = io.BytesIO()
        noise.resize((480, 360), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=88)
        return stream.getvalue()

    def location_id(self, name: str) -> str:
        """Of a location."""
        return self.workspace.ledger.location(name).location_id

    def written(self, folder: str, number: int, count: int) -> list[Path]:
        """New pictures in a folder."""
        place = self.folder / folder / f"run{number}"
        place.mkdir()
        paths = [place / f"{which}.jpg" for which in range(count)]
        for which, path in enumerate(paths):
            path.write_bytes(self.picture(number, which))
        return paths


@dataclass
class Wish:
    """A job that somebody wants.

    Attributes:
        library: Where.
        number: Of the run.
        path: Under /api/v1 of what asks for it; empty where only a page does.
        body: Of that.
        answered: What the API said.
    """

    library: Library
    number: int
    path: str = ""
    body: object = None
    answered: dict[str, object] = field(default_factory=dict)
    before: frozenset[str] = frozenset()

    name = "job"
    job_kind = ""

    def __post_init__(self) -> None:
        self.prepare()
        self.before = frozenset(self._jobs())

    def prepare(self) -> None:
        """Make what it is to work on."""
        raise NotImplementedError

    def submitted(self) -> Job:
        """Ask as a page does."""
        raise NotImplementedError

    def problems(self, job: Job) -> list[Problem]:
        """What is not as it must be, once the job has ended."""
        raise NotImplementedError

    def others(self, job_id: str) -> Sequence[str]:
        """Jobs of the kind that nobody asked for."""
        return sorted(set(self._jobs()) - self.before - {job_id})

    def _jobs(self) -> list[str]:
        return [job.job_id for job in self.library.workspace.ledger.jobs(kinds=[self.job_kind], limit=10_000)]


class Scan(Wish):
    """New pictures are found by a scan."""

    name, job_kind = "scan", "index"

    def prepare(self) -> None:
        """Ten new files."""
        self.paths = self.library.written("pictures", self.number, 10)
        self.path, self.body = "index/scan", {"storage_locations": ["pictures"]}

    def problems(self, job: Job) -> list[Problem]:
        """Each file is an object, told of once."""
        root, home = self.library.folder / "pictures", self.library.location_id("pictures")
        images = {f"{home}/{path.relative_to(root)}": path for path in self.paths}
        rows = self.library.workspace.catalog.objects(home, columns=["object_id", "digest"])
        there = dict(rows.iter_rows())
        wrong = [Problem("lost", name) for name, path in images.items() if there.get(name) != _digest(path)]
        if rows.height != len(files := list(root.rglob("*.jpg"))):
            wrong.append(Problem("doubled", f"{rows.height} objects for {len(files)} files"))
        return wrong + once_told(self.library.workspace, job, images, "indexed")


class Upload(Wish):
    """A picture is sent."""

    name, job_kind, count = "upload", "ingest", 1

    def prepare(self) -> None:
        """Bytes that nobody has."""
        self.sent = [self.library.picture(self.number, 100 + which) for which in range(self.count)]
        self.path = "ingest/upload"
        self.body = {"image_base64": _encoded(self.sent[0]), "filename": f"{self.number}.jpg", **_TAKEN}

    def problems(self, job: Job) -> list[Problem]:
        """Each is one file, one object of the id that was told, and told of as stored."""
        workspace, home = self.library.workspace, self.library.location_id("taken")
        there = [_digest(path) for path in (self.library.folder / "taken").rglob("*") if path.is_file()]
        rows = workspace.catalog.objects(home, columns=["object_id", "digest"])
        wrong, images = [], []
        for content in self.sent:
            digest = hashlib.sha256(content).hexdigest()
            found = rows["object_id"].filter(rows["digest"] == digest).to_list()
            images += found
            if min(there.count(digest), len(found)) < 1:
                wrong.append(Problem("lost", f"{digest[:12]}: {there.count(digest)} files, {len(found)} objects"))
            elif max(there.count(digest), len(found)) > 1:
                wrong.append(Problem("doubled", f"{digest[:12]}: {there.count(digest)} files, {len(found)} objects"))
        states = [row["state"] for row in job.result.get("rows", ())]
        if states != ["stored"] * len(self.sent):
            wrong.append(Problem("lost", f"its sender is told that pictures are {states}"))
        return wrong + once_told(workspace, job, images, "indexed")


class Batch(Upload):
    """Several pictures are sent."""

    name, count = "batch", 4

    def prepare(self) -> None:
        """Bytes that nobody has."""
        super().prepare()
        named = [{"filename": f"{which}.jpg", "image_base64": _encoded(one)} for which, one in enumerate(self.sent)]
        self.path = "ingest/batch"
        self.body = {"images": named, "processing_options": {"parallel_processing": False, "batch_size": 1}, **_TAKEN}


class Extract(Wish):
    """Pictures that were taken in without features get them."""

    name, job_kind = "extract", "extract"

    def prepare(self) -> None:
        """Six pictures that lack all features."""
        folder = self.library.folder / f"sent{self.number}"
        folder.mkdir()
        for which in range(6):
            (folder / f"{which}.jpg").write_bytes(self.library.picture(self.number, 200 + which))
        paths = sorted(folder.iterdir())
        came = ingest(self.library.workspace, [str(path) for path in paths], "taken", IngestOptions(features=False))
        assert all(row.indexed for row in came.rows), came
        self.digests = [_digest(path) for path in paths]
        self.path, self.body = "features/extract", {"image_ids": self.digests}

    def problems(self, job: Job) -> list[Problem]:
        """All have them."""
        rows = self.library.workspace.catalog.pictures(self.digests, columns=["digest", "features"])
        having = {digest for digest, features in rows.iter_rows() if features}
        wrong = [Problem("lost", f"features of {digest[:12]}") for digest in self.digests if digest not in having]
        if rows.height > len(self.digests):
            wrong.append(Problem("doubled", f"{rows.height} rows of {len(self.digests)} pictures"))
        return wrong + once_told(self.library.workspace, job, (), "indexed")


class Thumbnails(Wish):
    """Thumbnails that are missing are made."""

    name, job_kind = "thumbnails", "thumbnails"

    def prepare(self) -> None:
        """Ten pictures without one."""
        paths = self.library.written("pictures", self.number, 10)
        index(self.library.workspace, ["pictures"], and_match=False)
        self.digests = [_digest(path) for path in paths]

    def submitted(self) -> Job:
        """The API has none: they are made when they are asked for."""
        return submit(self.library.workspace, "thumbnails", {"digests": self.digests, "side_px": _SIDE_PX})

    def problems(self, job: Job) -> list[Problem]:
        """Each is there and whole."""
        wrong = []
        for digest in self.digests:
            path = self.library.workspace.thumbnails.path(digest, _SIDE_PX)
            try:
                with Image.open(path) as picture:
                    picture.load()
            except OSError as error:
                wrong.append(Problem("lost", f"thumbnail of {digest[:12]}: {error}"))
        return wrong + once_told(self.library.workspace, job, (), "indexed")


class MadeReport(Wish):
    """A report is made."""

    name, job_kind = "report", "report"

    def prepare(self) -> None:
        """It tells of what there is."""
        self.path, self.body = "reports/coverage/run", {}

    def problems(self, job: Job) -> list[Problem]:
        """One run is on record as finished, its page is whole, and nothing is left beside it."""
        folder = self.library.folder / "workspace" / "reports"
        page = folder / str(job.result.get("page", "-"))
        runs = self.library.workspace.ledger.report_runs("coverage", states=[ReportRunState.FINISHED])
        mine = [run for run in runs if run.out == str(page)]
        wrong = [] if mine else [Problem("lost", f"no finished run of {page.name}")]
        if len(mine) > 1:
            wrong.append(Problem("doubled", f"{len(mine)} finished runs of {page.name}"))
        if not page.is_file() or "</html>" not in page.read_text(encoding="utf-8"):
            wrong.append(Problem("lost", f"the page {page.name}"))
        known = {page.name, *job.result.get("files", ())}
        if left := [path.name for path in folder.glob(f"*{job.job_id}*") if path.name not in known]:
            wrong.append(Problem("doubled", f"beside the page lie {left}"))
        return wrong + once_told(self.library.workspace, job, (), "indexed")


class MadePlan(Wish):
    """A plan is made."""

    name, job_kind = "plan", "plan"

    def prepare(self) -> None:
        """Five copies of pictures that lie elsewhere too."""
        library, self.copies = self.library, self.library.folder / "copies"
        for old in self.copies.glob("run*"):
            shutil.rmtree(old)
        elsewhere = library.written("pictures", self.number, 5)
        place = self.copies / f"run{self.number}"
        place.mkdir()
        self.paths = [place / path.name for path in elsewhere]
        for path, copy in zip(elsewhere, self.paths, strict=True):
            shutil.copyfile(path, copy)
        index(library.workspace, ["pictures", "copies"], and_match=False)

    def submitted(self) -> Job:
        """The API makes plans while it is asked."""
        return submit(self.library.workspace, "plan", {"choice": {"tiers": ["bytes"], "locations": ["copies"]}})

    def problems(self, job: Job) -> list[Problem]:
        """There is one of the job, with a step for each copy."""
        made = [plan for plan in self.library.workspace.ledger.plans() if plan.document.get("job_id") == job.job_id]
        wrong = [] if made else [Problem("lost", f"no plan of {job.job_id}")]
        if len(made) > 1:
            wrong.append(Problem("doubled", f"{len(made)} plans of {job.job_id}"))
        wrong += [Problem("lost", f"{plan.steps} steps") for plan in made if plan.steps != len(self.paths)]
        return wrong + once_told(self.library.workspace, job, (), "indexed")

    def approved(self) -> str:
        """A plan that somebody said yes to."""
        plan = make_plan(self.library.workspace, tiers=["bytes"], locations=["copies"])
        assert plan.steps == len(self.paths), plan
        return approve_plan(self.library.workspace, plan.plan_id).plan_id

    @property
    def images(self) -> list[str]:
        """The copies, as objects."""
        home = self.library.location_id("copies")
        return [f"{home}/{path.relative_to(self.copies)}" for path in self.paths]


class Applied(MadePlan):
    """A plan is applied."""

    name, job_kind = "apply", "apply"

    def prepare(self) -> None:
        """A plan that is approved."""
        super().prepare()
        self.plan_id = self.approved()
        self.path = f"plans/{self.plan_id}/apply"

    def problems(self, job: Job) -> list[Problem]:
        """One application did each step once; copies are in quarantine, told of once."""
        wrong = self._of_application(job, "finished")
        wrong += [Problem("lost", f"{path.name} is not in quarantine") for path in self.paths if path.exists()]
        return wrong + once_told(self.library.workspace, job, self.images, "quarantined")

    def _of_application(self, job: Job, state: str) -> list[Problem]:
        ledger = self.library.workspace.ledger
        made = ledger.applications(self.plan_id)
        wrong = [Problem("doubled" if made else "lost", f"{len(made)} applications")] if len(made) != 1 else []
        for application in made:
            if application.state != state or application.figures.get("done") != len(self.paths):
                wrong.append(Problem("lost", f"{application.state} with {dict(application.figures)}"))
            if left := ledger.open_operations(application.application_id):
                wrong.append(Problem("not_ended", f"{len(left)} operations without an end"))
        return wrong


class Undone(Applied):
    """What was applied is undone."""

    name, job_kind = "undo", "undo"

    def prepare(self) -> None:
        """A plan that was applied."""
        super().prepare()
        application = apply(self.library.workspace, self.plan_id).application
        assert application is not None, "applied is more than rehearsed"
        self.path = f"applications/{application.application_id}/undo"

    def problems(self, job: Job) -> list[Problem]:
        """Every copy is back, told of once."""
        wrong = self._of_application(job, "undone")
        wrong += [Problem("lost", f"{path.name} is not back") for path in self.paths if not path.is_file()]
        return wrong + once_told(self.library.workspace, job, self.images, "restored")


KINDS: tuple[type[Wish], ...] = (
    Scan, Upload, Batch, Extract, Thumbnails, MadeReport, MadePlan, Applied, Undone
)  # fmt: skip
"""Every kind, in turn."""


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
