"""A function of a transaction that waits for its database, and how its caller hears what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

log = logging.getLogger(__name__)


class Job:
    """One function with what it is called with; ``result`` or ``error`` is set before ``answer``."""

    __slots__ = ("args", "calls", "error", "fn", "future", "kwargs", "result")

    def __init__(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], future: asyncio.Future[Any]
    ) -> None:
        self.fn, self.args, self.kwargs, self.future = fn, args, kwargs, future
        self.result: Any = None
        self.error: BaseException | None = None
        self.calls: Sequence[Callable[[], object]] = ()

    @property
    def name(self) -> str:
        fn = getattr(self.fn, "func", self.fn)  # functools.partial
        return str(getattr(fn, "__name__", type(fn).__name__))

    def answer(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the event loop: makes the calls that wait for the commit, then tells the caller."""
        make(self.calls, loop)
        if self.future.cancelled():
            if self.error is not None:
                log.warning("%s failed after its caller had gone", self.name, exc_info=self.error)
        elif self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def make(calls: Sequence[Callable[[], object]], loop: asyncio.AbstractEventLoop) -> None:
    """On the event loop: makes the calls that waited for a commit."""
    for call in calls:
        try:
            call()
        except Exception as error:
            loop.call_exception_handler({"message": "a call after a commit failed", "exception": error})
