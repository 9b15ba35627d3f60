"""Questions to the platform team: a message in the requests channel that mentions its people."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chatops.kernel.errors import Refused
from chatops.kernel.masking import mask
from chatops.kernel.people import Person
from chatops.kernel.ports import Configuration, Database, Directory, Lane, Outbox, Post, Tx

ONCE = 600.0  # seconds within which the same question is asked once, however often it is sent
# Of the ten minutes in which it was asked, or lately in the ten before.
ASKED = "SELECT 1 AS one FROM posts WHERE id = :now OR (id = :before AND created_at > :since)"


@dataclass(frozen=True, slots=True)
class Questioner:
    """Implements ``kernel.helpdesk.Helpdesk``."""

    database: Database
    outbox: Outbox
    directory: Directory
    configuration: Configuration

    async def ask(self, person: Person, text: str, message: str, asked_at: float) -> tuple[str, ...]:
        """Asks in the requests channel, and says so; raises ``Refused`` where there is no platform team."""
        platform = self.configuration.platform
        found = [one for source in platform.operators for one in await self.directory.members(source)]
        helpers = {one.id: one.name for one in found if one.id != person.id}
        if not helpers:
            raise Refused("I know of nobody on the platform team.", hint="`operators` in the configuration names them.")
        channel, text = platform.channel("requests"), mask(text)[0]
        digest = hashlib.sha256(f"{text}\n{message}".encode()).hexdigest()[:16]
        content = {
            "lines": [f"*{person.name}* asks the platform team:", text], "mention": list(helpers),
            "link": {"url": message, "words": "The message that it is about"} if message else None,
        }  # fmt: skip
        now, before = (f"question/{person.id}/{digest}/{int(at // ONCE)}" for at in (asked_at, asked_at - ONCE))
        post = Post(now, Lane.ANSWER, "note", channel=channel, content=content)

        def show(tx: Tx) -> None:
            if tx.one(ASKED, now=now, before=before, since=asked_at - ONCE) is None:
                self.outbox.show(tx, post)

        await self.database.write(show)
        names = sorted(helpers.values())
        return (f"I have asked {', '.join(names)} in #{channel.removeprefix('#')}. They answer there.",)
