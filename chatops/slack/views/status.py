"""Where a request stands, in the first line of its card. Every state has its sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from approvals.lifecycle import still_asked
from approvals.policy import missing
from approvals.request import Request, State
from chatops.kernel.durations import lasted
from chatops.kernel.plan import Ask
from chatops.slack.mrkdwn import bold, enumerated, escape, when

NAMES = 4  # people named before the rest are counted


def status(request: Request, now: float) -> str:
    """The state in capitals and what it means, as mrkdwn on one line."""
    return _SENTENCES[request.state](request, now)


def place(request: Request) -> str:
    """Where it happens, loud: PRODUCTION."""
    return escape(request.environment.upper(), 60)


def to(request: Request) -> str:
    """What runs afterwards: 1.4.2; the service when the plan does not say."""
    return escape((request.plan.after if request.plan else "") or request.service or request.title, 80)


def back_to(request: Request) -> str:
    """What runs after a rollback: 1.4.1."""
    return escape((request.plan.before if request.plan else "") or "what ran before", 80)


def has_steps(request: Request) -> bool:
    """Whether it is carried out step by step, instead of rolling out a workload."""
    return request.plan is not None and bool(request.plan.steps)


def votes(request: Request, now: float) -> str:
    """Lee (14:02) and Sam (14:05)."""
    return enumerated(f"{escape(vote.name, 60)} ({when(vote.at, now)})" for vote in request.votes[:8])


def approvers(request: Request) -> str:
    """Lee or Sam: who may still give what is missing."""
    found = [escape(one.name or one.email or one.id, 60) for one in still_asked(request)]
    if len(found) > NAMES:
        found = [*found[: NAMES - 1], f"{len(found) - NAMES + 1} others"]
    return enumerated(found, "or")


def needs(request: Request) -> str:
    """What is still missing: ``1 approval from Lee or Sam``; with several rules, how many from where."""
    asks = request.decision.asks if request.decision else ()
    left = [(ask, count) for ask, count in zip(asks, missing(asks, request.votes, request.requester_id), strict=True)]
    open_asks = [(ask, count) for ask, count in left if count]
    people = approvers(request)
    if not open_asks:
        return f"approval from {people}" if people else "approval"
    if len(open_asks) == 1:
        ask, count = open_asks[0]
        return f"{_approvals(count)} from {people or f'{_sources(ask.sources)}, where nobody is left who may give it'}"
    telling = _telling(open_asks)[:6]
    parts = [f"{count} from {_sources(ask.sources)}" for ask, count in telling]
    if len(parts) == 1:
        return f"{_approvals(telling[0][1])} from {people or _sources(telling[0][0].sources)}"
    who = f" ({people})" if people else ""
    # Within a rule they are different people, over several rules one vote may count for each.
    rules = {ask.rule for ask, _ in telling}
    most = max(sum(count for ask, count in telling if ask.rule == rule) for rule in rules)
    return f"{'at least ' if len(rules) > 1 else ''}{_approvals(most)}, {enumerated(parts)}{who}"


def _telling(asks: Sequence[tuple[Ask, int]]) -> list[tuple[Ask, int]]:
    """The asks without those that are met as soon as another rule's is: one vote counts for each."""
    left = list(asks)
    for one in asks:
        alone = sum(ask.rule == one[0].rule for ask, _ in asks) == 1
        if alone and any(_implies(other, one) for other in left if other is not one):
            left.remove(one)
    return left


def _implies(other: tuple[Ask, int], one: tuple[Ask, int]) -> bool:
    return other[0].rule != one[0].rule and other[1] >= one[1] and set(other[0].sources) <= set(one[0].sources)


def _approvals(count: int) -> str:
    return "1 approval" if count == 1 else f"{count} approvals"


def _sources(sources: Sequence[str]) -> str:
    return enumerated((_source(one) for one in sources[:4]), "or")


def _source(source: str) -> str:
    kind, _, name = source.partition(":")
    return "the team’s leads" if source == "team-leads" else escape(name if kind in ("group", "user") else source, 60)


def _until(request: Request, now: float) -> str:
    return f", until {when(request.deadline_at, now)}" if request.deadline_at else ""


def _at_end(request: Request, now: float) -> str:
    """When it ended and how long it took; empty when that is not known."""
    if not request.ended_at:
        return ""
    took = f", took {lasted(request.ended_at - request.started_at)}" if request.started_at else ""
    return f" · {when(request.ended_at, now)}{took}"


def _why(request: Request, otherwise: str = "", limit: int = 700) -> str:
    """The outcome without its full stop, for more follows on the line."""
    return escape(request.outcome, limit).removesuffix(".") or otherwise


def _line(word: str, rest: str, mark: str = "") -> str:
    return f"{mark}{' ' if mark else ''}{bold(word)} {rest}"


def _planning(request: Request, now: float) -> str:
    return _line("PLANNING:", escape(request.progress, 300) or "asking the cluster what would change")


def _contested(request: Request, now: float) -> str:
    busy = f"{_ahead(request, 'another change')} comes first for {escape(request.service, 60)} in {place(request)}."
    by = f" by {when(request.deadline_at, now)}" if request.deadline_at else ""
    return _line("WAIT OR REPLACE?", f"{busy} {_requester(request)}, choose{by}")


def _queued(request: Request, now: float) -> str:
    holder = _ahead(request, "the change before it")
    return _line("QUEUED:", f"waits for {holder} to end; it is planned, and approved, after that")


def _ahead(request: Request, otherwise: str) -> str:
    what = f" ({escape(request.ahead, 150)})" if request.ahead else ""
    return f"R-{request.behind}{what}" if request.behind else otherwise


def _waiting(request: Request, now: float) -> str:
    then = f"; starts {when(request.not_before, now)}" if now < request.not_before else ""
    return _line("WAITING:", needs(request) + _until(request, now) + then)


def _approved(request: Request, now: float) -> str:
    said = f" by {votes(request, now)}" if request.votes else ""
    if not said and request.decision is not None and request.decision.outcome == "allow":
        said = " without anybody's vote: policy asks for none"
    waits = escape(request.progress, 300)
    starts = f"starts {when(request.not_before, now)}" if now < request.not_before else "starts now"
    return f"{bold('APPROVED')}{said}; {f'waits: {waits}' if waits else starts}"


def _stalled(request: Request, now: float) -> str:
    approved = f"approved at {when(request.approved_at, now)}" if request.approved_at else "approved"
    asked = f"{_requester(request)}, start it now?"
    return _line("NOT STARTED:", f"{approved}, but it could not start within 30 minutes. {asked}")


def _running(request: Request, now: float) -> str:
    since = f" · since {when(request.started_at, now)}" if request.started_at else ""
    return _line("RUNNING:", (escape(request.progress, 200) or "starting") + since)


def _rolling_back(request: Request, now: float) -> str:
    progress = f" · {escape(request.progress, 200)}" if request.progress else ""
    if has_steps(request):
        return _line("UNDOING:", _why(request, "a step failed") + progress, "⚠")
    return _line(f"ROLLING BACK to {back_to(request)}:", _why(request, "it did not become healthy") + progress, "⚠")


def _succeeded(request: Request, now: float) -> str:
    if has_steps(request):
        return _line("SUCCEEDED:", _why(request, "all steps are done") + _at_end(request, now), "✅")
    return _line("SUCCEEDED:", f"healthy, {_why(request, 'as planned')}{_at_end(request, now)}", "✅")


def _unchanged(request: Request, now: float) -> str:
    already = "it is already as asked for" if has_steps(request) else "it already runs like this"
    why = _why(request, already).removeprefix("Nothing would change: ")  # the plan's words, said before anybody asked
    return _line("NOTHING TO DO:", why, "✅")


def _failed(request: Request, now: float) -> str:
    return _line("FAILED:", _why(request, "see the thread") + _at_end(request, now), "❌")


def _rolled_back(request: Request, now: float) -> str:
    plan = request.plan
    if has_steps(request):
        return _line("UNDONE:", _why(request, "a step failed") + _at_end(request, now), "↩️")
    told_apart = plan is not None and plan.before and plan.before != plan.after
    what, again = (to(request), back_to(request)) if told_apart else ("it", "what ran before")
    failed = f"{what} failed{f': {_why(request, limit=500)}' if request.outcome else ''}"
    return _line("ROLLED BACK:", f"{again} runs again and is healthy · {failed}{_at_end(request, now)}", "↩️")


def _refused(request: Request, now: float) -> str:
    return _line("REFUSED:", _why(request, "this cannot be done"), "🚫")


def _denied(request: Request, now: float) -> str:
    said = request.decision.denial if request.decision else ""
    return _line("DENIED:", escape(said, 600) or _why(request, "policy says no"), "🚫")


def _rejected(request: Request, now: float) -> str:
    why = f": “{escape(request.outcome, 500)}”" if request.outcome else ""
    by = f" by {escape(request.by, 60)}" if request.by else ""
    return f"❌ {bold('REJECTED')}{by}{why}{_at_end(request, now)}"


def _expired(request: Request, now: float) -> str:
    asked = request.decision is not None and request.decision.asks
    why = f"not approved in time; missing: {needs(request)}" if asked else "nobody chose in time"
    return _line("EXPIRED:", _why(request, why) + _at_end(request, now), "⌛")


def _cancelled(request: Request, now: float) -> str:
    why = f": {_why(request, limit=500)}" if request.outcome else ""
    by = f" by {escape(request.by, 60)}" if request.by else ""
    return f"🚫 {bold('CANCELLED')}{by}{why}{_at_end(request, now)}"


def _requester(request: Request) -> str:
    return escape(request.requester_name, 60) or "Whoever asked"


_SENTENCES: dict[State, Callable[[Request, float], str]] = {
    State.PLANNING: _planning,
    State.CONTESTED: _contested,
    State.QUEUED: _queued,
    State.WAITING: _waiting,
    State.APPROVED: _approved,
    State.STALLED: _stalled,
    State.RUNNING: _running,
    State.ROLLING_BACK: _rolling_back,
    State.SUCCEEDED: _succeeded,
    State.UNCHANGED: _unchanged,
    State.FAILED: _failed,
    State.ROLLED_BACK: _rolled_back,
    State.REFUSED: _refused,
    State.DENIED: _denied,
    State.REJECTED: _rejected,
    State.EXPIRED: _expired,
    State.CANCELLED: _cancelled,
}
