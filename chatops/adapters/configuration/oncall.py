"""The sections of ``platform.yml`` that say who is paged: rotas and escalations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from chatops.adapters.configuration.catalog import source_problem
from chatops.adapters.configuration.fields import Fields
from chatops.adapters.configuration.zones import zone
from chatops.kernel.catalog import Watching, Weekly
from chatops.kernel.escalation import Escalation, Step
from chatops.kernel.rota import ANCHOR, DAYS, Hours, Layer, Rota

_DAYS = "|".join(DAYS)
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_HANDOVER = {"weekly": re.compile(f"({_DAYS}) {_TIME}"), "daily": re.compile(_TIME)}
_LIKE = {"weekly": '"mon 09:00"', "daily": '"09:00"'}
_HOURS = re.compile(rf"(?:({_DAYS})(?:-({_DAYS}))? )?({_TIME})-({_TIME}|24:00)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TURNS = ("shift", "handover", "people", "hours", "start")
# A configuration with this in it is refused; without the rota every place that names it would be told of as well.
_NOBODY = ("nobody",)
TARGETS = ("rota:NAME", "group:NAME", "team-leads", "user:NAME", "channel:NAME")


def rota(name: str, fields: Fields) -> Rota:
    """One rota: who is on call when; of one layer, or of ``layers``."""
    layered = fields.has("layers")
    fields.only("timezone", *(("layers",) if layered else _TURNS))
    in_zone = zone(fields)
    if not layered:
        layers = [_layer(fields)]
    else:
        layers = []
        for place, node in enumerate(fields.items("layers", "layers"), 1):
            inner = Fields(node, f"{fields.where} layer {place}", fields.problems)
            inner.only(*_TURNS)
            layers.append(_layer(inner))
        if not layers:
            fields.wrong(fields.line("layers"), "has no layers: give it one")
    return Rota(name=name, timezone=in_zone, layers=tuple(layers) or (Layer(people=_NOBODY),))


def weekly(root: Fields) -> Weekly:
    """``weekly:``: when each team's week is told in its channel."""
    node = root.get("weekly")
    if node is None:
        return Weekly()
    fields = Fields(node, "weekly", root.problems)
    fields.only("enabled", "at", "timezone")
    given = fields.text("at", pattern=_HANDOVER["weekly"], like='it is like "mon 09:00"') or "mon 09:00"
    day, _, at = given.rpartition(" ")
    return Weekly(
        enabled=fields.flag("enabled", True), weekday=DAYS.index(day), at=time.fromisoformat(at),
        timezone=zone(fields, "UTC"),
    )  # fmt: skip


def watching(root: Fields) -> Watching:
    """``watcher:``: whether the clusters themselves are watched, and whether that pages."""
    node = root.get("watcher")
    if node is None:
        return Watching()
    fields = Fields(node, "watcher", root.problems)
    fields.only("enabled", "pages")
    return Watching(enabled=fields.flag("enabled", True), pages=fields.flag("pages", False))


def _layer(fields: Fields) -> Layer:
    shift = fields.choice("shift", ("weekly", "daily")) or "weekly"
    like = f"with {shift} shifts it is like {_LIKE[shift]}"
    given = fields.text("handover", pattern=_HANDOVER[shift], like=like) or _LIKE[shift].strip('"')
    people = fields.people("people")
    if not people:
        fields.wrong(fields.line("people"), "has nobody in it: give it people")
    day, _, at = given.rpartition(" ")
    return Layer(
        people=people or _NOBODY, shift="weekly" if shift == "weekly" else "daily",
        weekday=DAYS.index(day) if day else 0, at=time.fromisoformat(at), start=_start(fields), hours=_hours(fields),
    )  # fmt: skip


def _start(fields: Fields) -> date:
    like = "it is the day of the first shift, like 2026-11-02"
    text = fields.text("start", pattern=_DATE, like=like)
    if not text:
        return ANCHOR
    try:
        return date.fromisoformat(text)
    except ValueError:
        fields.wrong(fields.line("start"), f"has start {text!r}: there is no such day")
        return ANCHOR


def _hours(fields: Fields) -> Hours | None:
    text = fields.text("hours", pattern=_HOURS, like='it is like "mon-fri 09:00-17:00" or "22:00-06:00"')
    match = _HOURS.fullmatch(text) if text else None
    if match is None:
        return None
    first, last, begin, end = match[1], match[2], match[3], match[5]
    one = DAYS.index(first) if first else 0
    other = DAYS.index(last) if last else one if first else 6
    days = tuple(day % 7 for day in range(one, (other if other >= one else other + 7) + 1))
    return Hours(days=days, begin=time.fromisoformat(begin), end=time(0) if end == "24:00" else time.fromisoformat(end))


def escalation(name: str, fields: Fields) -> Escalation:
    """One escalation: whom to page next; ``after`` in seconds since paging began."""
    fields.only("steps", "repeat")
    steps: list[Step] = []
    for place, node in enumerate(fields.items("steps", "steps"), 1):
        step = Fields(node, f"{fields.where} step {place}", fields.problems)
        step.only("page", "after")
        pages = [step.as_text(one, "page") for one in step.items("page", "rota:NAME", one_is_enough=True)]
        if not pages:
            step.wrong(node.line, 'pages nobody: give it page: ["rota:NAME"]')
        after = step.duration("after", 0.0, zero=True)
        if steps and after < steps[-1].after:
            said = (
                f"comes {after:g} s after paging began, before step {place - 1}: each step is later than the one before"
            )
            step.wrong(step.line("after"), said)
            after = steps[-1].after
        steps.append(Step(page=tuple(pages), after=after))
    if not steps:
        fields.wrong(fields.line("steps"), "has no steps: give it one")
    return Escalation(name=name, steps=tuple(steps), repeat=fields.number("repeat", 0, least=0, most=20))


def check_targets(fields: Fields, found: Escalation, known: Mapping[str, Any]) -> None:
    """Whom the steps of an escalation page has to be there."""
    for place, node in enumerate(fields.items("steps", "steps")):
        step = Fields(node, f"{fields.where} step {place + 1}", fields.problems)
        for text in found.steps[place].page:
            if text and (problem := _problem(text, known, TARGETS)):
                step.wrong(step.line("page"), f"pages {text!r}: {problem}")


def _problem(text: str, known: Mapping[str, Any], kinds: tuple[str, ...]) -> str:
    kind, _, name = text.partition(":")
    if kind == "channel":
        return "" if name.strip("#") else "a channel needs a name: channel:incidents"
    return source_problem(text, known, kinds)
