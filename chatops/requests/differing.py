"""How a new plan differs from the one that was approved."""

from __future__ import annotations

from approvals.request import Request
from chatops.kernel.texts import ended
from chatops.requests.planning import Made


def differs(request: Request, made: Made) -> str:
    """In one sentence, how a new plan differs from the one that was approved."""
    if made.decision.outcome == "deny":
        return ended(made.decision.denial)
    before = {(c.object, c.field): c for c in (request.plan.changes if request.plan else ())}
    after = {(c.object, c.field): c for c in made.plan.changes}
    parts = [
        _moved(name, field, before[name, field].before, after[name, field].before)
        for name, field in after
        if (name, field) in before and after[name, field].before != before[name, field].before
    ]
    parts += [f"{field} of {name} would change as well" for name, field in after if (name, field) not in before]
    parts += [f"{field} of {name} would no longer change" for name, field in before if (name, field) not in after]
    if not parts:
        asks = request.decision.asks if request.decision else ()
        parts = ["policy asks for other approvals"] if asks != made.decision.asks else ["what it would do differs"]
    return "; ".join(parts[:3]) + "."


def _moved(name: str, field: str, was: object, now: object) -> str:
    """What stands somewhere else than planned; of images that differ in their version alone, the versions."""
    if field.endswith(".image") and isinstance(was, str) and isinstance(now, str):
        (repository, _, old), (same, _, new) = was.rpartition(":"), now.rpartition(":")
        if repository == same and "/" not in old + new:  # the colon of a port is no version's
            return f"the image of {name} is {new} now, it was {old}"
    return f"{field} of {name} is {now!r} now, it was {was!r}"
