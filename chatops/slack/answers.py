"""Private answers to who asked: kept in the outbox like every message, so that a slow Slack or a crash loses none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from chatops.kernel.action import Answer
from chatops.kernel.ports import Clock, Database, Lane, Outbox, Post, Row, Tx
from chatops.slack.directory import Home
from chatops.slack.intake import CLOSED, Item, done
from chatops.slack.mrkdwn import link, said
from chatops.slack.payloads import Where
from chatops.slack.permalinks import permalink, place
from chatops.slack.ports import Asked
from chatops.slack.views.blocks import Message, section

_LOOKS, _EVERY = 40, 0.1  # four seconds for the card to stand, before its channel is named instead of linked

MASKED = (
    "Something in it looked like a password or a token. I took it out before storing it; if it was one, replace it."
)


@dataclass(frozen=True, slots=True)
class Answers:
    """Says something to one person, or in the thread where they asked in public."""

    database: Database
    outbox: Outbox
    home: Home
    clock: Clock

    async def tell(self, key: str, where: Where, answer: Answer) -> None:
        """Commits an answer; the same ``key`` says it once."""
        await self.database.write(self.put, key, where, answer)

    async def end(self, item: Item, where: Where, answer: Answer, failed: str = "") -> object:
        """Commits the last answer to what came in, and that it is worked off or why it ``failed``."""
        await self.database.write(self._end, item, where, self._answering(item.key, where, answer), failed)
        return CLOSED

    def put(self, tx: Tx, key: str, where: Where, answer: Answer) -> None:
        """The same, in the commit of what the answer is about."""
        self.outbox.show(tx, self._answering(key, where, answer))

    def _answering(self, key: str, where: Where, answer: Answer) -> Post:
        if answer.private and not where.channel.startswith("D"):  # direct messages are private as they are
            where = replace(where, visible=False)
        content = asdict(
            replace(answer, file=None, panels=None)
        )  # files and pictures go their own way, past the database
        return self._post(key, "answer", where, content)

    async def asked(self, item: Item, where: Where, asked: Asked, title: str) -> object:
        """Says where the card is, unless it was asked right there; returns what the work on an item does."""
        stands = await self._stands(asked.post)
        post: Post | None = None
        if stands is None or stands["channel_id"] != where.channel or where.thread_ts:
            url = permalink(self.home.url, stands["channel_id"], stands["ts"]) if stands is not None else ""
            first = asked.fresh or item.again  # worked off again, it is there from before
            words, channel = title if first else f"{title} was asked for before", asked.channel.removeprefix("#")
            content = {"request": f"R-{asked.id}", "words": words, "url": url, "channel": channel}
            post = self._post(item.key, "asked", where, content)
        await self.database.write(self._end, item, where, post)
        return CLOSED

    def _end(self, tx: Tx, item: Item, where: Where, post: Post | None, failed: str = "") -> None:
        if post is not None:
            self.outbox.show(tx, post)
        if item.body.get("masked"):
            said = Answer(title="Please check", lines=(MASKED,))
            self.put(tx, f"{item.key}/masked", replace(where, visible=False), said)
        done(tx, item.key, self.clock.now(), failed)

    @staticmethod
    def _post(key: str, kind: str, where: Where, content: Mapping[str, Any]) -> Post:
        return Post(
            f"answer/{key}",
            Lane.ANSWER,
            kind,
            channel=where.channel,
            person="" if where.visible else where.user,
            thread_ts=where.thread_ts,
            response_url="" if where.thread_ts else where.response_url,
            content=content,
            asked=True,
        )

    async def _stands(self, post: str) -> Row | None:
        for _ in range(_LOOKS):
            row = await self.database.read(place, post)
            if row is not None:
                return row
            await asyncio.sleep(_EVERY)
        return None


def render_asked(tx: Tx, post: Post) -> Message | None:
    """The renderer of posts of kind ``asked``."""
    content = post.content
    name = link(content["url"], content["request"]) if content["url"] else said(content["request"])
    where = link(content["url"], f"#{content['channel']}") if content["url"] else said(f"#{content['channel']}")
    text = f"{name} {said(content['words'])}: its card is in {where}."
    return Message(text=text, blocks=[section(text)])
