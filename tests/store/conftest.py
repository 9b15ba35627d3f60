from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatops.adapters import databases
from chatops.adapters.databases import Opening
from tests.support.databases import ENGINES, name_of


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What ``CHATOPS_DATABASE`` is: a database of the test's own, on each engine."""
    return name_of(tmp_path, request.param)


@pytest.fixture
async def database(name: str) -> AsyncIterator[Opening]:
    async with databases.database(name) as database:
        yield database
