"""Small worlds of objects, pictures and pairs, made at random from a seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from deeplens_kit.schemas import OBJECTS, PAIRS, PICTURES


@dataclass(frozen=True)
class World:
    """Frames that fit together."""

    objects: pl.DataFrame
    pictures: pl.DataFrame
    pairs: pl.DataFrame


def digest_of(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def picture(name: object, **values: object) -> dict[str, object]:
    """A row of PICTURES: a JPEG of 4000 x 3000 px with quality 90, all of them with detail, unless said otherwise."""
    row: dict[str, object] = dict.fromkeys(PICTURES.names)
    row |= {
        "digest": digest_of(name), "md5": "", "crc32c": "", "size_bytes": 2_000_000, "format": "JPEG", "mode": "RGB",
        "width_px": 4000, "height_px": 3000, "frames": 1, "orientation": 1, "has_alpha": False, "has_icc": False,
        "lossless": False, "jpeg_quality": 90, "decode_spec": "1", "features": "", "auxiliary": "", "run_id": "r",
        "low_information": False,
    }  # fmt: skip
    row |= {"dominant_tone": 0.1, "colourfulness": 40.0} | values
    if "effective_pixels" not in values:
        row["effective_pixels"] = row["width_px"] * row["height_px"]
    return row


def stored(path: str, name: object, **values: object) -> dict[str, object]:
    """A row of OBJECTS that holds the picture `name`."""
    location = str(values.get("location_id", "disk"))
    row: dict[str, object] = {
        "object_id": f"{location}/{path}", "location_id": location, "path": path, "size_bytes": 2_000_000,
        "change_token": "1", "modified_at": datetime(2024, 1, 1, tzinfo=UTC), "link_id": None, "link_count": 1,
        "digest": digest_of(name), "identity_basis": "read", "outcome": "indexed", "run_id": "r",
    }  # fmt: skip
    return row | values


def pair(left: object, right: object, pdq: int | None = 4, **values: object) -> dict[str, object]:
    """A row of PAIRS; its tier and score are not looked at by grouping, its distances are."""
    low, high = sorted((digest_of(left), digest_of(right)))
    row: dict[str, object] = dict.fromkeys(PAIRS.names)
    row |= {
        "digest_a": low, "digest_b": high, "phash_distance": 2, "pdq_distance": pdq, "orientation": 0,
        "sscd_small": 0.9, "found_by": "pdq", "hub": False, "tier": "copy", "relation": "whole", "score": 0.9,
        "run_id": "r",
    }  # fmt: skip
    return row | values


def world(objects: list[dict[str, object]], pictures: list[dict[str, object]], pairs: list[dict[str, object]]) -> World:
    return World(
        pl.DataFrame(objects, schema=OBJECTS.polars),
        pl.DataFrame(pictures, schema=PICTURES.polars),
        pl.DataFrame(pairs, schema=PAIRS.polars),
    )


def random_world(seed: int, size: int = 14) -> World:
    """Up to `size` pictures of few kinds, so that ties, withheld members and hard links are common."""
    generator, drawn = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    count = int(generator.integers(1, size + 1))
    pictures, objects, pairs = [], [], []
    for number in range(count):
        width = int(generator.choice([4000, 3900, 2000, 640]))
        lossless = bool(generator.random() < 0.2)
        kind = str(generator.choice(["PNG", "TIFF"])) if lossless else str(generator.choice(["JPEG", "JPEG", "WEBP"]))
        pictures.append(
            picture(
                number,
                width_px=width,
                height_px=width * 3 // 4,
                format=kind,
                lossless=lossless,
                jpeg_quality=int(generator.choice([60, 90, 91, 98])) if kind == "JPEG" else None,
                mode=str(generator.choice(["RGB", "RGB", "RGB", "L", "P", "RGBA"])),
                has_alpha=bool(generator.random() < 0.1),
                frames=int(generator.choice([1, 1, 1, 1, 3])),
                effective_pixels=int(width * width * 3 // 4 * generator.choice([0.2, 1.0]))
                if generator.random() < 0.5
                else None,
                size_bytes=int(generator.choice([10_000, 500_000, 2_000_000])),
                low_information=bool(generator.random() < 0.1),
            )
        )
        for copy in range(int(generator.integers(0, 4))):
            file, names = int(generator.integers(0, 3)), int(generator.integers(1, 4))
            objects.append(
                stored(
                    f"{number}-{copy}.jpg",
                    number,
                    location_id=str(generator.choice(["disk", "share"])),
                    size_bytes=pictures[-1]["size_bytes"],
                    modified_at=datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=int(generator.integers(3))),
                    link_id=f"1:{number}-{file}" if names > 1 else None,
                    link_count=names,
                )
            )
    for left in range(count):
        for right in range(left):
            if generator.random() < 0.6:
                relation = str(generator.choice([*["whole"] * 5, "part", "contains", "composite", "unverified"]))
                # Equal samples have equal sizes.
                alike = pictures[left]["width_px"] == pictures[right]["width_px"]
                tier = "pixels" if alike and drawn.random() < 0.3 else str(drawn.choice(["copy", "scene"]))
                pdq = int(generator.choice([0, 10, 24, 25, 60]))
                ratio = generator.choice([None, None, 0.5, 0.9, 0.95, 1.0, 1.05, 2.0])
                pairs.append(pair(left, right, pdq, relation=relation, tier=tier, resolution=ratio))
    return world(objects, pictures, pairs)


def other_file(path: str, name: object, **values: object) -> dict[str, object]:
    """A row of OBJECTS that holds no picture."""
    return stored(path, name, outcome="unsupported", size_bytes=25_000_000) | values


def family_world(seed: int) -> World:
    """A random world in which many pictures lie beside a RAW, a sidecar or an edited version, some of them twice."""
    made = random_world(seed, 8)
    generator = np.random.default_rng(seed + 7)
    count = made.pictures.height
    objects: list[dict[str, object]] = []
    for folder in ("a", "b", "c", "d"):
        for number in range(count):
            if generator.random() < 0.4:
                continue
            stem = f"{folder}/IMG_{number}"
            common: dict[str, object] = {
                "location_id": "disk" if folder < "c" else "share",
                "modified_at": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=int(generator.integers(3))),
            }
            sizes = dict(made.pictures.select("digest", "size_bytes").iter_rows())
            objects.append(stored(f"{stem}.jpg", number, **common, size_bytes=sizes[digest_of(number)]))
            edited = int(generator.integers(0, count))
            if generator.random() < 0.2:
                row = stored(f"{stem}-edited.jpg", edited, **common, size_bytes=sizes[digest_of(edited)])
                objects.append(row)
            if generator.random() < 0.4:
                again = int(generator.random() < 0.2)
                file = f"2:{number}-{again}" if generator.random() < 0.3 else None
                links = {"link_id": file, "link_count": 2 if file else 1}
                objects.append(other_file(f"{stem}.CR2", f"raw {number} {again}", **common, **links))
            if generator.random() < 0.3:
                row = other_file(f"{stem}.xmp", "notes", **common, size_bytes=900)
                unread = generator.random()
                if unread < 0.2:
                    row |= {"digest": None, "identity_basis": None}
                elif unread < 0.4:
                    row |= {"digest": None, "identity_basis": None, "size_bytes": 0, "outcome": "unreadable"}
                objects.append(row)
    strays = made.objects.filter(pl.Series(generator.random(made.objects.height) < 0.3)).to_dicts()
    families = pl.DataFrame([*objects, *strays], schema=OBJECTS.polars)
    return World(families, made.pictures, made.pairs)
