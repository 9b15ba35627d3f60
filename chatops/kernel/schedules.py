"""Changes that are asked for at a time: once, or again and again, as a person's own clock says it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, tzinfo
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from chatops.kernel.errors import InputError
from chatops.kernel.freezes import recurrence, shown
from chatops.kernel.people import Person
from chatops.kernel.record import Record
from chatops.kernel.rota import moment
from chatops.kernel.spans import ending

LONGEST = 90 * 86400.0  # seconds ahead
LIKE = "Say it like `tomorrow 9:00`, `friday 17:00`, `2026-11-25 18:00`, `2h` or `every weekday 20:00`."
_DAYS = {"mon": "MO", "tue": "TU", "wed": "WE", "thu": "TH", "fri": "FR", "sat": "SA", "sun": "SU"}
_WHOLE = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RULES = {
    "day": "FREQ=DAILY", "weekday": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "weekend": "FREQ=WEEKLY;BYDAY=SA,SU",
    **{name: f"FREQ=WEEKLY;BYDAY={_DAYS[name[:3]]}" for names in (_WHOLE, _DAYS) for name in names},
}  # fmt: skip
_EVERY = re.compile(r"every\s+(\S.*?)\s+(?:at\s+)?(\d{1,2})[:.](\d{2})")
_LENGTH = re.compile(r"\d{1,4}\s*[mhd]")
_CLOCK = re.compile(r"(?:\S+\s+)?\d{1,2}[:.]\d{2}")
_STARTS = frozenset({"at", "in", "on", "every"})
_MOST_WORDS = 8  # of a time: every monday, wednesday and friday at 9:00

Whose = Literal["mine", "all"]
Verb = Literal["pause", "resume", "remove"]


class Schedule(Record):
    """Somebody's wish that a change is asked for at a time. Times: epoch seconds."""

    id: int = 0
    person_id: str
    person_name: str
    action: str
    values: dict[str, str]
    reason: str = ""
    line: str  # as one would type it, without the reason
    service: str = ""
    environment: str = ""
    timezone: str
    rrule: str = ""  # empty: once
    start: datetime | None = None  # local, of the first occurrence there may be
    next_at: float
    look_at: float = 0.0  # when there is something to do about it: a day ahead, then at its time
    paused: bool = False
    round: int = 0  # how often it was resumed: what was cancelled by pausing is asked for anew
    request: int = 0  # asked for ahead of time, for the next time
    ended_at: float = 0.0

    @property
    def name(self) -> str:
        """The id as people say it: S-12."""
        return f"S-{self.id}"

    def following(self, after: float) -> float:
        """When it comes next after a moment; 0 when it does not come again."""
        return next(self.occurrences(after), 0.0)

    def occurrences(self, after: float) -> Iterator[float]:
        """When it comes after a moment, in order.

        A local time that a change of the clocks leaves out comes at the first moment after it; one that comes twice,
        the first time.
        """
        if not self.rrule or self.start is None:
            if self.next_at > after:
                yield self.next_at
            return
        zone = ZoneInfo(self.timezone)
        rule = recurrence(self.rrule, self.start)
        local: datetime | None = datetime.fromtimestamp(after, UTC).astimezone(zone).replace(tzinfo=None)
        while local is not None and (local := rule.after(local)) is not None:
            at = moment(local.date(), local.time(), zone)
            if at > after:
                yield at

    def often(self) -> str:
        """``every weekday 20:00``; empty when it comes once."""
        if not self.rrule or self.start is None:
            return ""
        named = {rule: name for name, rule in reversed(_RULES.items())}
        days = self.rrule.partition("BYDAY=")[2]
        again = {code: _WHOLE[number] for number, code in enumerate(_DAYS.values())}
        said = named.get(self.rrule) or " and ".join(again[one] for one in days.split(","))
        return f"every {said} {self.start:%H:%M}"

    def sentence(self, now: float, zone: tzinfo = UTC) -> str:
        """Which change comes when."""
        coming = f"at {shown(self.next_at, now, zone)}"
        if often := self.often():
            own = "" if str(zone) == self.timezone else f" ({self.timezone})"
            coming = f"{often}{own}, paused" if self.paused else f"{often}{own}, next {coming.removeprefix('at ')}"
        elif self.paused:
            coming += ", paused"
        return f"`{self.line}` {coming}"


def when(said: str, now: float, zone: ZoneInfo) -> tuple[float, str, datetime | None]:
    """The first time (epoch seconds), the RRULE (empty: once) and the local start that it counts from.

    ``tomorrow 9:00``, ``at 16:00``, ``in 2h``, ``every weekday 20:00``, ``every mon and thu at 9:00``; clocks are
    those of ``zone``. Raises ``InputError`` for what is over, too far away, and no time at all.
    """
    words = " ".join(said.split()).casefold()
    if found := _EVERY.fullmatch(words):
        rule = _rule(found[1], said)
        try:
            clock = time(int(found[2]), int(found[3]))
        except ValueError as error:
            raise InputError(f"There is no such time: {found[2]}:{found[3]}.", field="when", hint=LIKE) from error
        start = datetime.combine(datetime.fromtimestamp(now, UTC).astimezone(zone).date(), clock)
        blank = Schedule(
            person_id="", person_name="", action="", values={}, line="", timezone=str(zone), rrule=rule, start=start,
            next_at=0,
        )  # fmt: skip
        return blank.following(now), rule, start
    plain = words.removeprefix("at ").removeprefix("in ").removeprefix("on ").replace(" at ", " ")
    if not (_LENGTH.fullmatch(plain) or _CLOCK.fullmatch(plain)):
        raise InputError(f"I don't know when {said[:40]!r} is.", field="when", hint=LIKE)
    try:
        at = ending(plain, now, zone)
    except InputError as wrong:
        raise InputError(wrong.message, field="when", hint=LIKE) from wrong
    if at - now > LONGEST:
        raise InputError("That is more than 90 days away.", field="when")
    return at, "", None


def _rule(days: str, said: str) -> str:
    """``weekday``, ``monday``, ``mon, wed and fri`` as an RRULE."""
    names = [one for one in re.split(r"[,\s]+", days) if one not in ("", "and")]
    if len(names) == 1 and names[0] in _RULES:
        return _RULES[names[0]]
    if not names or any(name not in _DAYS and name not in _WHOLE for name in names):
        raise InputError(f"I don't know when {said[:40]!r} is.", field="when", hint=LIKE)
    codes = {_DAYS[name[:3]] for name in names}
    return f"FREQ=WEEKLY;BYDAY={','.join(code for code in _DAYS.values() if code in codes)}"


def _is_time(words: Sequence[str]) -> bool:
    try:
        when(
            " ".join(words), 0.0, ZoneInfo("UTC")
        )  # whether it is over already is said once it is known whose day it is
    except InputError as no:
        return "away" in no.message  # a time all the same
    return True


def parted(text: str) -> tuple[str, str]:
    """What is to be done, and when: the time stands first or last, behind ``at``, ``in``, ``on`` or ``every``.

    The time is empty where there is none.
    """
    words = text.split()
    if words and words[0].casefold() in _STARTS:
        for length in range(min(_MOST_WORDS, len(words)), 1, -1):
            if _is_time(words[:length]):
                return " ".join(words[length:]), " ".join(words[:length])
    for at in range(max(0, len(words) - _MOST_WORDS), len(words)):
        if words[at].casefold() in _STARTS and _is_time(words[at:]):
            return " ".join(words[:at]), " ".join(words[at:])
    return text, ""


class Schedules(Protocol):
    """Keeps what people want to be asked for at a time."""

    async def make(
        self, person: Person, line: str, said: str, reason: str, asked_at: float, key: str = ""
    ) -> tuple[Schedule, Sequence[str]]:
        """Keeps it, the same ``key`` once, and says what is known to stand in its way then.

        ``said`` is a time as it was understood at ``asked_at`` (epoch seconds).
        Raises ``InputError``, ``TooLate`` or ``Refused``.
        """
        ...

    async def listed(self, person: Person, whose: Whose) -> Sequence[Schedule]:
        """Those that are not over, the next one first: of this person and their teams, or all."""
        ...

    async def act(self, person: Person, number: int, verb: Verb, key: str = "") -> Schedule:
        """Pauses, resumes or removes one, the same ``key`` once.

        Raises ``Refused`` for who may not, ``TooLate`` when it is over.
        """
        ...


def values_of(words: str, reason: str) -> dict[str, Any]:
    """What was typed behind ``schedule``: the line, its time, and the reason, at whose end the time may stand."""
    line, said = parted(words)
    if not said:
        reason, said = parted(reason)
    found = {"line": line, "when": said, "reason": reason}
    return {name: value for name, value in found.items() if value}
