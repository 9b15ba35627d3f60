"""Once a day the last seal of the audit trail is noted where the assistant cannot take it back: a channel, a file."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from chatops.kernel import anchor
from chatops.kernel.anchor import Anchor, Signer
from chatops.kernel.errors import Unavailable
from chatops.kernel.ports import Clock, Configuration, Database, Lane, Outbox, Post, Tx

log = logging.getLogger(__name__)

EVERY = 86400.0  # seconds
SKEW = 300.0  # seconds by which a clock may have been put back


@dataclass(slots=True)
class Anchors:
    """Drops anchors; ``look`` may be called late, early or twice. Without a channel and a file it does nothing."""

    database: Database
    outbox: Outbox
    configuration: Configuration
    clock: Clock
    signer: Signer | None = None
    add: Callable[[str], Awaitable[None]] | None = None  # to the file
    _said: str = field(default="", init=False)

    async def look(self) -> bool:
        """Whether an anchor was dropped now."""
        channel = self.configuration.platform.audit.channel
        if not channel and self.add is None:
            return False
        dropped = False
        if await self.database.read(self._is_due):
            dropped = await self.database.write(self._drop, channel)
        if self.add is not None:
            await self._write(self.add)
        return dropped

    def _is_due(self, tx: Tx) -> bool:
        known, now = anchor.latest(tx), self.clock.now()
        # One of the future was dropped while the clock stood wrong; it must not keep the others away until then.
        return known is None or not now - EVERY < known.at <= now + SKEW

    def _drop(self, tx: Tx, channel: str) -> bool:
        """The anchor and what the channel is told of it, in one transaction."""
        if not self._is_due(tx):
            return False
        dropped = anchor.drop(tx, self.clock.now(), self.signer)
        if dropped is None:
            return False
        if channel:
            post = Post(
                f"anchor/{dropped.seal}", Lane.NOTICE, "note", channel=channel,
                content={"lines": _lines(dropped), "code": dropped.line},
            )  # fmt: skip
            self.outbox.show(tx, post)
        return True

    async def _write(self, add: Callable[[str], Awaitable[None]]) -> None:
        """What cannot be written stays due; it is said once, and once when it goes on."""
        try:
            for one in await self.database.read(anchor.unwritten):
                await add(one.line)
                await self.database.write(anchor.written, one.seal)
        except Unavailable as away:
            if self._said != away.message:
                log.error("an anchor of the audit trail is not in its file: %s; it is tried again", away.message)
            self._said = away.message
            return
        if self._said:
            log.info("the anchors of the audit trail are in their file again")
        self._said = ""


def _lines(dropped: Anchor) -> list[str]:
    signed = f", signed with the key {dropped.key}" if dropped.key else ""
    return [
        f"The audit trail until now: seal {dropped.seal}{signed}. Keep this line; `chatops audit verify --anchors` "
        "tells with it whether anything before was changed or cut off.",
    ]
