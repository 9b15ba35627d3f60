"""Policy explained before anybody asks, also while a form is only half filled in."""

import pytest
import pytest_asyncio

from approvals.policy import explain, partial_facts, possible
from chatops.adapters.cel import CelEvaluator
from chatops.kernel.catalog import Environment, Platform, PolicyRule
from tests.config.acme import ACTIONS
from tests.policy.test_decide import ACME, CHRISTMAS, DANA, GUS, NOVEMBER, OLU, asking, deny, having, rule

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEAD = "production needs a lead: 1 approval from the group leads or the leads of team shop within 4 h."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cel():
    evaluator = CelEvaluator()
    yield evaluator
    await evaluator.close()


def partial(action="deploy", person=DANA, now=NOVEMBER, platform=ACME, **values):
    return partial_facts(platform, ACTIONS[action], values, person, now.timestamp())


async def test_why_tells_the_decision_each_rule_and_what_does_not_apply(cel):
    assert await explain(ACME, asking(), cel.evaluate_all) == (
        "Allowed with approval.",
        LEAD,
        "Does not apply here: who has the incident goes back at once, deleting data takes two teams, "
        "frozen for the holidays, staging is free.",
    )


async def test_why_tells_of_a_refusal_and_who_could_lift_it(cel):
    said = await explain(ACME, asking(now=CHRISTMAS), cel.evaluate_all, short=True)
    assert said == (
        "Refused.",
        LEAD,
        "frozen for the holidays: refused. Production is frozen until 27 December. "
        "Members of the group sre may break the glass.",
    )


async def test_the_short_answer_leaves_out_what_does_not_apply(cel):
    given = partial(service="checkout", environment="production")
    assert await explain(ACME, given, cel.evaluate_all, short=True) == ("Allowed with approval.", LEAD)


async def test_without_an_environment_the_rules_say_what_they_depend_on(cel):
    assert await explain(ACME, partial(service="checkout"), cel.evaluate_all, short=True) == (
        "production needs a lead: depends on the environment.",
        "staging is free: depends on the environment.",
    )


@pytest.mark.parametrize("revision", [{}, {"revision": ""}, {"revision": None}])
async def test_an_optional_input_that_is_left_empty_is_known(revision, cel):
    given = partial_facts(
        ACME, ACTIONS["rollback"], {"service": "checkout", "environment": "production", **revision}, DANA,
        NOVEMBER.timestamp(), {"name": "INC-101", "severity": "sev1", "mine": True},
    )  # fmt: skip
    assert await explain(ACME, given, cel.evaluate_all, short=True) == (
        "Allowed, without approval.",
        "who has the incident goes back at once: allowed.",
    )


@pytest.mark.parametrize("values", [{}, {"replicas": ""}, {"replicas": "many"}, {"replicas": -3}])
async def test_a_rule_about_an_input_that_is_not_given_or_not_valid_yet_depends_on_it(values, cel):
    platform = ACME.model_copy(
        update={"policies": (*ACME.policies, rule("big", 'action.name == "scale" && inputs.replicas > 10'))}
    )
    given = partial("scale", service="checkout", environment="staging", **values)
    said = await explain(platform, given, cel.evaluate_all, short=True)
    assert said == ("Allowed, without approval.", "staging is free: allowed.", "big: depends on replicas.")


async def test_an_input_typed_as_text_has_its_type_in_the_rules(cel):
    platform = having(rule("big", "inputs.replicas > 10")).model_copy(update={"environments": ACME.environments})
    given = partial("scale", platform=platform, environment="staging", replicas="11")
    assert await explain(platform, given, cel.evaluate_all, short=True) == (
        "Allowed, without approval.",
        "big: allowed.",
    )


async def test_a_rule_about_the_plan_says_that_it_depends_on_what_would_change(cel):
    platform = having(rule("images", 'plan.changes.exists(c, c.field == "image")'))
    assert await explain(platform, partial(), cel.evaluate_all) == ("images: depends on what would change.",)


async def test_a_broken_rule_is_told_as_broken(cel):
    said = await explain(having(rule("broken", "env.nope == 1")), asking(), cel.evaluate_all)
    assert said[:2] == (
        "Refused.",
        "The rule “broken” could not be evaluated (there is no 'nope' in it), so it refuses.",
    )


@pytest.mark.parametrize(
    ("action", "person", "now", "answer"),
    [
        ("deploy", DANA, NOVEMBER, True),
        ("deploy", DANA, CHRISTMAS, True),  # staging
        ("drop", DANA, NOVEMBER, True),
        ("status", DANA, NOVEMBER, True),
        ("deploy", GUS, NOVEMBER, False),
        ("status", GUS, NOVEMBER, False),
    ],
)
async def test_what_somebody_could_ask_for_at_acme(action, person, now, answer, cel):
    assert await possible(ACME, ACTIONS[action], person, cel.evaluate_all, now.timestamp()) is answer


PRODUCTION = {"production": Environment(name="production", tier="production", namespace="shop")}


@pytest.mark.parametrize(
    ("rules", "action", "person", "answer"),
    [
        ([], "deploy", DANA, False),
        ([], "status", DANA, True),
        ([rule(when='env.tier == "staging"')], "deploy", DANA, False),
        ([rule(when='"sre" in requester.groups')], "deploy", DANA, False),
        ([rule(when='"sre" in requester.groups')], "deploy", OLU, True),
        ([rule(when='action.name == "deploy"')], "scale", DANA, False),
        ([rule(when='service.team == "shop"')], "deploy", DANA, True),  # perhaps
        ([rule(when='action.name == "scale" && inputs.replicas < 3')], "scale", DANA, True),  # perhaps
        ([rule(), deny()], "deploy", DANA, False),
        ([rule(), deny()], "status", DANA, False),
        ([rule(), deny(group="sre")], "deploy", DANA, False),
        ([rule(), deny(group="sre")], "deploy", OLU, True),
        ([rule(), deny(when='service.name == "cart"')], "deploy", DANA, True),
        ([rule(), rule("broken", "env.nope == 1")], "deploy", DANA, False),
    ],
)
async def test_what_somebody_could_ask_for_in_one_environment(rules, action, person, answer, cel):
    platform = Platform(environments=PRODUCTION, policies=tuple(rules))
    assert await possible(platform, ACTIONS[action], person, cel.evaluate_all, NOVEMBER.timestamp()) is answer


async def test_an_action_without_an_environment_is_possible_too(cel):
    platform = Platform(environments=PRODUCTION, policies=(PolicyRule(name="r", when='env.name == ""'),))
    assert await possible(platform, ACTIONS["drop"], DANA, cel.evaluate_all, NOVEMBER.timestamp())
