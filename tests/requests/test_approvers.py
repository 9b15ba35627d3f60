"""Only those are asked to approve whose approval counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from approvals import store
from approvals.request import Request
from chatops.kernel.catalog import Group, Platform
from chatops.kernel.people import Person, Standing
from chatops.kernel.plan import Ask, Decision
from chatops.requests.approvers import Approvers
from tests.support.house import REQUESTS, acme_house

LEE = Person(id="U0LEE", name="Lee", email="lee@acme.test", standing=Standing.MEMBER, groups=("leads",))
OLU = Person(id="U0OLU", name="Olu", email="olu@acme.test", standing=Standing.MEMBER, groups=("leads",))
LEADS = Group(name="leads", members=("lee@acme.test",), usergroup="platform-leads")


class Members:
    """A directory in which Olu is in the group through its Slack usergroup alone."""

    async def members(self, source: str, team: str = "") -> tuple[Person, ...]:
        assert (source, team) == ("group:leads", "")
        return (LEE, OLU)


async def asked(*, named: bool) -> list[str]:
    configuration: Any = SimpleNamespace(platform=Platform(groups={"leads": LEADS}))
    directory: Any = Members()
    ask = Ask(rule="r", approvals=1, sources=("group:leads",), expires=60.0, named=named)
    request = Request(
        id=1, action="thing.make", title="t", inputs={}, requester_id="U0DANA", requester_name="Dana",
        requester_email="dana@acme.test",
    )  # fmt: skip
    found = await Approvers(configuration, directory).of(request, Decision(outcome="ask", asks=(ask,)))
    return [one.name for one in found]


async def test_everybody_in_a_group_is_asked_about_a_change() -> None:
    assert await asked(named=False) == ["Lee", "Olu"]


async def test_only_people_named_in_the_configuration_are_asked_about_danger() -> None:
    assert await asked(named=True) == ["Lee"]


def only_lee(content: dict[str, Any]) -> None:
    """Production is decided by Lee alone."""
    content["groups"]["leads"] = {"members": ["lee@acme.test"]}
    for rule in content["policies"]:
        if "production" in rule["when"] and "require" in rule:
            rule["require"] = {"approvals": 1, "from": ["group:leads"]}


async def test_the_only_one_who_may_approve_is_told_so_on_the_card_and_by_why() -> None:
    said = "Nobody but Lee may approve this, and Lee asked: somebody else has to ask for it"
    async with acme_house(platform=only_lee) as house:
        await house.lee.types("/platform deploy checkout 1.4.2 production because alone")
        card = await house.lee.sees(REQUESTS, "WAITING", "nobody is left who may give it")
        assert said in card.text
        await house.later(12 * 3600 + 60)  # half of the 24 h that hold when nothing is said
        await card.thread("@lee", "nobody is left who may approve R-1001")
        await house.lee.types("/platform why deploy checkout 1.4.2 production")
        await house.lee.sees("general", said)
        await house.dana.types("/platform why deploy checkout 1.4.2 production")
        why = await house.dana.sees("general", "Allowed with approval.")
        assert "somebody else has to ask" not in why.text


async def test_what_waits_for_somebody_is_not_what_their_other_account_asked_for() -> None:
    async with acme_house() as house:
        await house.dana.types("/platform deploy checkout 1.4.2 production because two accounts")
        await house.lee.sees(REQUESTS, "WAITING")
        questions: Any = house.assistant.road.questions
        lee = await house.assistant.directory.person(house.lee.id)
        platform = house.assistant.configuration.platform
        [request] = await house.assistant.database.read(store.waiting)
        assert questions._waits_for(request, lee, platform)
        other = request.model_copy(update={"requester_id": "U0OTHER", "requester_email": "LEE@acme.test"})
        assert not questions._waits_for(other, lee, platform)
