"""The steps of a request in words that a lead can judge, how far they have come, and what came out of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from approvals.request import ENDED, Request, State
from chatops.kernel.course import described, until
from chatops.slack.mrkdwn import bold, code, escape, link, preformatted

SHOWN = 10
OUTPUTS_SHOWN = 10
_ADDRESS = re.compile(r"https?://[^\s<>|]{1,190}")
_ELSEWHERE = frozenset({"service", "environment", "reason"})
BEGUN = frozenset({State.RUNNING, State.ROLLING_BACK, State.FAILED, State.ROLLED_BACK})


def steps(request: Request) -> Iterator[str]:
    """A line a step; done ones with a tick, the present one with an arrow. Nothing once all is well."""
    plan = request.plan
    if plan is None or not plan.steps or request.state in (State.SUCCEEDED, State.UNCHANGED):
        return
    at = _reached(request)
    for number, step in enumerate(plan.steps[:SHOWN]):
        mark = "✓" if number < at else _present(request) if number == at else "·"
        yield f"{mark} {number + 1}. {escape(described(step), 300)}"
    if len(plan.steps) > SHOWN:
        yield f"… and {len(plan.steps) - SHOWN} more steps, see the full diff"
    if plan.expires and request.state not in ENDED:
        yield until(plan)


def inputs(request: Request) -> Iterator[str]:
    """What was chosen besides service, environment and reason, which stand elsewhere: ``With: size medium``."""
    if request.plan is None or not request.plan.steps:
        return
    chosen = [
        f"{escape(name.replace('_', ' '), 60)} {escape(_said(value), 100)}"
        for name, value in request.inputs.items()
        if name not in _ELSEWHERE and value not in (None, "", [], ())
    ]
    if chosen:
        more = f" · {len(chosen) - SHOWN} more" if len(chosen) > SHOWN else ""
        yield f"With: {' · '.join(chosen[:SHOWN])}{more}"


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def outputs(request: Request) -> Iterator[str]:
    """What the steps gave, a line each."""
    found = request.run.outputs if request.state is State.SUCCEEDED else {}
    for name, value in list(found.items())[:OUTPUTS_SHOWN]:
        yield f"{bold(escape(str(name), 60))}: {_shown(str(value))}"


def _shown(value: str) -> str:
    """An address to click, several lines to copy, anything else as it is."""
    if "\n" in value.strip():
        return "\n" + preformatted(value.strip().splitlines(), 1000)
    return link(value, value) if _ADDRESS.fullmatch(value) else code(value, 400)


def _reached(request: Request) -> int:
    """How many steps were taken; -1 while none was begun."""
    if request.state not in BEGUN:
        return -1
    place = request.run.place
    return place.at if place.failed is None else place.failed


def _present(request: Request) -> str:
    return "▸" if request.state is State.RUNNING else "✗"
