"""What an automation asked for is withdrawn when its alert has ended and nobody has decided on it."""

from __future__ import annotations

from chatops.kernel import audit
from tests.scenarios.test_automations import INCIDENTS, REQUESTS, house_with, leak, outcomes, requests, settled, tell
from tests.support.house import House


async def states(house: House) -> list[str]:
    return [row["state"] for row in await requests(house)]


async def test_a_request_that_waits_is_withdrawn_when_the_alert_that_asked_for_it_has_ended() -> None:
    async with house_with({}) as house:
        await tell(house, leak())
        card = await house.lee.sees(REQUESTS, "Restart checkout", "WAITING: 1 approval")
        incident = await house.dana.sees(INCIDENTS, "INC-101")
        await tell(house, leak(status="resolved"))
        await card.becomes("CANCELLED", "Automation restart-what-leaks", "the alert Leak has ended")
        await incident.thread("Automation restart-what-leaks: restart checkout production", "the alert Leak has ended")
        await house.quiet()
        told = await house.rows("SELECT who, what, data FROM audit WHERE chain = 'R-1001' ORDER BY seq")
        assert (told[-1]["who"], told[-1]["what"]) == ("automation.restart-what-leaks", "cancelled")
        assert "the alert Leak has ended" in told[-1]["data"]
        assert (await house.assistant.database.read(audit.verify)).bad is None
        assert await outcomes(house) == ["withdrawn"]
        await house.dana.types("/platform incident timeline INC-101")
        told_to = await house.dana.sees("general", "R-1001 was cancelled by Automation restart-what-leaks")
        assert "restart-what-leaks: the alert Leak has ended." in told_to.text
        restarted = (await house.deployment("checkout"))["spec"]["template"]["metadata"].get("annotations") or {}
        assert not restarted


async def test_what_runs_already_is_carried_out_though_the_alert_has_ended() -> None:
    policies = [{"name": "leaks", "when": 'requester.automation != "" && action.name == "restart"'}]
    async with house_with({}, policies=policies) as house:
        await tell(house, leak())
        card = await house.lee.sees(REQUESTS, "Restart checkout", "RUNNING")
        await tell(house, leak(status="resolved"))
        await card.becomes("SUCCEEDED")
        assert await outcomes(house) == ["asked"]


async def test_one_request_for_three_alerts_stays_until_the_last_of_them_has_ended() -> None:
    async with house_with({}) as house:
        pods = [f"pod-{number}" for number in range(3)]
        await tell(house, *(leak(fingerprint=pod) for pod in pods))
        await house.lee.sees(REQUESTS, "Restart checkout", "WAITING")
        assert sorted(await outcomes(house)) == ["asked", "same", "same"]
        for pod in pods[:2]:
            await tell(house, leak(fingerprint=pod, status="resolved"))
            assert await states(house) == ["waiting"]
        await tell(house, leak(fingerprint=pods[2], status="resolved"))
        assert await states(house) == ["cancelled"]
        assert sorted(await outcomes(house)) == ["over", "over", "withdrawn"]


async def test_an_alert_that_is_back_is_asked_for_anew_within_the_limit() -> None:
    async with house_with({}) as house:
        for _ in range(3):
            await tell(house, leak())
            await settled(house)
            await tell(house, leak(status="resolved"))
            await settled(house)
        assert await states(house) == ["cancelled", "cancelled"]
        assert await outcomes(house) == ["withdrawn", "withdrawn", "limited"]
        incident = await house.dana.sees(INCIDENTS, "INC-101")
        await incident.thread("asks for restart checkout production (R-1002)", "CANCELLED")
        await incident.thread("not asked for: it asks at most 2 × in 1h")


async def test_another_rule_whose_request_ran_does_not_ask_again_when_the_alert_is_back() -> None:
    scaling = {"name": "scale-what-leaks", "run": "scale", "with": {"replicas": "4", "service": "cart"}}
    policies = [
        {"name": "scaling", "when": 'requester.automation == "scale-what-leaks" && action.name == "scale"'},
        {"name": "else", "when": 'action.name == "restart"', "require": {"approvals": 1, "from": ["group:leads"]}},
    ]
    async with house_with({}, scaling, policies=policies) as house:
        await tell(house, leak())
        await house.lee.sees(REQUESTS, "Scale cart", "SUCCEEDED")
        await tell(house, leak(status="resolved"))
        await settled(house)
        await tell(house, leak())
        found = [(row["action"], row["state"]) for row in await requests(house)]
        assert sorted(found) == [("restart", "cancelled"), ("restart", "waiting"), ("scale", "succeeded")]


async def test_when_people_resolve_the_incident_what_waits_is_withdrawn_too() -> None:
    async with house_with({}) as house:
        await tell(house, leak())
        card = await house.lee.sees(REQUESTS, "Restart checkout", "WAITING")
        incident = await house.olu.sees(INCIDENTS, "INC-101")
        await incident.click("Acknowledge")
        await (await house.olu.sees(INCIDENTS, "OLU HAS IT")).click("Resolve")
        await card.becomes("CANCELLED", "INC-101 is over")


async def test_an_alert_that_ended_while_the_assistant_was_down_withdraws_its_request_after_the_start() -> None:
    async with house_with({}) as house:
        await tell(house, leak())
        card = await house.lee.sees(REQUESTS, "Restart checkout", "WAITING")
        await house.quiet()
        async with house.assistant.automations._looking:  # as if the process were ended before it could look
            await tell(house, leak(status="resolved"))
            await house.stop()
        await house.start()
        await card.becomes("CANCELLED", "the alert Leak has ended")


async def test_an_approval_that_comes_first_stands() -> None:
    async with house_with({}) as house:
        await tell(house, leak())
        card = await house.lee.sees(REQUESTS, "Restart checkout", "WAITING")
        async with house.assistant.automations._looking:
            await card.click("Approve")
            await card.becomes("SUCCEEDED")
            await tell(house, leak(status="resolved"))
        assert await states(house) == ["succeeded"]


async def test_what_was_asked_for_before_the_update_is_withdrawn_and_asked_for_anew_as_well() -> None:
    async with house_with({}) as house:
        await tell(house, leak())
        assert await states(house) == ["waiting"]
        await house.assistant.database.write(lambda tx: tx.run("UPDATE automation_runs SET request_id = 0"))
        await tell(house, leak(status="resolved"))
        assert await states(house) == ["cancelled"]
        await tell(house, leak())
        assert await states(house) == ["cancelled", "waiting"]
        assert await outcomes(house) == ["withdrawn", "asked"]


async def test_a_withdrawal_is_counted() -> None:
    async with house_with({}) as house:
        await tell(house, leak())
        await settled(house)
        await tell(house, leak(status="resolved"))
        await settled(house)
        counted = house.assistant.metrics.registry.get_sample_value
        labels = {"rule": "restart-what-leaks", "outcome": "withdrawn"}
        assert counted("chatops_automations_total", labels) == 1
