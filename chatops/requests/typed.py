"""Between what people type and what CEL and the models know: dates in the person's own time, people, durations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chatops.kernel.action import Action, Input, InputKind, inputs_of
from chatops.kernel.durations import short
from chatops.kernel.errors import InputError
from chatops.kernel.people import Person, Standing
from chatops.kernel.ports import Directory
from chatops.kernel.several import joined, parted

# today 17:00, tomorrow 9:00
_DAY = re.compile(r"(today|tomorrow)\s+(\d{1,2})[:.](\d{2})", re.IGNORECASE)


def as_text(one: Input, value: Any) -> str:
    """A value that CEL gave, as a person would have typed it; ``""`` for what is none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        texts = [str(each) for each in value if isinstance(each, str | int | float)]
        return joined(texts) if one.kind is InputKind.CHOICES and len(texts) == len(value) else ""
    if isinstance(value, datetime):
        return iso(value)
    if one.kind is InputKind.DURATION and isinstance(value, int | float):
        return short(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value).strip() if isinstance(value, str | int | float) else ""


def iso(at: datetime) -> str:
    """A time in UTC, to the second."""
    return at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def moment(text: str, tz: str, now: float) -> str:
    """A typed time in UTC: ``tomorrow 9:00`` and a time without zone are meant in the person's own; as it stands when
    it is none."""
    try:
        zone = ZoneInfo(tz or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    try:
        if day := _DAY.fullmatch(text.strip()):
            today = datetime.fromtimestamp(now, zone)
            found = today.replace(hour=int(day[2]), minute=int(day[3]), second=0, microsecond=0)
            return iso(found + timedelta(days=day[1].casefold() == "tomorrow"))
        found = datetime.fromisoformat(text.strip())
        return iso(found if found.tzinfo else found.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return text


async def settled(
    action: Action, values: Mapping[str, Any], person: Person, now: float, directory: Directory, *, deep: bool
) -> tuple[dict[str, Any], list[InputError]]:
    """The values with times in UTC, and people by the e-mail that clusters and the configuration know them by (their
    Slack id where there is none); and who could not be found. Not ``deep``: Slack is not asked who somebody is."""
    found, errors = dict(values), []
    for one in inputs_of(action.inputs):
        value = found.get(one.name)
        if one.kind is InputKind.DATETIME and isinstance(value, str) and value:
            found[one.name] = moment(value, person.tz, now)
        if one.kind is InputKind.PERSON and isinstance(value, str) and value:
            try:
                found[one.name] = await _member(one, value.strip(), directory, deep=deep)
            except InputError as wrong:
                errors.append(wrong)
    return found, errors


async def _member(one: Input, named: str, directory: Directory, *, deep: bool) -> str:
    if named.startswith("@"):
        hint = "Take the name from the list that Slack shows after @, or write an e-mail address."
        raise InputError(f"I don't know who {named[:60]} is.", field=one.name, hint=hint)
    if "@" in named:
        people = await directory.members(f"user:{named}") if deep else ()
        if deep and not people:
            raise InputError(f"I found no full member of the home workspace with {named[:60]}.", field=one.name)
        return people[0].email or people[0].id if people else named
    if not re.fullmatch(r"[UW][A-Z0-9]{2,20}", named):
        return named  # the model says what it must be
    person = await directory.person(named) if deep else directory.known(named)
    if person is None:
        return named
    if person.standing is Standing.UNKNOWN:
        said = f"I could not find out who {named} is just now."
        raise InputError(said, field=one.name, hint="Try again in a minute.")
    if not person.is_member:
        raise InputError(f"{person.name or named} is no full member of the home workspace.", field=one.name)
    return person.email or named


def choices(one: Input, value: Any) -> tuple[str, ...]:
    """What was chosen, one or several."""
    if isinstance(value, str):
        return parted(value) if one.kind is InputKind.CHOICES else (value.strip(),)
    return tuple(str(each) for each in value) if isinstance(value, list | tuple) else (str(value),)
