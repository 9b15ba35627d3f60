"""The card: one message that shows a request, always rendered from its state. A tired lead decides from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from approvals.lifecycle import GLASS_HOLDS
from approvals.request import ENDED, Request, State
from chatops.kernel.commits import Between
from chatops.kernel.durations import lasted
from chatops.kernel.plan import Change, Plan
from chatops.slack import ids
from chatops.slack.mrkdwn import bold, code, enumerated, escape, plain, quoted, when
from chatops.slack.views.blocks import Block, Message, actions, button, context, fallback, header, line_buttons, section
from chatops.slack.views.commits import commits
from chatops.slack.views.status import status, votes
from chatops.slack.views.steps import inputs, outputs, steps

WARNINGS = 5  # shown on the card; the rest is in the full diff
CHANGES = 3
DECIDING = frozenset({State.WAITING, State.APPROVED, State.STALLED})
CARRIED_OUT = frozenset({State.SUCCEEDED, State.FAILED, State.ROLLED_BACK})
UNDER_WAY = frozenset({State.RUNNING, State.ROLLING_BACK})
REVIEWED = DECIDING | UNDER_WAY | CARRIED_OUT


def card(request: Request, now: float, between: Between | None = None) -> Message:
    """The card as it must read now; ``now`` only chooses how far times are spelled out."""
    first, lines = status(request, now), list(_body(request, now, between or Between()))
    blocks = [header(title(request)), section(first)]
    if lines:
        blocks.append(section("\n".join(lines)))
    blocks += actions(buttons(request, now))
    blocks.append(context(_small_print(request)))
    text = fallback([escape(title(request)), first, *lines, _small_print(request)])
    return Message(text, blocks, moment=moment(request))


def title(request: Request) -> str:
    """``Deploy checkout 1.4.1 → 1.4.2 · PRODUCTION`` as plain text; the place is never cut off."""
    where = f" · {plain(request.environment.upper(), 40)}" if request.environment else ""
    return plain(request.wish, 150 - len(where)) + where


def moment(request: Request) -> str:
    """What must be seen at once: everything but progress."""
    given = ",".join(vote.person_id for vote in request.votes)
    reviewed = "reviewed" if request.reviewed is not None else ""
    return f"{request.state}/{request.digest[:12]}/{given}/{request.deadline_at}/{request.behind}/{reviewed}"


def buttons(request: Request, now: float) -> list[Block]:
    """What can be done now, by whoever may: the most likely first."""
    return list(_buttons(request, now))


def _buttons(request: Request, now: float) -> Iterator[Block]:
    state, value = request.state, ids.value(request.id, request.digest[:12])
    if state is State.WAITING:
        yield button("Approve", ids.APPROVE, value, style="primary", confirm=_confirm(request))
        yield button("Reject", ids.REJECT, value, style="danger")
    if state is State.CONTESTED:
        yield button("Wait", ids.WAIT, value, style="primary")
        named = ids.value(request.id, f"R-{request.behind}")  # a stale card must not replace another one than it shows
        yield button("Replace", ids.REPLACE, named, style="danger", confirm=_confirm_replace(request))
    if state is State.STALLED:
        yield button("Start", ids.START, value, style="primary")
    undoable = state is State.SUCCEEDED or (state is State.FAILED and request.step != "writing")  # else: not written
    if undoable and request.action == "deploy" and request.service:
        line = f"rollback {request.service} {request.environment}"
        sendable = line.encode(errors="replace").decode()
        yield button("Roll back", ids.ROLL_BACK, ids.line_value(sendable), style="danger" * (state is State.FAILED))
    glass = state is State.DENIED and request.decision is not None and request.decision.break_glass
    if glass and now - request.ended_at <= GLASS_HOLDS:
        yield button("Break glass", ids.BREAK_GLASS, value, style="danger")
    locked = request.decision.locked_service or request.service if request.decision and request.decision.locked else ""
    if state is State.DENIED and locked:
        line = f"lock watch {locked} {request.environment}"
        yield from line_buttons([("Tell me when it is free", line, False, "")])
    if request.plan is not None and (request.plan.changes or request.plan.steps):
        yield button("Full diff", ids.FULL_DIFF, value)
    if request.votes and state in DECIDING:
        yield button("Withdraw approval", ids.WITHDRAW, value)
    if state not in ENDED and state not in UNDER_WAY:
        yield button("Cancel", ids.CANCEL, value)


def _confirm(request: Request) -> dict[str, str] | None:
    if request.risk != "danger":
        return None
    text = f"{title(request)}. This is marked as dangerous: read the full diff first."
    return {"title": f"Approve {request.name}?", "text": text, "yes": "Approve", "no": "Not yet"}


def _confirm_replace(request: Request) -> dict[str, str]:
    name = f"R-{request.behind}" if request.behind else "the other request"
    other = f"{name} ({plain(request.ahead, 150)})" if request.ahead else name
    text = f"{other} is cancelled, and whoever asked for it is told. {request.name} takes its place."
    return {"title": f"Replace {name}?", "text": text, "yes": "Replace", "no": "Keep it"}


def _body(request: Request, now: float, between: Between) -> Iterator[str]:
    plan = request.plan
    ahead = not request.ended and request.state not in UNDER_WAY  # what stood before the run is old news in it
    who = escape(request.requester_name, 60) or "Somebody"
    yield f"{who}: {quoted(request.reason)}" if request.reason.strip() else f"{who} gave no reason"
    if request.schedule:
        yield f"⏰ Scheduled ({escape(request.schedule)}) for {when(request.not_before, now)}"
    yield from alarms(request)
    if plan is not None:
        if request.state is not State.UNCHANGED and (changes := _changes(plan)):
            yield f"Changes: {changes}"
        if ahead:
            yield from commits(between)
            yield from _proven(plan, now)
        yield from inputs(request)
        yield from steps(request)
        yield from outputs(request)
        if ahead and plan.now:
            free = " · no freeze" if request.decision is not None and request.decision.no_freeze else ""
            yield f"Now: {escape(plan.now, 200)}{free}"
        if ahead:
            yield from warnings(plan)
        if plan.on_failure and (ahead or request.state is State.RUNNING):
            yield f"If it fails: {escape(plan.on_failure, 200)}"
    if request.votes and request.state is not State.APPROVED:
        yield f"Approved by {votes(request, now)}"
    if rule := _rule(request):
        yield rule
    yield from _review(request)


def _proven(plan: Plan, now: float) -> Iterator[str]:
    """How long the version has run well in the environment before."""
    if plan.proven_since:
        lengthy = f" ({lasted(now - plan.proven_since)})" if now > plan.proven_since else ""
        yield f"Healthy in {escape(plan.proven_in, 60)} since {when(plan.proven_since, now)}{lengthy}"


def _review(request: Request) -> Iterator[str]:
    """Who looks at it afterwards, or has."""
    if request.reviewed is not None:
        yield f"Reviewed by {escape(request.reviewed.name, 60)}: {quoted(request.reviewed.text)}"
    elif request.decision is not None and request.decision.reviewers and request.state in REVIEWED:
        who = enumerated((escape(one.name, 60) for one in request.reviewers), "or") or "somebody else"
        yield f"To be reviewed afterwards by {who}" if not request.ended else f"⚠ To be reviewed by {who}"


def alarms(request: Request) -> Iterator[str]:
    """What is out of the ordinary about a request, a line each; said wherever somebody decides."""
    yield from _glass(request)
    if request.risk == "danger" and not request.ended:
        yield f"⚠ {bold('Marked as dangerous')}"
    if request.void and request.state in DECIDING:
        yield f"⚠ Earlier approvals are void: {escape(request.void, 300)}"


def _glass(request: Request) -> Iterator[str]:
    if request.glass_is_broken:
        rule = request.decision.denied_by if request.decision is not None else ""
        lifted = f" It lifts “{escape(rule, 80)}”." if rule else ""
        yield f"⚠ {bold('GLASS BROKEN:')} {quoted(request.broke_glass)}.{lifted}"


def warnings(plan: Plan) -> Iterator[str]:
    """What a lead must have read before deciding, a line each."""
    yield from (f"⚠ {escape(warning, 200)}" for warning in plan.warnings[:WARNINGS])
    if len(plan.warnings) > WARNINGS:
        yield f"⚠ … and {len(plan.warnings) - WARNINGS} more warnings, see the full diff"


def _changes(plan: Plan) -> str:
    """The plan's own words, else the first fields from what to what."""
    if plan.impact:
        return escape(plan.impact, 300)
    shown = [_change(change) for change in plan.changes[:CHANGES]]
    more = len(plan.changes) - len(shown)
    return " · ".join([*shown, f"{more} more"] if more > 0 else shown)


def _change(change: Change) -> str:
    field = change.field.rpartition(".")[2] or change.field
    return f"{escape(field, 60)} {code(_value(change.before), 90)} → {code(_value(change.after), 90)}"


def _value(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _rule(request: Request) -> str:
    """Which rule asks for approval, denies or allows."""
    decision = request.decision
    if decision is None:
        return ""
    if request.state is State.DENIED:
        group = f" · {escape(decision.break_glass, 60)} may break the glass" if decision.break_glass else ""
        return f"Rule: {escape(decision.denied_by or 'nothing allows it', 120)}{group}"
    named = list(dict.fromkeys([ask.rule for ask in decision.asks] or decision.rules))
    if not named or request.state in CARRIED_OUT:
        return ""
    free = " (no approval needed)" if decision.outcome == "allow" and not decision.asks else ""
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return f"Rule: {enumerated(escape(one, 100) for one in named[:3])}{more}{free}"


def _small_print(request: Request) -> str:
    plan = f" · plan {escape(request.digest[:4])}" if request.digest else ""
    return f"{request.name}{plan}"
