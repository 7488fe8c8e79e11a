"""What could not be read becomes a row, and the row holds no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplens_kit.errors import ObjectUnreadableError
from deeplens_kit.pipeline.reading import DigestClaims, ObjectReader, ReadFailure, ReadTask
from deeplens_kit.storage.local import LocalLocation
from deeplens_kit.telemetry import MASK, register_secret


def test_a_failure_of_a_library_is_kept_without_the_credential_that_it_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"bytes")
    location = LocalLocation("L", "pics", str(tmp_path), {})
    register_secret("zqr-hunter22")

    def refused(*_: object, **__: object) -> bytes:
        raise ObjectUnreadableError("403 for https://h/a.jpg?sig=abc with key zqr-hunter22")

    task = ReadTask("a.jpg", location.stat("a.jpg"))
    monkeypatch.setattr(LocalLocation, "read", refused)
    (failure,), content = ObjectReader(location, DigestClaims(()), 100).read(task)
    assert isinstance(failure, ReadFailure) and content is None
    assert failure.message == f"403 for https://h/a.jpg?sig={MASK} with key {MASK}"
