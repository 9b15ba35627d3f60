"""The page's API from the outside, and the levers of the local Slack: faults, clock, settings, accounts."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import aiohttp

Json = dict[str, Any]


class SlackSays(Exception):
    """Slack itself refused what a person did: `error` is its code, e.g. operation_timeout."""

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(f"{error}: {detail}")
        self.error = error
        self.detail = detail


class PageClient:
    """The page's API: `await api.post("say", …)`. Raises SlackSays on `{"ok": false}`.

    Without a session of somebody else's it has its own, which `close` ends.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession | None = None) -> None:
        self._url = url
        self._shared = session is not None
        self.session = session or aiohttp.ClientSession()

    async def close(self) -> None:
        if not self._shared:
            await self.session.close()

    async def get(self, name: str, **query: Any) -> Json:
        async with self.session.get(f"{self._url}/sandbox/api/{name}", params=query) as answer:
            return self._checked(await answer.json())

    async def post(self, name: str, /, **body: Any) -> Json:
        async with self.session.post(f"{self._url}/sandbox/api/{name}", json=body) as answer:
            return self._checked(await answer.json())

    async def delete(self, name: str) -> Json:
        async with self.session.delete(f"{self._url}/sandbox/api/{name}") as answer:
            return self._checked(await answer.json())

    @staticmethod
    def _checked(answer: Json) -> Json:
        if not answer["ok"]:
            raise SlackSays(answer["error"], answer.get("detail", ""))
        return answer


class Sandbox:
    """The levers: faults, the clock, settings, the traffic, people's accounts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.api: PageClient

    async def __aenter__(self) -> Self:
        self.api = PageClient(self._url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.api.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """For calls of the test's own."""
        return self.api.session

    async def fault(self, kind: str, **details: Any) -> None:
        """E.g. `fault("drop_after_store", method="chat.postMessage", times=1)`; kinds in faults.py."""
        await self.api.post("faults", kind=kind, **details)

    async def repair(self) -> None:
        await self.api.delete("faults")

    async def settings(self, **settings: Any) -> Json:
        """rate_limits, tier_limits, ack_timeout (s), retry_scale; answers all of them."""
        return await self.api.post("settings", **settings)

    async def advance(self, seconds: float) -> None:
        """Move Slack's clock forward (triggers, response_urls, rate windows, repeated events)."""
        await self.api.post("clock", advance=seconds)

    async def settled(self, quiet: float = 0.2, within: float = 10.0) -> None:
        """Return once nothing has been going on between Slack and the app for `quiet` seconds."""
        await self.api.post("settled", quiet=quiet, within=within)

    async def traffic(self, what: str | None = None) -> list[Json]:
        """What went over the wire, oldest first; with `what` only that method or payload type."""
        entries: list[Json] = (await self.api.get("traffic"))["entries"]
        return [entry for entry in entries if what in (None, entry["what"])]

    async def change_person(self, id: str, **changes: Any) -> None:
        """E.g. `change_person("U0LEE", deleted=True)`, or a new person with id, name, channels …"""
        await self.api.post("people", id=id, **changes)
