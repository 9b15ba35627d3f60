"""Whatever happens to a call, there is exactly one message in the end, and it says the newest."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chatops.kernel.ports import Lane
from chatops.sandbox.slack import Channel
from chatops.slack.files import SlackPictures
from tests.messenger.desk import BOT, DEPLOYS, REQUESTS, SHOP, Desk, desk

FAULTS: list[dict[str, Any]] = [
    {"kind": "ratelimit", "retry_after": 30},
    {"kind": "error", "status": 500},
    {"kind": "error", "status": 503},
    {"kind": "timeout"},
    {"kind": "drop"},
    {"kind": "drop_after_store"},
]
NAMES = [f"{one['kind']}{one.get('status', '')}" for one in FAULTS]


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
async def test_one_card_one_reply_and_the_newest_whatever_posting_meets(
    at: Desk, fault: dict[str, Any], times: int
) -> None:
    at.fault(method="chat.postMessage", times=times, **fault)
    await at.show("R-1", "waiting", "waiting")
    await at.show("R-1/approvers", "Lee?", thread_of="R-1", lane=Lane.APPROVAL)
    at.says["R-1/approvers"] = ("Lee or Sam?", "")
    await at.until(lambda: at.messages())
    at.fault(method="chat.postMessage", times=times, **fault)
    await at.show("R-1", "approved", "approved")
    await at.quiet()
    assert at.texts() == ["approved", "Lee or Sam?"]


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
async def test_a_direct_message_is_written_once_whatever_posting_meets(at: Desk, fault: dict[str, Any]) -> None:
    at.fault(method="chat.postMessage", **fault)
    await at.show("hint", "for you", person="U0DANA")
    await at.quiet()
    assert at.direct("U0DANA") == ["for you"]


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
async def test_an_update_arrives_whatever_it_meets(at: Desk, fault: dict[str, Any]) -> None:
    await at.show("R-1", "waiting", "waiting")
    await at.quiet()
    at.fault(method="chat.update", times=2, **fault)
    await at.show("R-1", "approved", "approved")
    await at.quiet()
    assert at.texts() == ["approved"]


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
async def test_a_look_up_that_fails_is_repeated_before_anything_is_posted(at: Desk, fault: dict[str, Any]) -> None:
    at.fault("drop_after_store", method="chat.postMessage")
    at.fault(method="conversations.history", times=2, **fault)
    await at.show("R-1", "waiting")
    await at.quiet()
    assert at.texts() == ["waiting"]
    assert len(at.called("chat.postMessage")) == 1


async def test_a_post_that_had_arrived_is_not_even_updated(at: Desk) -> None:
    at.fault("drop_after_store", method="chat.postMessage")
    await at.show("R-1", "waiting")
    await at.quiet()
    assert at.called("chat.update") == []


async def test_a_post_that_shows_up_late_is_found_before_it_is_repeated(at: Desk) -> None:
    at.fault("drop", method="chat.postMessage")
    await at.show("R-1", "waiting")
    await at.until(lambda: at.called("conversations.history"))
    await at.all_asleep()
    assert at.messages() == []
    (sent,) = [one["request"] for one in at.slack.traffic.after(0) if one["what"] == "chat.postMessage"]
    content = {name: sent[name] for name in ("text", "blocks", "metadata")}
    at.slack._page_api._posting.post(at.slack.state.conversations[REQUESTS], BOT, content)  # Slack had been slow
    await at.quiet()
    assert at.texts() == ["waiting"]


async def test_what_others_post_with_our_metadata_is_not_taken_for_ours(at: Desk) -> None:
    metadata = {"event_type": "chatops_card", "event_payload": {"id": "R-1"}}
    content = {"text": "not the card", "metadata": metadata}
    at.slack._page_api._posting.post(at.slack.state.conversations[REQUESTS], "U0GUS", content)
    at.fault("drop", method="chat.postMessage")
    await at.show("R-1", "the card")
    await at.quiet()
    assert at.texts() == ["the card"]


async def test_a_card_is_found_behind_pages_of_chatter(at: Desk) -> None:
    at.fault("drop_after_store", method="chat.postMessage")
    at.fault("drop", method="conversations.history", times=1)
    await at.show("R-1", "waiting")
    await at.until(lambda: at.messages())
    chat = at.slack.state.conversations[REQUESTS]
    for number in range(450):
        at.slack._page_api._posting.post(chat, "U0DANA", {"text": f"chatter {number}"})
    await at.quiet()
    assert at.texts() == ["waiting"]
    assert len(at.called("conversations.history")) >= 4


async def test_slack_is_away_for_minutes_and_everything_comes_out_in_order(at: Desk) -> None:
    await at.show("R-1", "waiting", "waiting")
    await at.quiet()
    at.fault("away", times=0)
    start = at.clock.now()
    for number in range(5):
        await at.show(f"R-1/note/{number}", f"note {number}", thread_of="R-1")
        await at.show("R-1", f"step {number}", f"step {number}")
    await at.show("R-2", "another", lane=Lane.APPROVAL)
    await at.until(lambda: at.clock.now() > start + 600)
    assert len(at.calls) < 2 * 400  # it does not hammer a Slack that is down
    at.slack.faults.clear()
    back = at.clock.now()
    await at.quiet()
    assert at.clock.now() - back < 75
    assert sorted(at.texts()) == sorted(["step 4", *(f"note {n}" for n in range(5)), "another"])
    notes = [text for text in at.texts() if text.startswith("note")]
    assert notes == [f"note {number}" for number in range(5)]


@pytest.mark.parametrize("fault", [{"kind": "away"}, {"kind": "ratelimit", "retry_after": 30}, {"kind": "error"}])
@pytest.mark.parametrize("wrong", [-3600.0, 3600.0])
async def test_a_clock_that_is_set_by_an_hour_keeps_nothing_waiting_and_repeats_nothing(
    at: Desk, fault: dict[str, Any], wrong: float
) -> None:
    await at.show("R-1", "waiting", "waiting")
    await at.quiet()
    at.fault(**fault, times=0)
    await at.show("R-1", "done", "done")
    await at.show("page/1", "You are paged.", lane=Lane.PAGE)
    await at.show("R-1/note/1", "a note", thread_of="R-1")
    start = at.clock.now()
    await at.until(lambda: at.clock.now() > start + 60)
    at.ours.wrong = wrong
    at.slack.faults.clear()
    back = at.clock.now()
    await at.quiet()
    assert at.clock.now() - back < 75, "as long as it would have waited with the right time"
    for number in range(3):  # a channel takes one a second, whatever the clock showed when it took the last
        await at.show(f"R-{number + 2}", f"card {number}")
    await at.quiet()
    assert at.clock.now() - back < 90
    assert sorted(at.texts()) == sorted(["done", "You are paged.", "a note", "card 0", "card 1", "card 2"])


@pytest.mark.parametrize("wrong", [-3600.0, 3600.0])
async def test_a_post_of_unknown_fate_is_found_though_the_clock_was_set_by_an_hour(at: Desk, wrong: float) -> None:
    at.ours.wrong = wrong
    at.fault("drop_after_store", method="chat.postMessage", times=1)
    await at.show("page/1", "You are paged.", lane=Lane.PAGE)
    await at.until(lambda: at.called("chat.postMessage"))
    await at.all_asleep()
    at.ours.wrong = 0.0  # somebody puts it right
    back = at.clock.now()
    await at.quiet()
    assert at.texts() == ["You are paged."]
    assert at.clock.now() - back < 75


async def test_a_limited_channel_does_not_delay_another(at: Desk) -> None:
    at.fault("ratelimit", method="chat.postMessage", channel="deploys", retry_after=3600, times=1)
    await at.show("noisy", channel=DEPLOYS)
    await at.all_asleep()
    before = at.clock.now()
    await at.show("R-1", "waiting")
    await at.all_asleep()
    assert at.texts() == ["waiting"]
    assert at.clock.now() == before
    await at.quiet()
    assert at.texts(DEPLOYS) == ["noisy"]
    assert at.clock.now() - before >= 3600


async def test_a_limited_method_does_not_delay_another_in_the_same_channel(at: Desk) -> None:
    await at.show("R-1", "waiting", "waiting")
    await at.quiet()
    at.fault("ratelimit", method="chat.postMessage", retry_after=600)
    await at.show("R-2", "another")
    await at.until(lambda: len(at.called("chat.postMessage")) == 2)
    before = at.clock.now()
    await at.show("R-1", "approved", "approved")
    await at.all_asleep()
    assert at.texts() == ["approved"]
    assert at.clock.now() == before
    await at.quiet()
    assert at.texts() == ["approved", "another"]


async def test_what_waits_for_its_turn_is_not_looked_up_meanwhile(at: Desk) -> None:
    """In a burst of clicks thousands wait; a look at each whenever Slack says 429 would hold up the clicks."""
    at.fault("ratelimit", method="chat.postMessage", retry_after=600)
    await at.show("R-0")
    await at.until(lambda: len(at.called("chat.postMessage")) == 1)
    before = at.database.reads
    for number in range(1, 50):
        await at.show(f"R-{number}", lane=Lane.ANSWER)
        await at.show(f"R-{number}/approvers", thread_of=f"R-{number}", lane=Lane.ANSWER)
        await at.show(f"R-{number}/asked", thread_of=f"R-{number}", lane=Lane.APPROVAL)
    await at.all_asleep()
    assert at.database.reads - before < 10
    await at.quiet()
    assert len(at.texts()) == 148


async def test_a_database_that_is_away_is_waited_out(at: Desk) -> None:
    await at.quiet()
    at.database.away = 7
    await at.show("R-1", "waiting")
    await at.quiet()
    assert at.texts() == ["waiting"]
    assert at.database.away == 0


async def test_a_hanging_call_does_not_delay_another_channel_or_a_page(at: Desk) -> None:
    fault = at.fault("timeout", method="chat.postMessage", channel="deploys", times=1)
    await at.show("notice", channel=DEPLOYS, lane=Lane.NOTICE)
    async with asyncio.timeout(20):
        while not fault.hits:  # a page that was there in time would overtake it
            await asyncio.sleep(0)
    await at.show("R-1", "waiting")
    await at.show("page", channel=DEPLOYS, lane=Lane.PAGE)
    await at.until(lambda: at.texts(DEPLOYS) == ["page"] and at.texts() == ["waiting"])
    await at.quiet()
    assert at.texts(DEPLOYS) == ["page", "notice"]


@pytest.mark.parametrize(
    ("channel", "error"), [("no-such-channel", "channel_not_found"), ("C0GONE", "channel_not_found")]
)
async def test_a_channel_that_is_not_there_is_recorded_and_blocks_nobody(
    at: Desk, channel: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    await at.show("R-1", "lost", channel=channel)
    await at.show("R-1/note", "lost too", channel=channel, thread_of="R-1")
    await at.show("R-2", "fine")
    await at.quiet()
    assert at.texts() == ["fine"]
    assert error in (await at.row("R-1"))["error"]
    assert "R-1 was not posted" in (await at.row("R-1/note"))["error"]
    assert "R-1 cannot be shown" in caplog.text


async def test_what_slack_refuses_is_tried_again_when_it_is_wanted_anew(at: Desk) -> None:
    at.slack.state.conversations[REQUESTS].is_archived = True
    await at.show("R-1", "first")
    await at.quiet()
    assert "is_archived" in (await at.row("R-1"))["error"]
    at.slack.state.conversations[REQUESTS].is_archived = False
    await at.show("R-1", "second")
    await at.quiet()
    assert at.texts() == ["second"]
    assert (await at.row("R-1"))["error"] == ""


async def test_a_private_channel_without_an_invitation_is_said_to_be_missing(tmp_path: Path) -> None:
    secret = Channel("C0SECRET", "secret", is_private=True, members=("U0LEE",))
    async with desk(tmp_path, channels=(secret,)) as at:
        await at.show("R-1", "hello", channel="secret")
        await at.quiet()
        assert "no channel #secret that I can see" in (await at.row("R-1"))["error"]


async def test_a_view_with_a_defect_is_recorded_with_the_logs_reference_and_blocks_nobody(
    at: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await at.show("R-1", kind="broken")
    await at.show("R-2", "fine")
    await at.quiet()
    assert at.texts() == ["fine"]
    error = (await at.row("R-1"))["error"]
    assert error.partition("reference ")[2] in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_a_database_that_fails_after_posting_does_not_make_it_post_twice(at: Desk) -> None:
    at.database.fail_next = "stands"
    await at.show("R-1", "waiting")
    await at.quiet()
    assert at.texts() == ["waiting"]


async def test_a_token_that_was_revoked_keeps_everything_until_it_works_again(at: Desk) -> None:
    token = at.client.token
    at.client.token = "xoxb-revoked"
    await at.show("R-1", "waiting")
    await at.until(lambda: len(at.called("chat.postMessage")) > 3)
    assert "invalid_auth" in (await at.row("R-1"))["error"]
    at.client.token = token
    await at.quiet()
    assert at.texts() == ["waiting"]


async def test_the_tiers_of_the_methods_are_kept_in_a_storm(tmp_path: Path) -> None:
    async with desk(tmp_path, slack={"tier_limits": True}) as at:
        for number in range(40):
            await at.show(f"R-{number}", "waiting", channel=[REQUESTS, DEPLOYS, SHOP][number % 3])
        await at.quiet()
        for step in range(3):
            for number in range(40):
                await at.show(f"R-{number}", f"step {step}", channel=[REQUESTS, DEPLOYS, SHOP][number % 3])
            await at.clock.advance(10)
        await at.quiet()
        assert {text for channel in (REQUESTS, DEPLOYS, SHOP) for text in at.texts(channel)} == {"step 2"}
        assert [one for one in at.slack.traffic.after(0) if one["status"] == 429] == []


async def test_a_page_goes_before_the_notices_of_a_storm(at: Desk) -> None:
    for number in range(30):
        await at.show(f"notice-{number:02}", lane=Lane.NOTICE)
    await at.until(lambda: len(at.messages()) >= 3)
    await at.show("approval", lane=Lane.APPROVAL)
    await at.show("page", lane=Lane.PAGE)
    stood = len(at.messages())
    await at.quiet()
    after = at.texts()[stood:]
    assert after.index("page") <= 1
    assert after.index("approval") <= 2
    assert len(at.messages()) == 32


async def picture(at: Desk) -> str:
    """A picture that was given to Slack."""
    return await SlackPictures(at.client).keep("INC-101.png", "a chart", b"\x89PNG")


async def test_a_picture_that_slack_is_still_looking_into_is_waited_for(at: Desk) -> None:
    at.slack.state.files_take = 5.0
    await at.show("INC-101/evidence/chart", "12.4 at last")
    await at.quiet()
    at.pictures["INC-101/evidence/chart"] = await picture(at)
    await at.show("INC-101/evidence/chart", "12.4 at last")
    await at.show("INC-101/evidence/pods", "3 of 3 ready")
    await at.until(lambda: len(at.messages()) == 2)
    assert [len(one["blocks"]) for one in at.messages()] == [1, 1], "another reply does not wait for it"
    await at.quiet()
    assert [len(one["blocks"]) for one in at.messages()] == [2, 1]
    tries = at.called("chat.update")
    assert 2 <= len(tries) <= 4
    assert tries[-1] - tries[0] >= 4.0


@pytest.mark.parametrize("stands", [True, False])
async def test_a_picture_that_slack_never_gets_ready_costs_only_the_picture(at: Desk, stands: bool) -> None:
    at.slack.state.files_take = 10_000.0
    if stands:
        await at.show("INC-101/evidence/chart", "asked")
        await at.quiet()
    at.pictures["INC-101/evidence/chart"] = await picture(at)
    await at.show("INC-101/evidence/chart", "12.4 at last")
    await at.quiet()
    assert at.texts() == ["12.4 at last"]
    assert [len(one["blocks"]) for one in at.messages()] == [1]
    assert len(at.called("chat.update" if stands else "chat.postMessage", "INC-101/evidence/chart")) <= 18


async def test_a_file_that_is_not_there_is_no_reason_to_say_nothing(at: Desk) -> None:
    at.pictures["INC-101/evidence/chart"] = "F0NOTHERE1"
    await at.show("INC-101/evidence/chart", "12.4 at last")
    await at.quiet()
    assert at.texts() == ["12.4 at last"]
