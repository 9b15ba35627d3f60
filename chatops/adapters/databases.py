"""Which database ``CHATOPS_DATABASE`` names: a file of SQLite, or a PostgreSQL by its URL."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, Self

from chatops.adapters import sqlite_file
from chatops.adapters.sqlite import SQLite
from chatops.kernel.errors import PlatformError
from chatops.kernel.ports import Database, Tx
from chatops.kernel.replicas import Replicas

URLS = ("postgresql://", "postgres://")
_ADDRESS = re.compile(r"://|\b(?:host|hostaddr|user|password|dbname|service)\s*=", re.IGNORECASE)  # a URL, or a DSN


class Opening(Database, Protocol):
    """A database that is opened by ``async with``."""

    @property
    def replicas(self) -> Replicas:
        """Those that share it."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


def is_postgres(name: str) -> bool:
    """Whether it is the URL of a PostgreSQL, and else the path of a file.

    Raises ``PlatformError`` for an address of another kind, which may hold a password and is shown nowhere.
    """
    if name.startswith(URLS):
        return True
    if _ADDRESS.search(name):
        raise PlatformError(
            "The database is neither the path of a file (SQLite) nor postgresql://USER@HOST/NAME.",
            hint="CHATOPS_DATABASE names it, or --database or --to. It is not repeated: it may be secret.",
        )
    return False


def database(name: str, *, on_commit_point: Callable[[str], None] | None = None, lease: float | None = None) -> Opening:
    """The database of that name, yet to be opened; raises ``PlatformError`` as ``is_postgres``.

    ``lease``: seconds without a sign of life after which other replicas take over; a file has only one.
    """
    if not is_postgres(name):
        return SQLite(name, on_commit_point=on_commit_point)
    need_driver()
    from chatops.adapters.postgres import Postgres
    from chatops.adapters.postgres_membership import LEASE

    return Postgres(name, on_commit_point=on_commit_point, lease=lease or LEASE)


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
