"""Automated responses: an alert comes up, a rule asks for an action, and people decide as on everything else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chatops.incidents import automating
from chatops.kernel import audit
from chatops.kernel.alert import Alert, Delivery
from chatops.kernel.errors import Unavailable
from tests.support.house import House, acme_house

INCIDENTS, REQUESTS = "incidents", "platform-requests"
RULE = {"name": "restart-what-leaks", "when": 'alert.name == "Leak"', "run": "restart", "at_most": "2 in 1h"}


@asynccontextmanager
async def house_with(*rules: dict[str, Any], **more: Any) -> AsyncIterator[House]:
    def platform(content: dict[str, Any]) -> None:
        content.update({"automations": [{**RULE, **rule} for rule in rules], "watcher": {"enabled": False}, **more})

    async with acme_house(platform=platform) as house:
        yield house


def leak(name: str = "Leak", status: str = "firing", service: str = "checkout", **changes: Any) -> Alert:
    labels = {"environment": "production", "service": service}
    given: dict[str, Any] = {"severity": "critical", "summary": "memory at 97 %", "labels": labels, **changes}
    given.setdefault("fingerprint", f"{name}-{service}")
    return Alert(source="alertmanager", status=status, name=name, **given)  # type: ignore[arg-type]


async def tell(house: House, *alerts: Alert) -> None:
    await house.assistant.alerts.take(Delivery("alertmanager", alerts))


async def requests(house: House) -> list[dict[str, Any]]:
    await settled(house)
    return [dict(row) for row in await house.rows("SELECT id, action, requester_id, state FROM requests ORDER BY id")]


async def settled(house: House) -> None:
    await house.assistant.automations.look()
    await house.quiet()


async def outcomes(house: House) -> list[str]:
    await settled(house)
    return [row["outcome"] for row in await house.rows("SELECT outcome FROM automation_runs ORDER BY at, fingerprint")]


async def test_an_automated_restart_that_needs_approval() -> None:
    async with house_with({}) as house:
        await tell(house, leak())
        card = await house.dana.sees(
            REQUESTS, "Restart checkout", "WAITING: 1 approval", "Automation restart-what-leaks"
        )
        assert "INC-101: memory at 97 %" in card.text
        incident = await house.dana.sees(INCIDENTS, "INC-101", "checkout")
        asked = await incident.thread("Automation restart-what-leaks", "asks for restart checkout production (R-1001)")
        assert "about Leak" in asked.text
        await asked.becomes("WAITING: 1 approval from Lee")
        assert [row["requester_id"] for row in await requests(house)] == ["automation.restart-what-leaks"]
        before = (await house.deployment("checkout"))["spec"]["template"]["metadata"].get("annotations") or {}
        await (await house.lee.sees(REQUESTS, "Restart checkout")).click("Approve")
        await card.becomes("SUCCEEDED")
        await asked.becomes("SUCCEEDED", "Approved by Lee")
        await incident.thread("Automation restart-what-leaks: restart checkout production", "SUCCEEDED")
        after = (await house.deployment("checkout"))["spec"]["template"]["metadata"]["annotations"]
        assert after != before
        told = await house.rows("SELECT who, what FROM audit WHERE chain = 'R-1001' AND what = 'requested'")
        assert [(row["who"], row["what"]) for row in told] == [("automation.restart-what-leaks", "requested")]
        assert (await house.assistant.database.read(audit.verify)).bad is None
        await house.dana.types("/platform incident timeline INC-101")
        told = await house.dana.sees("general", "asks for restart checkout production (R-1001)")
        assert "Automation restart-what-leaks: R-1001 is done; approved by Lee." in told.text


async def test_the_incidents_thread_leads_to_the_card_and_says_how_it_ended() -> None:
    policies = [{"name": "people only", "when": 'requester.automation == ""'}]
    async with house_with({}, policies=policies) as house:
        await tell(house, leak())
        card = await house.dana.sees(REQUESTS, "Restart checkout", "DENIED")
        incident = await house.dana.sees(INCIDENTS, "INC-101")
        asked = await incident.thread("asks for restart checkout production (R-1001)", "DENIED")
        assert f"/p{card.ts.replace('.', '')}|R-1001>" in str(asked.message["blocks"])
        await settled(house)
        told = await house.rows("SELECT what FROM audit WHERE chain = 'INC-101' ORDER BY seq")
        assert [row["what"] for row in told if "automation" in row["what"]] == ["automation_asked", "automation_ended"]


async def test_whoever_has_the_incident_can_cancel_what_an_automation_asked_for_in_it() -> None:
    async with house_with({}) as house:
        await tell(house, leak())
        card = await house.olu.sees(REQUESTS, "Restart checkout", "WAITING")
        await card.click("Cancel")
        await house.olu.sees(REQUESTS, "whoever has its incident can do that.")
        await (await house.olu.sees(INCIDENTS, "INC-101")).click("Acknowledge")
        await house.olu.sees(INCIDENTS, "OLU HAS IT")
        await (await house.olu.sees(REQUESTS, "Restart checkout", "WAITING")).click("Cancel")
        await house.olu.sees(REQUESTS, "Restart checkout", "CANCELLED")


async def test_an_alert_told_three_times_and_a_restart_in_between_are_one_request() -> None:
    async with house_with({}) as house:
        await tell(house, leak())
        await tell(house, leak())
        assert len(await requests(house)) == 1
        await house.stop()
        await house.start()
        await tell(house, leak(summary="memory at 98 %"))
        assert len(await requests(house)) == 1
        assert await outcomes(house) == ["asked"]


async def test_what_came_up_just_before_the_end_is_asked_for_after_the_next_start() -> None:
    async with house_with({}) as house:
        looking = house.assistant.automations._looking
        async with looking:  # as if the process were ended before it could look
            await tell(house, leak())
            await house.stop()
        await house.start()
        await house.dana.sees(REQUESTS, "Restart checkout", "WAITING: 1 approval")
        assert len(await requests(house)) == 1


async def test_beyond_its_limit_a_rule_asks_for_nothing_and_says_so_once() -> None:
    async with house_with({"at_most": "1 in 1h"}) as house:
        await tell(house, leak())
        assert len(await requests(house)) == 1
        await tell(house, leak(service="cart"))
        incident = await house.dana.sees(INCIDENTS, "INC-102", "cart")
        await incident.thread("Automation restart-what-leaks: not asked for: it asks at most 1 × in 1h")
        await tell(house, leak(service="cart", fingerprint="another"))
        assert await outcomes(house) == ["asked", "limited", "limited"]
        told = [row for row in await house.rows("SELECT what FROM audit") if row["what"] == "automation_limited"]
        assert len(told) == 1
        house.clock.advance(3601)
        await tell(house, leak(service="search"))
        assert [row["action"] for row in await requests(house)] == ["restart", "restart"]


async def test_a_dry_run_says_what_it_would_ask_for() -> None:
    async with house_with({"dry_run": True}) as house:
        await tell(house, leak())
        incident = await house.dana.sees(INCIDENTS, "INC-101")
        await incident.thread("would ask for restart checkout production (dry run)")
        assert await requests(house) == []


async def test_the_inputs_may_be_filled_in_from_the_alert_and_the_incident() -> None:
    rule = {
        "run": "scale", "with": {"replicas": "${severity == 'sev1' ? 5 : 4}"},
        "because": "${alert.name} on ${service.name}, see ${incident.name}",
    }  # fmt: skip
    async with house_with(rule) as house:
        await tell(house, leak())
        card = await house.dana.sees(REQUESTS, "Scale checkout", "5")
        assert "Leak on checkout, see INC-101" in card.text


async def test_an_automation_asks_for_nothing_while_somebodys_change_is_under_way() -> None:
    async with house_with({}) as house:
        await house.dana.types("/platform scale checkout production 4 because more")
        await house.dana.sees(REQUESTS, "Scale checkout", "WAITING")
        await tell(house, leak())
        incident = await house.dana.sees(INCIDENTS, "INC-101")
        await incident.thread(
            "nothing was asked for: R-1001 (Scale checkout 3 → 4 pods, asked by Dana) is under way there."
        )
        assert await outcomes(house) == ["failed"]


@pytest.mark.parametrize("limit", ["1 in 1h", "5 in 1h"])
async def test_three_pods_three_alerts_one_restart_and_one_line_in_the_thread(limit: str) -> None:
    async with house_with({"at_most": limit}) as house:
        await tell(house, *(leak(fingerprint=f"pod-{number}") for number in range(3)))
        await house.dana.sees(REQUESTS, "Restart checkout", "WAITING")
        assert sorted(await outcomes(house)) == ["asked", "same", "same"]
        assert len(await requests(house)) == 1
        said = await house.rows("SELECT id FROM posts WHERE id LIKE 'INC-101/automation/%'")
        assert len(said) == 1
        await (await house.lee.sees(REQUESTS, "Restart checkout")).click("Approve")
        await house.dana.sees(REQUESTS, "Restart checkout", "SUCCEEDED")
        await tell(house, leak(fingerprint="pod-3"))
        assert (await outcomes(house)).count("asked") == (1 if limit == "1 in 1h" else 2)


async def test_another_incident_is_told_that_it_was_asked_for_before() -> None:
    apart = [{"when": "true", "key": "service.name + alert.summary"}]
    async with house_with({}, alerts=apart) as house:
        await tell(house, leak())
        await house.dana.sees(REQUESTS, "Restart checkout", "WAITING")
        await tell(house, leak(fingerprint="pod-2", summary="memory at 99 %"))
        incident = await house.dana.sees(INCIDENTS, "INC-102")
        await incident.thread("restart checkout production was asked for before (R-1001)")
        assert len(await requests(house)) == 1


async def test_what_policy_does_not_allow_an_automation_is_denied() -> None:
    policies = [{"name": "people only", "when": 'requester.automation == "" && action.name == "restart"'}]
    async with house_with({}, policies=policies) as house:
        await tell(house, leak())
        await house.dana.sees(REQUESTS, "Restart checkout", "DENIED", "No rule allows this")


async def test_policy_may_let_one_automation_go_ahead() -> None:
    policies = [{"name": "leaks", "when": 'requester.automation == "restart-what-leaks" && action.name == "restart"'}]
    async with house_with({}, policies=policies) as house:
        await tell(house, leak())
        await house.dana.sees(REQUESTS, "Restart checkout", "SUCCEEDED")
        await house.dana.types("/platform restart cart production because why not")
        await house.dana.sees(REQUESTS, "Restart cart", "DENIED")


async def test_nobody_but_the_team_and_the_approvers_cancels_what_an_automation_asked_for() -> None:
    async with house_with({}) as house:
        await tell(house, leak())
        card = await house.sam.sees(REQUESTS, "Restart checkout", "WAITING")
        await card.click("Cancel")
        await house.sam.sees(
            REQUESTS, "Only the team of checkout, whoever may approve R-1001 and whoever has its incident"
        )
        await (await house.dana.sees(REQUESTS, "Restart checkout", "WAITING")).click("Cancel")
        await house.dana.sees(REQUESTS, "Restart checkout", "CANCELLED")


async def test_a_rule_that_cannot_be_evaluated_is_told_and_the_page_goes_out() -> None:
    async with house_with({"when": "int(alert.summary) > 3"}) as house:
        await tell(house, leak())
        await house.olu.sees("@platform", "You are paged.")
        incident = await house.dana.sees(INCIDENTS, "INC-101")
        await incident.thread("Automation restart-what-leaks: nothing was asked for: its when could not be evaluated")
        assert await requests(house) == []


async def test_what_the_action_does_not_take_is_told_in_the_incident() -> None:
    async with house_with({"run": "scale", "with": {"replicas": "${alert.name}"}}) as house:
        await tell(house, leak())
        incident = await house.dana.sees(INCIDENTS, "INC-101")
        await incident.thread("nothing was asked for: Replicas must be a whole number.")


async def test_what_is_quiet_makes_no_automation_ask_until_it_gets_loud() -> None:
    async with house_with({}) as house:
        await tell(house, leak(silenced=True))
        assert await requests(house) == []
        await tell(house, leak())
        assert len(await requests(house)) == 1


async def test_an_alert_that_is_over_before_anybody_looks_makes_no_request() -> None:
    async with house_with({}) as house:
        async with house.assistant.automations._looking:
            await tell(house, leak())
            await tell(house, leak(status="resolved"))
        assert await requests(house) == []
        assert await outcomes(house) == []


async def test_what_cannot_be_asked_for_is_tried_again_until_it_would_come_late(monkeypatch) -> None:
    async with house_with({}) as house:

        async def away(*_: Any, **__: Any) -> str:
            raise Unavailable("the directory does not answer")

        monkeypatch.setattr(type(house.assistant.road), "ask_for", away)
        await tell(house, leak())
        assert await outcomes(house) == [""]
        house.clock.advance(automating.COMES_LATE + automating.AGAIN)
        assert await outcomes(house) == ["failed"]
        incident = await house.dana.sees(INCIDENTS, "INC-101")
        await incident.thread("nothing was asked for: the directory does not answer")


async def test_what_nobody_foresaw_is_told_and_holds_up_no_other_alert(monkeypatch) -> None:
    async with house_with({}) as house:
        ask_for = type(house.assistant.road).ask_for

        async def fails(road: Any, rule: str, action: str, values: Any, *, key: str) -> str:
            if values["service"] == "checkout":
                raise ValueError("nobody foresaw this")
            return await ask_for(road, rule, action, values, key=key)

        monkeypatch.setattr(type(house.assistant.road), "ask_for", fails)
        await tell(house, leak(), leak(service="cart"))
        incident = await house.dana.sees(INCIDENTS, "INC-101", "checkout")
        await incident.thread("nothing was asked for: something unexpected went wrong", "E-")
        await house.dana.sees(REQUESTS, "Restart cart", "WAITING: 1 approval")
        assert sorted(await outcomes(house)) == ["asked", "failed"]
        assert all(row["due_at"] == 0 for row in await house.rows("SELECT due_at FROM triggers"))


async def test_when_an_incident_comes_back_what_goes_wrong_is_said_again() -> None:
    resolves = [{"when": "true", "resolve": "automatic"}]
    async with house_with({"when": "int(alert.summary) > 3"}, alerts=resolves) as house:
        for _ in range(2):
            await tell(house, leak())
            await settled(house)
            await tell(house, leak(status="resolved"))
        told = await house.rows("SELECT id FROM posts WHERE id LIKE 'INC-101/automation/%' ORDER BY id")
        assert [row["id"].rpartition("restart-what-leaks/")[2] for row in told] == ["0/failed", "1/failed"]


async def test_what_was_asked_for_just_before_the_end_is_told_though_the_alert_is_over(monkeypatch) -> None:
    async with house_with({}) as house:
        automations = type(house.assistant.automations)

        def ends(*_: Any) -> None:
            raise RuntimeError("the process ended here")

        with monkeypatch.context() as patched:
            patched.setattr(automations, "_end", ends)
            await tell(house, leak())
            await house.dana.sees(REQUESTS, "Restart checkout", "WAITING")
            await house.stop()
        await tell_while_down(house, leak(status="resolved"))
        assert await outcomes(house) == ["withdrawn"]
        incident = await house.dana.sees(INCIDENTS, "INC-101")
        await incident.thread("asks for restart checkout production (R-1001)", "CANCELLED")


async def tell_while_down(house: House, alert: Alert) -> None:
    """The sender tells the next process before that one has looked at what the last one left."""
    look = type(house.assistant.automations).look
    held = asyncio.Event()

    async def later(automations: Any) -> None:
        await held.wait()
        await look(automations)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(house.assistant.automations), "look", later)
        await house.start()
        await tell(house, alert)
    held.set()
