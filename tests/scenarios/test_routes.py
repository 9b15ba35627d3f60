"""Deploys are told in every channel that wants to hear of them: at once, or, where it is quiet, in one digest a day."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlite_utils

from chatops.adapters import migrations
from chatops.kernel.ports import Tx
from chatops.notices import telling
from tests.scenarios.test_outside_deploys import told
from tests.support.house import REQUESTS, House, acme_house

HOUR = 3600.0
DEPLOY = "/platform deploy cart 2.4.0 staging because it is faster"
FAILS = "/platform deploy search 0.9.8-broken staging because nobody tried it"
QUIET = {"channels": ["deploys"], "quiet": "17:00", "timezone": "Europe/Berlin"}


def routed(*routes: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def change(platform: dict[str, Any]) -> None:
        platform["routes"] = list(routes)

    return change


async def posted(house: House, channel: str) -> list[str]:
    """What stands in a channel, threads left out."""
    await house.quiet()
    [found] = [one for one in house.slack.state.conversations.values() if one.name == channel]
    return [str(one["text"]) for one in found.messages.values() if "bot_id" in one and "thread_ts" not in one]


async def passes(house: House, seconds: float) -> None:
    """Time goes by (the tests' clock stands at 10:00 in Berlin), and the assistant looks at what is due."""
    house.clock.advance(seconds)
    await house.assistant.teller.look()


async def test_a_deploy_is_told_in_each_channel_that_its_place_is_routed_to() -> None:
    routes = ({"channels": ["team-shop"], "teams": ["shop"]}, {"channels": ["general"], "tiers": ["production"]})
    async with acme_house(platform=routed(*routes)) as house:
        await house.dana.types(DEPLOY)
        await house.dana.sees("deploys", "Dana deployed cart", "to STAGING")
        await house.dana.sees("team-shop", "Dana deployed cart", "to STAGING")
        assert not [one for one in await posted(house, "general") if "deployed cart" in one]
        await told(house, environment="production", state="running")
        for channel in ("deploys", "team-shop", "general"):
            await house.dana.sees(channel, "2.4.0 is being deployed in production")
        await told(house, environment="production", state="succeeded")
        for channel in ("deploys", "team-shop", "general"):
            await house.dana.sees(channel, "✅", "2.4.0 was deployed in production")
            assert len([one for one in await posted(house, channel) if "in production" in one]) == 1
        await house.lee.types("/platform lock cart staging until 16:00 because migrating")
        await house.dana.sees("team-shop", "🔒", "cart in staging is locked by Lee")


async def test_a_quiet_channel_hears_of_failures_at_once_and_of_successes_at_its_hour() -> None:
    async with acme_house(platform=routed(QUIET, {"channels": ["team-shop"]})) as house:
        await house.dana.types(DEPLOY)
        await house.dana.sees("team-shop", "Dana deployed cart")
        await house.dana.types("/platform restart web staging because it leaks")
        await house.dana.sees("team-shop", "Dana restarted web")
        await told(house, service="catalog", state="running")
        await told(house, service="catalog", state="succeeded")
        await house.dana.sees("team-shop", "✅", "catalog", "was deployed in staging")
        assert await posted(house, "deploys") == []
        await house.dana.types(FAILS)
        await house.dana.sees("deploys", "Deploy search", "failed")
        await passes(house, 6 * HOUR)
        assert len(await posted(house, "deploys")) == 1
        await passes(house, HOUR + 1)
        digest = await house.dana.sees(
            "deploys", "3 changes went well", "of 3 services", "What failed was told at once."
        )
        for line in (
            "cart in staging",
            "→ 2.4.0 by Dana",
            "web in staging: Restart web",
            "catalog in staging",
            "by dana",
        ):
            assert line in digest.text.replace("*", "")
        assert "search" not in digest.text
        await passes(house, 24 * HOUR)
        assert len(await posted(house, "deploys")) == 2, "a day without changes has no digest"


async def test_nothing_is_lost_in_a_downtime_and_nothing_is_in_two_digests() -> None:
    async with acme_house(platform=routed(QUIET)) as house:
        await house.dana.types(DEPLOY)
        await house.dana.sees(REQUESTS, "SUCCEEDED")
        await house.stop()
        house.clock.advance(30 * HOUR)
        await house.start()
        await passes(house, 0)
        await house.dana.sees("deploys", "One change went well")
        await house.stop()
        await house.start()
        await passes(house, 0)
        await house.dana.types("/platform restart cart staging because it leaks")
        await house.dana.sees(REQUESTS, "Restart cart", "SUCCEEDED")
        await passes(house, 24 * HOUR)
        found = await posted(house, "deploys")
        assert len(found) == 2
        assert "2.4.0" in found[0]
        assert "→ 2.4.0" not in found[1]
        assert "Restart" in found[1]


async def test_what_was_gathered_and_fails_after_all_is_told_at_once_and_not_in_the_digest() -> None:
    async with acme_house(platform=routed(QUIET)) as house:
        await told(house, state="succeeded")
        house.clock.advance(60)
        await told(house, state="rolled_back", text="orders stop")
        await house.dana.sees("deploys", "↩️", "2.4.0 was rolled back in staging", "orders stop")
        await passes(house, 8 * HOUR)
        assert len(await posted(house, "deploys")) == 1


async def test_a_message_goes_on_where_it_stands_when_the_routes_change() -> None:
    async with acme_house(platform=routed({"channels": ["team-shop"]})) as house:
        await told(house, state="running")
        await house.dana.sees("team-shop", "2.4.0 is being deployed")
        path = house.settings.config / "platform.yml"
        path.write_text(path.read_text().replace('"routes": [{"channels": ["team-shop"]}]', '"routes": []'))
        await house.until(lambda: not house.assistant.configuration.platform.routes)
        await told(house, state="succeeded")
        await house.dana.sees("team-shop", "✅", "2.4.0 was deployed")
        await house.dana.sees("deploys", "✅", "2.4.0 was deployed")


async def test_a_freeze_that_is_over_says_so_wherever_it_was_told_and_nowhere_twice_when_the_routes_change() -> None:
    async with acme_house(platform=routed({"channels": ["team-shop"], "environments": ["staging"]})) as house:
        await house.lee.types("/platform freeze staging until 14:00 because the auditors are here")
        for channel in ("deploys", "team-shop"):
            await house.dana.sees(channel, "🧊 staging is frozen by Lee")
        path = house.settings.config / "platform.yml"
        changed = json.loads(path.read_text())
        changed["routes"] = []
        changed["environments"]["staging"]["channels"] = {"deploys": "general"}
        path.write_text(json.dumps(changed))
        await house.until(lambda: not house.assistant.configuration.platform.routes)
        house.clock.advance(5 * HOUR)
        await house.assistant.locks.look()
        for channel in ("deploys", "team-shop", "general"):
            await house.dana.sees(channel, "🔓 staging is free: Lee's freeze is over.")
            assert len([one for one in await posted(house, channel) if "staging is f" in one]) == 1
        assert not [one for one in await posted(house, "team-shop") if "frozen" in one]


async def test_a_digest_of_ten_thousand_changes_is_one_readable_message() -> None:
    async with acme_house(platform=routed(QUIET)) as house:

        def gather(tx: Tx) -> None:
            for number in range(10_000):
                tx.run(
                    telling.GATHER, kind="outside", subject=100_000 + number, channel="deploys",
                    service=f"service-{number % 2000:04}", environment="production" if number % 3 else "staging",
                    line=f"1.0.{number} → 1.0.{number + 1} by Dana <!channel>", now=house.clock.now(),
                    due_at=house.clock.now() + HOUR,
                )  # fmt: skip

        await house.assistant.database.write(gather)
        await passes(house, HOUR + 1)
        digest = await house.dana.sees("deploys", "10,000 changes went well", "of 2,000 services")
        assert len(await posted(house, "deploys")) == 1
        assert sum(len(str(block)) for block in digest.message["blocks"]) < 13_000
        named = [line for line in digest.text.splitlines() if line.startswith("•")]
        assert len(named) == telling.MOST_LINES
        left = next(line for line in digest.text.splitlines() if "more, which are not named here" in line)
        counted = sum(int(line.split(": ")[1].split()[0]) if "changes" in line else 1 for line in named)
        assert int(left.split()[2].replace(",", "")) + counted == 10_000
        assert "<!channel>" not in str(digest.message)


def test_messages_from_before_the_update_are_still_brought_up_to_date_where_they_stand(tmp_path: Path) -> None:
    db = sqlite_utils.Database(tmp_path / "chatops.db")
    step = next(name for name in migrations.names() if name.endswith("_told"))
    migrations.migrations.apply(db, stop_before=step)
    for name, kind, subject in (
        ("R-1001/notice", "notice", "1001"), ("outside/7", "outside", "7"), ("INC-101/automation/x", "notice", "1002"),
        ("R-1001", "request", "1001"),
    ):  # fmt: skip
        db.execute(
            "INSERT INTO posts (id, lane, kind, subject, channel, content, wanted, sent, created_at, updated_at)"
            " VALUES (?, 3, ?, ?, 'deploys', '{}', 1, 1, 1, 2)",
            [name, kind, subject],
        )
    migrations.migrations.apply(db)
    found = [(row["kind"], row["subject"], row["post"], row["channel"]) for row in db["told"].rows]
    db.close()
    assert sorted(found) == [("outside", 7, "outside/7", "deploys"), ("request", 1001, "R-1001/notice", "deploys")]
