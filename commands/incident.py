"""What people do with an incident, as lines; the buttons on its card are these lines.

/platform incident open checkout production because carts are empty
/platform incident ack INC-318
/platform incident resolve INC-318 because the pool was too small
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from chatops.kernel.action import (
    Action,
    Answer,
    Context,
    EnvironmentName,
    InputKind,
    Inputs,
    Reason,
    ServiceName,
)
from chatops.kernel.catalog import closest
from chatops.kernel.errors import InputError

# INC-318, as it stands on the card, or the number alone
IncidentName = Annotated[str, StringConstraints(pattern=r"^(?i:INC-)?[0-9]{1,12}$")]
Someone = Annotated[str, InputKind.PERSON]


class Incident(Inputs):
    """Which incident."""

    incident: IncidentName = Field(title="Incident", description="Its name on the card: INC-318.")


class WithText(Incident):
    """Which incident, and words about it."""

    reason: Reason = Field(default="", title="Text", description="What is to stand on its timeline.")


class Report(Inputs):
    """What is wrong, and where."""

    service: ServiceName = Field(default="", title="Service", description="Left out: it is about no service.")
    environment: EnvironmentName = Field(default="", title="Environment")
    severity: str = Field(default="", title="Severity", description="sev1, sev2, …; left out: sev2.", max_length=40)
    room: bool = Field(default=False, title="Room", description="Make a channel for it at once.")
    reason: Reason = Field(title="Text", description="What is wrong; whoever is paged reads it.")


class Handover(Incident):
    """Which incident goes to whom."""

    to: Someone = Field(title="To")


class Severity(Incident):
    """Which incident becomes how bad."""

    severity: str = Field(title="Severity", description="sev1, sev2, …", max_length=40)


class Lead(Incident):
    """Who leads the handling of which incident."""

    to: Someone = Field(title="Lead")


class Status(Incident):
    """Where which incident stands, in a word and in words."""

    status: Literal["investigating", "identified", "mitigated", "resolved"] = Field(title="Status")
    reason: Reason = Field(default="", title="Text", description="What people may know of it.")


def number_of(name: str) -> int:
    """318 of INC-318."""
    return int(name.upper().removeprefix("INC-"))


def _verb(
    verb: str, title: str, summary: str, model: type[Incident] = Incident, more: str = "", hidden: bool = False
) -> Action:
    """One verb as an action that anybody may try; the incident says who may."""

    async def answer(inputs: Incident, ctx: Context) -> Answer:
        fields = inputs.model_dump()
        names: Mapping[str, str] = {"reason": "text"}
        given = {names.get(name, name): str(value) for name, value in fields.items() if name != "incident"}
        number = number_of(inputs.incident)
        return await ctx.desks.incidents.act(ctx.requester, verb, number, given, ctx.key, ctx.before)

    usage = f"incident {verb} INCIDENT{f' {more}' if more else ''}"
    positionals = ("incident", *(name for name in model.model_fields if name not in ("incident", "reason")))
    return Action(
        name=f"incident.{verb}", title=title, risk="read", inputs=model, usage=usage, summary=summary,
        positionals=positionals, answer=answer, hidden=hidden,
    )  # fmt: skip


async def _open(inputs: Report, ctx: Context) -> Answer:
    """Opens one, or puts the words into the one that is open for the service."""
    known = ctx.platform.severities
    if inputs.severity and inputs.severity not in known:
        wrong = f"There is no severity called {inputs.severity!r}; there are {', '.join(known)}."
        raise InputError(wrong, field="severity", suggestion=closest(inputs.severity, known))
    given = inputs.model_dump(include={"service", "environment", "severity"})
    given |= {"room": "yes"} if inputs.room else {}
    return await ctx.desks.incidents.report(ctx.requester, {**given, "text": inputs.reason}, ctx.key)


async def _timeline(inputs: Incident, ctx: Context) -> Answer:
    return await ctx.desks.incidents.timeline(ctx.requester, number_of(inputs.incident))


RECORDS = (
    Action(
        name="incident.open", title="Open an incident", risk="read", inputs=Report,
        usage="incident open [SERVICE] [ENVIRONMENT] [severity=SEVERITY] [room=yes] because TEXT",
        summary="Tell of something that is wrong; whoever is on call is paged", positionals=("service", "environment"),
        answer=_open,
    ),
    _verb("ack", "Acknowledge", "Say that you have an incident; nobody else is paged for it"),
    _verb("take", "Take over", "Have an incident that somebody else has, or was paged for"),
    _verb("release", "Give back", "Nobody has it any more; paging begins anew"),
    _verb("handover", "Hand over", "Give an incident to somebody else", Handover, "PERSON"),
    _verb("escalate", "Escalate", "Page the next ones at once"),
    _verb("still", "Still on it", "Keep it yours; the time until it pages again begins anew"),
    _verb("resolve", "Resolve", "Say that an incident is over", WithText, "[because TEXT]"),
    _verb("note", "Note", "Put a note onto the timeline", WithText, "because TEXT"),
    _verb("room", "Open a room", "Make a channel for an incident: the card pinned, the right people in it"),
    _verb("lead", "Lead", "Name who leads the handling of an incident", Lead, "PERSON"),
    _verb("status", "Status", "Tell where an incident stands", Status, "STATUS [because TEXT]"),
    _verb("close", "Close", "Resolve an incident if need be, and draft its postmortem"),
    _verb("postmortem", "Postmortem", "Put the postmortem's draft where the incident was handled, if it is not there"),
    _verb("severity", "Severity", "Change how bad an incident is", Severity, "SEVERITY"),
    Action(
        name="incident.timeline", title="Timeline", risk="read", inputs=Incident, usage="incident timeline INCIDENT",
        summary="Everything that happened in an incident", positionals=("incident",), answer=_timeline,
    ),
    _verb("more", "More", "What else can be done with an incident", hidden=True),
)  # fmt: skip
