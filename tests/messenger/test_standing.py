"""What stands in Slack is what is wanted: posted once, updated to the newest, calmly."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.ports import Lane
from chatops.slack.calls import Caller
from tests.messenger.desk import DEPLOYS, REQUESTS, SHOP, Desk, desk


async def test_a_card_is_posted_with_its_id_and_without_previews(at: Desk) -> None:
    await at.show("R-1042", "Deploy checkout")
    await at.quiet()
    (message,) = at.messages()
    assert message["text"] == "Deploy checkout"
    assert message["metadata"]["event_type"] == "chatops_card"
    assert message["metadata"]["event_payload"]["id"] == "R-1042"
    (sent,) = [one for one in at.slack.traffic.after(0) if one["what"] == "chat.postMessage"]
    assert sent["request"]["unfurl_links"] is False
    assert sent["request"]["unfurl_media"] is False


async def test_what_has_not_changed_is_not_sent_again(at: Desk) -> None:
    await at.show("R-1", "waiting")
    await at.quiet()
    await at.show("R-1", "waiting")
    await at.quiet()
    assert at.called("chat.update") == []
    row = await at.row("R-1")
    assert row["wanted"] == row["sent"] == 2


async def test_what_has_not_changed_is_not_sent_again_after_a_restart(at: Desk) -> None:
    await at.show("R-1", "waiting")
    await at.quiet()
    await at.restart()
    await at.show("R-1", "waiting")
    await at.quiet()
    assert at.called("chat.update") == []


async def test_updates_collapse_to_the_newest(at: Desk) -> None:
    await at.show("R-1", "planning", "planning")
    await at.quiet()
    for number in range(50):
        await at.show("R-1", f"{number} of 50 pods ready", "running")
    await at.quiet()
    assert at.texts() == ["49 of 50 pods ready"]
    assert len(at.called("chat.update")) <= 3


async def test_progress_is_shown_calmly_and_ends_with_the_newest(at: Desk) -> None:
    await at.show("R-1", "starting", "running")
    await at.quiet()
    for number in range(12):
        await at.show("R-1", f"{number} of 12", "running")
        await at.all_asleep()
        await at.clock.advance(0.5)
    await at.quiet()
    times = at.called("chat.update")
    assert min(later - earlier for earlier, later in pairwise(times)) >= 1.5
    assert at.texts() == ["11 of 12"]


async def test_a_new_state_is_shown_at_once(at: Desk) -> None:
    await at.show("R-1", "1 of 3", "running")
    await at.quiet()
    await at.show("R-1", "2 of 3", "running")
    await at.all_asleep()
    before = at.clock.now()
    assert at.called("chat.update") == []
    await at.show("R-1", "failed", "failed")
    await at.all_asleep()
    assert at.called("chat.update") == [before]
    assert at.texts() == ["failed"]


@pytest.mark.parametrize("lane", [Lane.PAGE, Lane.APPROVAL])
async def test_pages_and_approvals_without_a_moment_are_updated_at_once(at: Desk, lane: Lane) -> None:
    await at.show("I-1", "one", lane=lane)
    await at.quiet()
    await at.show("I-1", "two", lane=lane)
    await at.all_asleep()
    assert at.texts() == ["two"]


async def test_a_message_says_what_is_true_when_it_is_sent_not_when_it_was_wanted(at: Desk) -> None:
    await at.show("R-1", "first", channel=DEPLOYS)
    await at.show("R-2", "second", channel=DEPLOYS)  # has to wait a second for its turn
    await at.all_asleep()
    at.says["R-2"] = ("what became of the second", "")
    await at.quiet()
    assert at.texts(DEPLOYS) == ["first", "what became of the second"]


async def test_a_reply_waits_until_its_card_stands(at: Desk) -> None:
    await at.show("R-1/approvers", "Lee?", thread_of="R-1", lane=Lane.APPROVAL)
    await at.all_asleep()
    assert at.messages() == []
    await at.show("R-1", "the card")
    await at.quiet()
    card, reply = at.messages()
    assert reply["thread_ts"] == card["ts"]


async def test_replies_come_in_the_order_they_were_written(at: Desk) -> None:
    at.fault("ratelimit", method="chat.postMessage", retry_after=7)
    await at.show("R-1", "card")
    for number in range(6):
        await at.show(f"R-1/note/{9 - number}", f"note {number}", thread_of="R-1")
    await at.quiet()
    assert at.texts() == ["card", *(f"note {number}" for number in range(6))]


async def test_a_channel_is_found_by_name_and_listed_once(at: Desk) -> None:
    await at.show("one", channel="platform-requests")
    await at.show("two", channel="#platform-requests")
    await at.show("three", channel="deploys")
    await at.quiet()
    assert sorted(at.texts()) == ["one", "two"]
    assert at.texts(DEPLOYS) == ["three"]
    assert len(at.called("conversations.list")) == 1


async def test_a_channel_given_by_id_is_not_listed(at: Desk) -> None:
    await at.show("one", channel=REQUESTS)
    await at.quiet()
    assert at.called("conversations.list") == []


async def test_a_message_to_a_person_is_a_direct_message(at: Desk) -> None:
    await at.show("hint", "for you", person="U0DANA")
    await at.show("hint-2", "for you too", person="U0DANA")
    await at.quiet()
    assert at.direct("U0DANA") == ["for you", "for you too"]
    assert len(at.called("conversations.open")) == 1


async def test_a_card_that_somebody_deleted_is_posted_anew_once(at: Desk) -> None:
    await at.show("R-1", "waiting", "waiting")
    await at.quiet()
    posting = at.slack._page_api._posting
    posting.delete(at.slack.state.conversations[REQUESTS], at.messages()[0]["ts"])
    await at.show("R-1", "approved", "approved")
    await at.quiet()
    assert at.texts() == ["approved"]
    posting.delete(at.slack.state.conversations[REQUESTS], at.messages()[0]["ts"])
    await at.show("R-1", "running", "running")
    await at.quiet()
    assert at.texts() == []
    assert "message_not_found" in (await at.row("R-1"))["error"]


async def test_a_note_for_a_deleted_card_brings_the_card_back(at: Desk) -> None:
    await at.show("R-1", "the card")
    await at.quiet()
    at.slack._page_api._posting.delete(at.slack.state.conversations[REQUESTS], at.messages()[0]["ts"])
    await at.show("R-1/note/end", "it is done", thread_of="R-1")
    await at.quiet()
    card, note = at.messages()
    assert (card["text"], note["text"]) == ("the card", "it is done")
    assert note["thread_ts"] == card["ts"]


async def test_a_channel_without_the_app_is_joined(tmp_path: Path) -> None:
    scopes = ("chat:write", "channels:read", "groups:read", "channels:join", "channels:history")
    async with desk(tmp_path, app={"scopes": scopes}) as at:
        await at.show("R-1", "hello", channel=SHOP)
        await at.quiet()
        assert at.texts(SHOP) == ["hello"]


async def test_nothing_is_sent_for_what_has_nothing_to_say(at: Desk) -> None:
    await at.show("R-1/notice", "too early", channel=DEPLOYS)
    del at.says["R-1/notice"]
    await at.quiet()
    assert at.messages(DEPLOYS) == []


def test_a_client_that_repeats_calls_by_itself_is_not_taken() -> None:
    with pytest.raises(ValueError, match="retry_handlers"):
        Caller(AsyncWebClient("xoxb-local"), timeout=1)
