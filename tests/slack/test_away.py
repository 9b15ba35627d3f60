"""Each kind of call to Slack, when Slack does not answer, says no, or asks to wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.errors import SlackApiError

from chatops.adapters.clock import SystemClock
from chatops.adapters.metrics import Metrics
from chatops.requests.health import Health
from chatops.requests.questions import HomePage
from chatops.slack import client, errors
from chatops.slack.channels import PAUSES, attend
from chatops.slack.client import SlackClient
from chatops.slack.homes import Homes
from tests.slack.desk import Desk, desk
from tests.support.house import acme_house

CHANNELS = {"platform-requests", "deploys", "no-such-channel"}


@pytest.fixture
async def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(client, "TIMEOUT", 3.0)  # long enough for what is not to time out on a busy machine
    async with desk(tmp_path) as acme:
        yield acme


class Pauses:
    """Waits that are over at once, remembered."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def member_of(acme: Desk) -> set[str]:
    page = await acme.client.conversations_list(types="public_channel")
    return {one["name"] for one in page["channels"] if one["is_member"]} & CHANNELS


async def test_every_call_to_slack_has_an_end() -> None:
    async with acme_house() as house:
        session = house.assistant.client.session
        assert session is not None
        assert session.timeout.total == client.TIMEOUT


async def test_an_answer_that_is_no_json_is_slack_being_away_and_no_defect(acme: Desk) -> None:
    for status in (500, 503):
        await acme.sandbox.fault("error", status=status, times=1)
        with pytest.raises(errors.AWAY, match=f"no JSON.*{status}"):
            await acme.client.chat_postMessage(channel="C0REQUESTS", text="hello")
    await acme.sandbox.fault("error", status=429, times=1)  # of a gateway before it
    with pytest.raises(SlackApiError, match="ratelimited"):
        await acme.client.chat_postMessage(channel="C0REQUESTS", text="hello")


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize(
    ("body", "kind"),
    [("Bad Gateway", "text/plain"), ("<h1>Sign in</h1>", "text/html"), ("{", "application/json"), ("", "text/plain"),
     ("[]", "application/json")],
)  # fmt: skip
async def test_whatever_answers_in_slacks_place_it_is_away(acme: Desk, body: str, kind: str, status: int) -> None:
    async def gateway(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type=kind, status=status)

    app = web.Application()
    app.router.add_route("*", "/api/{method}", gateway)
    async with TestServer(app) as server:
        away = SlackClient("xoxb-1", f"{server.make_url('/api/')}", acme.client.session, Metrics())
        with pytest.raises(errors.AWAY):
            await away.users_info(user="U0LEE")


# A closed connection is asked anew once by the client itself where that does no harm.
@pytest.mark.parametrize(
    ("kind", "method", "times"),
    [("timeout", "conversations.list", 1), ("drop", "conversations.list", 4), ("timeout", "conversations.join", 1),
     ("drop", "conversations.join", 1), ("error", "conversations.list", 2), ("error", "conversations.join", 2)],
)  # fmt: skip
async def test_channels_are_joined_once_slack_answers_again(acme: Desk, kind: str, method: str, times: int) -> None:
    await acme.sandbox.fault(kind, method=method, times=times)
    pauses = Pauses()
    await attend(acme.client, CHANNELS, pauses)
    assert await member_of(acme) == {"platform-requests", "deploys"}
    assert pauses.seconds == list(PAUSES[: len(pauses.seconds)])
    assert pauses.seconds


async def test_joining_waits_as_long_as_slack_asks(acme: Desk) -> None:
    await acme.sandbox.fault("ratelimit", method="conversations.join", retry_after=40, times=1)
    pauses = Pauses()
    await attend(acme.client, CHANNELS, pauses)
    assert pauses.seconds == [40.0]
    assert await member_of(acme) == {"platform-requests", "deploys"}


async def test_a_channel_that_refuses_keeps_us_out_of_no_other(acme: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await acme.sandbox.fault("error", method="conversations.join", error="is_archived", times=1)
    await attend(acme.client, CHANNELS, Pauses())
    assert len(await member_of(acme)) == 1
    assert "can't be joined: is_archived" in caplog.text


async def test_joining_is_given_up_in_the_end_and_said(acme: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await acme.sandbox.fault("error", method="conversations.list", error="ratelimited", times=0)
    pauses = Pauses()
    await attend(acme.client, CHANNELS, pauses)
    assert len(pauses.seconds) == len(PAUSES)
    assert "mentions in some will not be heard" in caplog.text


async def test_a_home_that_slack_never_answers_for_is_a_line_in_the_log(acme: Desk, caplog: Any) -> None:
    await acme.sandbox.fault("timeout", method="views.publish", times=1)
    acme.road.plan("home", HomePage((), (), ()))
    clock, clusters = SystemClock(), None
    health = Health(acme.configuration, cast(Any, clusters), clock)
    await Homes(acme.client, acme.road, acme.front.directory, acme.database, health, clock).show("U0GUS")
    assert "views.publish: TimeoutError" in caplog.text


async def test_a_form_that_slack_never_opens_is_answered_with_a_button(acme: Desk) -> None:
    await acme.sandbox.fault("timeout", method="views.open", times=1)
    await acme.dana.types("/platform deploy checkout")
    answer = await acme.dana.sees("general", "Slack gave me too little time")
    await answer.click("Open the form")
    await acme.dana.modal("Deploy")


@pytest.mark.parametrize("method", ["views.open", "views.update", "conversations.open", "files.getUploadURLExternal"])
async def test_a_diff_that_cannot_be_shown_is_said_so(acme: Desk, method: str) -> None:
    await acme.card(1042)
    acme.road.plan("diff", "\n".join(f"- line {number} {'x' * 400}" for number in range(600)))
    card = await acme.dana.sees("platform-requests", "card of R-1042")
    await acme.sandbox.fault("timeout", method=method, times=1)
    await card.click("Full_diff")
    await acme.front.background.idle()
    if method == "views.open":
        await acme.dana.sees("platform-requests", "I sent it to you as a file")
    elif method == "views.update":
        await acme.dana.sees("platform-requests", "Something went wrong on our side")
    else:
        await (await acme.dana.modal("R-1042")).becomes("Slack does not take files just now")
