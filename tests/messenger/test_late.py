"""What a replica did in Slack after it had been given up: its successor deletes a copy and sets an old text right."""

from __future__ import annotations

import asyncio

from chatops.slack import posts
from chatops.slack.places import EVENT_TYPE
from tests.messenger.desk import REQUESTS, Desk

FOREVER = 10**6


async def copy(at: Desk, text: str = "R-1") -> str:
    """What a replica posts that goes on after its successor has looked; its ts."""
    await at.clock.advance(2.0)  # Slack takes one a second
    answer = await at.client.chat_postMessage(
        channel=REQUESTS, text=text, blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": text}}],
        metadata={"event_type": EVENT_TYPE, "event_payload": {"id": "R-1", "hash": "…"}},
    )  # fmt: skip
    return str(answer["ts"])


async def test_a_second_copy_is_deleted_and_never_the_one_that_stands(at: Desk) -> None:
    await at.show("R-1")
    await at.quiet()
    stands, second = (await at.row("R-1"))["ts"], await copy(at)
    await at.messenger.late.mend("R-1", REQUESTS, second)
    assert [one["ts"] for one in at.messages()] == [stands]
    await at.messenger.late.mend("R-1", REQUESTS, second)  # told twice
    await at.messenger.late.mend("R-1", REQUESTS, stands)
    await at.quiet()
    assert [one["ts"] for one in at.messages()] == [stands]


async def test_a_copy_that_nobody_knows_the_place_of_is_looked_for(at: Desk) -> None:
    """Its call was given up after it had been made."""
    await at.show("R-1")
    await at.show("R-2")
    await at.quiet()
    before = [one["ts"] for one in at.messages()]
    await copy(at)
    mending = asyncio.create_task(at.messenger.late.mend("R-1", REQUESTS, ""))
    await at.until(mending.done)
    await mending
    assert [one["ts"] for one in at.messages()] == before


async def test_an_older_text_over_a_newer_one_is_set_right(at: Desk) -> None:
    await at.show("R-1", "succeeded")
    await at.quiet()
    ts = (await at.row("R-1"))["ts"]
    await at.client.chat_update(channel=REQUESTS, ts=ts, text="running", blocks=[])
    await at.messenger.late.mend("R-1", REQUESTS, ts)
    await at.quiet()
    assert at.texts() == ["succeeded"]


async def test_while_it_is_not_known_which_one_stands_none_is_deleted(at: Desk) -> None:
    """The successor may be just about to find this very copy."""
    await at.show("R-1")
    await at.quiet()
    first = (await at.row("R-1"))["ts"]
    await at.database.real.write(posts.gone, "R-1", first)
    await at.database.real.write(posts.begin, "R-1", REQUESTS, at.clock.now())
    mending = asyncio.create_task(at.messenger.late.mend("R-1", REQUESTS, first))
    await at.until(lambda: at.clock.sleepers)
    assert not mending.done()
    await at.messenger.heard("R-1")
    await at.until(mending.done)
    await at.quiet()
    assert [one["ts"] for one in at.messages()] == [first]
    assert (await at.row("R-1"))["ts"] == first


async def test_what_could_not_be_noted_is_told_at_the_end_and_nothing_else(at: Desk) -> None:
    told: list[tuple[str, str, str]] = []
    at.messenger._unnoted = lambda *what: told.append(what)

    def refused(when: str, method: str, subject: str) -> None:
        if (when, method, subject) == ("after", "chat.postMessage", "R-2"):
            at.database.away = FOREVER

    at.on_call = refused
    await at.show("R-1")
    await at.quiet()
    await at.show("R-1", "new")
    await at.quiet()
    await at.show("R-2")
    await at.until(lambda: at.called("chat.postMessage", "R-2") and at.database.away < FOREVER)
    await at.messenger.close()
    [second] = [one["ts"] for one in at.messages() if one["blocks"][0]["text"]["text"] == "R-2"]
    assert told == [("R-2", REQUESTS, second)]
