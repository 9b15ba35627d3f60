"""Between a program and a PostgreSQL: a proxy that can lose connections, also just around a COMMIT, or say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SOCKET = ".s.PGSQL.5432"
COMMIT = b"COMMIT\0"  # the end of a simple query that is nothing else


class Wire:
    """``url`` leads through it. What it is to do wrong is set on it and holds until it is taken back."""

    def __init__(self, url: str, folder: Path) -> None:
        parts = urlsplit(url)
        self._server = str(Path(parse_qs(parts.query)["host"][0]) / SOCKET)
        self._folder = folder
        self.url = f"postgresql://postgres@{parts.path}?host={folder}"
        self.speaking = asyncio.Event()  # cleared: nothing goes on to either side
        self.speaking.set()
        self.lose_before_commit = 0  # so many COMMITs never reach the server
        self.lose_after_commit = 0  # so many are carried out, and the answer is lost
        self.then_away = False  # and from then on it takes no connection
        self.lost = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening: asyncio.Server | None = None

    async def open(self) -> None:
        """Takes connections."""
        self._listening = await asyncio.start_unix_server(self._serve, str(self._folder / SOCKET))

    async def close(self) -> None:
        """Refuses connections and loses those that stand."""
        self._refuse()
        self.cut()

    def _refuse(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None
            (self._folder / SOCKET).unlink(missing_ok=True)

    def cut(self) -> None:
        """Loses the connections that stand."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._server)
        self._writers |= {writer, back}
        mute = asyncio.Event()  # what the server answers next is lost, and the connection with it
        both = [
            asyncio.create_task(self._asks(reader, back, mute)),
            asyncio.create_task(self._answers(there, writer, mute)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for one in (writer, back):
            one.transport.abort()
            self._writers.discard(one)

    async def _asks(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, mute: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self.speaking.wait()
                if data.endswith(COMMIT) and self.lose_before_commit:
                    self.lose_before_commit -= 1
                    self.lost += 1
                    if self.then_away:
                        self._refuse()
                    return
                if data.endswith(COMMIT) and self.lose_after_commit:
                    self.lose_after_commit -= 1
                    self.lost += 1
                    mute.set()
                    if self.then_away:
                        self._refuse()
                server.write(data)
                await server.drain()

    async def _answers(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, mute: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self.speaking.wait()
                if mute.is_set():
                    return
                client.write(data)
                await client.drain()


@asynccontextmanager
async def wire(url: str, folder: Path) -> AsyncIterator[Wire]:
    """A proxy before the server of ``url``, which is reached over a unix socket."""
    made = Wire(url, folder)
    await made.open()
    try:
        yield made
    finally:
        made.speaking.set()
        await made.close()
