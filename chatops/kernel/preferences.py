"""How one person wants to be told what is for them alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Literal, Protocol

from chatops.kernel.people import Person
from chatops.kernel.record import Record
from chatops.kernel.rota import moment
from chatops.kernel.spans import zone_of

_QUIET = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)")
NONE = "none"


class Preferences(Record):
    """What somebody chose; as it is, without anything chosen. Times are local, in ``timezone``."""

    told: Literal["thread", "dm"] = "thread"  # where they hear how what they asked for ended
    digest: str = NONE  # 08:00: when they hear each day what waits for them and how theirs stands
    quiet: str = NONE  # 22:00-07:00: when nothing but pages and answers comes
    timezone: str = ""

    def said(self) -> tuple[str, ...]:
        """In sentences."""
        digest = "no daily digest" if self.digest == NONE else f"a daily digest at {self.digest}"
        quiet = "no quiet hours" if self.quiet == NONE else f"quiet from {self.quiet.replace('-', ' to ')}"
        where = "in the thread" if self.told == "thread" else "in direct messages"
        return (f"How your requests end is told {where} · {digest} · {quiet}",)

    def line(self) -> str:
        """As it would be typed."""
        return f"preferences told={self.told} digest={self.digest} quiet={self.quiet}"

    def quiet_until(self, now: float) -> float:
        """When the quiet hours of now end (epoch seconds); 0: it is not quiet."""
        found = _QUIET.fullmatch(self.quiet)
        if found is None:
            return 0.0
        begin, end = (time.fromisoformat(one) for one in found.groups())
        zone = zone_of(self.timezone)
        here = datetime.fromtimestamp(now, UTC).astimezone(zone)
        at = here.time()
        if not (begin <= at < end if begin < end else at >= begin or at < end):
            return 0.0
        day = here.date() + timedelta(days=at >= end)
        return moment(day, end, zone)


def hours(text: str) -> str:
    """``22:00-07:00`` or ``none``, as typed; raises ``ValueError``."""
    if text.casefold() == NONE:
        return NONE
    found = _QUIET.fullmatch(text.replace(" ", ""))
    if found is None or found[1] == found[2]:
        raise ValueError("Quiet hours are like 22:00-07:00, or none.")
    return found[0]


class Preferring(Protocol):
    """Keeps what people chose."""

    async def of(self, person: Person) -> Preferences: ...

    async def choose(self, person: Person, chosen: Mapping[str, str], key: str = "") -> Preferences:
        """Changes what is given, and leaves the rest, the same ``key`` once; what holds now. Raises ``TooLate``."""
        ...
