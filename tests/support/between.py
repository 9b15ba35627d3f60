"""Between two programs: a small proxy that is slow, says nothing, cuts connections, or loses answers, as it is told."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

HOST = "127.0.0.1"
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Place(Protocol):
    """Where a proxy is reached, and what it reaches."""

    async def dial(self) -> Ends:
        """A connection to the server behind it."""
        ...

    async def listen(self, proxy: Between) -> asyncio.Server:
        """Takes connections for the proxy, the second time where it took them the first time."""
        ...


class Port:
    """A TCP port of this machine before another one; the first free one, unless one was taken before."""

    def __init__(self, port: int) -> None:
        self._server = port
        self.port = 0

    async def dial(self) -> Ends:
        return await asyncio.open_connection(HOST, self._server)

    async def listen(self, proxy: Between) -> asyncio.Server:
        listening = await asyncio.start_server(proxy.serve, HOST, self.port)
        self.port = int(listening.sockets[0].getsockname()[1])
        return listening


class Between:
    """What it is to do wrong is set on it and holds until it is taken back; nothing that was sent is changed."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.speaking = asyncio.Event()  # cleared: connections are taken, and nothing goes on to either side
        self.speaking.set()
        self.pause = 0.0  # seconds that each piece, of 64 KiB at most, takes in either direction
        self.lose_answers = False  # what is asked arrives; the answer, and the connection with it, is lost
        self.lost = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening: asyncio.Server | None = None

    async def open(self) -> None:
        """Takes connections."""
        self._listening = await self._place.listen(self)

    async def close(self) -> None:
        """Refuses connections and loses those that stand."""
        self.refuse()
        self.cut()

    def refuse(self) -> None:
        """Takes no connection any more; those that stand go on."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def cut(self) -> None:
        """Loses the connections that stand."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        there, back = await self._place.dial()
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

    def passes(self, asked: bytes, mute: asyncio.Event) -> bool:
        """Whether what was asked reaches the server."""
        if self.lose_answers:
            mute.set()
        return True

    async def _asks(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, mute: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._takes_its_time()
                if not self.passes(data, mute):
                    return
                server.write(data)
                await server.drain()

    async def _answers(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, mute: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._takes_its_time()
                if mute.is_set():
                    self.lost += self.lose_answers
                    return
                client.write(data)
                await client.drain()

    async def _takes_its_time(self) -> None:
        await self.speaking.wait()
        if self.pause:
            await asyncio.sleep(self.pause)
