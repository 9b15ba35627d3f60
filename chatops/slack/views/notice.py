"""What people are told about the end: the one notice in the deploys channel, and the requester in the thread."""

from __future__ import annotations

from approvals.request import Request, State
from chatops.kernel.commits import Between
from chatops.kernel.durations import lasted
from chatops.kernel.people import is_automation
from chatops.slack.mrkdwn import bold, enumerated, escape, link, mention, quoted, said
from chatops.slack.views.blocks import Message, context, fallback, section
from chatops.slack.views.commits import commits
from chatops.slack.views.status import back_to, has_steps, place, status, votes
from chatops.slack.views.steps import outputs

_DONE = {"deploy": "deployed", "rollback": "rolled back", "restart": "restarted", "scale": "scaled"}
_MARK = {State.SUCCEEDED: "✅", State.FAILED: "❌", State.ROLLED_BACK: "↩️"}


def notice(request: Request, card: str = "", between: Between | None = None) -> Message | None:
    """Who did what, from what to what, how long it took and who approved; None before it was carried out.

    ``card`` is the address of the request's card; empty when that is not known.
    """
    if request.state not in _MARK:
        return None
    first = f"{_MARK[request.state]} {_sentence(request)}"
    lines = [first, quoted(request.reason, 300) if request.reason.strip() else ""]
    if request.glass_is_broken:
        lines.append(f"⚠ {bold('Glass broken:')} {quoted(request.broke_glass, 300)}")
    lines += commits(between) if between is not None else []
    small = " · ".join(part for part in (_approved(request), link(card, request.name)) if part)
    blocks = [section("\n".join(line for line in lines if line)), context(small)]
    return Message(fallback([*lines, small]), blocks, moment=request.state.value)


def automated(request: Request, line: str, url: str, now: float) -> Message:
    """What an automation asked for and how it stands, in its incident's thread; ``url`` is the card's."""
    lines = [f"{said(line, 1000)} ({link(url, request.name)})", status(request, now)]
    if request.votes and request.ended:
        lines.append(f"Approved by {votes(request, now)}")
    text = "\n".join(lines)
    return Message(fallback([text]), [section(text)], moment=request.state.value)


def end(request: Request, now: float, card: str | None = None) -> Message | None:
    """How it ended, for the requester; None while it has not.

    In the card's thread it mentions them; ``card``: in direct messages it says what it was, and links its card.
    """
    if not request.ended:
        return None
    asked = "" if is_automation(request.requester_id) else request.requester_id
    by_self = request.state is State.CANCELLED and request.by == request.requester_name
    rung = f"{mention(asked)} " if asked and not by_self else ""
    if card is not None:
        what = (request.plan.summary if request.plan else "") or request.service
        rung = f"{link(card, request.name)} · {bold(escape(f'{request.title} {what}', 300))}{_where(request)}\n"
    text = "\n".join([rung + status(request, now), *outputs(request)])
    return Message(fallback([text]), [section(text)], moment=request.state.value)


def _where(request: Request) -> str:
    where = place(request)
    return f" in {where}" if where else ""


def _sentence(request: Request) -> str:
    who = bold(escape(request.requester_name, 60) or "Somebody")
    what = escape((request.plan.summary if request.plan else "") or request.service or request.title, 300)
    where = place(request)
    took = lasted(request.ended_at - request.started_at) if request.started_at and request.ended_at else ""
    if request.state is State.SUCCEEDED:
        done = _DONE.get(request.action, f"carried out {escape(request.title, 60)}:")
        to_place = f" {'to' if request.action == 'deploy' else 'in'} {where}" if where else ""
        return f"{who} {done} {what}{to_place}{f' in {took}' if took else ''}"
    at_place = f" in {where}" if where else ""
    failed = bold(f"{escape(request.title, 60)} {what}{at_place} failed{f' after {took}' if took else ''}")
    why = f": {escape(request.outcome, 400).removesuffix('.')}" if request.outcome else ""
    left = _rolled_back(request) if request.state is State.ROLLED_BACK else ""
    # A failed rollback's outcome says so already.
    look = "" if left or "person has to look" in request.outcome else " A person has to look."
    return f"{failed}{left}{why}.{look} Asked for by {who}."


def _rolled_back(request: Request) -> str:
    plan = request.plan
    if has_steps(request):
        return " and was undone"
    told_apart = plan is not None and plan.before and plan.before != plan.after
    return f" and was rolled back to {back_to(request) if told_apart else 'what ran before'}"


def _approved(request: Request) -> str:
    if request.votes:
        return f"approved by {enumerated(escape(vote.name, 60) for vote in request.votes[:8])}"
    return "no approval needed" if request.decision is not None and not request.decision.asks else ""
