"""Faults on demand, and the log of what was asked."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .access import Wish
from .errors import ApiError
from .values import Obj, micro_stamp

_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired",
    422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
_MESSAGES = {
    429: "the server has received too many requests and has asked us to try again later",
    500: "Internal error occurred: etcdserver: leader changed",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}
HOW = ("hang", "drop", "drop-after", "drop-midway")


@dataclass
class Fault:
    """One thing that goes wrong `times` times (None: until cleared) for requests that match.

    `answer` is an HTTP status, "hang" (no answer until cleared), "drop" (connection cut before anything happens),
    "drop-after" (cut after the write was stored) or "drop-midway" (cut when half of the answer's body is sent). Empty
    filters match everything; `dry_run` None matches both.
    """

    answer: int | str
    verb: str = ""
    resource: str = ""
    name: str = ""
    namespace: str = ""
    subresource: str = ""
    dry_run: bool | None = None
    times: int | None = 1
    message: str = ""
    retry_after: int | None = None
    skip: int = 0
    hits: int = 0
    cleared: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def __post_init__(self) -> None:
        if self.answer not in HOW and not (isinstance(self.answer, int) and 400 <= self.answer < 600):
            raise ValueError(f"answer must be a status of 400 to 599 or one of {', '.join(HOW)}, not {self.answer!r}")

    def matches(self, wish: Wish, dry_run: bool) -> bool:
        if self.times is not None and self.hits >= self.times + self.skip:
            return False
        pairs = ((self.verb, wish.verb), (self.resource, wish.resource), (self.name, wish.name),
                 (self.namespace, wish.namespace), (self.subresource, wish.subresource))  # fmt: skip
        if any(wanted not in ("", "*", have) for wanted, have in pairs):
            return False
        return self.dry_run is None or self.dry_run == dry_run

    def error(self, wish: Wish) -> ApiError:
        code = int(self.answer)
        text = self.message or _MESSAGES.get(code, f"practice fault {code} on {wish.verb} {wish.resource}")
        headers = {}
        details: Obj = {"name": wish.name, "group": wish.group, "kind": wish.resource}
        after = self.retry_after if self.retry_after is not None else (1 if code in (429, 503) else None)
        if after is not None:
            headers["Retry-After"] = str(after)
            details["retryAfterSeconds"] = after
        shown = {key: value for key, value in details.items() if value}
        return ApiError(code, _REASONS.get(code, ""), text, shown, headers)

    def show(self) -> Obj:
        return {key: value for key, value in vars(self).items() if key != "cleared"}


class Faults:
    """The faults that wait, oldest first; one request meets at most one."""

    def __init__(self) -> None:
        self._all: list[Fault] = []
        self.away = False

    def add(self, fault: Fault) -> Fault:
        self._all.append(fault)
        return fault

    def meet(self, wish: Wish, dry_run: bool) -> Fault | None:
        for fault in self._all:
            if fault.matches(wish, dry_run):
                fault.hits += 1
                if fault.hits > fault.skip:
                    return fault
        return None

    def clear(self) -> None:
        """Forget all faults; requests that hang are cut."""
        for fault in self._all:
            fault.cleared.set()
        self._all.clear()
        self.away = False

    def show(self) -> Obj:
        return {"away": self.away, "faults": [fault.show() for fault in self._all]}


class RequestLog:
    """The last requests: what was asked and answered, never bodies or tokens."""

    def __init__(self, size: int = 5000) -> None:
        self._entries: deque[Obj] = deque(maxlen=size)
        self.count = 0

    def add(self, **entry: Any) -> None:
        self.count += 1
        self._entries.append({"number": self.count, "time": micro_stamp(), **entry})

    def after(self, number: int = 0) -> list[Obj]:
        return [entry for entry in self._entries if entry["number"] > number]
