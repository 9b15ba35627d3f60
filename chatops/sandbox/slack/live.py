"""What happens, told at once to every open page: one queue per page, one running number for all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from typing import Any

Json = dict[str, Any]
FULL = 20_000


class Subscriber:
    """One page, with the inspector's `traffic` or without; `overflown` pages are cut off and load everything anew."""

    def __init__(self, user: str, traffic: bool) -> None:
        self.user = user
        self.traffic = traffic
        self.queue: asyncio.Queue[str] = asyncio.Queue(FULL)
        self.overflown = False


class Live:
    """Publishes to subscribers; `n` is the number of the last thing that happened."""

    def __init__(self) -> None:
        self.n = 0
        self._subscribers: set[Subscriber] = set()

    def subscribe(self, user: str, *, traffic: bool = True) -> Subscriber:
        subscriber = Subscriber(user, traffic)
        self._subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    def is_inspected(self) -> bool:
        """Whether any page would be told of the traffic."""
        return any(one.traffic for one in self._subscribers)

    def echo(self, subscriber: Subscriber, text: str) -> None:
        """Send `{"type": "echo", "text": …}` to one page, behind all it has yet to read."""
        if not subscriber.queue.full():
            subscriber.queue.put_nowait(json.dumps({"type": "echo", "n": self.n, "text": text}))

    def publish(self, kind: str, to: Collection[str] | None = None, /, **body: Any) -> None:
        """Tell everyone, or only the pages of the people named in `to`."""
        self.n += 1
        readers = [one for one in self._subscribers if to is None or one.user in to]
        if kind == "traffic":
            readers = [one for one in readers if one.traffic]
        if not readers:
            return
        line = json.dumps({"type": kind, "n": self.n, **body})
        for one in readers:
            if one.queue.full():
                one.overflown = True
            else:
                one.queue.put_nowait(line)
