"""What tests of schedules share."""

from __future__ import annotations

import pytest
from report_maker import Maker

from deeplens_kit.service.schedules import making


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Maker:
    maker = Maker()
    monkeypatch.setattr(making, "make_report", maker)
    return maker
