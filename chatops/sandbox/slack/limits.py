"""Slack's rate limits: one post a second and channel, and the tiers of the methods."""

from __future__ import annotations

import math

from chatops.sandbox.slack.clock import Clock
from chatops.sandbox.slack.errors import RateLimited

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
# A client that keeps to one post a second is not punished for the network's jitter.
GRACE = 0.05


class Limits:
    """Counts calls in the clock's time; `posts` and `tiers` switch the two kinds of limit."""

    def __init__(self, clock: Clock, *, posts: bool = True, tiers: bool = False) -> None:
        self._clock = clock
        self.posts = posts
        self.tiers = tiers
        self._last_post: dict[str, float] = {}
        self._calls: dict[str, list[float]] = {}

    def post(self, channel: str) -> None:
        """Raises RateLimited when the channel had a post less than a second ago."""
        if not self.posts:
            return
        now = self._clock.now()
        wait = self._last_post.get(channel, -math.inf) + 1.0 - now
        if wait > GRACE:
            raise RateLimited(1)
        self._last_post[channel] = now

    def call(self, method: str, tier: int | None) -> None:
        """Raises RateLimited when the method was called more often in a minute than its tier allows."""
        if not self.tiers or tier is None:
            return
        now = self._clock.now()
        recent = self._calls[method] = [at for at in self._calls.get(method, []) if at > now - 60]
        if len(recent) >= PER_MINUTE[tier]:
            raise RateLimited(max(1, math.ceil(recent[0] + 60 - now)))
        recent.append(now)
