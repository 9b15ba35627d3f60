"""What went between Slack and the app, for the inspector: bounded, and shown without anything secret."""

from __future__ import annotations

import pickle
import re
from collections import deque
from typing import Any

from chatops.sandbox.slack.clock import Clock
from chatops.sandbox.slack.live import Live

Json = dict[str, Any]
KEPT = 1_000
LONGEST = 20_000

_TOKENS = re.compile(r"\bx(?:ox[a-z]|app)-[\w-]+")
_LINKS = re.compile(r"(/sandbox/(?:respond|socket|upload)/)[\w-]+")


class Traffic:
    """The last `KEPT` exchanges. Tokens, response_urls, upload and socket addresses are masked for whoever looks."""

    def __init__(self, clock: Clock, live: Live, secrets: tuple[str, ...]) -> None:
        self._clock = clock
        self._live = live
        self._secrets = [secret for secret in secrets if secret]
        self._entries: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self._n = 0
        self.limited = 0  # answers 429 so far

    def add(
        self, direction: str, what: str, request: Any, response: Any, status: int | str, ms: float, summary: str = ""
    ) -> None:
        """Keep one exchange; `direction` is to_app or from_app, `ms` how long the answer took."""
        self._n += 1
        self.limited += status == 429
        entry = {
            "n": self._n,
            "at": self._clock.now(),
            "direction": direction,
            "what": what,
            "summary": summary,
            "request": request,
            "response": response,
            "status": status,
            "ms": round(ms, 1),
        }
        self._entries.append((self._n, pickle.dumps(entry)))  # a picture: messages in it go on to change
        if self._live.is_inspected():
            self._live.publish("traffic", entry=self.mask(entry))

    def after(self, n: int) -> list[Json]:
        return [self.mask(pickle.loads(entry)) for number, entry in self._entries if number > n]  # noqa: S301 - ours

    def mask(self, value: Any) -> Any:
        """A copy of the value without secrets."""
        if isinstance(value, dict):
            return {
                name: "…" if name == "token" and isinstance(one, str) and one else self.mask(one)
                for name, one in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.mask(one) for one in value]
        if not isinstance(value, str):
            return value
        for secret in self._secrets:
            value = value.replace(secret, "…")
        if "xox" in value or "xapp" in value:  # most texts hold nothing secret, and looking is cheaper
            value = _TOKENS.sub(lambda match: f"{match[0].split('-')[0]}-…", value)
        if "/sandbox/" in value:
            value = _LINKS.sub(r"\1…", value)
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
