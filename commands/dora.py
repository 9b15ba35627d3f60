"""How a team delivers: the four DORA figures of its production deploys, against the period before.

/platform dora
/platform dora shop 30d
/platform dora service=checkout environment=staging export=csv
"""

from __future__ import annotations

import csv
import io
import json
from asyncio import to_thread
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from chatops.kernel.action import Action, Answer, Button, Context, File, InputKind, Inputs
from chatops.kernel.catalog import Platform
from chatops.kernel.dora import DAY, MOST_CHANGES, Change, Figures, Judged, counted, figures, judged
from chatops.kernel.durations import spoken
from chatops.kernel.panels import dora_panels
from chatops.kernel.spans import zone_of
from commands.declared.inputs import seconds

LONGEST = 365 * DAY
PRODUCTION = "production"  # the tier whose environments count where none is named
DEFINED = "docs/figures.md says what counts"
SERVICES = 8  # told apart, the busiest first


def any_period(text: str) -> str:
    """A length of time that figures are given of, as typed; raises ``ValueError``."""
    if not DAY <= seconds(text) <= LONGEST:
        raise ValueError("Period is from 1d to 365d.")
    return text


class Dora(Inputs):
    """Whose figures, of which time."""

    team: Annotated[str, InputKind.TEAM] = Field(default="", title="Team", description="Empty: all of them.")
    period: Annotated[str, InputKind.DURATION, AfterValidator(any_period)] = Field(
        default="90d", title="Period", description="How long back from now; it is held against the time before."
    )
    service: Annotated[str, InputKind.SERVICE] = Field(default="", title="Service", description="Empty: all of them.")
    environment: Annotated[str, InputKind.ENVIRONMENT] = Field(
        default="", title="Environment", description="Empty: those of the tier production."
    )
    export: Literal["none", "csv", "json"] = Field(
        default="none", title="Export", description="The deploys that they are counted from, as a file."
    )


async def answer(inputs: Dora, ctx: Context) -> Answer:
    """The four numbers and one picture of them; as a file what they were counted from."""
    length, until = seconds(inputs.period), ctx.now.timestamp()
    since = until - length
    services, environments = places(ctx.platform, inputs.team, inputs.service, inputs.environment)
    changes = await ctx.ledger.changes(since - length - DAY, until)
    found = [one for one in changes if one.environment in environments and one.service in services]
    whose = inputs.service or inputs.team or "all teams"
    cut = _cut(changes, zone_of(ctx.requester.tz))
    title = f"DORA · {whose} · {', '.join(environments) or 'no environment'} · last {spoken(length)}"
    if inputs.export != "none":
        exported = [one for one in found if since <= one.ended_at < until]
        now, before = figures(found, since, until), figures(found, since - length, since)
        file = _file(inputs.export, exported, now, before)
        return Answer(title, (f"{len(exported)} deploys and rollbacks.", *cut), file=file)
    line = " ".join(filter(None, ("dora", inputs.team, inputs.period)))
    line += "".join(f" {name}={value}" for name in ("service", "environment") if (value := getattr(inputs, name)))
    # A year of a large company takes a while to be counted
    said = await to_thread(report, title, found, since, until, zone_of(ctx.requester.tz), line)
    return replace(said, lines=(*said.lines, *cut))


def _cut(changes: Sequence[Change], zone: ZoneInfo) -> tuple[str, ...]:
    """That the ledger has more than is counted, if it may have."""
    if len(changes) < MOST_CHANGES:
        return ()
    begin = datetime.fromtimestamp(changes[0].ended_at, UTC).astimezone(zone)
    newest = f"Only the newest {MOST_CHANGES:,} deploys of all teams are counted"
    return (f"{newest}: those since {begin:%-d %B %Y, %H:%M}.",)


def report(
    title: str, found: Sequence[Change], since: float, until: float, zone: ZoneInfo, line: str, earlier: float = 0.0
) -> Answer:
    """The figures of a period (epoch seconds) against those since ``earlier``; 0: since it is as long.

    ``line`` asks for them again.
    """
    deploys, begun = judged(found), earlier or 2 * since - until
    now, before = counted(deploys, since, until), counted(deploys, begun, since)
    if not now.ended and not before.ended:
        return Answer(title, ("Nothing was deployed there.",), context=DEFINED)
    # Lines, and no table: on a phone its three columns would break
    each = [
        f"*{name}:* {said} · before: {was}" for (name, said), (_, was) in zip(now.rows(), before.rows(), strict=True)
    ]
    buttons = (Button("As CSV", f"{line} export=csv"), Button("As JSON", f"{line} export=json"))
    panels = dora_panels(title, deploys, (begun, since, until), zone)
    lines = (*each, *_by_service(deploys, since, until))
    return Answer(title, lines, buttons=buttons, context=DEFINED, panels=panels)


def places(
    platform: Platform, team: str = "", service: str = "", environment: str = ""
) -> tuple[frozenset[str], tuple[str, ...]]:
    """The services and environments that are counted; nothing named: all services, production."""
    services = frozenset(
        one.name
        for one in platform.services.values()
        if (not team or one.team == team) and (not service or one.name == service)
    )
    production = tuple(one.name for one in platform.environments.values() if one.tier == PRODUCTION)
    return services, (environment,) if environment else production


def _by_service(deploys: Sequence[Judged], since: float, until: float) -> tuple[str, ...]:
    """The busiest ones, a line each, where there is more than one."""
    of = defaultdict[str, list[Judged]](list)
    for deploy in deploys:
        of[deploy.change.service].append(deploy)
    each = {name: counted(those, since, until) for name, those in of.items()}
    busy = sorted(((name, one) for name, one in each.items() if one.ended), key=lambda pair: (-pair[1].ended, pair[0]))
    if len(busy) < 2:
        return ()
    lines = [f"• *{name}*: {_short(one)}" for name, one in busy[:SERVICES]]
    return (*lines, f"and {len(busy) - SERVICES} more") if len(busy) > SERVICES else tuple(lines)


def _short(one: Figures) -> str:
    said = dict(one.rows())
    return f"{said['Deployment frequency']}, {said['Change failure rate']} failed"


def _file(kind: str, counted: Sequence[Change], now: Figures, before: Figures) -> File:
    rows = [
        {**asdict(one), **{name: _stamp(getattr(one, name)) for name in ("started_at", "ended_at", "first_at")}}
        for one in counted
    ]
    if kind == "json":
        whole = {"now": asdict(now), "before": asdict(before), "changes": rows}
        return File("dora.json", json.dumps(whole, indent=2, ensure_ascii=False))
    written = io.StringIO()
    made = csv.DictWriter(written, [one.name for one in fields(Change)], lineterminator="\n")
    made.writeheader()
    made.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return File("dora.csv", written.getvalue())


def _cell(value: str) -> str:
    """A spreadsheet takes what begins like this for a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


RECORD = Action(
    name="dora",
    title="DORA figures",
    risk="read",
    inputs=Dora,
    usage="dora [TEAM] [90d] [service=SERVICE] [environment=ENVIRONMENT] [export=csv]",
    summary="How often, fast and safely a team deploys",
    positionals=("team", "period"),
    answer=answer,
)
