"""Private answers: where the person asked, and never said twice."""

from __future__ import annotations

import pytest

from chatops.slack.delivery import NO_REPEAT
from tests.messenger.desk import REQUESTS, Desk


def url(at: Desk, person: str = "U0DANA") -> str:
    return at.slack._urls.issue(person, REQUESTS)


async def test_an_answer_goes_through_the_response_url(at: Desk) -> None:
    await at.show("answer/1", "only for you", channel=REQUESTS, person="U0DANA", response_url=url(at))
    await at.quiet()
    assert at.ephemerals("U0DANA") == ["only for you"]
    assert at.messages() == []
    assert (await at.row("answer/1"))["response_url"] == ""


async def test_an_answer_without_a_response_url_is_an_ephemeral(at: Desk) -> None:
    await at.show("answer/1", "only for you", channel=REQUESTS, person="U0DANA")
    await at.quiet()
    assert at.ephemerals("U0DANA") == ["only for you"]


async def test_an_answer_whose_response_url_is_spent_comes_as_an_ephemeral(at: Desk) -> None:
    spent = url(at)
    await at.clock.advance(3600)
    await at.show("answer/1", "late", channel=REQUESTS, person="U0DANA", response_url=spent)
    await at.quiet()
    assert at.ephemerals("U0DANA") == ["late"]


@pytest.mark.parametrize(
    "foreign",
    ["http://169.254.169.254/latest/meta-data/", "https://hooks.slack.com.evil.test/x", "http://hooks.slack.com/x",
     "https://hooks.slack.com@evil.test/x", "file:///etc/passwd", "//hooks.slack.com/x", "http://[", "x"],
)  # fmt: skip
async def test_an_answer_goes_to_no_address_but_slacks_own(at: Desk, foreign: str) -> None:
    await at.show("answer/1", "only for you", channel=REQUESTS, person="U0DANA", response_url=foreign)
    await at.quiet()
    assert at.called("response_url") == []
    assert at.ephemerals("U0DANA") == ["only for you"]


async def test_who_is_not_in_the_channel_is_answered_in_a_direct_message(at: Desk) -> None:
    at.slack.state.conversations[REQUESTS].members.remove("U0SAM")
    await at.show("answer/1", "only for you", channel=REQUESTS, person="U0SAM")
    await at.quiet()
    assert at.direct("U0SAM") == ["only for you"]


@pytest.mark.parametrize("kind", ["timeout", "drop", "drop_after_store", "error"])
async def test_an_answer_of_unknown_fate_is_not_repeated(at: Desk, kind: str) -> None:
    at.fault(kind)
    await at.show("answer/1", "only for you", channel=REQUESTS, person="U0DANA", response_url=url(at))
    await at.quiet()
    assert at.ephemerals("U0DANA") == (["only for you"] if kind == "drop_after_store" else [])
    assert len(at.called("response_url")) == 1
    assert at.called("chat.postEphemeral") == []
    assert (await at.row("answer/1"))["error"] == NO_REPEAT


async def test_an_answer_that_surely_did_not_arrive_is_repeated(at: Desk) -> None:
    at.fault("ratelimit", method="chat.postEphemeral", retry_after=5)
    await at.show("answer/1", "only for you", channel=REQUESTS, person="U0DANA")
    await at.quiet()
    assert at.ephemerals("U0DANA") == ["only for you"]


async def test_an_answer_waits_for_a_slack_that_refuses_connections(at: Desk) -> None:
    base, at.client.base_url = at.client.base_url, "http://127.0.0.1:9/api/"
    await at.show("answer/1", "only for you", channel=REQUESTS, person="U0DANA")
    await at.until(lambda: len(at.called("chat.postEphemeral")) >= 3)
    at.client.base_url = base
    await at.quiet()
    assert at.ephemerals("U0DANA") == ["only for you"]


async def test_the_same_answer_wanted_twice_is_said_once(at: Desk) -> None:
    for _ in range(2):
        await at.show("answer/1", "only for you", channel=REQUESTS, person="U0DANA")
        await at.quiet()
    assert at.ephemerals("U0DANA") == ["only for you"]


async def test_an_answer_to_nobody_is_recorded_as_impossible(at: Desk) -> None:
    spent = url(at)
    await at.clock.advance(3600)
    await at.show("answer/1", "whose?", response_url=spent)
    await at.quiet()
    assert "http_404" in (await at.row("answer/1"))["error"]
