"""An incident's room: a channel on demand, the people, the pinned card, the status, and the draft at the end."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.scenarios.test_incidents import INCIDENTS, alert, olu_is_on_call, tell
from tests.support.house import REQUESTS, House, acme_house
from tests.support.people import Seen


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=olu_is_on_call) as house:
        yield house


async def olu_has_one(house: House) -> Seen:
    """An incident that Olu was paged for and has; its card."""
    await tell(house, alert())
    await (await house.olu.sees("@platform", "You are paged.")).click("Acknowledge")
    return await house.olu.sees(INCIDENTS, "OLU HAS IT")


def rooms(house: House) -> list[Any]:
    return [one for one in house.slack.state.conversations.values() if one.name.startswith("inc-")]


async def room_of(house: House) -> Any:
    """The one room, furnished."""
    await settled(house, "SELECT 1 FROM rooms WHERE work_at = 0 AND body LIKE '%\"pinned\":true%'")
    [room] = rooms(house)
    return room


async def settled(house: House, sql: str) -> None:
    """Looks until a row is found, moving the clock as time does."""
    for _ in range(40):
        await house.assistant.rooms.look()
        await house.quiet()
        if await house.rows(sql):
            return
        house.clock.advance(10)
    raise AssertionError(await house.rows("SELECT * FROM rooms"))


def files_in(room: Any) -> list[dict[str, Any]]:
    return [file for one in room.messages.values() for file in one.get("files", ())]


async def test_a_room_from_opening_to_postmortem(house: House) -> None:
    card = await olu_has_one(house)
    await card.click("More")
    more = await house.olu.sees(INCIDENTS, "What else can be done with it")
    await more.click("Open a room")
    await house.olu.sees(INCIDENTS, "The room #inc-", "is being made")
    room = await room_of(house)
    assert room.name.endswith("-checkout-101")
    assert len(room.name) <= 80
    assert {"U0OLU", "U0LEE"} <= set(room.members), "who has it, and the team's lead"
    assert room.topic == "INC-101: checkout in production"
    inside = await house.olu.sees(room.name, "OLU HAS IT", "evidence in the thread of")
    assert room.pins == [inside.ts]
    await card.becomes(f"Room: #{room.name}")

    await house.olu.types("/platform incident lead INC-101 @dana", channel=INCIDENTS)
    await card.becomes("Lead: @dana")
    await inside.becomes("Lead: @dana")
    await settled(house, "SELECT 1 FROM rooms WHERE body LIKE '%U0DANA%'")
    await house.dana.sees(room.name, "You lead INC-101 now.")
    await house.dana.types(
        "/platform incident status INC-101 mitigated because the *cart* is back <!channel>", channel=REQUESTS
    )
    await inside.becomes("Status: mitigated", "is back")
    assert "<!channel>" not in inside.message["text"]

    await house.dana.types("/platform incident close INC-101", channel=REQUESTS)
    await inside.becomes("RESOLVED")
    await settled(house, "SELECT 1 FROM rooms WHERE body LIKE '%\"drafts\":1%'")
    [file] = files_in(room)
    assert file["name"] == "inc-101-postmortem.md"
    text = house.slack.state.contents[file["id"]].decode()
    assert text.startswith("# INC-101: checkout in production\n")
    for part in ("SEV1", "| Mitigated | 20", "| Resolved | 20", "ErrorRate", "olu@acme.test: had it", "## Causes"):
        assert part in text, part
    assert "dana@acme.test told: mitigated: the \\*cart\\* is back \\<\\!channel\\>" in text
    await house.dana.types("/platform incident close INC-101", channel=REQUESTS)
    await house.dana.sees(REQUESTS, "INC-101 is already closed by Dana.")
    await house.dana.types("/platform incident postmortem INC-101", channel=REQUESTS)
    await house.dana.sees(REQUESTS, "The draft inc-101-postmortem.md is in its room already.")
    assert len(files_in(room)) == 1


async def test_in_its_room_and_in_its_cards_thread_an_incident_needs_no_name(house: House) -> None:
    card = await olu_has_one(house)
    await house.olu.types("/platform incident room INC-101")
    room = await room_of(house)
    inside = await house.olu.sees(room.name, "OLU HAS IT")
    await house.olu.types("/platform incident lead @dana", channel=room.name)
    await inside.becomes("Lead: @dana")
    await house.olu.types("/platform incident status mitigated because INC-7 was like it", channel=room.name)
    await inside.becomes("Status: mitigated: INC-7 was like it")
    await house.olu.types("@platform incident severity sev2", channel=INCIDENTS, thread=card)
    await card.becomes("SEV2")
    await house.olu.types("/platform incident note INC-999 because another", channel=room.name)
    await house.olu.sees(room.name, "INC-999 is not known here")
    await house.olu.types("/platform incident close", channel="general")
    await house.olu.modal(title="Close")  # it asks which
    assert "RESOLVED" not in card.text
    await house.olu.types("/platform incident close", channel=room.name)
    await card.becomes("RESOLVED")


async def test_a_room_that_was_asked_for_twice_is_one_room(house: House) -> None:
    await olu_has_one(house)
    for _ in range(2):
        await house.olu.types("/platform incident room INC-101", channel=REQUESTS)
    await room_of(house)
    await house.olu.sees(REQUESTS, "INC-101 ", "#inc-", "You are invited to it.")
    assert len(rooms(house)) == 1


async def test_who_asks_for_a_room_that_there_is_comes_into_it_also_after_leaving(house: House) -> None:
    card = await olu_has_one(house)
    await house.olu.types("/platform incident room INC-101", channel=REQUESTS)
    room = await room_of(house)
    for asked in (1, 2):
        room.members = [one for one in room.members if one != "U0DANA"]
        await house.dana.types("/platform incident room INC-101", channel=REQUESTS)
        await house.dana.sees(REQUESTS, "INC-101 has its room already", "You are invited to it.", f"Room: #{room.name}")
        await settled(house, f"SELECT 1 FROM rooms WHERE work_at = 0 AND body LIKE '%\"asks\":{asked}%'")
        assert "U0DANA" in room.members
    await card.click("More")
    more = await house.olu.sees(INCIDENTS, "What else can be done with it", f"Room: #{room.name}")
    assert "Open a room" not in more.buttons
    assert "Join the room" in more.buttons


@pytest.mark.parametrize("lost", ["drop_after_store", "timeout", "error"])
async def test_a_restart_in_the_middle_finds_the_channel_again_and_goes_on(house: House, lost: str) -> None:
    await olu_has_one(house)
    given = {"status": 500} if lost == "error" else {}
    kind = "drop" if lost == "timeout" else lost
    await house.sandbox.fault(kind, method="conversations.create", times=1, **given)
    await house.olu.types("/platform incident room INC-101", channel=REQUESTS)
    await house.olu.sees(INCIDENTS, "It is tried again.")
    assert len(rooms(house)) == (1 if lost == "drop_after_store" else 0)
    await house.stop()
    house.clock.advance(60)
    await house.start()
    room = await room_of(house)
    await house.olu.sees(room.name, "OLU HAS IT")
    assert len(rooms(house)) == 1
    assert "U0OLU" in room.members


async def test_a_channel_of_somebody_else_is_left_alone(house: House) -> None:
    card = await olu_has_one(house)
    opened = (await house.rows("SELECT opened_at FROM incidents"))[0]["opened_at"]
    day = datetime.fromtimestamp(opened, UTC).strftime("%Y%m%d")
    name = f"inc-{day}-checkout-101"
    house.slack.state.add_channel(name, "U0DANA", is_private=False)
    await house.olu.types("/platform incident room INC-101", channel=REQUESTS)
    await settled(house, "SELECT 1 FROM rooms WHERE work_at = 0 AND body LIKE '%\"pinned\":true%'")
    assert sorted(one.name for one in rooms(house)) == [name, f"{name}-2"]
    await card.thread(f"#{name}-2")


@pytest.mark.parametrize(
    ("method", "scope", "made"),
    [
        ("conversations.create", "channels:manage", 0),
        ("conversations.setTopic", "channels:manage", 1),
        ("conversations.invite", "channels:manage", 1),
        ("pins.add", "pins:write", 1),
    ],
)
async def test_a_scope_that_is_missing_is_named_and_the_rest_goes_on(
    house: House, method: str, scope: str, made: int
) -> None:
    card = await olu_has_one(house)
    await house.sandbox.fault("error", method=method, error="missing_scope", times=0)
    await house.olu.types("/platform incident room INC-101", channel=REQUESTS)
    await card.thread("@olu", "it lacks the scope", scope, "you ask again")
    await settled(house, "SELECT 1 FROM rooms WHERE work_at = 0")
    assert len(rooms(house)) == made
    if not made:
        house.slack.faults.clear()
        await house.olu.types("/platform incident room INC-101", channel=REQUESTS)
        await room_of(house)


@pytest.mark.parametrize("method", ["conversations.invite", "conversations.setTopic", "pins.add"])
async def test_a_slack_that_is_away_in_the_middle_is_asked_again(house: House, method: str) -> None:
    await olu_has_one(house)
    await house.sandbox.fault("error", method=method, status=500, times=1)
    await house.sandbox.fault("ratelimit", method=method, retry_after=7, times=1)
    await house.olu.types("/platform incident room INC-101", channel=REQUESTS)
    room = await room_of(house)
    assert "U0OLU" in room.members
    assert room.topic
    assert len(room.pins) == 1


async def test_people_are_reminded_of_an_update_until_it_is_mitigated_also_after_a_restart(house: House) -> None:
    await olu_has_one(house)
    await house.olu.types("/platform incident room INC-101", channel=REQUESTS)
    room = await room_of(house)
    await house.stop()
    await house.start()
    house.clock.advance(1900)
    await house.assistant.rooms.look()
    reminder = await house.olu.sees(room.name, "@olu", "People wait for an update")
    assert reminder.buttons == ["Tell the status"]
    await house.assistant.rooms.look()
    await house.olu.types("/platform incident status INC-101 mitigated", channel=REQUESTS)
    await house.olu.sees(room.name, "mitigated (Olu)")
    house.clock.advance(4000)
    await house.assistant.rooms.look()
    await house.quiet()
    assert sum("People wait" in one["text"] for one in room.messages.values()) == 1


@pytest.mark.parametrize("lost", ["drop_after_store", "drop"])
async def test_without_a_room_the_draft_comes_into_the_thread_and_once(house: House, lost: str) -> None:
    card = await olu_has_one(house)
    await house.sandbox.fault(lost, method="files.completeUploadExternal", times=1)
    await house.olu.types("/platform incident close INC-101", channel=REQUESTS)
    await card.becomes("RESOLVED")
    await card.thread("did not take the file", "It is tried again.")
    await house.stop()
    house.clock.advance(60)
    await house.start()
    await settled(house, "SELECT 1 FROM rooms WHERE body LIKE '%\"drafts\":1%'")
    [channel] = [one for one in house.slack.state.conversations.values() if one.name == INCIDENTS]
    shared = [one for one in channel.messages.values() if one.get("files")]
    assert [one["thread_ts"] for one in shared] == [card.ts]


async def test_a_draft_that_slack_refuses_is_asked_for_again(house: House) -> None:
    card = await olu_has_one(house)
    await house.olu.types("/platform incident postmortem INC-101", channel=REQUESTS)
    await house.olu.sees(REQUESTS, "INC-101 is not closed")
    await house.sandbox.fault("error", method="files.completeUploadExternal", error="missing_scope", times=1)
    await house.olu.types("/platform incident close INC-101", channel=REQUESTS)
    await card.thread("it lacks the scope", "files:write")
    await house.olu.types("/platform incident postmortem INC-101", channel=REQUESTS)
    await settled(house, "SELECT 1 FROM rooms WHERE body LIKE '%\"drafts\":1%'")


async def test_nobody_outside_opens_a_room_or_leads(house: House) -> None:
    await olu_has_one(house)
    await house.gus.types("/platform incident room INC-101", channel=REQUESTS)
    await house.gus.sees(REQUESTS, "answers only people of its home workspace")
    await house.olu.types("/platform incident lead INC-101 @gus", channel=REQUESTS)
    await house.olu.sees(REQUESTS, "Gus is no full member of the home workspace.")
    await house.quiet()
    [row] = await house.rows("SELECT body FROM incidents")
    assert json.loads(row["body"])["lead"] is None
    assert rooms(house) == []
