"""A storm of alerts: all are taken in, every group can soon be read in the channel, no card is missing or twice.

Slack takes one message a second and channel here, as the real one does. Its clock and the assistant's run faster than
the machine's, so that a small storm is over in seconds; how long it took by those clocks is printed. What is asserted
is how many messages the channel needed until every group could be read in it: that does not depend on the machine.
``make test`` plays a small one, ``make fire`` one of 10,000 alerts in real time, as 200 posts and as one of 6 MB.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from chatops.incidents import digests
from tests.support.clock import START, ShiftedClock
from tests.support.house import House, acme_house
from tests.support.thoroughness import EVERYTHING

WITHIN = 30  # seconds within which every group is to be readable, at one message a second
GROUPS, EACH, SPEED = (200, 50, 1.0) if EVERYTHING else (24, 5, 20.0)


class HurriedClock(ShiftedClock):
    """Runs some times as fast as the machine's."""

    def __init__(self, speed: float = SPEED) -> None:
        super().__init__(START)
        self.speed = speed
        self._begun = time.monotonic()

    def now(self) -> float:
        return self.offset + (time.monotonic() - self._begun) * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0) / self.speed)


def group(number: int) -> list[dict[str, Any]]:
    """The alerts of one group, about 600 bytes each as Alertmanager sends them."""
    labels = {"alertname": f"Group{number}", "severity": "critical" if number % 3 == 0 else "warning"}
    return [
        {
            "status": "firing", "fingerprint": f"{number}-{one}", "startsAt": "2026-11-23T09:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus.acme.test/graph",
            "labels": {**labels, "instance": f"10.0.{number}.{one}:9100", "job": "node", "pod": f"worker-{one}"},
            "annotations": {"summary": f"group {number} is bad", "description": "x" * 300},
        }
        for one in range(EACH)
    ]  # fmt: skip


def posted(alerts: list[dict[str, Any]]) -> dict[str, Any]:
    """A webhook of Alertmanager, version 4."""
    return {
        "version": "4", "groupKey": alerts[0]["labels"]["alertname"], "status": "firing", "receiver": "chatops",
        "truncatedAlerts": 0, "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.acme.test", "alerts": alerts,
    }  # fmt: skip


def standing(house: House) -> dict[str, str]:
    """What stands in Slack: the text of each post by its id; twice the same id fails."""
    found: dict[str, str] = {}
    for messages in house.slack.state.messages.values():
        for message in messages:
            if metadata := message.get("metadata"):
                name = metadata["event_payload"]["id"]
                assert name not in found, f"{name} stands there twice"
                found[name] = json.dumps([message.get("text"), message.get("blocks")], ensure_ascii=False)
    return found


def readable(house: House) -> set[str]:
    """The incidents that somebody who looks at the channel can read of: by a card, or in a digest."""
    found = standing(house)
    cards = {name for name in found if re.fullmatch(r"INC-\d+", name)}
    named = {one for name, text in found.items() if name.startswith("digest/") for one in re.findall(r"INC-\d+", text)}
    return cards | named


@pytest.mark.fire
@pytest.mark.parametrize("single", [False, True], ids=["many posts", "one post"])
async def test_in_a_storm_every_group_is_soon_readable_and_gets_one_card(
    single: bool, record_property: Callable[[str, object], None]
) -> None:
    every = [group(number) for number in range(GROUPS)]
    posts = [posted([one for alerts in every for one in alerts])] if single else [posted(alerts) for alerts in every]

    def olu_is_on_call(content: dict[str, Any]) -> None:
        content["rotas"]["shop-rota"]["people"] = ["olu@acme.test"]
        content["watcher"] = {"enabled": False}

    clock = HurriedClock()
    slack = {"rate_limits": True}
    async with acme_house(platform=olu_is_on_call, slack=slack, clock=clock, burst=1) as house:
        begun = clock.now()
        answers = await asyncio.gather(*(house.hook("alertmanager", body) for body in posts))
        assert set(answers) == {200}
        assert (await house.rows("SELECT count(*) AS n FROM alerts"))[0]["n"] == GROUPS * EACH
        names = {f"INC-{row['id']}" for row in await house.rows("SELECT id FROM incidents")}
        assert len(names) == GROUPS
        taken = clock.now() - begun
        async with asyncio.timeout(120):
            while readable(house) != names:
                await asyncio.sleep(0.05)
        seen = clock.now() - begun
        [channel] = [one for one in house.slack.state.conversations.values() if one.name == "incidents"]
        assert len(channel.messages) <= WITHIN, "Slack takes one a second and channel: that is how long it takes"
        async with asyncio.timeout(60 + 3 * GROUPS / SPEED):
            while not names <= standing(house).keys() or not house.assistant.messenger.settled:
                await asyncio.sleep(0.1)
        carded = clock.now() - begun
        await digests.refresh(house.assistant.database, house.assistant.messenger, house.clock)
        async with asyncio.timeout(60):
            while not house.assistant.messenger.settled:
                await asyncio.sleep(0.1)
        found = standing(house)
        gathered = [text for name, text in found.items() if name.startswith("digest/")]
        assert gathered, "beyond ten, incidents are gathered"
        for name in {one for text in gathered for one in re.findall(r"INC-\d+", text)}:
            ts = (await house.rows(f"SELECT ts FROM posts WHERE id = '{name}'"))[0]["ts"]
            assert any(ts.replace(".", "") in text for text in gathered), f"{name} is named and not linked"
        urgent = {row["id"] for row in await house.rows("SELECT id FROM incidents WHERE severity = 'sev1'")}
        paged = {row["incident_id"] for row in await house.rows("SELECT incident_id FROM paging")}
        assert urgent <= paged, "who is on call, or whoever comes next when Slack does not say in time who that is"
        assert any(name.startswith("page/U0OLU") for name in found)
    times = f"taken in after {taken:.1f} s, all readable after {seen:.0f} s, all cards after {carded:.0f} s"
    record_property("said", f"storm of {GROUPS * EACH} alerts in {len(posts)} posts: {times} of Slack's clock")
