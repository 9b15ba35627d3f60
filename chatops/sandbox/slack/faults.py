"""Misfortune on demand: what the next calls, events or connections meet instead of an answer.

    ratelimit         429 with Retry-After: `retry_after`
    error             HTTP `status` without a JSON body; or with `error` a refusal such as token_revoked
    timeout           no answer, ever
    drop              the connection is cut before anything happened
    drop_after_store  the call is carried out, and the connection cut instead of the answer
    timeout_after_store  likewise carried out, and never answered
    slow              carried out `delay` seconds later, by Slack's clock
    redeliver         an event is delivered `copies` times, with one event_id; `method` is the event's type
    away              every call and connection is cut, events wait: until cleared, or for `delay` seconds
    disconnect        at once: sockets are asked to refresh, or with `reason` "cut" simply gone

Each strikes `times` times (0: until cleared), only where `method` and `channel` (id or name) match if they are given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chatops.sandbox.slack.clock import Clock
from chatops.sandbox.slack.errors import PageError
from chatops.sandbox.slack.tally import Tally

Json = dict[str, Any]

BEFORE = ("ratelimit", "error", "timeout", "drop", "slow")
AFTER = ("drop_after_store", "timeout_after_store")
KINDS = (*BEFORE, *AFTER, "redeliver", "away", "disconnect")


@dataclass
class Fault:
    """One misfortune. `left` counts down, None means until cleared; `until` ends an "away" by the clock."""

    id: int
    kind: str
    method: str | None = None
    channel: str | None = None
    left: int | None = 1
    retry_after: int = 1
    status: int = 500
    error: str = ""
    delay: float = 1.0
    copies: int = 3
    until: float | None = None
    hits: int = 0

    def shown(self) -> Json:
        names = ("id", "kind", "method", "channel", "retry_after", "status", "error", "delay", "copies", "hits")
        return {name: getattr(self, name) for name in names} | {"times": self.left or 0}


class Faults:
    """The list of faults, asked at every point where one can strike."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._faults: list[Fault] = []
        self._n = 0
        self._cleared = asyncio.Event()
        self.strikes = Tally()

    def add(self, given: Json) -> Fault:
        """Add a fault from its fields as JSON. Raises PageError on a kind that does not exist."""
        kind = given.get("kind")
        if kind not in KINDS:
            raise PageError("unknown_fault", f"There is no fault {kind!r}; there are {', '.join(KINDS)}.", 400)
        self._n += 1
        times = int(given.get("times", 0 if kind == "away" else 1))
        fault = Fault(self._n, kind, given.get("method"), given.get("channel"), times or None)
        for name in ("retry_after", "status", "error", "delay", "copies"):
            if name in given:
                setattr(fault, name, given[name])
        if kind == "away" and "delay" in given:
            fault.until = self._clock.now() + float(given["delay"])
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()
        cleared, self._cleared = self._cleared, asyncio.Event()
        cleared.set()

    async def until_back(self) -> None:
        """Return once Slack can be reached again."""
        while self.away:
            ends = [one.until for one in self._faults if one.kind == "away"]
            waits = [asyncio.ensure_future(self._cleared.wait())]
            if None not in ends:
                last = max(end for end in ends if end is not None)
                waits.append(asyncio.ensure_future(self._clock.sleep(last - self._clock.now())))  # type: ignore[arg-type]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    @property
    def away(self) -> bool:
        """Whether Slack cannot be reached at the moment."""
        self._faults = [one for one in self._faults if one.until is None or one.until > self._clock.now()]
        return any(one.kind == "away" for one in self._faults)

    def strike(self, kinds: tuple[str, ...], method: str, channels: set[str]) -> Fault | None:
        """The first fault that hits this call, used up by one."""
        for fault in self._faults:
            if fault.kind not in kinds or fault.method not in (None, method):
                continue
            if fault.channel is not None and fault.channel not in channels:
                continue
            fault.hits += 1
            self.strikes.add()
            if fault.left is not None:
                fault.left -= 1
                if fault.left == 0:
                    self._faults.remove(fault)
            return fault
        return None
