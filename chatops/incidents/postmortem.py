"""The draft of a postmortem: what the records know of an incident as Markdown, and room for what only people know."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from chatops.incidents.incident import AUTOMATION, Incident
from chatops.incidents.timeline import sentences
from chatops.kernel.alert import Alert
from chatops.kernel.chart import Kept
from chatops.kernel.durations import lasted
from chatops.kernel.masking import mask
from chatops.kernel.ports import Row

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|!~&])")
_HAD = {"acknowledged": "had it", "taken_over": "had it", "resolved": "resolved it", "closed": "closed it"}


def draft(
    incident: Incident, alerts: Sequence[Alert], rows: Sequence[Row], chart: str = "", charts: Sequence[Kept] = ()
) -> str:
    """The whole file; times are UTC. ``chart``: the address of the chart's message; ``charts``: files beside this."""
    parts = (
        _head(incident), _times(incident, rows), _impact(incident, alerts, chart), _charts(charts),
        _people(incident, rows), _changes(incident), _timeline(rows),
        *map(_open, ("Causes", "What went well, what did not", "Actions")),
    )  # fmt: skip
    text = "\n\n".join(filter(None, ("\n".join(part) for part in parts)))
    return f"{mask(text)[0]}\n"


def plain(text: str) -> str:
    """A person's or a monitor's words as one line that means nothing to Markdown."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _head(incident: Incident) -> Iterator[str]:
    what = plain(incident.service or incident.title or "something")
    where = f" in {plain(incident.environment)}" if incident.environment else ""
    yield f"# {incident.name}: {what}{where}"
    yield ""
    said = incident.status_text or incident.summary.text or incident.title
    yield f"**{incident.severity.upper()}** · a draft: complete it, and correct it where the records are wrong."
    if said:
        yield ""
        yield plain(said)


def _times(incident: Incident, rows: Iterable[Row]) -> Iterator[str]:
    answered = next((float(row["at"]) for row in rows if row["what"] in ("acknowledged", "taken_over")), 0.0)
    began = incident.summary.since or incident.opened_at
    yield "## Times"
    yield ""
    yield "| | UTC | after it began |"
    yield "|---|---|---|"
    for word, at in (
        ("Began", began), ("Detected", incident.opened_at), ("Acknowledged", answered),
        ("Mitigated", incident.mitigated_at), ("Resolved", incident.resolved_at),
    ):  # fmt: skip
        yield f"| {word} | {_at(at) if at else 'not recorded'} | {lasted(at - began) if at else ''} |"
    if incident.reopened:
        yield ""
        yield f"It came back {incident.reopened} times; the times are those of its last end."


def _impact(incident: Incident, alerts: Sequence[Alert], chart: str) -> Iterator[str]:
    yield "## Impact"
    yield ""
    if incident.summary.numbers:
        yield f"Measured: {plain(incident.summary.numbers)}"
        yield ""
    for one in alerts:
        text = plain(one.summary or one.description or "")
        yield f"- {plain(one.name)}{f': {text}' if text else ''}"
    if not alerts:
        yield "No alert told of it."
    yield ""
    yield "Who noticed it, and how much: …"
    if incident.charted_round:
        yield ""
        where = f"the thread of {incident.name}'s first card"
        yield f"A chart of what the worst alert measures is in {f'[{where}](<{chart}>)' if chart else where}."


def _charts(charts: Sequence[Kept]) -> Iterator[str]:
    """The pictures by their names: they are uploaded with this file, and shown where both lie in one folder."""
    if charts:
        yield "## Charts"
    for one in charts:
        yield ""
        yield f"{plain(one.title)}: {plain(one.words)}"
        if one.picture:
            yield ""
            yield f"![{plain(one.title)}]({one.name})"


def _people(incident: Incident, rows: Iterable[Row]) -> Iterator[str]:
    roles: dict[str, dict[str, None]] = {}
    if incident.lead:
        roles.setdefault(incident.lead.email or incident.lead.name, {})["led it"] = None
    for row in rows:
        data = json.loads(row["data"])
        if row["what"] == "paged" and data.get("people"):
            roles.setdefault(str(data["people"]), {})["paged"] = None
        elif row["who"] != AUTOMATION:
            roles.setdefault(str(row["who"]), {})[_HAD.get(row["what"], "took part")] = None
    yield "## People"
    yield ""
    for person, did in roles.items():
        words = [one for one in did if one != "took part"] or list(did)
        yield f"- {plain(person)}: {', '.join(words)}"
    if not roles:
        yield "Nobody took part."


def _changes(incident: Incident) -> Iterator[str]:
    yield "## What was deployed"
    yield ""
    when = f" at {_at(incident.deployed_at)}" if incident.deployed_at else ""
    undone = "; it was rolled back" if incident.undone else ""
    yield f"{plain(incident.deployed)}{when}{undone}" if incident.deployed else "Nothing that the records know of."


def _timeline(rows: Iterable[Row]) -> Iterator[str]:
    yield "## Timeline"
    yield ""
    for at, text in sentences(rows):
        yield f"- {_at(at)} {plain(text)}"


def _open(heading: str) -> Iterator[str]:
    yield f"## {heading}"
    yield ""
    yield "…"


def _at(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
