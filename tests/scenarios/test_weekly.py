"""Each team's week, told in its channel once, whatever happens at its time; and the same figures on /metrics."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from chatops.kernel.action import Answer
from chatops.kernel.dora import Change
from chatops.kernel.weeks import moment_after
from chatops.notices.illustrating import Illustrator
from chatops.notices.ledger import DeployLedger
from tests.scenarios.test_figures import DAY, Dotting, entered
from tests.support.clock import ShiftedClock
from tests.support.house import House, acme_house
from tests.support.people import Seen

BERLIN = "Europe/Berlin"  # of shop's rota
SUNDAY = datetime(2026, 3, 29, 20, tzinfo=UTC).timestamp()  # the clocks went forward in the night before


def on(moment: float) -> ShiftedClock:
    clock = ShiftedClock(0.0)
    clock.advance(moment - clock.now())
    return clock


async def digests(house: House) -> list[Seen]:
    await house.quiet()
    [channel] = [one for one in house.slack.state.conversations.values() if one.name == "team-shop"]
    told = [one for one in channel.messages.values() if "March" in one.get("text", "")]
    return [await house.dana.sees("team-shop", "shop · production · 23 to 29 March") for _ in told]


async def test_a_team_reads_its_week_in_its_channel_once() -> None:
    async with acme_house(clock=on(SUNDAY)) as house:
        house.assistant.illustrator.painter = Dotting()
        await house.assistant.weekly.look()
        await entered(
            house,
            (0.5, "checkout", "production", "1.5.0", "succeeded"), (3, "cart", "production", "2.8.0", "failed"),
            (9, "cart", "production", "2.7.0", "succeeded"), (1, "payments", "production", "3.0.0", "succeeded"),
        )  # fmt: skip
        house.clock.advance(10.9 * 3600)  # 8:54 there
        assert await house.assistant.weekly.look() == 0
        house.clock.advance(0.2 * 3600)
        assert await house.assistant.weekly.look() == 1
        assert await house.assistant.weekly.look() == 0
        [said] = await digests(house)
        for line in ("1.0 a week (1)", "50 % (1 of 2)", "• cart", "• checkout"):
            assert line in said.text, said.text
        assert [one["type"] for one in said.message["blocks"]].count("image") == 1
        await house.stop()
        await house.start()
        assert await house.assistant.weekly.look() == 0
        assert len(await digests(house)) == 1


async def test_what_was_due_while_the_assistant_was_away_is_sent_at_its_start_but_not_days_later() -> None:
    async with acme_house(clock=on(SUNDAY)) as house:
        house.assistant.illustrator.painter = Dotting()
        await house.assistant.weekly.look()
        await entered(house, (0.5, "checkout", "production", "1.5.0", "succeeded"))
        await house.stop()
        house.clock.advance(20 * 3600)
        await house.start()
        house.assistant.illustrator.painter = Dotting()
        assert await house.assistant.weekly.look() == 1
        assert len(await digests(house)) == 1
        await house.stop()
        house.clock.advance(9 * DAY)
        await house.start()
        assert await house.assistant.weekly.look() == 0
        [row] = await house.rows("SELECT due_at FROM weekly WHERE team = 'shop'")
        weekly = house.assistant.configuration.platform.weekly
        zone = house.assistant.configuration.platform.rotas["shop-rota"].zone
        assert row["due_at"] == moment_after(house.clock.now(), weekly.weekday, weekly.at, zone)


async def test_two_that_look_at_the_same_time_send_one() -> None:
    async with acme_house(clock=on(SUNDAY)) as house:
        house.assistant.illustrator.painter = Dotting()
        await house.assistant.weekly.look()
        await entered(house, (0.5, "checkout", "production", "1.5.0", "succeeded"))
        house.clock.advance(12 * 3600)
        assert sum(await asyncio.gather(*(house.assistant.weekly.look() for _ in range(2)))) == 1
        assert len(await digests(house)) == 1


def both_teams(content: dict[str, Any]) -> None:
    content["teams"]["payments"]["channel"] = "general"


async def due_for_both(house: House) -> None:
    house.assistant.illustrator.painter = Dotting()
    await house.assistant.weekly.look()
    await entered(
        house, (0.5, "checkout", "production", "1.5.0", "succeeded"), (1, "payments", "production", "3.0.0", "failed")
    )
    house.clock.advance(12 * 3600)


async def test_the_ledger_is_read_once_for_all_teams_that_have_the_same_week(monkeypatch: pytest.MonkeyPatch) -> None:
    async with acme_house(clock=on(SUNDAY), platform=both_teams) as house:
        await due_for_both(house)
        read, changes = list[float](), DeployLedger.changes

        async def noted(ledger: DeployLedger, since: float, until: float) -> list[Change]:
            read.append(since)
            return await changes(ledger, since, until)

        monkeypatch.setattr(DeployLedger, "changes", noted)
        assert await house.assistant.weekly.look() == 2
        assert len(read) == 1
        await house.dana.sees("team-shop", "shop · production", "0 % (0 of 1)")
        await house.dana.sees("general", "payments · production", "100 % (1 of 1)")


async def test_a_team_whose_week_cannot_be_told_keeps_no_other_waiting_and_hears_it_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with acme_house(clock=on(SUNDAY), platform=both_teams) as house:
        await due_for_both(house)
        drawn = Illustrator.of

        async def broken(illustrator: Illustrator, answer: Answer) -> Answer:
            if answer.title.startswith("shop"):
                raise ZeroDivisionError("a defect")
            return await drawn(illustrator, answer)

        with monkeypatch.context() as for_now:
            for_now.setattr(Illustrator, "of", broken)
            assert await house.assistant.weekly.look() == 1
        await house.dana.sees("general", "payments · production")
        assert "while making the week of team shop" in caplog.text
        assert await house.assistant.weekly.look() == 1
        await house.dana.sees("team-shop", "shop · production")


async def test_nothing_is_sent_of_a_team_that_deployed_nothing_nor_where_it_is_turned_off() -> None:
    def off(content: dict[str, Any]) -> None:
        content["weekly"] = {"enabled": False}

    async with acme_house(clock=on(SUNDAY)) as house:
        await house.assistant.weekly.look()
        house.clock.advance(12 * 3600)
        assert await house.assistant.weekly.look() == 0
    async with acme_house(clock=on(SUNDAY), platform=off) as house:
        await house.assistant.weekly.look()
        assert await house.rows("SELECT * FROM weekly") == []


async def test_the_figures_of_thirty_days_are_on_metrics() -> None:
    async with acme_house() as house:
        await entered(
            house,
            (2, "checkout", "production", "1.5.0", "succeeded"), (1, "checkout", "production", "1.5.1", "failed"),
            (40, "cart", "production", "2.7.0", "succeeded"), (3, "gone", "production", "1", "succeeded"),
        )  # fmt: skip
        await house.assistant.measuring.look()
        async with house.sandbox.session.get(f"{house.assistant.http.address}/metrics") as answer:
            lines = [line for line in (await answer.text()).splitlines() if line.startswith("chatops_dora_")]
        place = '{environment="production",service="checkout",team="shop"}'
        assert set(lines) == {
            f"chatops_dora_deploys{place} 1.0", f"chatops_dora_deploys_failed{place} 1.0",
            f"chatops_dora_deploys_ended{place} 2.0", f"chatops_dora_lead_seconds{place} 600.0",
        }  # fmt: skip
