"""A running desk for tests that need no options."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.messenger.desk import Desk, desk


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with everything as in production."""
    async with desk(tmp_path) as made:
        yield made
