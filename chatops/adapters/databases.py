"""Which database ``CHATOPS_DATABASE`` names: a file of SQLite, or a PostgreSQL by its URL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, Self

from chatops.adapters import sqlite_file
from chatops.adapters.sqlite import SQLite
from chatops.kernel.errors import PlatformError
from chatops.kernel.ports import Database, Tx

URLS = ("postgresql://", "postgres://")


class Opening(Database, Protocol):
    """A database that is opened by ``async with``."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


def is_postgres(name: str) -> bool:
    """Whether it is the URL of a PostgreSQL."""
    return name.startswith(URLS)


def database(name: str, *, on_commit_point: Callable[[str], None] | None = None) -> Opening:
    """The database of that name, yet to be opened; raises ``PlatformError`` for what is neither."""
    if not is_postgres(name):
        return SQLite(name, on_commit_point=on_commit_point)
    need_driver()
    from chatops.adapters.postgres import Postgres

    return Postgres(name, on_commit_point=on_commit_point)


def reading(name: str) -> AbstractContextManager[Tx]:
    """One read-only snapshot, also beside a running assistant; for programs without a loop."""
    if not is_postgres(name):
        return sqlite_file.reading(name)
    need_driver()
    from chatops.adapters.postgres_server import reading as snapshot

    return snapshot(name)


def shown(name: str) -> str:
    """The name without the user and the password of a URL."""
    if not is_postgres(name):
        return name
    need_driver()
    from chatops.adapters.postgres_server import Address

    return str(Address(name))


def need_driver() -> None:
    """Raises ``PlatformError`` where psycopg is missing, an extra: most installations are on SQLite."""
    try:
        import psycopg  # noqa: F401 (whether it is there)
    except ImportError as error:
        raise PlatformError(
            "CHATOPS_DATABASE names a PostgreSQL, and its driver is not installed.",
            hint="pip install 'platform-chatops[postgres]'",
        ) from error
