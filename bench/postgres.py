"""A PostgreSQL of the bench's own, as it comes: it waits for the disk at every COMMIT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.support.postgres import own_server

CONFIGURATION = "max_connections = 100\nmax_wal_size = 4GB\n"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    found: Any

    def database(self, name: str) -> str:
        """The URL of a new database."""
        with psycopg.connect(self.found.get_uri("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
        return str(self.found.get_uri(name))

    @property
    def version(self) -> str:
        """Such as 16.4."""
        with psycopg.connect(self.found.get_uri("postgres")) as connection:
            return connection.info.parameter_status("server_version") or ""


@contextmanager
def postgres_server(folder: Path) -> Iterator[Server]:
    """For the time of the block; its files are in the folder."""
    with own_server(folder, CONFIGURATION) as found:
        yield Server(found)
