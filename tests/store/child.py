"""A process that writes and says so line by line, for the tests that kill it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

from chatops.adapters import databases
from chatops.adapters.sqlite import SQLite
from chatops.kernel.errors import PlatformError, Unavailable
from tests.store.facts import note


async def acknowledge(name: str, at_once: int) -> None:
    """Writes for ever, prints each name once its write was answered."""
    async with databases.database(name) as database:

        async def one(worker: int) -> None:
            for number in range(1_000_000):
                name = await database.write(note, f"{worker}-{number}")
                os.write(1, f"{name}\n".encode())

        await asyncio.gather(*(one(worker) for worker in range(at_once)))


async def die(name: str, point: str) -> None:
    """Kills itself at the named point of the commit of ``note``, after one write that went well."""
    armed = False

    def hook(at: str) -> None:
        if armed and at.startswith(point):
            os.kill(os.getpid(), signal.SIGKILL)

    async with databases.database(name, on_commit_point=hook) as database:
        os.write(1, f"{await database.write(note, 'first')}\n".encode())
        armed = True
        os.write(1, f"{await database.write(note, 'second')}\n".encode())


async def outgrow(path: Path) -> None:
    """Writes until the system refuses a larger file, then once more with the limit lifted."""
    async with SQLite(path) as database:
        await database.write(note, "before")
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        wal = Path(f"{path}-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (wal + 100_000, hard))
        told: list[str] = []
        for number in range(1000):
            results = await asyncio.gather(
                *(database.write(note, f"{number:04}-{part}") for part in range(10)), return_exceptions=True
            )
            told += [result for result in results if isinstance(result, str)]
            if any(isinstance(result, Unavailable) for result in results):
                break
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        told.append(await database.write(note, "zafter"))
    os.write(1, "".join(f"{name}\n" for name in ("before", *told)).encode())
    os.write(2, b"".join(f"{error.message}\n".encode() for error in results if isinstance(error, Unavailable)))


def main() -> None:
    what, path, *rest = sys.argv[1:]
    try:
        if what == "acknowledge":
            asyncio.run(acknowledge(path, int(rest[0])))
        elif what == "die":
            asyncio.run(die(path, rest[0]))
        else:
            asyncio.run(outgrow(Path(path)))
    except PlatformError as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
