"""Only those are asked to approve whose approval counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from approvals.request import Request
from chatops.kernel.catalog import Group, Platform
from chatops.kernel.people import Person, Standing
from chatops.kernel.plan import Ask, Decision
from chatops.requests.planning import Planner

LEE = Person(id="U0LEE", name="Lee", email="lee@acme.test", standing=Standing.MEMBER, groups=("leads",))
OLU = Person(id="U0OLU", name="Olu", email="olu@acme.test", standing=Standing.MEMBER, groups=("leads",))
LEADS = Group(name="leads", members=("lee@acme.test",), usergroup="platform-leads")


class Members:
    """A directory in which Olu is in the group through its Slack usergroup alone."""

    async def members(self, source: str, team: str = "") -> tuple[Person, ...]:
        assert (source, team) == ("group:leads", "")
        return (LEE, OLU)


async def asked(*, named: bool) -> list[str]:
    nothing: Any = None
    configuration: Any = SimpleNamespace(platform=Platform(groups={"leads": LEADS}))
    directory: Any = Members()
    planner = Planner({}, configuration, nothing, directory, nothing, nothing, nothing)
    ask = Ask(rule="r", approvals=1, sources=("group:leads",), expires=60.0, named=named)
    request = Request(
        id=1, action="thing.make", title="t", inputs={}, requester_id="U0DANA", requester_name="Dana",
        requester_email="dana@acme.test",
    )  # fmt: skip
    return [one.name for one in await planner.approvers(request, Decision(outcome="ask", asks=(ask,)))]


async def test_everybody_in_a_group_is_asked_about_a_change() -> None:
    assert await asked(named=False) == ["Lee", "Olu"]


async def test_only_people_named_in_the_configuration_are_asked_about_danger() -> None:
    assert await asked(named=True) == ["Lee"]
