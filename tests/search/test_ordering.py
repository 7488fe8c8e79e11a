"""The order of a library equals a sort and a join of whole digests, however these begin."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.search.ordering import ordered

# Few beginnings and few endings, so that digests share sixteen digits, and places lack their picture.
DIGESTS = st.tuples(st.sampled_from("0189ef"), st.sampled_from("0af"), st.sampled_from("0123")).map(
    lambda parts: parts[0] * 15 + parts[1] + parts[2] * 48
)
PLACES = st.lists(st.tuples(DIGESTS, st.sampled_from(["disk", "share", "Ärger"]), st.text("ab/ä", max_size=3)))


@given(st.lists(DIGESTS, unique=True), PLACES)
def test_it_is_the_order_of_whole_digests(digests: list[str], rows: list[tuple[str, str, str]]) -> None:
    pictures = pl.DataFrame({"digest": digests, "number": range(len(digests))}, schema_overrides={"digest": pl.String})
    places = pl.DataFrame(rows, schema={"digest": pl.String, "location": pl.String, "path": pl.String}, orient="row")
    places = places.unique()
    found = ordered(pictures, places, ["digest", "location", "path"])
    known = pictures.filter(pl.col("digest").is_in(places["digest"].implode())).sort("digest")
    listed = places.filter(pl.col("digest").is_in(known["digest"].implode())).sort("digest", "location", "path")
    assert found.pictures.equals(known)
    assert found.places.equals(listed)
    assert [row.tobytes().hex() for row in found.packed] == known["digest"].to_list()
    for row, digest in enumerate(known["digest"]):
        assert set(found.places["digest"][int(found.starts[row]) : int(found.starts[row + 1])]) == {digest}
