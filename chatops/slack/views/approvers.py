"""The first reply in the card's thread: rings those who may decide, and carries the card's buttons."""

from __future__ import annotations

from approvals.lifecycle import still_asked
from approvals.request import Request, State
from chatops.slack.mrkdwn import bold, escape, mention, quoted, when
from chatops.slack.views.blocks import Message, actions, context, fallback, section
from chatops.slack.views.card import alarms, buttons, moment, title, warnings
from chatops.slack.views.status import needs, status, votes

MENTIONED = 25  # ringing more people than this makes nobody feel asked

_DECIDED = frozenset(
    {State.APPROVED, State.STALLED, State.RUNNING, State.ROLLING_BACK, State.SUCCEEDED, State.FAILED, State.ROLLED_BACK}
)


def approvers_reply(request: Request, now: float, digest: str = "") -> Message:
    """The reply for the plan ``digest`` (any prefix; empty: the present one) as it must read now."""
    if digest and not request.digest.startswith(digest) and not digest.startswith(request.digest or "-"):
        return _plainly("This plan no longer stands; the card shows the present one.", request, digest)
    if request.state is State.WAITING:
        return _asking(request, now)
    if request.state in _DECIDED and request.votes:
        # The same words from the decision to the end, so that this reply is not edited all along the run.
        return _plainly(f"✅ Approved by {votes(request, now)}", request, request.digest)
    return _plainly(status(request, now), request, request.digest)


def _asking(request: Request, now: float) -> Message:
    eligible = [one.id for one in still_asked(request)]
    rung = " ".join(mention(one) for one in eligible[:MENTIONED])
    if len(eligible) > MENTIONED:
        rung += f" and {len(eligible) - MENTIONED} others"
    until = f", until {when(request.deadline_at, now)}" if request.deadline_at else ""
    who = escape(request.requester_name, 60) or "Somebody"
    reason = f"{who}: {quoted(request.reason, 300)}" if request.reason.strip() else ""
    first = f"{rung or 'Nobody who may decide is known; ask the platform team.'} {bold(escape(title(request)))}"
    lines = [first.strip(), f"It needs {needs(request)}{until}.", reason]
    lines += alarms(request)
    if request.plan is not None:
        lines += warnings(request.plan)
    if request.votes:
        lines.append(f"Approved by {votes(request, now)}")
    blocks = [section("\n".join(line for line in lines if line)), *actions(buttons(request, now))]
    blocks.append(_small_print(request, request.digest))
    return Message(fallback(lines), blocks, moment=moment(request))


def _plainly(text: str, request: Request, digest: str) -> Message:
    blocks = [section(text), _small_print(request, digest)]
    return Message(fallback([text]), blocks, moment=text)


def _small_print(request: Request, digest: str) -> dict[str, object]:
    return context(f"{request.name}{f' · plan {escape(digest[:4])}' if digest else ''}")
