"""What the configuration says about alerts: what is ignored, belongs together, is quiet, and who sees it."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatops.kernel import audit
from chatops.kernel.alert import Alert, Delivery
from chatops.slack.channels import channels_of
from tests.support import yml
from tests.support.clock import START
from tests.support.house import House, acme_house

INCIDENTS = "incidents"
EVERY = {"when": "true"}


@asynccontextmanager
async def house_with(
    *rules: dict[str, Any], maintenance: list[dict[str, Any]] | None = None, **more: Any
) -> AsyncIterator[House]:
    def platform(content: dict[str, Any]) -> None:
        content.update({"alerts": list(rules), "maintenance": maintenance or [], **more})
        content["watcher"] = {"enabled": False}

    async with acme_house(platform=platform) as house:
        yield house


def alert(name: str = "ErrorRate", status: str = "firing", **changes: Any) -> Alert:
    labels = {"environment": "production", "service": "checkout", **changes.pop("labels", {})}
    given: dict[str, Any] = {"severity": "critical", "summary": "5xx", "labels": labels, "fingerprint": name, **changes}
    return Alert(source="alertmanager", status=status, name=name, **given)  # type: ignore[arg-type]


async def tell(house: House, *alerts: Alert) -> None:
    await house.assistant.alerts.take(Delivery("alertmanager", alerts))


async def later(house: House, seconds: float) -> None:
    house.clock.advance(seconds)
    await house.assistant.paging.look()


def window(hours: float = 2, begins: float = -1, name: str = "database upgrade", **changes: Any) -> dict[str, Any]:
    """A window of maintenance that began an hour ago and goes on for some hours."""
    now = datetime.fromtimestamp(START, UTC)

    def at(ahead: float) -> str:
        return f"{now + timedelta(hours=ahead):%Y-%m-%d %H:%M}"

    about = 'env.name == "production" && service.name == "checkout"'
    return {"name": name, "when": about, "from": at(begins), "until": at(hours), "timezone": "UTC", **changes}


async def reconfigured(house: House, change: Callable[[dict[str, Any]], None]) -> None:
    """Somebody edits platform.yml, and the assistant takes it over."""
    path = house.settings.config / "platform.yml"
    content = yml.load(path.read_text())
    before = house.assistant.configuration.platform.digest
    change(content)
    path.write_text(json.dumps(content))
    await house.until(lambda: house.assistant.configuration.platform.digest != before)
    await house.assistant.front.background.idle()


async def test_an_ignored_alert_makes_no_incident_and_leaves_one_line_in_the_trail() -> None:
    async with house_with({"when": 'alert.severity == "info"', "ignore": True}) as house:
        for _ in range(3):
            await tell(house, alert("Watchdog", severity="info"), alert("Sales", severity="info"))
        await tell(house, alert())
        card = await house.dana.sees(INCIDENTS, "INC-101", "checkout")
        assert "1 alert: ErrorRate" in card.text
        [row] = await house.rows("SELECT who, what, data FROM audit WHERE chain = 'alerts'")
        assert (row["who"], row["what"]) == ("alertmanager", "ignored")
        assert '"text":"Watchdog firing, Sales firing"' in row["data"]
        counted = house.assistant.metrics.registry.get_sample_value("chatops_alerts_ignored_total")
        assert counted == 6
        assert (await house.assistant.database.read(audit.verify)).bad is None


async def test_what_is_ignored_from_now_on_still_ends_the_incident_in_which_it_is_counted() -> None:
    async with house_with() as house:
        await tell(house, alert())
        card = await house.dana.sees(INCIDENTS, "INC-101", "NOBODY HAS IT")
        await reconfigured(house, lambda content: content.update(alerts=[{**EVERY, "ignore": True}]))
        await tell(house, alert(status="resolved"))
        await card.becomes("All alerts are resolved.")


async def test_a_rule_may_speak_of_what_fires_and_of_what_is_over() -> None:
    async with house_with({"when": 'alert.status == "resolved"', "ignore": True}) as house:
        await tell(house, alert("Watchdog", status="resolved"))
        await tell(house, alert())
        await house.dana.sees(INCIDENTS, "INC-101", "1 alert: ErrorRate")
        assert [row["what"] for row in await house.rows("SELECT what FROM audit WHERE chain = 'alerts'")] == ["ignored"]


async def test_alerts_with_the_same_key_are_one_incident() -> None:
    rule = {"when": "has(alert.labels.region)", "key": '"region/" + alert.labels.region'}
    async with house_with(rule) as house:
        await tell(
            house,
            alert("Slow", labels={"region": "west"}),
            alert("Down", labels={"region": "west", "service": "cart"}),
            alert("Full", labels={"region": "east"}),
            alert("Latency"),
        )
        await house.dana.sees(INCIDENTS, "INC-101", "2 alerts", "Slow")
        await house.dana.sees(INCIDENTS, "INC-102", "1 alert: Full")
        await house.dana.sees(INCIDENTS, "INC-103", "1 alert: Latency")
        keys = [row["key"] for row in await house.rows("SELECT key FROM incidents ORDER BY id")]
        assert keys == ["region/west", "region/east", "production/checkout"]


async def test_who_was_paged_goes_back_at_once_also_where_the_key_is_the_configurations_own() -> None:
    async with house_with({**EVERY, "key": '"all"'}) as house:
        await tell(house, alert())
        await (await house.olu.sees("@platform", "You are paged.")).click("Acknowledge")
        await house.olu.sees(INCIDENTS, "OLU HAS IT")
        asks = house.assistant.planner.desks.incidents
        olu = (await house.assistant.directory.members("user:olu@acme.test"))[0]
        assert await asks.concerning(olu, "checkout", "production") == {
            "id": "101", "name": "INC-101", "severity": "sev1", "acknowledged_by": "olu@acme.test", "mine": True,
        }  # fmt: skip
        assert (await asks.concerning(olu, "cart", "production"))["name"] == ""


async def test_severity_and_channel_are_those_of_the_first_rule_that_says_them() -> None:
    rules = (
        {"when": 'alert.name == "Backup"', "severity": "sev3"},
        {"when": 'team == "shop"', "channel": "team-shop", "severity": "sev1"},
    )
    async with house_with(*rules) as house:
        await tell(house, alert("Backup"))
        await house.dana.sees("team-shop", "SEV3 · checkout", "Nobody is paged for it")
        await house.dana.never_sees(INCIDENTS, "INC-101")


async def test_an_incident_resolves_by_itself_where_all_of_its_alerts_say_so() -> None:
    async with house_with({"when": 'alert.name == "Backup"', "resolve": "automatic"}) as house:
        await tell(house, alert("Backup", labels={"service": "cart"}), alert(), alert("Backup", fingerprint="b"))
        await tell(house, alert("Backup", labels={"service": "cart"}, status="resolved"))
        card = await house.dana.sees(INCIDENTS, "cart", "RESOLVED", "Resolved by its alerts")
        assert card.buttons == []
        await tell(house, alert(status="resolved"), alert("Backup", fingerprint="b", status="resolved"))
        await house.dana.sees(INCIDENTS, "checkout", "All alerts are resolved.", "NOBODY HAS IT")


async def test_a_rule_that_fails_loses_no_page_and_is_said_on_the_timeline(caplog: pytest.LogCaptureFixture) -> None:
    fails = {"when": "int(alert.name) > 1", "ignore": True}
    rules = (fails, {"when": 'alert.name == "ErrorRate"', "severity": "sev2"})
    with caplog.at_level(logging.WARNING, "chatops.incidents.rules"):
        async with house_with(*rules) as house:
            for count in range(3):
                await tell(house, alert(summary=f"5xx {count}"))
            await house.dana.sees(INCIDENTS, "SEV2 · checkout")
            await house.olu.sees("@platform", "You are paged.")
            await house.dana.types("/platform incident timeline INC-101")
            said = await house.dana.sees(
                "general", "Opened: ErrorRate firing; alert rule 1 (line 1) could not be evaluated"
            )
    assert "could not be evaluated" in said.text
    assert len([one for one in caplog.records if "could not be evaluated" in one.message]) == 1, "once in the log"


async def test_what_people_report_is_never_ignored_and_as_bad_as_they_say() -> None:
    async with house_with({**EVERY, "ignore": True}, {**EVERY, "severity": "sev4"}, maintenance=[window()]) as house:
        await house.dana.types("/platform incident open checkout production because nobody can pay")
        await house.dana.sees(INCIDENTS, "SEV2 · checkout", "nobody can pay")
        await house.olu.sees("@platform", "You are paged.")


async def test_maintenance_is_quiet_and_gets_loud_when_it_ends_and_the_alert_still_fires() -> None:
    async with house_with(maintenance=[window(hours=2)]) as house:
        await tell(house, alert(), alert("Slow", labels={"service": "cart"}))
        await house.dana.sees(INCIDENTS, "cart", "NOBODY HAS IT")
        await house.dana.types("/platform incidents")
        await house.dana.sees("general", "INC-101", "maintenance: database upgrade")
        await later(house, 3600)
        await house.dana.never_sees(INCIDENTS, "INC-101")
        await later(house, 3700)
        card = await house.dana.sees(INCIDENTS, "INC-101", "checkout", "NOBODY HAS IT")
        await house.olu.sees("@platform", "You are paged.", "checkout in production")
        await card.becomes("Paged: @olu")
        told = [row["what"] for row in await house.rows("SELECT what FROM audit WHERE chain = 'INC-101' ORDER BY seq")]
        assert told[:2] == ["opened", "got_loud"]


async def test_what_is_over_before_the_window_ends_is_never_heard_of() -> None:
    async with house_with(maintenance=[window()]) as house:
        await tell(house, alert())
        await tell(house, alert(status="resolved"))
        await later(house, 3 * 3600)
        await house.dana.never_sees(INCIDENTS, "INC-101")
        [row] = await house.rows("SELECT state FROM incidents")
        assert row["state"] == "resolved"


async def test_a_longer_window_stays_quiet_and_a_window_that_is_taken_away_ends_at_once() -> None:
    async with house_with(maintenance=[window(hours=1)]) as house:
        await tell(house, alert())
        await reconfigured(house, lambda content: content.update(maintenance=[window(hours=4)]))
        await later(house, 2 * 3600)
        await house.dana.never_sees(INCIDENTS, "INC-101")
        await reconfigured(house, lambda content: content.update(maintenance=[]))
        await house.dana.sees(INCIDENTS, "INC-101", "NOBODY HAS IT")
        await house.olu.sees("@platform", "You are paged.")


async def test_the_window_ends_also_after_a_restart() -> None:
    async with house_with(maintenance=[window(hours=1)]) as house:
        await tell(house, alert())
        await house.quiet()
        await house.stop()
        house.clock.advance(2 * 3600)
        await house.start()
        await house.olu.sees("@platform", "You are paged.", within=10)


async def test_what_comes_back_in_a_window_is_an_incident_of_its_own_and_the_card_stays_resolved() -> None:
    async with house_with() as house:
        await tell(house, alert())
        card = await house.dana.sees(INCIDENTS, "INC-101", "NOBODY HAS IT")
        await tell(house, alert(status="resolved"))
        await card.becomes("All alerts are resolved.")
        await card.click("Resolve")
        await card.becomes("RESOLVED")
        await reconfigured(house, lambda content: content.update(maintenance=[window()]))
        await tell(house, alert(starts_at=house.clock.now()))
        await house.quiet()
        assert "RESOLVED" in card.text
        rows = await house.rows("SELECT id, state FROM incidents ORDER BY id")
        assert [(row["id"], row["state"]) for row in rows] == [(101, "resolved"), (102, "open")]


async def test_whoever_escalates_a_quiet_incident_makes_it_loud() -> None:
    async with house_with(maintenance=[window()]) as house:
        await tell(house, alert())
        await house.lee.types("/platform incident escalate INC-101")
        await house.dana.sees(INCIDENTS, "INC-101", "NOBODY HAS IT")
        await house.olu.sees("@platform", "You are paged.")


async def test_severities_say_what_pages_and_when_it_pages_again() -> None:
    severities = {"sev3": {"words": ["warning", "ticket"], "pages": True, "again_after": "10m"}}
    async with house_with(severities=severities) as house:
        await tell(house, alert(severity="ticket"))
        await (await house.olu.sees("@platform", "You are paged.")).click("Acknowledge")
        card = await house.olu.sees(INCIDENTS, "SEV3", "OLU HAS IT")
        await later(house, 9 * 60)
        assert "OLU HAS IT" in card.text
        await later(house, 2 * 60)
        await card.becomes("NOBODY HAS IT")


async def test_the_channel_of_a_rule_is_attended() -> None:
    async with house_with({**EVERY, "channel": "backups"}) as house:
        assert "backups" in channels_of(house.assistant.configuration.platform)
