"""Hubs: pictures that are near more pictures than copies can explain.

Takes links between pictures with their strength, and which of them are copies for certain; gives the hubs, and which
links of theirs are worth a closer look. A receipt, an icon or a blank page is near hundreds of its kind: a person has
to look at those, and verifying each of their links would eat the time of all others. The strongest links of either
end always stay, because documents have copies too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.settings import GroupSettings

__all__ = ["CROWD_PICTURES", "crowded_members", "hub_pictures", "worth_a_look"]

CROWD_PICTURES = GroupSettings().crowd_pictures
"""Pictures (inclusive) that a keeper takes by the rule before a person has to look. On the development benchmark, which
has 7 to 14 copies of each original, the largest star holds 13 of them at any threshold."""


def hub_pictures(
    left: NDArray[np.int64], right: NDArray[np.int64], copies: NDArray[np.bool_], count: int, most_links: int
) -> NDArray[np.bool_]:
    """Pictures with more links (exclusive) than `most_links` that are no copies for certain.

    Args:
        left: int64 (m,), positions of pictures.
        right: int64 (m,), positions of the others.
        copies: bool (m,).
        count: Pictures.
        most_links: What the lists of neighbours of ordinary pictures bring together.

    Returns:
        bool (count,).
    """
    weak = ~copies
    links = np.bincount(left[weak], minlength=count) + np.bincount(right[weak], minlength=count)
    return np.asarray(links > most_links)


def worth_a_look(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    strength: NDArray[np.floating],
    hubs: NDArray[np.bool_],
    kept: int,
) -> NDArray[np.bool_]:
    """Which links stay: all that touch no hub, and those among the `kept` strongest of either end.

    Args:
        left: int64 (m,), positions of pictures.
        right: int64 (m,), positions of the others.
        strength: (m,), more is stronger.
        hubs: bool (pictures,).
        kept: Links of one picture.

    Returns:
        bool (m,).
    """
    stay = ~(hubs[left] | hubs[right])
    links = np.arange(len(left))
    ends, other = np.concatenate([left, right]), np.concatenate([right, left])
    link, power = np.concatenate([links, links]), np.concatenate([strength, strength])
    # Of equally strong links the one to the better keeper comes first: the result depends on no order of input.
    order = np.lexsort((other, -power, ends))
    place = np.arange(len(order)) - np.searchsorted(ends[order], ends[order])
    stay[link[order[place < kept]]] = True
    return stay


def crowded_members(
    keeper: NDArray[np.integer], judged: NDArray[np.bool_], approved: NDArray[np.bool_], most: int
) -> NDArray[np.bool_]:
    """Pictures of stars that hold more of them than copies can explain, which a person has to approve.

    A star is looked at as a whole: were its keeper left out alone, the others would gather in pieces around those that
    are next to it. Files of equal bytes and pictures of equal samples do not make a crowd, however many there are: what
    is equal was not judged, and nobody has to look.

    Args:
        keeper: Integers (n,), the keeper of each picture or -1.
        judged: bool (n,), those that were taken by what a rule says, and not for equal samples.
        approved: bool (n,), those that a person approved: they count and stay.
        most: Pictures (inclusive) that one keeper takes; 0 for no bound.

    Returns:
        bool (n,), those that are set aside.
    """
    if most == 0:
        return np.zeros(len(keeper), np.bool_)
    counts = np.bincount(keeper[judged], minlength=len(keeper) + 1)
    return np.asarray(judged & ~approved & (counts[keeper] > most))
