"""With a real Prometheus and a real Alertmanager: a rule fires, the card appears, and is silenced from Slack."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters.alertmanager import Alertmanager
from tests.scenarios.test_incidents import INCIDENTS, alert, tell
from tests.support.clock import ShiftedClock
from tests.support.house import HOOK_TOKEN, House, acme_house
from tests.support.monitors import alertmanager, prometheus

RULES = """
groups:
  - name: shop
    rules:
      - alert: ErrorRate
        expr: vector(12.4) > 1
        labels: {severity: critical, environment: production, service: checkout, pod: checkout-1}
        annotations: {summary: "5xx of checkout", value: "{{ $value }} % (limit 1 %)"}
"""


async def silences(house: House, address: str) -> list[dict[str, Any]]:
    async with house.sandbox.session.get(f"{address}/api/v2/silences") as answer:
        found: list[dict[str, Any]] = await answer.json()
        return found


async def test_a_rule_fires_the_card_appears_and_a_silence_made_in_slack_is_seen_in_alertmanager(
    tmp_path: Path,
) -> None:
    async with acme_house(clock=ShiftedClock(0.0)) as house:  # as the monitors' clock
        hook = f"{house.assistant.http.address}/hooks/alertmanager"
        async with alertmanager(tmp_path, hook, HOOK_TOKEN) as manager, prometheus(tmp_path, RULES, manager):
            settings = house.settings.config / "platform.yml"
            settings.write_text(f'{settings.read_text()}\nalertmanager: {{url: "{manager}"}}\n')
            card = await house.dana.sees(
                INCIDENTS, "SEV1 · checkout · PRODUCTION", "5xx of checkout 12.4 % (limit 1 %)", within=30
            )
            page = await house.olu.sees("@platform", "You are paged.")
            await page.click("Acknowledge")
            await card.becomes("OLU HAS IT")
            await house.until(lambda: bool(house.assistant.configuration.platform.alertmanager))
            await (await house.olu.sees(INCIDENTS, "OLU HAS IT")).click("More")
            await (await house.olu.sees(INCIDENTS, "INC-101: more")).click("Silence")
            form = await house.olu.modal(title="Silence")
            await form.fill(For="3h", Reason="the bank is down")
            assert await form.submit() == {}
            await card.thread("Olu silenced alertname=ErrorRate, environment=production, service=checkout", "until")
            [made] = await silences(house, manager)
            assert (made["createdBy"], made["comment"]) == ("Olu", "INC-101: the bank is down")
            assert {one["name"]: one["value"] for one in made["matchers"]} == {
                "alertname": "ErrorRate", "environment": "production", "service": "checkout", "severity": "critical",
            }  # fmt: skip
            assert made["status"]["state"] == "active"
            await card.becomes("Silenced until")
            await (await house.olu.sees(INCIDENTS, "INC-101: more")).click("End the silence")
            await card.thread("Olu ended the silence.")
            await house.quiet()
            assert "Silenced" not in card.text
            assert [one["status"]["state"] for one in await silences(house, manager)] == ["expired"]
            await house.olu.types("/platform unsilence INC-101")
            await house.olu.sees("general", "No silence of INC-101 goes on that was made here.")


async def test_a_silence_that_was_made_before_the_process_ended_is_not_made_again_and_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, cut_off = Alertmanager.silence, asyncio.Event()

    async def made_and_cut_off(self: Alertmanager, *given: Any) -> str:
        await make(self, *given)
        cut_off.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with (
        acme_house(clock=ShiftedClock(0.0)) as house,
        alertmanager(tmp_path, f"{house.assistant.http.address}/hooks/alertmanager", HOOK_TOKEN) as manager,
    ):
        settings = house.settings.config / "platform.yml"
        settings.write_text(f'{settings.read_text()}\nalertmanager: {{url: "{manager}"}}\n')
        await house.until(lambda: bool(house.assistant.configuration.platform.alertmanager))
        await fires(house, manager)
        await house.olu.sees("@platform", "You are paged.", "INC-101", within=30)
        with monkeypatch.context() as cut:
            cut.setattr(Alertmanager, "silence", made_and_cut_off)
            await house.olu.types("/platform silence INC-101 2h because the bank is down")
            await cut_off.wait()
            await house.stop()
        await house.start()
        await house.olu.sees("general", "It is silenced until")
        [made] = await silences(house, manager)
        assert made["status"]["state"] == "active"
        await house.olu.types("/platform unsilence INC-101")
        await house.olu.sees("general", "The silence is over")
        [made] = await silences(house, manager)
        assert made["status"]["state"] == "expired"


async def fires(house: House, manager: str) -> None:
    """Alertmanager hears of an alert."""
    labels = {"alertname": "ErrorRate", "severity": "critical", "service": "checkout", "environment": "production"}
    told = [{"labels": labels, "annotations": {"summary": "5xx of checkout"}}]
    async with house.sandbox.session.post(f"{manager}/api/v2/alerts", json=told) as answer:
        assert answer.status == 200


async def test_what_fired_while_the_assistant_was_down_comes_once_when_it_is_back(tmp_path: Path) -> None:
    async with acme_house(clock=ShiftedClock(0.0)) as house:
        address = house.assistant.http.address
        house.settings = replace(house.settings, listen=address.removeprefix("http://"))
        async with alertmanager(tmp_path, f"{address}/hooks/alertmanager", HOOK_TOKEN) as manager:
            await house.stop()
            await fires(house, manager)
            async with asyncio.timeout(30):
                while not await tried_in_vain(house, manager):
                    await asyncio.sleep(0.05)
            await house.start()
            await house.dana.sees(INCIDENTS, "SEV1 · checkout · PRODUCTION", "5xx of checkout", within=30)
            await house.olu.sees("@platform", "You are paged.", "INC-101")
        assert [row["n"] for row in await house.rows("SELECT count(*) AS n FROM incidents")] == [1]


async def tried_in_vain(house: House, address: str) -> bool:
    """Whether Alertmanager has tried to tell of something and nobody answered."""
    async with house.sandbox.session.get(f"{address}/metrics") as answer:
        metrics = await answer.text()
    tried = re.search(r'^alertmanager_notification_requests_failed_total\{integration="webhook"\} (\d+)', metrics, re.M)
    return tried is not None and int(tried[1]) > 0


async def test_what_no_alertmanager_sent_cannot_be_silenced_there() -> None:
    def with_one(platform: dict[str, Any]) -> None:
        platform["alertmanager"] = {"url": "http://127.0.0.1:9"}

    async with acme_house(platform=with_one) as house:
        await tell(house, alert())
        await house.olu.sees("@platform", "You are paged.")
        await house.olu.types("/platform silence INC-101 2h because we know")
        await house.olu.sees("general", "Alertmanager does not answer", "nothing is silenced")
        await house.olu.types("/platform silence INC-101 1s because we know")
        await house.olu.sees("general", "For is from 1m to 30d.")
        await house.olu.types("/platform incident open payments production because the bank is down")
        await house.olu.sees("general", "INC-102 is open")
        await house.olu.types("/platform silence INC-102 2h because we know")
        await house.olu.sees("general", "No alert of INC-102 that fires comes from Alertmanager")
        assert await house.rows("SELECT seq FROM audit WHERE what = 'silenced'") == []
