"""The refusals of the Web API, in Slack's words."""

from __future__ import annotations

from typing import Any


class SlackError(Exception):
    """A Web API call refused with `{"ok": false, "error": code}`; `extra` joins the answer."""

    def __init__(self, code: str, messages: list[str] | None = None, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = dict(extra)
        if messages:
            self.extra["response_metadata"] = {"messages": messages}

    def answer(self) -> dict[str, Any]:
        return {"ok": False, "error": self.code, **self.extra}

    def __str__(self) -> str:
        details = self.extra.get("response_metadata", {}).get("messages", [])
        return ": ".join([self.code, *details[:3]])


class RateLimited(Exception):
    """Answered with HTTP 429 and `Retry-After: retry_after` (seconds)."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"ratelimited, retry after {retry_after} s")
        self.retry_after = retry_after


class PageError(Exception):
    """A request of the page that cannot be done; `detail` is a sentence for the person."""

    def __init__(self, error: str, detail: str, status: int = 200) -> None:
        super().__init__(f"{error}: {detail}")
        self.error = error
        self.detail = detail
        self.status = status
