"""Whatever people and clusters write, Slack takes the message and nobody is rung who was not meant."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from approvals.request import Approver, Request, State, Vote
from chatops.kernel.action import Answer, Button, RequestList
from chatops.kernel.plan import Ask, Change, Decision, Plan
from chatops.slack.views.answer import answer, answer_from
from chatops.slack.views.approvers import approvers_reply
from chatops.slack.views.card import card
from chatops.slack.views.home import home
from chatops.slack.views.note import note
from chatops.slack.views.notice import end, notice
from tests.support.thoroughness import examples
from tests.views.requests import DIGEST, NOW
from tests.views.slack import problems, view_problems

HOSTILE = [
    "",
    "<!channel> <!here> <!everyone>",
    "<@U0LEE> & <#C0GENERAL> <https://evil.test|click me>",
    "&" * 4000,
    "<" * 4000,
    "1.4." + "9" * 300,
    "```\n```",
    "*bold* _it_ ~no~ `code` > quote",
    "fixes\n*Rule:* none needed\nWAITING: approved",
    "\u202egnp.exe\u202c\u200b\ufeff",
    "\x00\x07\x1b[31m\ud800",
    "🔥" * 2000,
    "@channel #general :tada:",
]
nasty = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=400), st.text("&<>*`\n|", max_size=3000))
words = st.lists(nasty, max_size=4).map(tuple)
times = st.floats(0, 4e9)
sources = st.lists(st.one_of(st.sampled_from(["team-leads", "group:leads", "user:lee@acme.test"]), nasty), max_size=5)
person_ids = st.one_of(st.sampled_from(["U0LEE", "U0SAM", "U0OLU"]), nasty)
approvers = st.builds(Approver, id=person_ids, name=nasty, email=nasty)
votes = st.builds(
    Vote, person_id=person_ids, name=nasty, verdict=st.just("approve"), sources=sources.map(tuple), at=times,
    digest=st.just(DIGEST),
)  # fmt: skip
values = st.one_of(st.none(), st.integers(), nasty, st.dictionaries(nasty, nasty, max_size=2))
plans = st.builds(
    Plan,
    summary=nasty,
    changes=st.lists(st.builds(Change, object=nasty, field=nasty, before=values, after=values), max_size=5).map(tuple),
    warnings=st.one_of(words, nasty.map(lambda text: (text,) * 200)),
    now=nasty,
    impact=nasty,
    on_failure=nasty,
    before=nasty,
    after=nasty,
)
asks = st.builds(Ask, rule=nasty, approvals=st.integers(1, 5), sources=sources.map(tuple), expires=times)
decisions = st.builds(
    Decision,
    outcome=st.sampled_from(["allow", "ask", "deny"]),
    asks=st.lists(asks, max_size=4).map(tuple),
    rules=words,
    why=words,
    denial=nasty,
    denied_by=nasty,
    break_glass=nasty,
    lifted=st.booleans(),
)
requests = st.builds(
    Request,
    id=st.integers(1, 10**9),
    action=st.one_of(st.sampled_from(["deploy", "rollback", "scale", "restart"]), nasty),
    title=nasty,
    risk=st.sampled_from(["change", "danger"]),
    inputs=st.dictionaries(nasty, nasty, max_size=3),
    service=nasty,
    environment=nasty,
    reason=nasty,
    requester_id=person_ids,
    requester_name=nasty,
    state=st.sampled_from(list(State)),
    plan=st.one_of(st.none(), plans),
    decision=st.one_of(st.none(), decisions),
    digest=st.sampled_from(["", DIGEST]),
    votes=st.lists(votes, max_size=4).map(tuple),
    approvers=st.one_of(
        st.lists(approvers, max_size=4).map(tuple),
        st.just(tuple(Approver(id=f"U{n:06}", name=f"Lead {n}") for n in range(40))),
    ),
    deadline_at=times,
    progress=nasty,
    outcome=nasty,
    by=nasty,
    behind=st.integers(0, 10**9),
    ahead=nasty,
    broke_glass=nasty,
    void=nasty,
    approved_at=times,
    started_at=times,
    ended_at=times,
)


@settings(max_examples=examples(60), deadline=None)
@given(request=requests, now=times, digest=st.sampled_from(["", DIGEST[:8], "ffffffff"]))
def test_slack_takes_every_view_of_every_request(request: Request, now: float, digest: str) -> None:
    shown = [card(request, now), approvers_reply(request, now, digest), notice(request), end(request, now)]
    assert [problem for message in shown if message is not None for problem in problems(message)] == []


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("text", HOSTILE)
def test_slack_takes_a_card_full_of_the_same_nasty_text(text: str, state: State) -> None:
    change = Change(object=text, field=text, before=text, after=text)
    plan = Plan(
        summary=text, changes=(change,) * 300, warnings=(text,) * 200, now=text, impact=text, on_failure=text,
        before=text, after=text,
    )  # fmt: skip
    asked = Ask(rule=text, approvals=2, sources=(text,) * 30, expires=60)
    decision = Decision(outcome="ask", asks=(asked,) * 30, rules=(text,) * 30, denial=text, denied_by=text)
    vote = Vote(person_id=text, name=text, verdict="approve", at=NOW, digest=DIGEST)
    request = Request(
        id=1042, action="deploy", title=text, inputs={text: text}, service=text, environment=text, reason=text,
        requester_id=text, requester_name=text, state=state, plan=plan, decision=decision, digest=DIGEST,
        votes=(vote,) * 30, approvers=(Approver(id=text, name=text),) * 30, outcome=text, by=text, broke_glass=text,
        void=text, progress=text, ended_at=NOW, started_at=NOW - 60,
    )  # fmt: skip
    shown = [card(request, NOW), approvers_reply(request, NOW), notice(request), end(request, NOW)]
    assert [problem for message in shown if message is not None for problem in problems(message)] == []


buttons = st.lists(
    st.builds(Button, label=nasty, line=nasty, form=st.booleans(), style=st.sampled_from(["", "primary", "danger"])),
    max_size=30,
).map(tuple)
rows = st.lists(
    st.fixed_dictionaries({"id": nasty, "title": nasty, "state": nasty, "by": nasty, "at": times, "link": nasty}),
    max_size=30,
)
answers = st.builds(
    Answer,
    title=nasty,
    lines=st.lists(nasty, max_size=80).map(tuple),
    lists=st.lists(st.builds(RequestList, heading=nasty, rows=rows.map(tuple)), max_size=2).map(tuple),
    table=st.lists(st.lists(nasty, max_size=12).map(tuple), max_size=80).map(tuple),
    buttons=buttons,
    context=nasty,
    code=nasty,
)


@settings(max_examples=examples(50), deadline=None)
@given(given_answer=answers)
def test_slack_takes_every_answer_also_after_it_was_stored(given_answer: Answer) -> None:
    shown = answer(given_answer)
    assert problems(shown) == []
    assert answer_from(asdict(given_answer)) == shown


@settings(max_examples=examples(50), deadline=None)
@given(
    lines=st.one_of(nasty, st.lists(nasty, max_size=100)),
    mention=st.lists(person_ids, max_size=60),
    code=nasty,
    made=buttons,
    alt=st.none() | nasty,
)
@example(lines="", mention=[], code="a log with half a character: \ud800", made=(), alt=None)
def test_slack_takes_every_note(
    lines: Any, mention: list[str], code: str, made: tuple[Button, ...], alt: str | None
) -> None:
    content = {"lines": lines, "mention": mention, "code": code, "buttons": [asdict(one) for one in made]}
    content |= {"image": {"file": "F0123456789", "alt": alt}} if alt is not None else {}
    assert problems(note(content)) == []


@settings(max_examples=examples(60), deadline=None)
@given(waiting=rows, mine=rows, made=buttons, paused=nasty, lines=st.lists(nasty, max_size=30))
def test_slack_takes_every_home(
    waiting: Any, mine: Any, made: tuple[Button, ...], paused: str, lines: list[str]
) -> None:
    some = {"incidents": lines, "oncall": lines, "held": lines}
    assert view_problems(home(waiting=waiting, mine=mine, buttons=made, now=NOW, paused=paused, **some)) == []
