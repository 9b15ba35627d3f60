from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatops.adapters import audit_export, databases
from chatops.adapters.databases import Opening
from chatops.adapters.sqlite_file import open_for_writing
from tests.support.databases import ENGINES, make, name_of


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What ``CHATOPS_DATABASE`` is: a database of the test's own, on each engine."""
    return name_of(tmp_path, request.param)


@pytest.fixture
async def database(name: str) -> AsyncIterator[Opening]:
    async with databases.database(name) as database:
        yield database


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The throw-away database that a file of the trail is read into is a copy of a new one: that takes a tenth."""

    def opened(path: Path) -> sqlite3.Connection:
        make(path)
        return open_for_writing(path)

    monkeypatch.setattr(audit_export, "open_for_writing", opened)
