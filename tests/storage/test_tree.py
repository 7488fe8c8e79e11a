"""Folders are listed once each, wherever links lead, and what cannot be listed is told and never taken for gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deeplens_kit.errors import ObjectForbiddenError
from deeplens_kit.storage.base import Listing, ListingProblem
from deeplens_kit.storage.listing import Entry, ListingBuilder
from deeplens_kit.storage.options import LocationOptions
from deeplens_kit.storage.store import Page
from deeplens_kit.storage.tree import list_tree


def _listed(page_of: Callable[[str], Page], **options: object) -> Listing:
    builder = ListingBuilder(LocationOptions.of(options))
    list_tree(page_of, ListingProblem, builder)
    return builder.listing()


def _folder(path: str, ids: Mapping[str, str], **rest: bool) -> Page:
    return Page([Entry(f"{path}a.jpg", 1, "1")], list(ids), folder_ids={f"{path}": "", **ids}, **rest)


def test_a_folder_that_lies_in_itself_is_a_link_and_one_that_lies_beside_itself_is_listed_twice() -> None:
    pages = {
        "": Page([], ["a/", "b/"], folder_ids={"": "0", "a/": "1", "b/": "1"}),
        "a/": _folder("a/", {"a/top/": "0", "a/self/": "1", "a/c/": "2"}),
        "b/": _folder("b/", {"b/self/": "1"}),
        "a/c/": _folder("a/c/", {"a/c/up/": "1", "a/c/again/": "2"}),
    }
    listing = _listed(pages.__getitem__)
    assert sorted(listing.frame["path"]) == ["a/a.jpg", "a/c/a.jpg", "b/a.jpg"]
    assert (dict(listing.skipped), listing.problems) == ({"symlink": 5}, ())


def test_where_nobody_tells_a_loop_ends_in_a_problem() -> None:
    listing = _listed(lambda path: _folder(path, {f"{path}up/": ""}, may_loop=True))
    assert listing.frame.height == 33
    (problem,) = listing.problems
    assert (problem.path, problem.code) == ("up/" * 33, "io")
    assert "more than 32 folders deep" in problem.message
    deep = _listed(lambda path: _folder(path, {f"{path}up/": ""} if path.count("/") < 50 else {}))
    assert (deep.frame.height, deep.problems) == (51, ())


def test_what_a_page_could_not_tell_is_a_problem_unless_it_was_not_wanted() -> None:
    problems = [ListingProblem(path, "permission", "no") for path in ("a/", "b", ".c/", "out/x")]
    listing = _listed(lambda _: Page([], problems=problems), include=["*.jpg"], exclude=["out/"])
    assert [problem.path for problem in listing.problems] == ["a/", "b"]


def test_names_that_no_text_can_hold_are_problems_of_their_own() -> None:
    files = [Entry(f"{name}.jpg", 1, "1") for name in ("\ud800", "\udbff", "a")]

    def page_of(path: str) -> Page:
        if path:
            raise ObjectForbiddenError("no")
        return Page(files, ["\ud801/", ".\ud801/", "b/"])

    listing = _listed(page_of)
    assert listing.frame["path"].to_list() == ["a.jpg"]
    assert [problem.path for problem in listing.problems] == [
        r".\ud801/",
        r"\ud800.jpg",
        r"\ud801/",
        r"\udbff.jpg",
        "b/",
    ]
    assert "another name" in listing.problems[1].message
