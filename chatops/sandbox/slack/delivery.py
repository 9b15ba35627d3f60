"""Brings events and people's doings to the app: events are repeated until acknowledged, interactions never are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from chatops.sandbox.slack.clock import Clock
from chatops.sandbox.slack.faults import Faults
from chatops.sandbox.slack.traffic import Traffic
from chatops.sandbox.slack.transport import NoReply, Reply, Retry, Transport

Json = dict[str, Any]
# Slack repeats an event at once, after a minute and after five (Events API, "Error handling").
RETRY_AFTER = (0.0, 60.0, 300.0)


@dataclass
class Settings:
    """What may be changed while the server runs. `retry_scale` shortens the waits between repetitions of events."""

    ack_timeout: float = 3.0
    retry_scale: float = 1.0


class Delivery:
    """Sends to the app and writes each exchange into the traffic log."""

    def __init__(
        self, transport: Transport, clock: Clock, faults: Faults, traffic: Traffic, settings: Settings
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._faults = faults
        self._traffic = traffic
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()
        self.busy = 0  # exchanges under way; events that wait for their next attempt are not

    async def ask(self, kind: str, payload: Json, what: str, summary: str) -> Reply:
        """Bring what a person did, once. Raises NoReply without an answer, a status other than 200 is one."""
        return await self._send(kind, payload, what, summary, None)

    def event(self, payload: Json, summary: str) -> None:
        """Deliver an event in the background, up to three times more when it is not acknowledged."""
        self.spawn(self._deliver(payload, summary))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background until the server closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, payload: Json, summary: str) -> None:
        what = payload["event"]["type"]
        channel = payload["event"].get("channel")
        await self._reachable()
        fault = self._faults.strike(("redeliver",), what, {channel} if isinstance(channel, str) else set())
        if fault is not None:
            for number in range(1, fault.copies):
                self.spawn(self._attempt(payload, what, summary, Retry(number, "http_timeout")))
        retry: Retry | None = None
        for wait in (*RETRY_AFTER, None):
            reason = await self._try(payload, what, summary, retry)
            if reason is None or wait is None:
                return
            await self._clock.sleep(wait * self._settings.retry_scale)
            await self._reachable()
            retry = Retry(1 if retry is None else retry.number + 1, reason)

    async def _reachable(self) -> None:
        """Events of a time when Slack is away wait for its end, and for the app to come back to it."""
        if self._faults.away:
            await self._faults.until_back()
            await self._transport.ready()

    async def _attempt(self, payload: Json, what: str, summary: str, retry: Retry) -> None:
        await self._try(payload, what, summary, retry)

    async def _try(self, payload: Json, what: str, summary: str, retry: Retry | None) -> str | None:
        """One delivery; the reason to repeat it, or None."""
        try:
            reply = await self._send("events_api", payload, what, summary, retry)
        except NoReply as nothing:
            return nothing.reason
        return None if 200 <= reply.status < 300 or reply.no_retry else "http_error"

    async def _send(self, kind: str, payload: Json, what: str, summary: str, retry: Retry | None) -> Reply:
        started = time.perf_counter()
        status: int | str = "no answer"
        body: Any = None
        self.busy += 1
        try:
            reply = await self._transport.send(kind, payload, self._settings.ack_timeout, retry)
            status, body = reply.status, reply.body
            return reply
        except NoReply as nothing:
            status = nothing.reason
            raise
        finally:
            self.busy -= 1
            note = f"{summary} (repeated: {retry.number})" if retry else summary
            self._traffic.add("to_app", what, payload, body, status, (time.perf_counter() - started) * 1000, note)
