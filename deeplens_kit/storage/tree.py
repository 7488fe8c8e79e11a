"""Listings of storages of folders, put together from their pages.

Takes what lists one folder, gives its entries and those of all folders beneath to a ListingBuilder; must not follow a
folder that leads back to one that it lies in: servers that follow links show such folders, which have no end.
"""

from __future__ import annotations

from collections.abc import Callable

from deeplens_kit.errors import ObjectForbiddenError, ObjectGoneError, ObjectUnreadableError
from deeplens_kit.storage.base import ListingProblem, SkipReason
from deeplens_kit.storage.listing import ListingBuilder
from deeplens_kit.storage.paths import decode_path
from deeplens_kit.storage.store import Page

__all__ = ["list_tree", "take"]

_DEEPEST = 32
"""Folders within each other where a server may follow links and does not tell: less than the 40 links at which systems
stop."""
_TOO_DEEP = f"it lies more than {_DEEPEST} folders deep, where a link that leads back is more likely than a folder"


def list_tree(
    page_of: Callable[[str], Page], problem_of: Callable[[str, str, str], ListingProblem], builder: ListingBuilder
) -> None:
    """List folder by folder; one that lies in itself counts as a link.

    Args:
        page_of: Lists one folder; the root's errors are the location's.
        problem_of: What is said of a folder that cannot be listed, by its path, a code and a reason.
        builder: Takes what is found.
    """
    folders: list[tuple[str, str, frozenset[str]]] = [("", "", frozenset())]
    while folders:
        folder, folder_id, above = folders.pop()
        try:
            page = page_of(folder)
        except (ObjectForbiddenError, ObjectGoneError, ObjectUnreadableError) as error:
            code = error.code if error.code != "unreadable" else "io"
            builder.problem(problem_of(folder, code, str(error).rstrip(".")))
            continue
        take(page, builder)
        above |= {folder_id or page.folder_ids.get(folder, "")}
        for name in page.folders:
            found_id = page.folder_ids.get(name, "")
            if found_id and found_id in above:
                builder.skip(SkipReason.SYMLINK)
            elif builder.enters(name):
                if page.may_loop and not found_id and name.count("/") > _DEEPEST:
                    builder.problem(problem_of(name, "io", _TOO_DEEP))
                else:
                    folders.append((name, found_id, above))


def take(page: Page, builder: ListingBuilder) -> None:
    """Give a page to a builder."""
    builder.add(page.entries)
    for reason, count in ((SkipReason.SPECIAL, page.special), (SkipReason.SYMLINK, page.links)):
        for _ in range(count):
            builder.skip(reason)
    for problem in page.problems:
        if builder.wants(decode_path(problem.path)):
            builder.problem(problem)
