"""Rows for catalog tests, made from small numbers so that two processes make the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from deeplens_kit.catalog import Catalog, CatalogBatch
from deeplens_kit.schemas import FAILURES, OBJECTS, PAIRS, PICTURES, FeatureSpec

EPOCH = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
SPEC = FeatureSpec("tiny", 1, "vector", 8, (), "cosine", "plain/1", "tiny:0123456789abcdef", "made for tests")
_NAMES = ("plain.jpg", "it's.jpg", "a\\b.jpg", "two\nlines.jpg", "é😀 #%.jpg")


def digest_of(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def path_of(number: int) -> str:
    return f"d{number // 10}/{number}-{_NAMES[number % len(_NAMES)]}"


def objects(
    numbers: Iterable[int], *, location: str = "l1", run: str = "r1", outcome: str = "indexed", token: str = "t"
) -> pl.DataFrame:
    rows = [
        {
            "object_id": f"{location}/{path_of(n)}",
            "location_id": location,
            "path": path_of(n),
            "size_bytes": 1000 + n,
            "change_token": f"{token}:{n}",
            "modified_at": EPOCH + timedelta(seconds=n) if n % 3 else None,
            "link_id": f"1:{n}" if n % 2 else None,
            "link_count": 1 + n % 2,
            "digest": digest_of(n // 2 * 2) if outcome == "indexed" else None,
            "identity_basis": "read" if outcome == "indexed" else None,
            "outcome": outcome,
            "run_id": run,
        }
        for n in numbers
    ]
    return pl.DataFrame(rows, schema=OBJECTS.polars)


def pictures(numbers: Iterable[int], *, run: str = "r1") -> pl.DataFrame:
    """Pictures of the objects with these numbers; an odd object has the picture of the even one before it."""
    rows = [
        {
            "digest": digest_of(n),
            "md5": f"{n:032x}",
            "crc32c": f"{n:08x}",
            "size_bytes": 1000 + n,
            "format": "JPEG",
            "mode": "RGB",
            "width_px": 640,
            "height_px": 480 + n,
            "frames": 1,
            "orientation": 1 + n % 8,
            "has_alpha": False,
            "has_icc": n % 4 == 0,
            "icc_name": "sRGB" if n % 4 == 0 else None,
            "lossless": False,
            "jpeg_quality": 90 if n % 4 else None,
            "taken_at": datetime(2020, 1, 1, 0, 0, n % 60) if n % 4 else None,
            "dated_at": datetime(2020, 1, 1, 0, 0, n % 60, 250_000) if n % 4 else None,
            "taken_at_utc": EPOCH if n % 8 else None,
            "taken_at_origin": "EXIF DateTimeOriginal" if n % 4 else None,
            "camera": "maker model" if n % 4 else None,
            "gps_latitude": 47.5 + n / 7 if n % 4 else None,
            "gps_longitude": -8.25 if n % 4 else None,
            "auxiliary": "" if n % 4 else "gain map",
            "decode_spec": "test/1",
            "phash": 2**64 - 1 - n,
            "dhash": 2**63 + n,
            "ahash": n,
            "whash": None,
            "pdq": bytes([n % 256]) * 31 + b"\x00" if n % 8 else None,
            "pdq_quality": 100,
            "sharpness": 0.1 * n,
            "flatness": 0.5,
            "dominant_tone": 0.25,
            "colourfulness": 40.0,
            "low_information": n % 3 == 0,
            "features": "pdq_1,phash_1",
            "effective_pixels": None,
            "samples": None,
            "run_id": run,
        }
        for n in sorted({n // 2 * 2 for n in numbers})
    ]
    return pl.DataFrame(rows, schema=PICTURES.polars)


def failures(
    numbers: Iterable[int], *, location: str = "l1", run: str = "r1", stage: str = "decode", later: int = 0
) -> pl.DataFrame:
    rows = [
        {
            "object_id": f"{location}/{path_of(n)}",
            "location_id": location,
            "path": path_of(n),
            "size_bytes": 1000 + n,
            "digest": None,
            "stage": stage,
            "code": "corrupt",
            "message": f"broken {n}",
            "failed_at": EPOCH + timedelta(seconds=later),
            "run_id": run,
        }
        for n in numbers
    ]
    return pl.DataFrame(rows, schema=FAILURES.polars)


def vectors(numbers: Iterable[int]) -> tuple[list[str], np.ndarray]:
    even = sorted({n // 2 * 2 for n in numbers})
    return [digest_of(n) for n in even], np.array([[n + k / 8 for k in range(8)] for n in even], np.float16).reshape(
        -1, 8
    )


def batch(numbers: Iterable[int], **changes: str) -> CatalogBatch:
    numbers = list(numbers)
    run = {"run": changes["run"]} if "run" in changes else {}
    return CatalogBatch(
        objects=objects(numbers, **changes), pictures=pictures(numbers, **run), vectors={SPEC: vectors(numbers)}
    )


def pairs(numbers: Iterable[int], *, run: str = "r1") -> pl.DataFrame:
    rows = [
        {
            "digest_a": min(digest_of(n), digest_of(n + 2)),
            "digest_b": max(digest_of(n), digest_of(n + 2)),
            "phash_distance": n % 64,
            "pdq_distance": None,
            "orientation": 3,
            "sscd_small": 0.9,
            "sscd": None,
            "found_by": "pdq,phash",
            "hub": False,
            "region_a": [0.0, 0.25, 1.0, n / 64] if n % 4 else None,
            "view_pdq": n if n % 4 == 1 else None,
            "transform": [1.0, 0.0, n / 3, 0.0, 1.0, -1e-9] if n % 4 else None,
            "tier": "copy",
            "relation": "unverified",
            "score": 0.75,
            "run_id": run,
        }
        for n in numbers
    ]
    return pl.DataFrame(rows, schema=PAIRS.polars)


@pytest.fixture
def rows() -> SimpleNamespace:
    """The makers of rows, by name."""
    return SimpleNamespace(
        objects=objects,
        pictures=pictures,
        failures=failures,
        vectors=vectors,
        batch=batch,
        pairs=pairs,
        digest_of=digest_of,
        path_of=path_of,
        spec=SPEC,
        here=Path(__file__).parent,
    )


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create(str(tmp_path / "catalog"))
