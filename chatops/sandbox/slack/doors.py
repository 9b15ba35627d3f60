"""What the app is handed to answer a person with: trigger ids (3 s, once) and response_urls (30 minutes, 5 times)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from chatops.sandbox.slack.clock import Clock
from chatops.sandbox.slack.errors import SlackError

TRIGGER_LIVES = 3.0
RESPONSE_URL_LIVES = 30 * 60.0
RESPONSE_URL_USES = 5


@dataclass
class Trigger:
    """Lets the app open a modal for `user`; `view_id` is the modal it came from, if any."""

    user: str
    issued: float
    view_id: str | None = None
    used: bool = False


class Triggers:
    """Issues and checks trigger ids."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: dict[str, Trigger] = {}

    def issue(self, user: str, view_id: str | None = None) -> str:
        now = self._clock.now()
        # Kept a while after they expire, so that a late one is told from an invented one.
        if len(self._issued) > 5_000:
            self._issued = {name: one for name, one in self._issued.items() if one.issued > now - 60}
        name = f"{int(now * 1000)}.{len(self._issued)}.{secrets.token_hex(12)}"
        self._issued[name] = Trigger(user, now, view_id)
        return name

    def check(self, name: str) -> Trigger:
        """The trigger, still to be marked as used. Raises SlackError invalid_, expired_ or exchanged_trigger_id."""
        trigger = self._issued.get(name)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._clock.now() - trigger.issued > TRIGGER_LIVES:
            raise SlackError("expired_trigger_id")
        return trigger


@dataclass
class ResponseUrl:
    """Where an answer goes: to `user` in `channel`; `ts` is the message the person clicked on."""

    user: str
    channel: str
    issued: float
    ts: str | None = None
    ephemeral: bool = True
    uses: int = 0


class ResponseUrls:
    """Issues and checks response_urls; `base` is the server's own address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: dict[str, ResponseUrl] = {}
        self.base = ""

    def issue(self, user: str, channel: str, ts: str | None = None, ephemeral: bool = True) -> str:
        now = self._clock.now()
        if len(self._issued) > 5_000:
            self._issued = {n: one for n, one in self._issued.items() if one.issued > now - 2 * RESPONSE_URL_LIVES}
        name = secrets.token_hex(12)
        self._issued[name] = ResponseUrl(user, channel, now, ts, ephemeral)
        return f"{self.base}/sandbox/respond/{name}"

    def use(self, name: str) -> ResponseUrl:
        """Count one use. Raises SlackError not_found, expired_url or used_url."""
        url = self._issued.get(name)
        if url is None:
            raise SlackError("not_found")
        if self._clock.now() - url.issued > RESPONSE_URL_LIVES:
            raise SlackError("expired_url")
        if url.uses >= RESPONSE_URL_USES:
            raise SlackError("used_url")
        url.uses += 1
        return url
