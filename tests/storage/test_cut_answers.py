"""A connection that ends within an answer, its headers included, is an error of the storage and no defect of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.fault_proxy import FaultProxy, NetworkFault, Way
from benchmarks.served_places import of_azure, of_gcs, of_s3, of_webdav
from benchmarks.storage_place import StoragePlace
from deeplens_kit.errors import LocationUnavailableError, ObjectUnreadableError

_PLACES: dict[str, Callable[[Any], StoragePlace]] = {
    "seaweedfs": of_s3,
    "azurite": of_azure,
    "fake_gcs": of_gcs,
    "webdav": of_webdav,
}
_STEP = 17


@pytest.mark.parametrize("fixture", list(_PLACES))
def test_an_answer_that_breaks_off_anywhere_is_an_error_of_the_storage(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    place = _PLACES[fixture](request.getfixturevalue(fixture))
    place.put("a.bin", b"12345")
    with FaultProxy(place.port) as proxy, contextlib.closing(place.opened(proxy.port, retries=0)) as location:
        right = location.stat("a.bin")
        before = proxy.sent_bytes
        location.stat("a.bin")
        size, struck = proxy.sent_bytes - before, 0
        for at in range(0, size, _STEP):
            proxy.arm(NetworkFault(Way.TRUNCATED, at))
            with contextlib.suppress(LocationUnavailableError, ObjectUnreadableError):
                location.stat("a.bin")
            struck += proxy.disarm()
            # One that goes well between them, or the location would be left.
            assert location.stat("a.bin") == right
        assert struck > size // _STEP // 2
