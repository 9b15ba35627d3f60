"""All matching rules add up, a denial beats everything but its own break-glass, and doubt refuses."""

from datetime import UTC, datetime

import pytest
import pytest_asyncio

from approvals.policy import NO_INCIDENT, decide, facts
from chatops.adapters.cel import CelEvaluator
from chatops.adapters.configuration import load
from chatops.kernel.catalog import BreakGlass, Platform, PolicyRule, Requirement
from chatops.kernel.cel import CelError
from chatops.kernel.people import Person, Standing
from chatops.kernel.plan import Change, Plan
from tests.config.acme import ACTIONS, EXAMPLE

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOVEMBER = datetime(2026, 11, 2, 12, tzinfo=UTC)
CHRISTMAS = datetime(2026, 12, 25, 12, tzinfo=UTC)
DANA = Person(id="U0DANA", name="Dana", email="dana@acme.test", standing=Standing.MEMBER, teams=("shop",))
OLU = Person(id="U0OLU", name="Olu", email="olu@acme.test", standing=Standing.MEMBER, groups=("sre",))
GUS = Person(id="U0GUS", name="Gus", email="gus@partner.test", standing=Standing.OUTSIDER)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cel():
    evaluator = CelEvaluator()
    yield evaluator
    await evaluator.close()


ACME = load(EXAMPLE, ACTIONS).platform


def asking(action="deploy", env="production", person=DANA, now=NOVEMBER, plan=None, **inputs):
    values = {"service": "checkout", "environment": env, "version": "1.4.2", "revision": None, **inputs}
    return facts(
        ACTIONS[action],
        {name: values[name] for name in ACTIONS[action].inputs.model_fields if name in values},
        person,
        now=now,
        environment=ACME.environments.get(env),
        service=ACME.services["checkout"],
        plan=plan,
    )


def rule(name="r", when="true", **rest):
    return PolicyRule(name=name, when=when, **rest)


def needs(*sources, approvals=1, expires=60.0):
    return Requirement(approvals=approvals, sources=sources, expires=expires)


def deny(name="frozen", when="true", group=""):
    return rule(name, when, deny=f"{name}!", break_glass=BreakGlass(group=group) if group else None)


def having(*rules):
    return Platform(policies=rules)


# Acme's own policies


async def test_production_needs_a_lead(cel):
    decision = await decide(ACME, asking(), cel.evaluate_all)
    assert decision.outcome == "ask"
    assert [(one.rule, one.approvals, one.sources) for one in decision.asks] == [
        ("production needs a lead", 1, ("group:leads", "team-leads"))
    ]
    assert decision.expires == 4 * 3600
    assert decision.why == (
        "production needs a lead: 1 approval from the group leads or the leads of team shop within 4 h.",
    )


async def test_staging_is_free(cel):
    decision = await decide(ACME, asking(env="staging"), cel.evaluate_all)
    assert (decision.outcome, decision.asks) == ("allow", ())
    assert decision.why == ("staging is free: allowed.",)


async def test_danger_in_production_adds_two_rules_up_and_the_shortest_time_holds(cel):
    decision = await decide(ACME, asking("drop"), cel.evaluate_all)
    assert [one.sources for one in decision.asks] == [
        ("group:leads", "team-leads"),
        ("team-leads", "group:leads"),
        ("group:security",),
    ]
    assert decision.rules == ("production needs a lead", "deleting data takes two teams")
    assert decision.expires == 4 * 3600
    assert decision.why[1].endswith("by different people.")


async def test_reading_is_allowed_to_members_when_no_rule_speaks(cel):
    decision = await decide(ACME, asking("status"), cel.evaluate_all)
    assert decision.outcome == "allow"
    assert decision.why == ("Reading is allowed to everyone in the home workspace.",)


async def test_reading_is_refused_to_others(cel):
    decision = await decide(ACME, asking("status", person=GUS), cel.evaluate_all)
    assert decision.outcome == "deny"
    assert "only full members of the home workspace may read" in decision.denial


async def test_the_freeze_refuses_dana_and_tells_who_may_break_the_glass(cel):
    decision = await decide(ACME, asking(now=CHRISTMAS), cel.evaluate_all)
    assert decision.outcome == "deny"
    assert (decision.denial, decision.denied_by) == (
        "Production is frozen until 27 December.",
        "frozen for the holidays",
    )
    assert decision.break_glass == "sre"
    assert not decision.lifted


async def test_the_freeze_does_not_block_going_back(cel):
    decision = await decide(ACME, asking("rollback", now=CHRISTMAS), cel.evaluate_all)
    assert (decision.outcome, [one.rule for one in decision.asks]) == ("ask", ["production needs a lead"])


@pytest.mark.parametrize(
    ("action", "inputs", "mine", "outcome"),
    [
        ("rollback", {}, True, "allow"),
        ("rollback", {}, False, "ask"),
        ("rollback", {"revision": 3}, True, "ask"),  # of one's own choice, not the one before
        ("deploy", {}, True, "ask"),
    ],
)
async def test_who_has_the_incident_needs_nobody_to_go_back(action, inputs, mine, outcome, cel):
    incident = {"name": "INC-101", "severity": "sev1", "mine": mine}
    asked = {**asking(action, person=OLU, **inputs), "incident": incident}
    assert (await decide(ACME, asked, cel.evaluate_all)).outcome == outcome


async def test_a_rule_may_ask_who_acknowledged_the_incident(cel):
    holder = rule(when='action.name == "deploy" && incident.id != "" && incident.acknowledged_by == requester.email')
    platform = ACME.model_copy(update={"policies": (holder,)})
    incident = {**NO_INCIDENT, "id": "101", "name": "INC-101", "acknowledged_by": OLU.email}
    mine = {**asking("deploy", person=OLU), "incident": incident}
    assert (await decide(platform, mine, cel.evaluate_all)).outcome == "allow"
    for other in ({**asking("deploy"), "incident": incident}, asking("deploy", person=OLU)):
        assert (await decide(platform, other, cel.evaluate_all)).outcome == "deny"


async def test_what_was_allowed_at_once_is_reviewed_by_whom_the_rule_names(cel):
    incident = {"name": "INC-101", "severity": "sev1", "mine": True}
    at_once = await decide(ACME, {**asking("rollback", person=OLU), "incident": incident}, cel.evaluate_all)
    assert at_once.reviewers == ("group:leads",)
    assert (await decide(ACME, asking("rollback", person=OLU), cel.evaluate_all)).reviewers == ()


async def test_a_broken_glass_is_reviewed_by_its_group_and_the_platform_team_unless_the_rule_names_others(cel):
    broken = await decide(ACME, asking(now=CHRISTMAS, person=OLU), cel.evaluate_all, broke_glass=True)
    assert broken.reviewers == ("group:sre", "group:platform")
    assert (await decide(ACME, asking(person=OLU), cel.evaluate_all, broke_glass=True)).reviewers == ()
    own = deny(group="sre").model_copy(update={"review": ("group:leads",)})
    platform = ACME.model_copy(update={"policies": (rule(when="true"), own)})
    assert (await decide(platform, asking(person=OLU), cel.evaluate_all, broke_glass=True)).reviewers == (
        "group:leads",
    )


async def test_dana_cannot_break_the_glass(cel):
    decision = await decide(ACME, asking(now=CHRISTMAS), cel.evaluate_all, broke_glass=True)
    assert (decision.outcome, decision.lifted) == ("deny", False)


async def test_olu_breaks_the_glass_and_still_needs_the_lead(cel):
    decision = await decide(ACME, asking(now=CHRISTMAS, person=OLU), cel.evaluate_all, broke_glass=True)
    assert (decision.outcome, decision.lifted, decision.denial) == ("ask", True, "")
    assert [one.rule for one in decision.asks] == ["production needs a lead"]
    assert "Lifted: a member of the group sre broke the glass." in decision.why[1]


@pytest.mark.parametrize(
    ("now", "frozen"),
    [
        ("2026-12-23T23:59:59+00:00", False),
        ("2026-12-24T00:00:00+00:00", True),
        ("2026-12-26T23:59:59+00:00", True),
        ("2026-12-27T00:59:59+01:00", True),
        ("2026-12-27T00:00:00+00:00", False),
    ],
)
async def test_the_freeze_holds_to_the_second_whatever_the_time_zone(now, frozen, cel):
    decision = await decide(ACME, asking(now=datetime.fromisoformat(now)), cel.evaluate_all)
    assert (decision.outcome == "deny") is frozen


# how rules combine


async def test_what_no_rule_allows_is_refused(cel):
    for platform in (having(), having(rule(when='env.tier == "moon"'))):
        decision = await decide(platform, asking(), cel.evaluate_all)
        assert (decision.outcome, decision.denied_by) == ("deny", "")
        assert decision.denial == "No rule allows this, and what no rule allows is refused."


async def test_an_allowing_rule_does_not_take_away_what_another_asks_for(cel):
    decision = await decide(
        having(rule("free"), rule("lead", require=(needs("group:leads"),))), asking(), cel.evaluate_all
    )
    assert decision.outcome == "ask"
    assert decision.rules == ("free", "lead")


async def test_a_denial_beats_rules_that_allow_and_ask(cel):
    decision = await decide(
        having(rule("free"), deny(), rule("x", require=(needs("team-leads"),))), asking(), cel.evaluate_all
    )
    assert (decision.outcome, decision.denial, decision.break_glass) == ("deny", "frozen!", "")


async def test_a_lifted_denial_allows_nothing_by_itself(cel):
    decision = await decide(having(deny(group="sre")), asking(person=OLU), cel.evaluate_all, broke_glass=True)
    assert (decision.outcome, decision.lifted) == ("deny", False)
    assert decision.denial == "No rule allows this, and what no rule allows is refused."


async def test_a_denial_without_break_glass_stands_whoever_breaks_it(cel):
    platform = having(rule("free"), deny("a", group="sre"), deny("b"))
    decision = await decide(platform, asking(person=OLU), cel.evaluate_all, broke_glass=True)
    assert (decision.outcome, decision.denial, decision.break_glass) == ("deny", "b!", "")


async def test_two_denials_are_lifted_only_by_who_is_in_both_groups(cel):
    platform = having(rule("free"), deny("a", group="sre"), deny("b", group="security"))
    before = await decide(platform, asking(person=OLU), cel.evaluate_all)
    assert (before.denial, before.break_glass) == ("a! b!", "security")
    one = await decide(platform, asking(person=OLU), cel.evaluate_all, broke_glass=True)
    assert (one.outcome, one.denial, one.lifted) == ("deny", "b!", False)
    both = OLU.model_copy(update={"groups": ("sre", "security")})
    decision = await decide(platform, asking(person=both), cel.evaluate_all, broke_glass=True)
    assert (decision.outcome, decision.lifted) == ("allow", True)


async def test_breaking_the_glass_without_a_denial_lifts_nothing(cel):
    decision = await decide(ACME, asking(person=OLU), cel.evaluate_all, broke_glass=True)
    assert (decision.outcome, decision.lifted) == ("ask", False)


# doubt


@pytest.mark.parametrize(
    "when",
    [
        'service.labels.pci == "yes"',  # checkout has no such label
        "1 / 0 == 1",
        "env.name",
        "size(plan.changes)",
        "nonsense(",
    ],
)
async def test_a_rule_that_cannot_be_evaluated_refuses_and_names_itself(when, cel):
    decision = await decide(having(rule("free"), rule("broken", when)), asking(), cel.evaluate_all)
    assert decision.outcome == "deny"
    assert decision.denied_by == "broken"
    assert decision.denial.startswith("The rule “broken” could not be evaluated (")
    assert decision.break_glass == ""
    assert "broken" in decision.rules


async def test_a_broken_rule_refuses_reading_too(cel):
    assert (await decide(having(rule("broken", "env.nope")), asking("status"), cel.evaluate_all)).outcome == "deny"


async def test_an_endless_rule_refuses(cel):
    changes = tuple(Change(object="Deployment/x", field=str(n), before=n, after=n) for n in range(1000))
    when = "plan.changes.all(a, plan.changes.all(b, plan.changes.all(c, a.field + b.field != c.field + 'x')))"
    big = asking(plan=Plan(summary="", changes=changes))
    decision = await decide(having(rule("free"), rule("slow", when)), big, cel.evaluate_all)
    assert "The rule “slow” could not be evaluated (it took longer than 0.5 s), so it refuses." in decision.denial


async def test_a_broken_denial_can_be_lifted_by_its_own_group(cel):
    platform = having(rule("free"), deny("broken", "env.nope", group="sre"))
    assert (await decide(platform, asking(person=OLU), cel.evaluate_all)).break_glass == "sre"
    assert (await decide(platform, asking(person=OLU), cel.evaluate_all, broke_glass=True)).outcome == "allow"


async def test_when_nothing_evaluates_everything_is_refused():
    async def away(pairs):
        return [CelError("nothing evaluates it") for _ in pairs]

    assert (await decide(ACME, asking("status"), away)).outcome == "deny"


# the facts


async def test_every_fact_is_there_also_when_there_is_nothing_to_say(cel):
    nothing = facts(ACTIONS["status"], {"service": None}, Person(id="U1"), now=NOVEMBER)
    for expression in (
        'env.name == "" && env.tier == "" && env.namespace == "" && env.cluster == ""',
        'action.name == "status" && action.risk == "read" && inputs.service == ""',
        'service.name == "" && service.team == "" && size(service.labels) == 0',
        'requester.email == "" && requester.name == "" && requester.groups == [] && requester.teams == []',
        "plan.changes == [] && plan.warnings == []",
        'now == timestamp("2026-11-02T12:00:00Z")',
    ):
        assert await cel.evaluate(expression, nothing) is True, expression


async def test_the_plans_changes_are_facts(cel):
    change = Change(object="Deployment/checkout", field="spec.replicas", before=None, after=3)
    given = asking("scale", plan=Plan(summary="", changes=(change,), warnings=("careful",)), replicas=3)
    when = (
        'plan.changes.exists(c, c.object == "Deployment/checkout" && c.before == "" && c.after == 3)'
        ' && inputs.replicas == 3 && "careful" in plan.warnings && "shop" in requester.teams'
    )
    assert await cel.evaluate(when, given) is True


async def test_the_decision_says_that_there_is_a_freeze_to_come_and_none_now(cel: CelEvaluator) -> None:
    frozen = rule("frozen", when='now >= timestamp("2026-12-24T00:00:00Z")', deny="Frozen.")
    free = rule("free")
    for rules, at, said in (
        ((free, frozen), datetime(2026, 12, 23, tzinfo=UTC), True),
        ((free, frozen), datetime(2026, 12, 25, tzinfo=UTC), False),
        ((free,), datetime(2026, 12, 23, tzinfo=UTC), False),
    ):
        found = await decide(having(*rules), {**asking(), "now": at}, cel.evaluate_all)
        assert found.no_freeze is said, (rules, at)
