"""What every parser does with what it was sent: types checked, texts cut, secrets masked, labels bounded."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chatops.kernel.alert import Alert, Unread, Unreadable
from chatops.kernel.masking import mask
from chatops.kernel.texts import whole

MOST_LABELS = 64
LONGEST = 2000  # characters of one text
_BEYOND = 1000  # characters beyond it that are looked at: a secret that is cut in two looks like none
MOST_UNREAD = 5  # alerts of one delivery that are kept as they came, because they could not be read
# What routing needs is kept when there are too many.
TELLING = ("alertname", "severity", "environment", "env", "service", "app", "namespace", "cluster", "team", "pod")
_URL = re.compile(r"https?://[^\s<>|]{1,1990}")


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of a body."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("The body is no JSON.") from error
    if not isinstance(found, dict):
        raise Unreadable("The body is JSON, and no object.")
    return found


def text(value: Any, where: str) -> str:
    """A text, without what looks like a secret and not longer than anybody reads; numbers are texts as well."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unreadable(f"{where} is no text.")
    return _masked(str(value), LONGEST)


def quoted(value: Any, most: int = 40) -> str:
    """A word of a sender's, as a sentence may quote it: as short as that, and without what looks like a secret."""
    return _masked(str(value), most)


def _masked(shown: str, most: int) -> str:
    """Masked before it is cut; half a surrogate pair is no text to a database."""
    clean = mask(whole(shown[: most + _BEYOND]))[0]
    return clean if len(clean) <= most and len(shown) <= most + _BEYOND else clean[: most - 1] + "…"


def texts(value: Any, where: str) -> dict[str, str]:
    """Labels or annotations; of too many the telling ones are kept, then those first in order of their names."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"{where} is no object.")
    names = list(value)
    if len(names) > MOST_LABELS:
        names = [name for name in TELLING if name in value] + sorted(set(names) - set(TELLING))
    return {text(name, where)[:200]: text(value[name], f"{where}.{quoted(name, 80)}") for name in names[:MOST_LABELS]}


def moment(value: Any, where: str) -> float:
    """Epoch seconds of an RFC 3339 time; 0 for none, which Go writes as the year 1."""
    if value in (None, "", 0):
        return 0.0
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return max(0.0, float(value))  # of an integer beyond a float's range there is none
        # Go gives nanoseconds; datetime reads microseconds.
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", str(value)))
        seconds = found.timestamp()
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"{where} is no time like 2026-11-23T09:00:00Z.") from error
    if found.tzinfo is None:
        raise Unreadable(f"{where} is a time without its zone; it should be like 2026-11-23T09:00:00Z.")
    return max(0.0, seconds)


def address(value: Any) -> str:
    """An http(s) address; anything else is none, also one with what looks like a secret in it."""
    return value if isinstance(value, str) and _URL.fullmatch(value) and not mask(value)[1] else ""


def status(value: Any, where: str) -> Any:
    """``firing`` or ``resolved``."""
    if value not in ("firing", "resolved"):
        raise Unreadable(f"{where} is {quoted(value)!r}; it should be firing or resolved.")
    return value


def first(found: Mapping[str, str], *names: str) -> str:
    """The first of these that says something."""
    return next((found[name] for name in names if found.get(name)), "")


def each(found: Sequence[Any], where: str, one: Callable[[Any, str], Alert]) -> tuple[tuple[Alert, ...], Unread | None]:
    """The alerts of a list, each read by ``one``, and those that it could not read; of one that comes twice, the last.

    An alert that says nonsense must not cost the others their page. Raises ``Unreadable`` where none can be read.
    """
    alerts: dict[str, Alert] = {}
    wrong: list[tuple[Any, Unreadable]] = []
    for place, given in enumerate(found):
        try:
            alert = one(given, f"{where}[{place}]")
        except Unreadable as no:
            wrong.append((given, no))
        else:
            alerts[alert.fingerprint] = alert
    if not wrong:
        return tuple(alerts.values()), None
    if not alerts:
        raise wrong[0][1]
    raw = json.dumps([given for given, _ in wrong[:MOST_UNREAD]], ensure_ascii=False, indent=1)
    why = f"{len(wrong)} of {len(found)} alerts; {wrong[0][1]}"
    return tuple(alerts.values()), Unread(whole(raw), why)
