"""App Home: what waits for you first; a stranger's says why there is nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatops.adapters.clock import SystemClock
from chatops.kernel.action import Button
from chatops.requests.questions import HomePage
from chatops.slack.homes import Homes
from tests.slack.desk import desk

ROW = {"id": "R-1042", "title": "Deploy checkout", "state": "waiting", "by": "Dana", "at": 1.0, "link": ""}


async def test_home_starts_with_what_waits_and_says_that_writes_are_paused(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        deploy = Button("Deploy", "deploy", form=True)
        acme.road.plan("home", HomePage((ROW,), (), (deploy,), "New writes are paused by Olu: upgrade"))
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
