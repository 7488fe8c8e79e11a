"""The options of a search, as the command line has them; must not look at a value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "SEARCH_WAYS", "AllowPrivate", "By", "Crops", "Facets", "Formats", "Html", "Images", "Like", "Limit", "Locations",
    "MaxSize", "MinSide", "MinSize", "Offset", "Save", "Texts", "Threshold", "TierOfSearch", "UnlikeImages",
    "UnlikeTexts", "Weight", "Weights", "Where", "Words",
]  # fmt: skip

_TIERS = ("bytes", "copy", "scene")
SEARCH_WAYS = ("copies", "likeness", "parts")

Images = Annotated[
    list[str] | None,
    typer.Option(
        "--image",
        metavar="IMAGE",
        help="Like this picture: a file, a link (http, https), location:path of an indexed file, or its digest; "
        "may come again.",
    ),
]
Texts = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="TEXT", help='Showing this: "a red lorry in snow"; may come again.'),
]
Like = Annotated[
    list[str] | None,
    typer.Option("--like", metavar="ID", help="Like an indexed picture: its digest or location:path; may come again."),
]
UnlikeImages = Annotated[
    list[str] | None,
    typer.Option("--unlike-image", metavar="IMAGE", help="Not like this picture; as --image, may come again."),
]
UnlikeTexts = Annotated[
    list[str] | None,
    typer.Option("--unlike-text", metavar="TEXT", help="Not showing this; as --text, may come again."),
]
Crops = Annotated[
    list[str] | None,
    typer.Option(
        "--crop",
        metavar="L,T,R,B",
        help="Only this part of the picture before it: left, top, right, bottom in shares 0 to 1, or per cent as 50%.",
    ),
]
Weight = Annotated[
    list[float] | None,
    typer.Option("--weight", metavar="W", help="How much the picture or text before it counts, above 0; 1 without."),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights", metavar="FEATURE=W,...", help="Which features count how much: clip_vit_b_32=0.7,colour=0.3."
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="|".join(SEARCH_WAYS),
        help="What makes a picture a result: a copy (of one picture, without weights the default), likeness, or a part "
        "in common.",
    ),
]
Words = Annotated[
    str,
    typer.Option("--words", metavar="WORDS", help="Only with these words in path, name, tags, descriptions, metadata."),
]
Where = Annotated[
    str,
    typer.Option("--where", metavar="FILTERS", help="Only what these let through: 'format=JPEG size>=500kB tag=sea'."),
]
Locations = Annotated[
    list[str] | None,
    typer.Option("--location", metavar="NAME", help="Only pictures stored there; may come again."),
]
Formats = Annotated[
    list[str] | None, typer.Option("--format", metavar="NAME", help="Only JPEG, PNG ...; may come again.")
]
MinSize = Annotated[
    str | None,
    typer.Option("--min-size", metavar="SIZE", help="Only files of this size or larger, for example 500kB."),
]
MaxSize = Annotated[str | None, typer.Option("--max-size", metavar="SIZE", help="Only files of this size or smaller.")]
MinSide = Annotated[
    int,
    typer.Option("--min-side", metavar="PX", min=0, help="Only pictures whose shorter side is so long or longer."),
]
Threshold = Annotated[float, typer.Option("--threshold", metavar="SCORE", help="Least score, 0 to 1; a copy has 0.5.")]
TierOfSearch = Annotated[
    list[str] | None,
    typer.Option("--tier", metavar="|".join(_TIERS), help="Only evidence of this strength; may come again."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Pictures at most.")]
Offset = Annotated[int, typer.Option("--offset", min=0, help="Pictures left out before the first.")]
Facets = Annotated[
    bool, typer.Option("--facets", help="Count what the filters could be set to: location, format, camera ...")
]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page with the pictures; it holds everything it shows."),
]
Save = Annotated[
    str | None, typer.Option("--save", metavar="NAME", help="Keep the search under a name; see `deeplens searches`.")
]
AllowPrivate = Annotated[
    bool, typer.Option("--allow-private", help="Follow a link also to an address that is not public.")
]
