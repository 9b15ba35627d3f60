"""The levers of a test or demo: faults, settings, the clock, and "is everything quiet?"."""

from __future__ import annotations

import asyncio
from typing import Any

from chatops.sandbox.slack.clock import Clock
from chatops.sandbox.slack.delivery import Delivery, Settings
from chatops.sandbox.slack.errors import PageError
from chatops.sandbox.slack.faults import Faults
from chatops.sandbox.slack.limits import Limits
from chatops.sandbox.slack.live import Live
from chatops.sandbox.slack.traffic import Traffic
from chatops.sandbox.slack.transport import SocketTransport
from chatops.sandbox.slack.webapi import WebApi

Json = dict[str, Any]


class Control:
    """Everything under /sandbox/api/ that no person does."""

    def __init__(
        self,
        *,
        clock: Clock,
        faults: Faults,
        limits: Limits,
        settings: Settings,
        socket: SocketTransport,
        delivery: Delivery,
        web_api: WebApi,
        live: Live,
        traffic: Traffic,
    ) -> None:
        self.faults = faults
        self.traffic = traffic
        self._clock = clock
        self._limits = limits
        self._settings = settings
        self._socket = socket
        self._delivery = delivery
        self._web_api = web_api
        self._live = live

    def list_faults(self) -> Json:
        return {"faults": [fault.shown() for fault in self.faults]}

    async def add_fault(self, given: Json) -> Json:
        """A disconnect strikes at once, everything else when its call comes."""
        if given.get("kind") == "disconnect":
            if given.get("reason", "refresh_requested") == "refresh_requested":
                await self._socket.refresh()
            else:
                self._socket.cut()
            return {}
        fault = self.faults.add(given)
        if fault.kind == "away":
            self._socket.cut()
        return {"fault": fault.shown()}

    def clear_faults(self) -> Json:
        self.faults.clear()
        return {}

    def change_settings(self, given: Json) -> Json:
        """Change what is given; answers all settings."""
        if "rate_limits" in given:
            self._limits.posts = bool(given["rate_limits"])
        if "tier_limits" in given:
            self._limits.tiers = bool(given["tier_limits"])
        for name in ("ack_timeout", "retry_scale"):
            if name in given:
                setattr(self._settings, name, float(given[name]))
        return {
            "rate_limits": self._limits.posts,
            "tier_limits": self._limits.tiers,
            "ack_timeout": self._settings.ack_timeout,
            "retry_scale": self._settings.retry_scale,
        }

    def advance(self, given: Json) -> Json:
        self._clock.advance(float(given.get("advance", 0)))
        return {"now": self._clock.now()}

    async def settled(self, given: Json) -> Json:
        """Answer once nothing is under way and nothing happened for `quiet` seconds; 408 after `within`."""
        quiet, within = float(given.get("quiet", 0.2)), float(given.get("within", 10.0))
        try:
            async with asyncio.timeout(within):
                while True:
                    before = self._live.n
                    await asyncio.sleep(quiet)
                    if self._live.n == before and not self._delivery.busy and not self._web_api.busy:
                        return {"n": self._live.n}
        except TimeoutError as error:
            raise PageError("not_settled", f"There was something going on for {within:g} s.", 408) from error
