"""Why a keeper stays, in one sentence, and what its removed copies lose.

Takes the rows of groups with the objects in keeper order and the policy that ordered them, gives sentences; must not
decide anything: the key in which a keeper first differs from its runner-up decided, and is told.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from deeplens_kit.matching.keep_order import keeper_keys, point_terms
from deeplens_kit.matching.keep_policy import DEFAULT_POLICY, KeepPolicy
from deeplens_kit.matching.losses import loss_words

__all__ = ["keeper_reasons", "keeper_sentence", "losses"]

_MEGAPIXEL = 1_000_000
_NEXT = "_next"


def keeper_reasons(described: pl.DataFrame, held: pl.DataFrame, policy: KeepPolicy = DEFAULT_POLICY) -> pl.Series:
    """The keeper's sentence on the rows of keepers, against the best of its members; null elsewhere.

    Args:
        described: Rows of groups with is_keeper and rank, by group the keeper first and then by rank.
        held: The objects by rank.
        policy: That ordered them.
    """
    keepers = np.flatnonzero(described["is_keeper"].to_numpy())
    ranks = described["rank"].to_numpy()
    # Sorted as they are, the row after a keeper is its runner-up: no group is without members.
    first, second = (_with_terms(held[ranks[at]], policy) for at in (keepers, keepers + 1))
    both = first.hstack(second.select(pl.all().name.suffix(_NEXT)))
    said = both.select(keeper_sentence(policy, held.columns).alias("reason"))["reason"]
    at = np.zeros(described.height, np.int64)
    at[keepers] = np.arange(1, len(keepers) + 1)
    return pl.concat([pl.Series("reason", [None], dtype=pl.String), said]).gather(at)


def losses(described: pl.DataFrame, held: pl.DataFrame) -> pl.Series:
    """What each member's file tells and its keeper's does not, as `loss_words`; null for keepers.

    Args:
        described: Rows of groups with is_keeper, rank and star (the number of the keeper's picture).
        held: The objects by rank, with number and told.
    """
    first = held.select("number", "told").unique("number", keep="first", maintain_order=True)
    of_picture = np.empty(first.height, np.int32)
    of_picture[first["number"].to_numpy()] = first["told"].to_numpy()
    facts = pl.DataFrame(
        {
            "keeper": of_picture[described["star"].to_numpy()],
            "member": held["told"].to_numpy()[described["rank"].to_numpy()],
        },
        schema={"keeper": pl.Int32, "member": pl.Int32},
    )
    return facts.select(loss_words("member", "keeper").alias("loses"))["loses"]


def keeper_sentence(policy: KeepPolicy, columns: list[str]) -> pl.Expr:
    """What stays and what it is better in, from the traits of the keeper and (suffix `_next`) of its runner-up.

    For example "keeps 4000x3000 JPEG q92: most pixels (12.19 MP against 3.05 MP)".

    Args:
        policy: That put the one before the other.
        columns: Of the objects.
    """
    rated = pl.col("jpeg_quality").is_not_null() & pl.col("native")
    quality = pl.when(rated).then(pl.format(" q{}", "jpeg_quality")).otherwise(pl.lit(""))
    kind = pl.when(pl.col("codec") == "").then(pl.lit("")).otherwise(pl.format(" {}", "codec"))
    what = pl.concat_str(pl.format("keeps {}x{}", "width_px", "height_px"), kind, quality)
    deciding = _deciding(policy)
    why = [
        pl.when(decides).then(words)
        for name, _ in keeper_keys(policy, columns)
        for decides, words in deciding.get(name, ())
    ]
    return pl.concat_str(what, pl.lit(": "), pl.coalesce(*why, pl.lit("first by path")))


def _deciding(policy: KeepPolicy) -> dict[str, list[tuple[pl.Expr, pl.Expr]]]:
    """For each key when it decides for the keeper, and what is said then."""
    upscaled = pl.col("upscaled") | pl.col("upscaled_next")
    detail = _size("detail"), _size("detail_next")
    quality_unknown = pl.col("jpeg_quality").is_not_null() & pl.col("jpeg_quality_next").is_null()
    belongs = pl.lit("it stays with the files that it belongs with")
    known = pl.col("taken_at").is_not_null() & pl.col("taken_at_next").is_null()
    cost_known = pl.col("place_cost").is_not_null() & pl.col("place_cost_next").is_null()
    return {
        "demoted": [(_less("demoted"), pl.lit("the other was tilted, or holds foreign content"))],
        "protected": [(_true("protected"), pl.lit("it is protected"))],
        "points": [(_more("points"), _most_points(policy))],
        "size_class": [
            (_more("size_class") & upscaled, pl.format("most detail (worth {} against {})", *detail)),
            (_more("size_class"), pl.format("most pixels ({} against {})", *detail)),
        ],
        "colours": [(_more("colours"), pl.lit("full colours"))],
        "deep": [(_more("deep"), pl.lit("more bits per sample"))],
        "has_alpha": [(_true("has_alpha"), pl.lit("with transparency"))],
        "from_camera": [(_true("from_camera"), pl.lit("it says when or with what it was taken"))],
        "lossless": [(_true("lossless"), pl.lit("lossless against lossy"))],
        "quality_class": [
            (
                _more("quality_class"),
                pl.format("less compressed (q{} against q{})", "jpeg_quality", "jpeg_quality_next"),
            ),
            (quality_unknown, pl.lit("its quality is known")),
        ],
        "density_class": [
            (
                _more("density_class"),
                pl.format("less compressed ({} against {} bytes a pixel)", *_fixed("bytes_per_pixel", 3)),
            )
        ],
        "native": [(_true("native"), pl.format("the {} has its very samples, and adds nothing", "codec_next"))],
        "stays": [(_true("stays"), belongs)],
        "in_family": [(_true("in_family"), belongs)],
        "taken_at": [
            (_less("taken_at"), pl.format("taken earlier ({} against {})", *_dates("taken_at"))),
            (known, pl.lit("it says when it was taken")),
        ],
        "modified_at": [
            (_less("modified_at"), pl.format("older (modified {} against {})", *_dates("modified_at"))),
        ],
        "told_facts": [(_more("told_facts"), pl.lit("more is known of when, where and with what it was taken"))],
        "path_class": [
            (_more("path_class") & (pl.col("path_class") > 0), pl.lit("its path is preferred")),
            (_more("path_class"), pl.lit("the path of the other is avoided")),
        ],
        "place_cost": [
            (_less("place_cost"), pl.format("its place is cheaper ({} against {} a GB and month)", *_costs())),
            (cost_known, pl.lit("what its place costs is known")),
        ],
        "place_copies": [
            (
                _more("place_copies"),
                pl.format("its place keeps more copies ({} against {})", "place_copies", "place_copies_next"),
            )
        ],
        "place_immutable": [(_true("place_immutable"), pl.lit("nobody can change or remove it where it is"))],
        "notes": [(_more("notes"), pl.lit("people said more of it"))],
        "holders": [(_more("holders"), pl.format("more files hold it ({} against {})", "holders", "holders_next"))],
        "link_count": [(_more("link_count"), pl.lit("it has more names (hard links)"))],
    }


def _with_terms(objects: pl.DataFrame, policy: KeepPolicy) -> pl.DataFrame:
    """The objects with a column of points for each criterion of a weighted policy."""
    if not policy.is_weighted:
        return objects
    return objects.with_columns(
        term.alias(_points_of(name)) for name, term in point_terms(policy, objects.columns).items()
    )


def _most_points(policy: KeepPolicy) -> pl.Expr:
    """How many points decided, and which criterion gave most of the difference: the first of equals."""
    ahead = [pl.col(_points_of(name)) - pl.col(_points_of(name) + _NEXT) for name in policy.criteria]
    most = pl.concat_list(ahead).list.arg_max() if policy.is_weighted else pl.lit(0)
    names = {at: str(name) for at, name in enumerate(policy.criteria)}
    said = most.cast(pl.Int64).replace_strict(names, return_dtype=pl.String)
    return pl.format("{} points against {}, most of them for {}", "points", "points_next", said)


def _points_of(criterion: str) -> str:
    return f"points of {criterion}"


def _true(name: str) -> pl.Expr:
    return pl.col(name) & ~pl.col(f"{name}{_NEXT}")


def _more(name: str) -> pl.Expr:
    return pl.col(name) > pl.col(f"{name}{_NEXT}")


def _less(name: str) -> pl.Expr:
    return pl.col(name) < pl.col(f"{name}{_NEXT}")


def _costs() -> tuple[pl.Expr, pl.Expr]:
    first, second = (pl.col(name).round_sig_figs(4).cast(pl.String) for name in ("place_cost", f"place_cost{_NEXT}"))
    return first, second


def _size(name: str) -> pl.Expr:
    """Pixels as people say them: "12.19 MP", below a tenth of a megapixel as pixels."""
    large = pl.format("{} MP", _decimals(pl.col(name) / _MEGAPIXEL, 2))
    return pl.when(pl.col(name) * 10 >= _MEGAPIXEL).then(large).otherwise(pl.format("{} px", name))


def _fixed(name: str, digits: int) -> tuple[pl.Expr, pl.Expr]:
    return _decimals(pl.col(name), digits), _decimals(pl.col(f"{name}_next"), digits)


def _decimals(value: pl.Expr, digits: int) -> pl.Expr:
    return value.round(digits).cast(pl.String)


def _dates(name: str) -> tuple[pl.Expr, pl.Expr]:
    one, other = pl.col(name), pl.col(f"{name}_next")
    # Files that were copied one after the other differ within a second.
    equal = one.dt.truncate("1s") == other.dt.truncate("1s")
    plain, fine = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%.6f"
    first, second = (
        pl.when(equal).then(when.dt.strftime(fine)).otherwise(when.dt.strftime(plain)) for when in (one, other)
    )
    return first, second
