"""The card of an incident, and the page that wakes somebody: what is wrong, since when, who has it, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chatops.incidents.incident import Incident, State
from chatops.kernel.durations import lasted
from chatops.kernel.escalation import Plan, step_at
from chatops.slack.mrkdwn import bold, channel_link, code, enumerated, escape, link, mention, plain, when
from chatops.slack.views.blocks import (
    CHARACTERS,
    Block,
    Message,
    actions,
    context,
    fallback,
    header,
    line_buttons,
    link_button,
    section,
    sections,
)

MOMENTS = 60.0  # seconds that are not worth telling
MOST_ON_A_PAGE = 8  # incidents with a button each; more are counted
NAMED_ON_A_PAGE = CHARACTERS - 1000  # characters of their lines; the rest is for the count
Line = tuple[str, str, bool, str]  # label, line, form, style


def incident_card(incident: Incident, now: float, first: str | None = None) -> Message:
    """The card as it must read now; ``first``: the address of the first one, for those elsewhere."""
    lines = list(_body(incident, now))
    blocks = [header(title(incident)), section("\n".join(lines))]
    blocks += actions(_buttons(incident))
    small = f"{incident.name} · evidence in thread"
    if first is not None:
        small = f"{incident.name} · evidence in the thread of {link(first, 'its first card')}"
    runbook = link(incident.summary.runbook, "runbook")
    if incident.state is State.ACKNOWLEDGED and runbook != "runbook":
        small += f" · {runbook}"
    blocks.append(context(small))
    return Message(fallback([escape(title(incident)), *lines, small]), blocks, moment=moment(incident))


def page(
    incidents: Sequence[Incident], now: float, person: str = "", links: Mapping[str, str] | None = None
) -> Message:
    """What wakes somebody: everything that waits for this person, with a button for each.

    ``person``: the Slack id of whom it mentions; ``links``: addresses of cards by the incident's name.
    """
    waiting = [one for one in incidents if one.state is State.OPEN]
    rung = f"{mention(person)} " if person else ""
    first = f"{rung}*You are paged.*" if waiting else "*You were paged; this needs nobody any more:*"
    lines = [first, *(_line(one, now, (links or {}).get(one.name, "")) for one in incidents[:MOST_ON_A_PAGE])]
    blocks = sections(lines, NAMED_ON_A_PAGE)
    if len(incidents) > MOST_ON_A_PAGE:
        more = ", ".join(one.name for one in incidents[MOST_ON_A_PAGE:60])
        lines.append(f"… and {len(incidents) - MOST_ON_A_PAGE} more: {escape(more, 600)}")
        blocks.append(section(lines[-1]))  # a block of its own: what is last is what a full block drops
    buttons: list[Line] = []
    for one in waiting[:MOST_ON_A_PAGE]:
        label = "Acknowledge" if len(waiting) == 1 else f"Acknowledge {one.name}"
        buttons.append((label, f"incident ack {one.name}", False, "primary"))
    if len(waiting) == 1 and waiting[0].escalation:
        buttons.append(("Escalate", f"incident escalate {waiting[0].name}", False, ""))
    made = line_buttons(buttons)
    made += _runbook(waiting[0], len(made)) if len(waiting) == 1 else []
    return Message(
        fallback(lines), [*blocks, *actions(made)], moment=",".join(f"{one.id}:{one.state}" for one in incidents)
    )


def digest(incidents: Sequence[Incident], links: Mapping[str, str]) -> Message:
    """Many at once: a line for each, with a link to its card as soon as that stands."""
    left = [one for one in incidents if not one.ended]
    first = f"*A storm of alerts:* {len(incidents)} incidents here, {len(left)} not resolved. The cards follow."
    lines = [first, *(_short(one, links.get(one.name, "")) for one in incidents)]
    return Message(fallback(lines), sections(lines), moment=str(len(incidents)))


def _short(incident: Incident, address: str) -> str:
    name = link(address, incident.name) if address else incident.name
    what = escape(incident.service or incident.title, 40)
    where = f" in {escape(incident.environment, 20)}" if incident.environment else ""
    who = "✅" if incident.ended else escape(incident.holder.name, 20) if incident.holder else "nobody has it"
    return f"{incident.severity.upper()} {name} {bold(what)}{where}: {escape(incident.summary.text, 50)} · {who}"


def title(incident: Incident) -> str:
    """``SEV1 · checkout · PRODUCTION · NOBODY HAS IT``; who has it is never cut off."""
    what = plain(incident.service or incident.title or "something", 60)
    where = f" · {plain(incident.environment.upper(), 30)}" if incident.environment else ""
    return f"{incident.severity.upper()} · {what}{where} · {_who(incident)}"


def moment(incident: Incident) -> str:
    """What must be seen at once; numbers and counts are mere progress."""
    holder = incident.holder.id if incident.holder else ""
    told = f"{incident.status_at}/{incident.lead.id if incident.lead else ''}"
    state = f"{incident.state}/{holder}/{incident.severity}/{incident.round}/{incident.calm}"
    return f"{state}/{len(incident.paged)}/{told}"


def _who(incident: Incident) -> str:
    if incident.state is State.RESOLVED:
        return "RESOLVED"
    return f"{plain(incident.holder.name, 30).upper()} HAS IT" if incident.holder else "NOBODY HAS IT"


def _body(incident: Incident, now: float) -> Iterator[str]:
    summary = incident.summary
    end = incident.resolved_at or now
    since = summary.since or incident.opened_at
    said = " ".join(filter(None, (escape(summary.text or incident.title, 300), escape(summary.numbers, 120))))
    lasts = f", {lasted(end - since)}" if end - since >= MOMENTS else ""
    yield f"{said} · since {when(since, now)}{lasts}"
    if incident.deployed and not incident.ended:
        before = since - incident.deployed_at
        when_said = f"{lasted(before)} before" if before >= 0 else "meanwhile"
        yield f"Deployed {when_said}: {escape(incident.deployed, 120)}"
    if incident.pods and not incident.ended:
        yield f"Pods: {escape(incident.pods, 160)}"
    if summary.names:
        more = f" and {summary.more} more" if summary.more else ""
        firing = f"{summary.firing} of {summary.total}" if summary.firing != summary.total else f"{summary.total}"
        word = "alert" if summary.total == 1 else "alerts"
        yield f"{firing} {word}: {enumerated(escape(name, 60) for name in summary.names)}{more}"
    if incident.quiet and not incident.ended:
        yield f"🔕 It makes no noise: {escape(incident.quiet, 120)}"
    if incident.flapping:
        yield f"⚠ It comes and goes: {summary.changes} changes so far"
    if incident.reopened:
        yield f"↩ It came back {'once' if incident.reopened == 1 else f'{incident.reopened} times'}"
    yield " · ".join(_people(incident, now))
    if incident.state is State.ACKNOWLEDGED and incident.holder:
        again = f" · pages again {when(incident.due_at, now)}" if incident.due_at else ""
        who = incident.holder
        said = escape(who.name, 60) if ":" in who.id else mention(who.id)  # known to PagerDuty alone: no account here
        yield f"{said} has it since {when(incident.acknowledged_at, now)}{again}"
        if incident.back_to:
            healthy = f" (healthy {lasted(incident.back_healthy)})" if incident.back_healthy >= MOMENTS else ""
            yield f"Roll back goes to {escape(incident.back_to, 60)}{healthy}"
    if incident.silenced_until > now and not incident.ended:
        yield f"🔕 Silenced until {when(incident.silenced_until, now)}"
    yield from _handling(incident, now)
    if incident.state is State.RESOLVED:
        by = escape(incident.resolved_by, 60) or "nobody in particular"
        yield f"✅ Resolved by {by} {when(incident.resolved_at, now)}"
    elif incident.calm:
        yield bold("All alerts are resolved.") + " Resolve it, when you agree."


def _handling(incident: Incident, now: float) -> Iterator[str]:
    """Where it stands, who leads, and the room."""
    if incident.status and (not incident.ended or incident.status == "resolved"):  # what was told before is over
        text = f": {escape(incident.status_text, 300)}" if incident.status_text else ""
        yield f"Status: {bold(incident.status)}{text} · {when(incident.status_at, now)}"
    told = [f"Lead: {mention(incident.lead.id)}"] if incident.lead else []
    told += [f"Room: {channel_link(incident.room)}"] if incident.room else []
    if told:
        yield " · ".join(told)


def _people(incident: Incident, now: float) -> Iterator[str]:
    unknown = f", {code(incident.stranger, 60)} is not in the catalog" if incident.stranger else " that I know of"
    yield f"Owner: {escape(incident.team, 60)}" if incident.team else f"Owner: nobody{unknown}"
    if incident.state is not State.OPEN:
        return
    if incident.paged:
        last = incident.paged[-1].step
        latest = [one for one in incident.paged if one.step == last]
        yield f"Paged: {enumerated(mention(one.id) for one in latest)} {when(latest[0].at, now)}"
    elif not incident.pages:
        yield "Nobody is paged for it"
    elif not incident.escalation:
        yield "⚠ Nobody can be paged: no escalation serves this team"
    if incident.due_at > now and incident.escalation:
        targets = step_at(Plan.model_validate(incident.escalation), incident.step).targets
        names = enumerated(escape(one.partition(":")[2] or one, 60) for one in targets)
        yield f"Next: {names} {when(incident.due_at, now)}"


def _buttons(incident: Incident) -> list[Block]:
    name = incident.name
    lines: list[Line] = []
    if incident.state is State.OPEN:
        lines.append(("Acknowledge", f"incident ack {name}", False, "primary"))
        if incident.escalation:
            lines.append(("Escalate", f"incident escalate {name}", False, ""))
    if incident.state is State.ACKNOWLEDGED or (incident.state is State.OPEN and incident.calm):
        lines.append(("Resolve", f"incident resolve {name}", False, "primary" * incident.calm))
    if incident.state is State.ACKNOWLEDGED and incident.deployed and not incident.undone:
        back = f"rollback {incident.service} {incident.environment} because {name}"
        lines.insert(0, ("Roll back", back, True, "danger"))
    if incident.state is State.ACKNOWLEDGED:
        lines += [("Still on it", f"incident still {name}", False, ""), ("More", f"incident more {name}", False, "")]
    if incident.state is State.RESOLVED and incident.room and not incident.closed_at:
        lines.append(("Close", f"incident close {name}", False, ""))
    buttons = line_buttons(lines)
    return buttons + (_runbook(incident, len(buttons)) if incident.state is State.OPEN else [])


def _runbook(incident: Incident, number: int) -> list[Block]:
    """The button that leads to the runbook, where there is one."""
    address = incident.summary.runbook
    return [link_button("Runbook", number, address)] if link(address, "x") != "x" else []


def _line(incident: Incident, now: float, address: str) -> str:
    what = escape(incident.service or incident.title, 60)
    where = f" in {escape(incident.environment, 40)}" if incident.environment else ""
    text = " ".join(filter(None, (escape(incident.summary.text, 200), escape(incident.summary.numbers, 80))))
    since = when(incident.summary.since or incident.opened_at, now)
    who = {State.RESOLVED: "resolved"}.get(
        incident.state, f"{escape(incident.holder.name, 40)} has it" if incident.holder else ""
    )
    name = link(address, incident.name) if address else incident.name
    head = f"{incident.severity.upper()} {bold(what)}{where} · {name}"
    return " · ".join(filter(None, (head, text, f"since {since}", who)))
