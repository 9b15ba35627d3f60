"""Between a program and a PostgreSQL: a proxy that can also lose connections just around a COMMIT."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support.between import Between, Ends

SOCKET = ".s.PGSQL.5432"
COMMIT = b"COMMIT\0"  # the end of a simple query that is nothing else


class Wire(Between):
    """``url`` leads through it, by a unix socket of its own in ``folder``."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(self)
        parts = urlsplit(url)
        self._server = str(Path(parse_qs(parts.query)["host"][0]) / SOCKET)
        self._socket = folder / SOCKET
        self.url = f"postgresql://postgres@{parts.path}?host={folder}"
        self.lose_before_commit = 0  # so many COMMITs never reach the server
        self.lose_after_commit = 0  # so many are carried out, and the answer is lost
        self.of = b""  # only those whose transaction had this in it
        self.then_away = False  # and from then on it takes no connection
        self._meant: set[asyncio.Event] = set()  # by what each connection has of its own

    async def dial(self) -> Ends:
        return await asyncio.open_unix_connection(self._server)

    async def listen(self, proxy: Between) -> asyncio.Server:
        return await asyncio.start_unix_server(proxy.serve, str(self._socket))

    def refuse(self) -> None:
        super().refuse()
        self._socket.unlink(missing_ok=True)

    def passes(self, asked: bytes, mute: asyncio.Event) -> bool:
        if self.of in asked:
            self._meant.add(mute)
        if not asked.endswith(COMMIT):
            return super().passes(asked, mute)
        meant = mute in self._meant
        self._meant.discard(mute)
        if not meant or not (self.lose_before_commit or self.lose_after_commit):
            return super().passes(asked, mute)
        arrives = not self.lose_before_commit
        if arrives:
            self.lose_after_commit -= 1
            mute.set()
        else:
            self.lose_before_commit -= 1
        self.lost += 1
        if self.then_away:
            self.refuse()
        return arrives


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
