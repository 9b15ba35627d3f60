"""The sections of ``platform.yml`` about alerts: rules, windows of maintenance, and how bad is bad."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from chatops.adapters.configuration.expressions import line_at
from chatops.adapters.configuration.fields import Fields, suggestion
from chatops.adapters.configuration.zones import zone
from chatops.kernel.alerting import AlertRule, Maintenance
from chatops.kernel.catalog import Platform
from chatops.kernel.cel import BOOL, STRING, Type, Vocabulary, check
from chatops.kernel.escalation import SEVERITIES, Severity
from chatops.kernel.rota import moment

SAYS = ("ignore", "key", "severity", "channel", "resolve")
DAY = 86400.0
_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}")
_SEVERITY = re.compile(r"sev[1-9]")


def rules(root: Fields, platform: Platform, vocabulary: Vocabulary) -> tuple[AlertRule, ...]:
    """``alerts:``: what holds for which alerts."""
    return tuple(_rules(root, platform, vocabulary))


def _rules(root: Fields, platform: Platform, vocabulary: Vocabulary) -> Iterator[AlertRule]:
    for place, node in enumerate(root.items("alerts", "rules"), 1):
        fields = Fields(node, f"alert rule {place}", root.problems)
        fields.only("when", *SAYS)
        when = _cel(fields, "when", vocabulary, BOOL, required=True)
        severity = fields.text("severity")
        if severity and severity not in platform.severities:
            there = suggestion(severity, platform.severities)
            fields.wrong(fields.line("severity"), f"has severity {severity}, which there is not{there}")
        ignore = fields.flag("ignore", False) if fields.has("ignore") else None
        said = [name for name in SAYS if name in fields.names()]
        if not said:
            fields.wrong(node.line, f"says nothing about the alert: give it {', '.join(SAYS[:-1])} or {SAYS[-1]}")
        if ignore and len(said) > 1:
            fields.wrong(fields.line("ignore"), "ignores the alert and says more about it: keep one")
        found = AlertRule(
            name=f"{fields.where} (line {node.line})", when=when, ignore=ignore, severity=severity,
            key=_cel(fields, "key", vocabulary, STRING, after=when), channel=fields.channel("channel"),
            resolve=fields.choice("resolve", ("automatic", "manual")),  # type: ignore[arg-type]  # or ""
        )  # fmt: skip
        if when:
            yield found


def maintenance(root: Fields, vocabulary: Vocabulary) -> tuple[Maintenance, ...]:
    """``maintenance:``: when which alerts make no noise."""
    return tuple(_windows(root, vocabulary))


def _windows(root: Fields, vocabulary: Vocabulary) -> Iterator[Maintenance]:
    named: dict[str, int] = {}
    for place, node in enumerate(root.items("maintenance", "windows"), 1):
        fields = Fields(node, f"maintenance {place}", root.problems)
        name = fields.text("name", required=True, like="what people read in the incident")
        fields = Fields(node, f"maintenance {name!r}", root.problems) if name else fields
        fields.only("name", "when", "from", "until", "timezone")
        if name and named.setdefault(name, node.line) != node.line:
            fields.wrong(fields.line("name"), f"stands here twice, first in line {named[name]}: rename one")
        when = _cel(fields, "when", vocabulary, BOOL, required=True)
        in_zone = ZoneInfo(zone(fields))
        start, end = _moment(fields, "from", in_zone), _moment(fields, "until", in_zone)
        if start and end and end <= start:
            fields.wrong(fields.line("until"), "ends before it begins")
        elif start and end and when:
            yield Maintenance(name=name, when=when, start=start, end=end)


def _moment(fields: Fields, key: str, in_zone: ZoneInfo) -> float:
    """Epoch seconds; 0 for what is no time."""
    like = 'it is a local time like "2026-11-25 22:00"'
    text = fields.text(key, required=True, pattern=_TIME, like=like)
    if not text:
        return 0.0
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        fields.wrong(fields.line(key), f"has {key} {text!r}: there is no such time")
        return 0.0
    return moment(found.date(), found.time(), in_zone)


def severities(root: Fields) -> dict[str, Severity]:
    """``severities:``: how bad is bad, the worst first; what is left out stays as it is by default."""
    found: dict[str, Severity] = {}
    given: dict[str, str] = {}  # by word: the severity that names it
    for name, node, line in root.entries("severities", "severities"):
        fields = Fields(node, f"severity {name}", root.problems, line)
        fields.only("words", "pages", "again_after", "updates")
        if not _SEVERITY.fullmatch(name):
            fields.wrong(line, "has no such name: it is sev1 (the worst) to sev9")
            continue
        usual = SEVERITIES.get(name) or Severity(name=name, unresolved=DAY, pages=False)
        words = [fields.as_text(one, "words") for one in fields.items("words", "what monitors call it")]
        for word in filter(None, words):
            if (other := given.setdefault(word.casefold(), name)) != name:
                fields.wrong(fields.line("words"), f"has the word {word}, which is {other} already: keep one")
        found[name] = Severity(
            name=name, words=tuple(words) if fields.has("words") else usual.words,
            pages=fields.flag("pages", usual.pages), unresolved=fields.duration("again_after", usual.unresolved),
            updates=fields.duration("updates", usual.updates, zero=True),
        )  # fmt: skip
    every = {**SEVERITIES, **found}
    return {name: _without(every[name], given) for name in sorted(every)}


def _without(severity: Severity, given: dict[str, str]) -> Severity:
    """A word that somebody gave to another severity is no longer this one's."""
    words = tuple(word for word in severity.words if given.get(word.casefold(), severity.name) == severity.name)
    return severity.model_copy(update={"words": words})


def _cel(
    fields: Fields, key: str, vocabulary: Vocabulary, result: Type, *, required: bool = False, after: str = ""
) -> str:
    """An expression that gives ``result``; ``""`` when it is wrong. ``after``: a condition that holds by then."""
    node = fields.given(key)
    if node is None:
        if required:
            fields.wrong(fields.line(key), f'needs {key}: a CEL expression; "true" matches everything')
        return ""
    expression = fields.as_text(node, key)
    mistakes = check(expression, vocabulary, result, after) if expression else ()
    for mistake in mistakes:
        fields.wrong(line_at(node, mistake.offset), f"{key}: {mistake}")
    return "" if mistakes else expression
