"""``freezes:``: when nothing is changed, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from chatops.adapters.configuration.fields import Fields, suggestion
from chatops.adapters.configuration.policies import break_glass
from chatops.adapters.configuration.zones import zone
from chatops.kernel.catalog import Freeze, Platform
from chatops.kernel.freezes import recurrence

LIKE = 'it is a local time like "2026-12-24 00:00"'
LONGEST = 366  # days


def freezes(root: Fields, platform: Platform, known: Mapping[str, Any]) -> tuple[Freeze, ...]:
    """Every freeze; each has a name of its own."""
    return tuple(_freezes(root, platform, known))


def _freezes(root: Fields, platform: Platform, known: Mapping[str, Any]) -> Iterator[Freeze]:
    named: dict[str, int] = {}
    for place, node in enumerate(root.items("freezes", "freezes"), 1):
        fields = Fields(node, f"freeze {place}", root.problems)
        name = fields.text("name", required=True, like="what people read when it refuses")
        fields = Fields(node, f"freeze {name!r}", root.problems) if name else fields
        fields.only(
            "name", "from", "until", "rrule", "timezone", "environments", "tiers", "teams", "services", "message",
            "break_glass",
        )  # fmt: skip
        if name and named.setdefault(name, node.line) != node.line:
            fields.wrong(fields.line("name"), f"stands here twice, first in line {named[name]}: rename one")
        in_zone = zone(fields)
        start, end = _local(fields, "from"), _local(fields, "until")
        rule = fields.text("rrule")
        if start and end and _fits(fields, start, end, rule):
            yield Freeze(
                name=name, start=start, end=end, rrule=rule, timezone=in_zone, message=fields.text("message"),
                break_glass=break_glass(fields, known), **places(fields, platform),
            )  # fmt: skip


def _fits(fields: Fields, start: datetime, end: datetime, rule: str) -> bool:
    if end <= start:
        fields.wrong(fields.line("until"), "ends before it begins")
        return False
    if (end - start).days > LONGEST:
        fields.wrong(fields.line("until"), "lasts longer than a year: take the environment out of policy instead")
        return False
    if rule:
        try:
            recurrence(rule, start)
        except (ValueError, TypeError, AttributeError) as wrong:
            like = "like FREQ=WEEKLY;BYDAY=FR"
            fields.wrong(fields.line("rrule"), f"has rrule {rule!r}: it is no RRULE {like} ({wrong})")
            return False
    return True


def _local(fields: Fields, key: str) -> datetime | None:
    text = fields.text(key, required=True, like=LIKE)
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M")
    except ValueError:
        fields.wrong(fields.line(key), f"has {key} {text!r}: {LIKE}")
        return None


def places(fields: Fields, platform: Platform) -> dict[str, tuple[str, ...]]:
    """Where it holds: ``environments``, ``tiers``, ``teams`` and ``services``, a list of known names each."""
    return {key: _names(fields, key, there) for key, there in _there(platform).items()}


def _there(platform: Platform) -> dict[str, tuple[str, ...]]:
    tiers = tuple(dict.fromkeys(one.tier for one in platform.environments.values()))
    return {
        "environments": tuple(platform.environments), "tiers": tiers, "teams": tuple(platform.teams),
        "services": tuple(platform.services),
    }  # fmt: skip


def _names(fields: Fields, key: str, there: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for node in fields.items(key, "names", one_is_enough=True):
        name = fields.as_text(node, key)
        if name and name not in there:
            fields.wrong(node.line, f"has {name} among its {key}, which there is not{suggestion(name, there)}")
        elif name:
            found.append(name)
    return tuple(found)
