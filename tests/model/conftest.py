from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model.turns import Stage
from tests.store.conftest import database, name

__all__ = ["database", "name"]  # fixtures: on both engines


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("stage"))
    yield made
    made.close()


@pytest.fixture
def stage(whole: Stage) -> Iterator[Stage]:
    """A SQLite for every order of what happens; of the test nothing is left on it."""
    with whole.undone("test"):
        yield whole
