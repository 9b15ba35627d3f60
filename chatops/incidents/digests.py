"""In a storm: one message that names many incidents, before their cards come at Slack's pace of one a second."""

from __future__ import annotations

from chatops.incidents import store
from chatops.kernel.ports import Clock, Database, Lane, Outbox, Post, Tx

MANY = 10  # incidents opened for a channel within WITHIN; those beyond go into a digest
WITHIN = 30.0  # seconds
ROOM = 40  # incidents in one message: less than 12,000 characters, Slack takes 13,000
LINKED_FOR = 15 * 60.0  # seconds after the last incident in which a digest is looked at for cards that stand by now


def assigned(tx: Tx, channel: str, now: float) -> str:
    """The digest that names an incident that is being opened now; empty while there are few."""
    if store.opened_lately(tx, channel, now - WITHIN, MANY) < MANY:
        return ""
    newest, size = store.newest_digest(tx, channel, now - WITHIN)
    if newest and size < ROOM:
        return newest
    part = int(newest.rpartition("/")[2]) + 1 if newest else 1
    return f"digest/{channel}/{round(now * 1000)}/{part}"


def post(digest: str, channel: str) -> Post:
    """The message of a digest."""
    return Post(digest, Lane.PAGE, "digest", digest, channel=channel)


async def refresh(database: Database, outbox: Outbox, clock: Clock) -> None:
    """Shows the digests of late again, so that they link the cards that stand by now."""
    now = clock.now()

    def show(tx: Tx) -> None:
        for digest, channel in store.digests(tx, now - LINKED_FOR):
            outbox.show(tx, post(digest, channel))

    if await database.read(store.digests, now - LINKED_FOR):
        await database.write(show)
