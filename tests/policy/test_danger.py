"""What is dangerous is authorised by people whom the configuration names; a Slack usergroup alone never does it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from approvals.lifecycle import check_voter, sources_of
from approvals.policy import decide, facts, unsatisfiable
from approvals.request import Approver, Request, State
from chatops.adapters.cel import CelEvaluator
from chatops.kernel.action import Action
from chatops.kernel.catalog import BreakGlass, Environment, Group, Platform, PolicyRule, Requirement
from chatops.kernel.declaration import Declaration, DeclaredInput
from chatops.kernel.errors import Refused
from chatops.kernel.people import Person, Standing
from chatops.kernel.plan import Ask, Decision, Plan, digest
from chatops.kernel.ports import EvaluateAll
from commands.declared import action_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
# Lee is named; Olu is only in the Slack usergroup that stands for the same group.
LEE = Person(id="U0LEE", name="Lee", email="lee@acme.test", standing=Standing.MEMBER, groups=("leads",))
OLU = Person(id="U0OLU", name="Olu", email="olu@acme.test", standing=Standing.MEMBER, groups=("leads",))
LEADS = Group(name="leads", members=("lee@acme.test",), usergroup="platform-leads")
ACTION = action_of(Declaration(name="thing.make", title="Make a thing", inputs=(
    DeclaredInput(name="environment", type="environment"),
    DeclaredInput(name="size", type="choice", options={"small": "10Gi", "large": "200Gi"}, default="small"),
)))  # fmt: skip
DANGER = Plan(summary="", risk="danger")
BY_LEADS = (Requirement(sources=("group:leads",)),)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ask() -> AsyncIterator[EvaluateAll]:
    evaluator = CelEvaluator()
    yield evaluator.evaluate_all
    await evaluator.close()


def platform(*rules: PolicyRule, leads: Group = LEADS) -> Platform:
    staging = Environment(name="staging", tier="staging", namespace="shop-staging")
    return Platform(environments={"staging": staging}, groups={"leads": leads}, policies=rules)


def rule(when: str = "true", **more: Any) -> PolicyRule:
    return PolicyRule(name="r", when=when, **more)


async def decided(
    ask: EvaluateAll, *rules: PolicyRule, plan: Plan | None, person: Person = OLU, broke_glass: bool = False,
    action: Action = ACTION,
) -> Decision:  # fmt: skip
    known = platform(*rules)
    given = action.inputs.model_validate({"environment": "staging"})
    seen = facts(action, given, person, now=NOW, environment=known.environments["staging"], plan=plan)
    return await decide(known, seen, ask, broke_glass=broke_glass)


async def test_policy_sees_the_higher_risk_of_action_and_plan(ask: EvaluateAll) -> None:
    careful = (rule('action.risk == "change"'), rule('action.risk == "danger"', require=BY_LEADS))
    assert (await decided(ask, *careful, plan=Plan(summary=""))).outcome == "allow"
    assert (await decided(ask, *careful, plan=None)).outcome == "allow"
    assert (await decided(ask, *careful, plan=DANGER)).outcome == "ask"
    dangerous = action_of(Declaration(name="thing.make", title="t", risk="danger", inputs=(
        DeclaredInput(name="environment", type="environment"),
    )))  # fmt: skip
    assert (await decided(ask, *careful, plan=Plan(summary=""), action=dangerous)).outcome == "ask"


async def test_policy_sees_the_value_on_the_right_of_a_choice(ask: EvaluateAll) -> None:
    decision = await decided(ask, rule('inputs.size == "10Gi"'), plan=Plan(summary=""))
    assert decision.outcome == "allow"


async def test_what_is_dangerous_asks_for_people_who_are_named(ask: EvaluateAll) -> None:
    decision = await decided(ask, rule(require=BY_LEADS), plan=DANGER)
    assert [one.named for one in decision.asks] == [True]
    decision = await decided(ask, rule(require=BY_LEADS), plan=Plan(summary=""))
    assert [one.named for one in decision.asks] == [False]


async def test_a_vote_out_of_a_usergroup_counts_for_a_change_and_never_for_danger() -> None:
    known = platform()
    assert sources_of(OLU, ["group:leads"], "", known) == ("group:leads",)
    assert sources_of(OLU, ["group:leads"], "", known, named=True) == ()
    assert sources_of(LEE, ["group:leads"], "", known, named=True) == ("group:leads",)
    by_id = platform(leads=LEADS.model_copy(update={"members": ("U0OLU",)}))
    assert sources_of(OLU, ["group:leads"], "", by_id, named=True) == ("group:leads",)
    assert sources_of(OLU, ["group:gone", "user:olu@acme.test"], "", known, named=True) == ("user:olu@acme.test",)


async def test_who_is_only_in_the_usergroup_is_told_why_their_vote_does_not_count() -> None:
    asks = (Ask(rule="r", approvals=1, sources=("group:leads",), expires=60.0, named=True),)
    request = Request(
        id=1, action="thing.make", title="Make a thing", risk="danger", inputs={}, state=State.WAITING,
        requester_id="U0DANA", requester_name="Dana", requester_email="dana@acme.test", created_at=0.0, updated_at=0.0,
        decision=Decision(outcome="ask", asks=asks), approvers=(Approver(id="U0LEE", name="Lee"),),
    )  # fmt: skip
    with pytest.raises(Refused) as no:
        check_voter(request, OLU, ())
    assert no.value.message == "R-1 is dangerous, and a Slack usergroup alone authorises nothing dangerous."
    assert no.value.hint == "Ask Lee."
    check_voter(request, LEE, ("group:leads",))


async def test_a_rule_that_lets_a_group_do_it_alone_lets_only_the_named_do_what_is_dangerous(ask: EvaluateAll) -> None:
    free = rule('"leads" in requester.groups')
    assert (await decided(ask, free, plan=DANGER, person=OLU)).outcome == "deny"
    assert (await decided(ask, free, plan=DANGER, person=LEE)).outcome == "allow"
    assert (await decided(ask, free, plan=Plan(summary=""), person=OLU)).outcome == "allow"


async def test_a_denial_holds_for_a_usergroup_whichever_way_it_is_written(ask: EvaluateAll) -> None:
    for when in ('"leads" in requester.groups', '!("leads" in requester.groups)'):
        decision = await decided(ask, rule(when, deny="no"), rule(), plan=DANGER, person=OLU)
        assert decision.outcome == "deny"


async def test_approvals_are_asked_for_when_a_usergroup_says_so(ask: EvaluateAll) -> None:
    asking = rule('"leads" in requester.groups', require=BY_LEADS)
    assert (await decided(ask, asking, rule(), plan=DANGER, person=OLU)).outcome == "ask"


async def test_the_glass_over_something_dangerous_is_broken_by_the_named_alone(ask: EvaluateAll) -> None:
    frozen = rule(deny="Frozen.", break_glass=BreakGlass(group="leads"))
    assert (await decided(ask, frozen, rule(), plan=DANGER, person=OLU, broke_glass=True)).outcome == "deny"
    assert (await decided(ask, frozen, rule(), plan=DANGER, person=LEE, broke_glass=True)).outcome == "allow"
    assert (await decided(ask, frozen, rule(), plan=Plan(summary=""), person=OLU, broke_glass=True)).lifted


async def test_approvals_of_a_change_are_bound_as_before_and_those_of_danger_say_who_counts() -> None:
    old = Ask(rule="r", approvals=1, sources=("group:leads",), expires=60.0)
    named = old.model_copy(update={"named": True})
    first, second = (digest("a", {}, Plan(summary=""), Decision(outcome="ask", asks=(one,))) for one in (old, named))
    assert first != second


@pytest.mark.parametrize(
    ("when", "found"),
    [
        ('action.risk == "danger"', True),
        ('env.tier == "staging" && action.risk == "danger"', True),
        ('action.risk != "read"', False),
        ("true", False),
    ],
)
async def test_a_rule_about_danger_that_only_a_usergroup_could_satisfy_is_a_mistake(when: str, found: bool) -> None:
    nobody = Group(name="leads", usergroup="platform-leads")
    said = [sentence for _, sentence in unsatisfiable(platform(rule(when, require=BY_LEADS), leads=nobody))]
    assert said == (
        [
            "asks for 1 approval from group:leads, but nobody can give them: a Slack usergroup alone authorises "
            "nothing dangerous, name its members"
        ]
        if found
        else []
    )
    assert unsatisfiable(platform(rule(when, require=BY_LEADS))) == []
