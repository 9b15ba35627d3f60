"""The database of a test: SQLite, or with ``CHATOPS_TEST_DATABASE=postgresql`` a PostgreSQL that comes in a wheel."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters import databases
from chatops.kernel.ports import Tx

ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")))  # one worker's server
POSTGRES = os.environ.get("CHATOPS_TEST_DATABASE", "sqlite") == "postgresql"


def name_of(folder: Path, engine: str = "") -> str:
    """What ``CHATOPS_DATABASE`` is for a test's folder: one database for each."""
    if engine == "sqlite" or (not engine and not POSTGRES):
        return str(folder / "chatops.db")
    from tests.support.postgres import url_for  # most runs never start a server

    return url_for(str(folder))


def database(folder: Path, *, on_commit_point: Callable[[str], None] | None = None) -> Any:
    """The folder's database, yet to be opened."""
    return databases.database(name_of(folder), on_commit_point=on_commit_point)


def everything_in(folder: Path) -> bytes:
    """All that the folder's database keeps: the bytes of its files, or of the rows of every table."""
    if not POSTGRES:
        return b"\0".join(path.read_bytes() for path in sorted(folder.glob("chatops.db*")))
    from tests.support.postgres import dump

    return dump(name_of(folder))


def reading(folder: Path) -> AbstractContextManager[Tx]:
    """What stands in the folder's database, also beside a running assistant."""
    return databases.reading(name_of(folder))
