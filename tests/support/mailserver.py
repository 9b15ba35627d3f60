"""A small mail server (RFC 5321, without TLS) that takes mails, refuses them, hangs, or cuts the line."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

USER, PASSWORD = "chatops", "mail-password-canary-4711"


@dataclass
class MailServer:
    """What came, and how the next mails are met: ``take``, ``refuse`` (550), ``busy`` (451), ``hang``, ``cut``."""

    port: int = 0
    mood: str = "take"
    mails: list[EmailMessage] = field(default_factory=list)
    tried: int = 0
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"smtp://{USER}:{PASSWORD}@127.0.0.1:{self.port}?from=chatops@acme.test"

    async def arrived(self, number: int = 1, within: float = 10) -> EmailMessage:
        """The mail of this number, counted from one."""
        async with asyncio.timeout(within):
            while len(self.mails) < number:
                self.woken.clear()
                await self.woken.wait()
        return self.mails[number - 1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 mail.acme.test")
        known = False
        while line := (await reader.readline()).decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                say("250-mail.acme.test")
                say("250 AUTH PLAIN")
            elif verb == "AUTH":
                known = base64.b64decode(line.split(" ")[2]).decode().split("\0")[1:] == [USER, PASSWORD]
                say("235 welcome" if known else "535 who are you")
            elif verb == "MAIL":
                say("250 ok" if known else "530 who are you")
            elif verb == "RCPT":
                self.tried += 1
                if self.mood == "hang":
                    await asyncio.Event().wait()
                if self.mood == "cut":
                    break
                say({"refuse": "550 nobody of that name", "busy": "451 come back later"}.get(self.mood, "250 ok"))
            elif verb == "DATA":
                say("354 go on")
                body = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(cast(EmailMessage, message_from_bytes(body[:-3], policy=policy.default)))
                self.woken.set()
                say("250 taken")
            else:
                say("221 bye" if verb == "QUIT" else "250 ok")
                if verb == "QUIT":
                    break
        writer.close()


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    found = MailServer()
    conversations: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(found.serve(reader, writer))
        conversations.add(task)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in conversations:
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
