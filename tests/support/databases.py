"""The database of a test: SQLite, or with ``CHATOPS_TEST_DATABASE=postgresql`` a PostgreSQL that comes in a wheel."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters import databases
from chatops.adapters.sqlite_file import open_for_writing
from chatops.kernel.ports import Tx

ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.group("postgresql")))  # one process's server
POSTGRES = os.environ.get("CHATOPS_TEST_DATABASE", "sqlite") == "postgresql"


@functools.cache
def _new() -> bytes:
    """A database that has every step behind it and no rows: to make one takes ten times as long as to copy it."""
    with tempfile.TemporaryDirectory(prefix="chatops-test-") as folder:
        path = Path(folder) / "chatops.db"
        open_for_writing(path).close()
        return path.read_bytes()


def make(path: Path) -> None:
    """A new database of SQLite in this file."""
    path.write_bytes(_new())
    path.chmod(0o600)


def name_of(folder: Path, engine: str = "") -> str:
    """What ``CHATOPS_DATABASE`` is for a test's folder: one database for each."""
    if engine == "sqlite" or (not engine and not POSTGRES):
        path = folder / "chatops.db"
        if not path.exists():
            make(path)
        return str(path)
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
