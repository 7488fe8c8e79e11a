"""A CLIP from its own checkpoint, through the product: pictures are indexed with it, and words find them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from deeplens_kit.pipeline import Searcher, Workspace, index
from deeplens_kit.search import ImageTerm, Query, TextTerm
from tests.features.tiny_clip import drawn, needs_semantic

pytestmark = needs_semantic

EACH = 4
DESCRIPTOR = """
kind = "open_clip"
checkpoint = "tiny_clip.pt"
"""


@pytest.fixture(scope="module")
def searcher(tiny_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """Shapes of every colour, indexed with the hashes and a CLIP that a file in `features.model_dir` describes."""
    folder = tmp_path_factory.mktemp("clip")
    models, pictures = folder / "models", folder / "pictures"
    models.mkdir()
    pictures.mkdir()
    for name in ("tiny_clip.pt", "tiny_clip.json"):
        (models / name).write_bytes((tiny_clip / name).read_bytes())
    (models / "tiny.toml").write_text(DESCRIPTOR)
    for number, (pixels, caption) in enumerate(zip(*drawn(EACH, 7), strict=True)):
        Image.fromarray(pixels).save(pictures / f"{caption} {number}.png")
    Workspace.create(folder / "workspace").close()
    file = folder / "workspace" / "workspace.toml"
    enabled = '["clarity", "phash", "pdq", "tiny"]'
    file.write_text(f"{file.read_text()}\n[features]\nenabled = {enabled}\nmodel_dir = '{models}'\n")
    with Workspace.open(folder / "workspace") as workspace:
        workspace.ledger.add_location("shapes", str(pictures), {})
        index(workspace)
        yield Searcher(workspace)


def shown(searcher: Searcher, query: Query) -> list[str]:
    """Captions of the results, the best first."""
    return [path.rsplit(" ", 1)[0] for path in searcher.search(query).results["path"]]


@pytest.mark.parametrize("caption", ["a red circle", "a blue square", "a yellow cross"])
def test_words_find_what_they_say(searcher: Searcher, caption: str) -> None:
    assert shown(searcher, Query((TextTerm(caption),), limit=EACH)) == [caption] * EACH


def test_a_picture_and_words_find_what_has_of_both(searcher: Searcher) -> None:
    circle = next(iter(searcher.search(Query((TextTerm("a red circle"),), limit=1)).results["digest"]))
    mixed = Query((ImageTerm(circle), TextTerm("a blue square", 2.0), TextTerm("a red square", -1.0)), limit=EACH)
    assert shown(searcher, mixed)[0] == "a blue square"
    parts = searcher.search(mixed).parts
    assert set(parts["feature"]) == {"tiny"}
    assert set(parts["term"]) == {0, 1, 2}
