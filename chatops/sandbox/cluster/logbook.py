"""What containers wrote: one run after the other, the last two kept, as the kubelet keeps them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from .behaviour import EVERY, running_line
from .values import now

Line = tuple[dt.datetime, str]


@dataclass
class Run:
    """One life of a container. While it lives, a line appears every ten seconds of real time."""

    started: dt.datetime
    lines: list[Line] = field(default_factory=list)
    ended: dt.datetime | None = None
    chatty: bool = False
    ready: bool = True

    def write(self, texts: Iterable[str]) -> None:
        time = now()
        at = max([time, *(when for when, _ in self.lines[-1:])])
        for i, text in enumerate(texts):
            self.lines.append((at + dt.timedelta(milliseconds=i), text))

    def all(self) -> list[Line]:
        """Everything up to now; the regular lines are made when someone reads, so idle pods cost nothing."""
        if not self.chatty:
            return list(self.lines)
        until = self.ended or now()
        count = min(int((until - self.started) / EVERY), 2000)
        regular = [(self.started + EVERY * i, running_line(i, self.ready)) for i in range(1, count + 1)]
        return sorted([*self.lines, *regular])


class LogBook:
    """The runs of every container by pod uid and name."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], list[Run]] = {}

    def begin(self, uid: str, container: str, started: dt.datetime | None = None) -> Run:
        run = Run(started or now())
        runs = self._runs.setdefault((uid, container), [])
        runs.append(run)
        del runs[:-2]
        return run

    def copy_from(self, other: LogBook) -> None:
        """Take over what containers wrote elsewhere; each book goes on by itself."""
        self._runs = {key: [replace(run, lines=list(run.lines)) for run in runs] for key, runs in other._runs.items()}

    def current(self, uid: str, container: str) -> Run | None:
        runs = self._runs.get((uid, container))
        return runs[-1] if runs else None

    def previous(self, uid: str, container: str) -> Run | None:
        """The run before the present one; once the container is dead and waits for its restart, the dead one."""
        runs = self._runs.get((uid, container)) or []
        ended = [run for run in runs if run.ended is not None]
        return ended[-1] if ended else None

    def forget(self, uid: str) -> None:
        for key in [key for key in self._runs if key[0] == uid]:
            del self._runs[key]
