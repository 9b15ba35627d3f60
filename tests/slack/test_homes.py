"""App Home: what waits for you first; a stranger's says why there is nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatops.adapters.clock import SystemClock
from chatops.kernel.action import Answer, Button
from chatops.kernel.people import Person
from chatops.slack.homes import Homes
from tests.slack.desk import desk


class Lists:
    """Requests by whose they are."""

    async def requests(self, person: Person, whose: str) -> tuple[dict[str, Any], ...]:
        row = {
            "id": "R-1042",
            "title": f"Deploy checkout, {whose}",
            "state": "waiting",
            "by": "Dana",
            "at": 1.0,
            "link": "",
        }
        return {"waiting": (row,), "mine": ()}[whose]


async def test_home_starts_with_what_waits_and_says_that_writes_are_paused(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        acme.road.questions = Lists()
        lines = ("⏸ New writes are paused by Olu: upgrade", "`/platform deploy …`")
        acme.road.plan("first_page", Answer("What you can do", lines, buttons=(Button("Deploy", "deploy", form=True),)))
        await Homes(acme.client, acme.road, acme.front.directory, SystemClock()).show("U0LEE")
        home = await acme.lee.home("Waiting for you", "R-1042", "paused by Olu", "You have asked for nothing yet")
        await home.click("Deploy")
        await acme.lee.modal("Deploy")


async def test_a_strangers_home_says_why_it_is_empty(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await Homes(acme.client, acme.road, acme.front.directory, SystemClock()).show("U0GUS")
        await acme.gus.home("home workspace")


async def test_a_slack_that_takes_no_home_is_a_line_in_the_log(tmp_path: Path, caplog: Any) -> None:
    async with desk(tmp_path) as acme:
        await acme.sandbox.fault("error", method="views.publish", error="internal_error", times=1)
        await Homes(acme.client, acme.road, acme.front.directory, SystemClock()).show("U0GUS")
        assert "views.publish: internal_error" in caplog.text
