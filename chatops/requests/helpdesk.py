"""Questions to the platform team: a message in the requests channel that mentions its people."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chatops.kernel.errors import Refused
from chatops.kernel.masking import mask
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Configuration, Database, Directory, Lane, Outbox, Post, Tx

ONCE = 600.0  # seconds within which the same question is asked once, however often it is sent


@dataclass(frozen=True, slots=True)
class Questioner:
    """Implements ``kernel.helpdesk.Helpdesk``."""

    database: Database
    outbox: Outbox
    directory: Directory
    configuration: Configuration
    clock: Clock

    async def ask(self, person: Person, text: str, message: str) -> tuple[str, ...]:
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
        name = f"question/{person.id}/{digest}/{int(self.clock.now() // ONCE)}"
        post = Post(name, Lane.ANSWER, "note", channel=channel, content=content)

        def show(tx: Tx) -> None:
            self.outbox.show(tx, post)

        await self.database.write(show)
        names = sorted(helpers.values())
        return (f"I have asked {', '.join(names)} in #{channel.removeprefix('#')}. They answer there.",)
