"""`deeplens failures retry`, outcomes in `status`, and runs that are held back, as a person types them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import skimage.data
from cli_process import Deeplens, in_process
from PIL import Image

from deeplens_kit import errors
from deeplens_kit.cli.index_commands import FAILURE_CODES
from deeplens_kit.pipeline import Workspace, add_location, index
from tests.examples import IN_FULL


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A workspace over `pics`, indexed without pairs: a picture, a text, a cut file, an empty one, a placeholder."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(skimage.data.chelsea()).save(pictures / "cat.jpg", quality=95)
    (pictures / "cut.jpg").write_bytes((pictures / "cat.jpg").read_bytes()[:3000])
    (pictures / "note.jpg").write_text("No picture.")
    (pictures / "document.jpg").write_bytes(b"%PDF-1.7\n")
    (pictures / "empty.jpg").touch()
    (pictures / ".away.jpg.icloud").write_bytes(b"bplist00")
    workspace = tmp_path / "workspace"
    with Workspace.create(workspace) as made:
        add_location(made, "pics", str(pictures), {})
        index(made, and_match=False)
    return workspace


def test_what_became_of_every_file_is_said_with_its_bytes(deeplens: Deeplens, library: Path) -> None:
    summary = deeplens("--workspace", library, "status", "--json").json["summary"]
    assert {name: told["objects"] for name, told in summary["outcomes"].items() if told["objects"]} == dict.fromkeys(
        ("indexed", "unsupported", "not_a_picture", "unreadable", "empty", "placeholder"), 1
    )
    assert sum(told["bytes"] for told in summary["outcomes"].values()) == summary["bytes"]
    shown = deeplens("--workspace", library, "status").out
    assert "16.6 % of 6 files analysed" in shown
    assert "1 (9 B): a picture, drawing or video in a format that is not read" in shown
    assert "only its name is here" in shown
    listed = deeplens("--workspace", library, "failures").out
    assert "unsupported: PDF document" in listed
    assert listed.count("AVIF, BMP, GIF") == 1  # which formats are read is said once, not in every row
    assert "no picture: text" in listed


def test_a_retry_reads_what_failed_so_and_nothing_else(deeplens: Deeplens, library: Path) -> None:
    again = deeplens("--workspace", library, "failures", "retry", "--code", "corrupt", "--json").json["summary"]
    # A placeholder may have come down meanwhile, so every run looks; opening one reads nothing.
    assert (again["read_files"], again["failures"]) == (1, 2)
    everything = deeplens("--workspace", library, "failures", "retry", "pics", "--json").json["summary"]
    assert everything["failures"] == 5
    pictures = library.parent / "pictures"
    shutil.copy(pictures / "cat.jpg", pictures / "cut.jpg")
    assert deeplens("--workspace", library, "failures", "retry").code == 0
    assert "cut.jpg" not in deeplens("--workspace", library, "failures").out


def test_a_code_that_is_none_is_refused_with_the_nearest(deeplens: Deeplens, library: Path) -> None:
    refused = deeplens("--workspace", library, "failures", "retry", "--code", "timedout")
    assert refused.code == 2
    assert "did you mean 'timed_out'?" in refused.err
    assert deeplens("--workspace", library, "failures", "retry", "nowhere").code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--memory-limit", "10MB"), "needs 939,524,096 at least"),
        (("--memory-limit", "much"), "must be a size such as"),
        (("--io-limit", "-1"), "must be a size such as"),
        (("--nice", "20"), "less than or equal to 19"),
    ],
)
def test_limits_out_of_range_are_refused(
    deeplens: Deeplens, library: Path, options: tuple[str, ...], words: str
) -> None:
    refused = deeplens("--workspace", library, "index", *options)
    assert refused.code == 2
    assert words in " ".join(refused.err.split())


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_a_run_that_is_held_back_does_the_same(library: Path) -> None:
    # In a process of its own, because it steps back for good.
    done = in_process(
        *("--workspace", library, "failures", "retry", "--json"),
        *("--nice", "5", "--memory-limit", "2GB", "--io-limit", "5MB"),
    )
    assert done.code == 0, done.err
    assert done.json["summary"]["failures"] == 5


def test_every_code_of_a_file_can_be_asked_for() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ObjectError)]
    # A name that is taken is met where something is stored, never where a file is read.
    unread = {errors.ObjectError.code, errors.ObjectExistsError.code}
    assert set(FAILURE_CODES) == {kind.code for kind in kinds} - unread | {"empty"}
