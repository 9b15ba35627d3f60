"""Bringing one post to Slack: looked up when its fate is unknown, posted, updated, or answered privately.

The order that makes "never twice" true: ``posting_since`` is committed, Slack is called, the ts is committed. Whoever
finds ``posting_since`` without a ts (after a timeout, a broken connection, a crash) looks the post up first.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from chatops.kernel.ports import Clock, Database
from chatops.slack import posts
from chatops.slack.calls import Away, Caller, Limited, Refusal
from chatops.slack.lanes import Budgets, Job
from chatops.slack.places import EVENT_TYPE, Places
from chatops.slack.posts import Stored, Wanted
from chatops.slack.standing import Standing, says_nothing_new
from chatops.slack.steady import SteadyClock
from chatops.slack.views.blocks import Block, Message

log = logging.getLogger(__name__)

_GONE = frozenset({"message_not_found", "cant_update_message"})
_NOT_HERE = frozenset(
    {"user_not_in_channel", "channel_not_found", "is_archived", "not_in_channel", "messages_tab_disabled"}
)
PICTURE_TAKES, PICTURE_AGAIN = 30.0, 2.0  # seconds in which Slack gets an upload ready; between two tries
NO_REPEAT = "it is not known whether this private answer arrived; it is not repeated"


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: at ``at``; ``calm`` when new content may make it urgent, ``posts`` when no other may be posted there."""

    at: float
    calm: bool = False
    posts: bool = False


@dataclass(frozen=True, slots=True)
class Behind:
    """Not before the parent stands."""

    parent: str


@dataclass(frozen=True, slots=True)
class Reposted:
    """The message it depends on was deleted; the parent has to be posted anew first."""

    parent: Wanted


Verdict = Later | Behind | Reposted | None  # None: Slack has it, or never will


class Delivery:
    """Delivers one job at a time per post; raises ``Away`` and ``Refusal`` for the messenger to judge."""

    def __init__(
        self,
        database: Database,
        caller: Caller,
        clock: Clock,
        steady: SteadyClock,
        budgets: Budgets,
        standing: Standing,
        *,
        settle: float,
    ) -> None:
        self._database = database
        self._caller = caller
        self._clock = clock
        self._steady = steady
        self._budgets = budgets
        self._standing = standing
        self._places = Places(caller, budgets, steady)
        self._settle = settle
        self._reposted: set[str] = set()

    async def deliver(self, job: Job) -> Verdict:
        """Brings the job's post one or more steps on, until Slack has what is wanted or somebody has to wait."""
        while True:
            stored, message = await self._standing.now(job.id)
            if stored is None or stored.wanted <= stored.sent:
                return None
            if stored.parent_failed:
                await self._standing.give_up(stored, f"{stored.post.thread_of} was not posted: {stored.parent_failed}")
                return None
            if stored.waits_for:
                return Behind(stored.waits_for)
            if stored.quiet_until > self._clock.now() and not stored.ts:
                return Later(self._steady.at(stored.quiet_until))
            if says_nothing_new(stored, message):
                await self._standing.unchanged(stored)
                return None
            try:
                verdict, over = await self._step(job, stored, message)
            except Refusal as refusal:
                if _lacks_picture(refusal) and not job.bare:
                    return self._wait_for_picture(job)
                log.error("%s cannot be shown in Slack: %s", job.id, refusal)
                await self._standing.give_up(stored, str(refusal))
                return None
            if over:
                return verdict

    async def _step(self, job: Job, stored: Stored, message: Message | None) -> tuple[Verdict, bool]:
        """One step, and whether that was all for now."""
        if stored.ts and message is not None:
            return await self._update(job, stored, message)
        if stored.private:
            return await self._answer(job, stored)
        if stored.posting_since is not None:
            return await self._look_up(job, stored, stored.posting_since)
        return await self._post(job, stored)

    # What stands already -------------------------------------------------------------------------------------------

    async def _update(self, job: Job, stored: Stored, message: Message) -> tuple[Verdict, bool]:
        lane, channel = stored.post.lane, stored.channel_id
        if (held := self._held("chat.update", channel)) is not None:
            return held, True
        calm_until = self._standing.calm_until(stored, message)
        if calm_until > self._steady.now():
            return Later(calm_until, calm=True), True
        if await self._budgets.admit("chat.update", channel, lane):
            # It had to wait: what is true may have changed, and is what has to be said.
            now, latest = await self._standing.now(job.id)
            if now is None or latest is None or says_nothing_new(now, latest):
                return None, False
            stored, message = now, latest
        content = {"text": message.text, "blocks": _blocks(job, message)}
        self._standing.unnoted[job.id] = channel, stored.ts
        try:
            await self._caller.api("chat.update", job.id, channel=channel, ts=stored.ts, **content)
        except Limited as limited:
            del self._standing.unnoted[job.id]
            self._budgets.hold("chat.update", channel, limited.retry_after)
            return None, False
        except Refusal as refusal:
            del self._standing.unnoted[job.id]
            if refusal.code not in _GONE or job.id in self._reposted:
                raise
            log.warning("%s was deleted in Slack (%s); it is posted anew", job.id, refusal.code)
            self._reposted.add(job.id)
            await self._database.write(posts.gone, job.id, stored.ts)
            return None, False
        await self._standing.stands(stored, message, stored.ts)
        return None, True

    # What is to be posted ------------------------------------------------------------------------------------------

    async def _post(self, job: Job, stored: Stored) -> tuple[Verdict, bool]:
        channel = await self._channel(stored)
        if (held := self._held("chat.postMessage", channel)) is not None:
            return held, True
        await self._budgets.admit("chat.postMessage", channel, stored.post.lane)
        if not await self._database.write(posts.begin, job.id, channel, self._clock.now()):
            return None, False
        now, message = await self._standing.now(job.id)
        if now is None or message is None:
            await self._database.write(posts.not_posted, job.id)
            return None, False
        content: dict[str, Any] = {"channel": channel, "text": message.text, "blocks": _blocks(job, message)}
        content |= {"unfurl_links": False, "unfurl_media": False, "metadata": _metadata(job.id, message)}
        if now.thread_ts:
            content["thread_ts"] = now.thread_ts
        self._standing.unnoted[job.id] = channel, ""
        try:
            answer = await self._caller.api("chat.postMessage", job.id, **content)
        except Away as away:
            await self._after_away(job, away)
            raise
        except Limited as limited:
            del self._standing.unnoted[job.id]
            self._budgets.hold("chat.postMessage", channel, limited.retry_after)
            await self._database.write(posts.not_posted, job.id)
            return None, False
        except Refusal as refusal:
            del self._standing.unnoted[job.id]
            await self._database.write(posts.not_posted, job.id)
            return await self._after_refusal(job, now, channel, refusal)
        self._standing.unnoted[job.id] = place = str(answer.get("channel") or channel), str(answer["ts"])
        await self._standing.stands(now, message, place[1], place[0])
        return None, True

    async def _after_away(self, job: Job, away: Away) -> None:
        if away.sure:
            del self._standing.unnoted[job.id]
            await self._database.write(posts.not_posted, job.id)
        else:
            job.unsure_at = self._steady.now()

    async def _after_refusal(self, job: Job, stored: Stored, channel: str, refusal: Refusal) -> tuple[Verdict, bool]:
        """Joins a channel we are not in; posts a deleted parent anew; everything else is for good."""
        if refusal.code == "not_in_channel" and not job.joined:
            job.joined = True
            await self._places.join(channel, job.id, stored.post.lane)
            return None, False
        parent = stored.post.thread_of
        if refusal.code == "thread_not_found" and parent and parent not in self._reposted:
            log.warning("%s was deleted in Slack; it is posted anew, for %s to stand under it", parent, job.id)
            self._reposted.add(parent)
            wanted = await self._database.write(posts.gone, parent, stored.thread_ts)
            return (Reposted(wanted), True) if wanted is not None else (None, False)
        raise refusal

    async def _look_up(self, job: Job, stored: Stored, since: float) -> tuple[Verdict, bool]:
        """Whether a post of unknown fate arrived; concludes that it did not only after ``settle`` seconds."""
        found = await self._places.find(job.id, stored.channel_id, stored.thread_ts, since, stored.post.lane)
        if found is not None:
            ts, shown = found
            log.info("%s had arrived", job.id)
            await self._database.write(posts.found, job.id, ts=ts, shown=shown, now=self._clock.now())
            self._standing.unnoted.pop(job.id, None)
            return None, False
        job.unsure_at = job.unsure_at or min(self._steady.at(since), self._steady.now())  # 0: of an earlier run
        certain_at = job.unsure_at + self._settle
        if self._steady.now() < certain_at:
            # Slack may still be working on it, or not show it yet in the history.
            return Later(certain_at), True
        await self._database.write(posts.not_posted, job.id)
        return None, False

    async def _channel(self, stored: Stored) -> str:
        post = stored.post
        if stored.channel_id:
            return stored.channel_id
        if post.channel:
            return await self._places.channel(post.channel, post.id, post.lane)
        if post.person:
            return await self._places.direct(post.person, post.id, post.lane)
        raise Refusal("chat.postMessage", "channel_not_found", "the post names no channel and no person")

    # Private answers -----------------------------------------------------------------------------------------------

    async def _answer(self, job: Job, stored: Stored) -> tuple[Verdict, bool]:
        """To one person where they asked: response_url, else ephemeral, else a direct message. Never repeated."""
        post = stored.post
        if stored.posting_since is not None:
            await self._standing.give_up(stored, NO_REPEAT)
            return None, True
        by_url = bool(post.response_url)
        method = "response_url" if by_url else "chat.postEphemeral"
        channel = post.response_url if by_url else await self._channel(stored)
        if (held := self._held(method, channel)) is not None:
            return held, True
        await self._budgets.admit(method, channel, post.lane)
        if not await self._database.write(posts.begin, job.id, "" if by_url else channel, self._clock.now()):
            return None, False
        now, message = await self._standing.now(job.id)
        if now is None or message is None:
            await self._database.write(posts.not_posted, job.id)
            return None, False
        content: dict[str, Any] = {"text": message.text, "blocks": _blocks(job, message)}
        content |= {"thread_ts": now.thread_ts} if now.thread_ts else {}
        try:
            if by_url:
                extra = {"response_type": "ephemeral", "replace_original": False}
                await self._caller.respond(post.response_url, job.id, content | extra)
            else:
                await self._caller.api(method, job.id, channel=channel, user=post.person, **content)
        except Away as away:
            if away.sure:
                await self._database.write(posts.not_posted, job.id)
                raise
            log.warning("%s: %s (%s)", job.id, NO_REPEAT, away)
            await self._standing.give_up(stored, NO_REPEAT)
            return None, True
        except Limited as limited:
            self._budgets.hold(method, channel, limited.retry_after)
            await self._database.write(posts.not_posted, job.id)
            return None, False
        except Refusal as refusal:
            return await self._next_way(job, now, refusal)
        await self._standing.stands(now, message, "")
        return None, True

    async def _next_way(self, job: Job, stored: Stored, refusal: Refusal) -> tuple[Verdict, bool]:
        post = stored.post
        if post.response_url and post.person:
            await self._database.write(posts.without_url, job.id)
        elif not post.response_url and refusal.code in _NOT_HERE:
            await self._database.write(posts.to_person, job.id)
        else:
            raise refusal
        log.info("%s: %s, so the answer goes another way", job.id, refusal)
        return None, False

    def _wait_for_picture(self, job: Job) -> Later:
        """Slack takes a while until an upload can be shown; a message that waited long enough goes out without."""
        now = self._steady.now()
        job.picture_since = job.picture_since or now
        job.bare = now - job.picture_since >= PICTURE_TAKES
        if job.bare:
            log.warning("%s is shown without its picture: Slack does not have it ready", job.id)
        return Later(now if job.bare else now + PICTURE_AGAIN)

    def _held(self, method: str, channel: str) -> Later | None:
        """A Retry-After puts off this job alone: what else is in its queue may use another method."""
        until = self._budgets.held(method, channel)
        return Later(until, posts=method == "chat.postMessage") if until > self._steady.now() else None


def _lacks_picture(refusal: Refusal) -> bool:
    """Slack's words for a file that it does not have, or is still looking into after its upload."""
    return refusal.code == "invalid_blocks" and "invalid slack file" in refusal.detail


def _blocks(job: Job, message: Message) -> list[Block]:
    return [block for block in message.blocks if "slack_file" not in block] if job.bare else message.blocks


def _metadata(post_id: str, message: Message) -> dict[str, Any]:
    """What finds the post again, and what it said; https://docs.slack.dev/messaging/message-metadata"""
    return {"event_type": EVENT_TYPE, "event_payload": {"id": post_id, "hash": message.hash}}
