from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatops.adapters.sqlite import SQLite


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SQLite]:
    async with SQLite(tmp_path / "chatops.db") as database:
        yield database
