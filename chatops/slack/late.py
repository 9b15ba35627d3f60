"""What a replica did in Slack after it had been given up: the one that leads by then sets it right.

Before every call a replica looks whether its lease still holds. A process that is stopped just after that look, for
longer than the lease, makes the call when it goes on: a second copy of a message that its successor has posted
meanwhile, or an older text over a newer one. It finds out when it wants to note what it did, and tells the others what
it was; then it begins anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from chatops.kernel.ports import Clock, Database, Lane
from chatops.slack import posts
from chatops.slack.calls import Away, Caller, Limited, Refusal
from chatops.slack.lanes import Budgets
from chatops.slack.places import Places
from chatops.slack.posts import Stored, Wanted

log = logging.getLogger(__name__)

AGAIN = 1.0  # seconds between looks at a post of which it is not known yet where it stands


class Late:
    """Used by the replica that leads; ``want`` brings a post to Slack."""

    def __init__(
        self, database: Database, caller: Caller, budgets: Budgets, clock: Clock, want: Callable[[Wanted], object],
        settle: float,
    ) -> None:  # fmt: skip
        self._database, self._caller, self._budgets, self._clock, self._want = database, caller, budgets, clock, want
        self._settle = settle
        self._places = Places(caller, budgets, clock)

    async def mend(self, post_id: str, channel: str, ts: str) -> None:
        """Deletes the message at ``ts`` when another one stands for the post, and else has it say what is true.

        Without a ``ts`` it is not known whether the call arrived: looks for copies, ``settle`` seconds later. Waits
        while it is not known which message stands. Raises ``Unavailable``, ``Closing``, and ``Refusal`` when nothing
        can be looked up there.
        """
        if not ts:
            await self._clock.sleep(self._settle)
        while True:
            stored = await self._database.read(posts.load, post_id)
            if stored is None or (not stored.ts and stored.wanted <= stored.sent):
                return  # it is not known what it was a copy of
            if stored.ts == ts:
                wanted = await self._database.write(posts.anew, post_id, ts)
                if wanted is not None:
                    self._want(wanted)
                return
            if stored.ts and await self._alone(stored, channel, ts):
                return
            await self._clock.sleep(AGAIN)

    async def _alone(self, stored: Stored, channel: str, ts: str) -> bool:
        """Whether the copies are gone; not while Slack is away."""
        post_id, lane = stored.post.id, stored.post.lane
        try:
            thread = stored.thread_ts
            found = self._places.find_all(post_id, stored.channel_id, thread, stored.order, lane)
            copies = [ts] if ts else [one async for one, _ in found]
            return all([await self._deleted(post_id, channel, one, lane) for one in copies if one != stored.ts])
        except Away:
            return False

    async def _deleted(self, post_id: str, channel: str, ts: str, lane: Lane) -> bool:
        try:
            await self._budgets.admit("chat.delete", channel, lane)
            await self._caller.api("chat.delete", post_id, channel=channel, ts=ts)
            log.warning("%s stood in Slack twice, for a replica that was given up had posted it, too", post_id)
        except Limited as limited:
            self._budgets.hold("chat.delete", channel, limited.retry_after)
            return False
        except Refusal as refusal:
            log.log(logging.INFO if refusal.code == "message_not_found" else logging.ERROR, "%s: %s", post_id, refusal)
        return True
