"""Small functions of a transaction that the store's tests share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from chatops.adapters.databases import is_postgres
from chatops.adapters.postgres import Postgres
from chatops.adapters.sqlite import SQLite
from chatops.kernel.ports import Tx

DEADLINE = 10.0  # seconds a test waits for a condition before it fails


def note(tx: Tx, name: str) -> str:
    tx.run("INSERT INTO settings (name, value, updated_at) VALUES (:name, 'x', 1)", name=name)
    return name


def names(tx: Tx) -> list[str]:
    return [row["name"] for row in tx.all("SELECT name FROM settings ORDER BY name")]


def one_writer(name: str, *, queue: int = 1024, on_commit_point: Callable[[str], None] | None = None) -> Any:
    """A database on which one write at a time is under way, so that the others wait behind a ``Gate``."""
    if is_postgres(name):
        return Postgres(name, writers=1, queue=queue, on_commit_point=on_commit_point)
    return SQLite(name, queue=queue, on_commit_point=on_commit_point)


class Gate:
    """A function of a transaction that holds the writer until the test opens it."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def hold(self, tx: Tx, name: str = "gate") -> str:
        note(tx, name)
        self._reached.set()
        assert self._opened.wait(DEADLINE)
        return name

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, DEADLINE)

    def open(self) -> None:
        self._opened.set()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)
