"""Small functions of a transaction that the store's tests share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from chatops.kernel.ports import Tx

DEADLINE = 10.0  # seconds a test waits for a condition before it fails


def note(tx: Tx, name: str) -> str:
    tx.run("INSERT INTO settings (name, value, updated_at) VALUES (:name, 'x', 1)", name=name)
    return name


def names(tx: Tx) -> list[str]:
    return [row["name"] for row in tx.all("SELECT name FROM settings ORDER BY name")]


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
