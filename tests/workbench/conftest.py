"""The sample library indexed once, for all tests of the workbench."""

from __future__ import annotations

import pytest
from sample_workspace import SampleWorkspace, sample_workspace


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWorkspace:
    """Not to be changed."""
    return sample_workspace(tmp_path_factory)
