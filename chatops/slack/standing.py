"""What every post has to say by now, and what of it stands in Slack: the table's side of a delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from chatops.kernel.ports import Clock, Database, Lane, Post, Tx
from chatops.requests import preferences
from chatops.slack import posts
from chatops.slack.posts import Stored
from chatops.slack.steady import SteadyClock
from chatops.slack.views.blocks import Message

Renderer = Callable[[Tx, Post], Message | None]
Outcome = Callable[[Tx, Post, str], None]  # a post stands for the first time, or why it never will


class CannotRender(Exception):
    """A renderer failed: a defect of ours, not of this message's turn."""


class Standing:
    """Reads what is wanted and records what became of it; ``calm`` is the seconds between two calm updates."""

    def __init__(
        self, database: Database, clock: Clock, steady: SteadyClock, renderers: Mapping[str, Renderer],
        *, calm: float, outcome: Outcome,
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._steady = steady
        self._renderers = renderers
        self._calm = calm
        self._outcome = outcome
        self.unnoted: dict[str, tuple[str, str]] = {}  # by post: channel and ts (if known) of what may be new in Slack
        self._shown: dict[str, tuple[str, float]] = {}  # what moment each message shows, and since when

    async def now(self, post_id: str) -> tuple[Stored | None, Message | None]:
        """The row and what it must say now; nothing to say for what cannot go out yet."""
        return await self._database.read(self._look, post_id)

    def calm_until(self, stored: Stored, message: Message) -> float:
        """Progress goes out once in a while; a new state, a vote or a page at once."""
        lane = stored.post.lane
        moment, at = self._shown.get(stored.post.id, ("", float("-inf")))
        urgent = lane is Lane.PAGE
        urgent |= moment != message.moment if message.moment else lane is Lane.APPROVAL
        return self._steady.now() if urgent else at + self._calm

    async def stands(self, stored: Stored, message: Message, ts: str, channel: str = "") -> None:
        """Slack has this message: there and at this ts."""
        now = self._steady.now()
        if len(self._shown) > 2000:
            self._shown = {name: one for name, one in self._shown.items() if one[1] + self._calm > now}
        self._shown[stored.post.id] = message.moment, now
        await self._database.write(self._stand, stored, message.hash, ts, channel)
        self.unnoted.pop(stored.post.id, None)

    async def unchanged(self, stored: Stored) -> None:
        """What it says by now is what stands there."""
        await self._database.write(self._stand, stored, stored.sent_hash, stored.ts, "")

    async def give_up(self, stored: Stored, error: str) -> None:
        """Records why a post is not tried any more."""
        await self._database.write(self._given_up, stored, error[:500])

    async def give_up_on(self, post_id: str, error: str) -> None:
        """The same, of a post that may be gone."""
        stored = await self._database.read(posts.load, post_id)
        if stored is not None:
            await self.give_up(stored, error)

    def _look(self, tx: Tx, post_id: str) -> tuple[Stored | None, Message | None]:
        stored = posts.load(tx, post_id)
        if stored is None or stored.wanted <= stored.sent or stored.waits_for:
            return stored, None
        quiet = preferences.quiet_until(tx, stored.post, self._clock.now())
        stored = replace(stored, quiet_until=quiet) if quiet else stored
        try:
            return stored, self._renderers[stored.post.kind](tx, stored.post)
        except Exception as error:
            raise CannotRender(f"{post_id}: cannot be rendered as {stored.post.kind}") from error

    def _stand(self, tx: Tx, stored: Stored, shown: str, ts: str, channel: str) -> None:
        posts.stands(
            tx, stored.post.id, ts=ts, channel_id=channel or stored.channel_id, version=stored.wanted, shown=shown,
            now=self._clock.now(),
        )  # fmt: skip
        self._first(tx, stored, "")

    def _given_up(self, tx: Tx, stored: Stored, error: str) -> None:
        posts.give_up(tx, stored.post.id, version=stored.wanted, error=error, now=self._clock.now())
        self._first(tx, stored, error)

    def _first(self, tx: Tx, stored: Stored, error: str) -> None:
        if stored.sent == 0:
            self._outcome(tx, stored.post, error)


def says_nothing_new(stored: Stored, message: Message | None) -> bool:
    """Nothing to say, or said already; not while it is unknown whether the post stands."""
    return stored.posting_since is None and (message is None or message.hash == stored.sent_hash)
