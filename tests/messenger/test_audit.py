"""At the start, the cards of open requests are looked over: what is right costs nothing, what is wrong is repaired."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from approvals import store
from approvals.request import State
from chatops.kernel.ports import Lane, Tx
from chatops.slack import messenger, posts
from tests.messenger.desk import Desk
from tests.views.requests import DIGEST, request

REPLY = f"R-1001/approvers/{DIGEST[:8]}"


async def stored(at: Desk, state: State = State.WAITING) -> None:
    """An open request whose card and approvers' reply stand, and an ended one with its card."""
    for number, what in ((1, state), (2, State.CANCELLED)):
        made = request(what, id=0, service=f"service-{number}")
        await at.database.real.write(store.insert, made, f"key-{number}")
    await at.show("R-1001", "waiting", "waiting")
    await at.show(REPLY, "Lee?", thread_of="R-1001", lane=Lane.APPROVAL)
    await at.show("R-1002", "cancelled", "cancelled")
    await at.quiet()


async def test_cards_that_are_right_cost_no_call(at: Desk) -> None:
    await stored(at)
    await at.restart()
    before = len(at.calls)
    assert await at.messenger.audit_cards() == 2
    await at.quiet()
    assert len(at.calls) == before


async def test_a_card_that_is_wrong_is_put_right(at: Desk) -> None:
    await stored(at)
    at.says["R-1001"] = ("approved", "approved")  # committed, but never shown: a defect of an older version
    at.says["R-1002"] = ("nobody looks at what has ended", "")
    await at.messenger.audit_cards()
    await at.quiet()
    assert "approved" in at.texts()
    assert "cancelled" in at.texts()


async def test_a_card_that_was_deleted_meanwhile_is_posted_anew(at: Desk) -> None:
    await stored(at)
    at.slack._page_api._posting.delete(at.slack.state.conversations["C0REQUESTS"], (await at.row("R-1001"))["ts"])
    at.says["R-1001"] = ("approved", "approved")
    await at.messenger.audit_cards()
    await at.quiet()
    assert "approved" in at.texts()


async def test_what_has_thousands_of_open_requests_wants_a_few_at_a_time(
    at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger, "TOGETHER", 2)
    for number in range(5):
        made = request(State.WAITING, id=0, service=f"service-{number}")
        await at.database.real.write(store.insert, made, f"key-{number}")
        await at.show(f"R-{1001 + number}", "waiting", "waiting")
    await at.quiet()
    waiting: list[int] = []
    again = posts.again

    def counted(tx: Tx, cards: Sequence[str]) -> list[posts.Wanted]:
        waiting.append(at.messenger.waiting)
        return again(tx, cards)

    monkeypatch.setattr(posts, "again", counted)
    assert await at.messenger.audit_cards() == 5
    assert waiting == [0, 0, 0]  # the ones before were delivered


async def test_a_channel_that_takes_nothing_does_not_keep_the_others_from_being_looked_over(
    at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(at)
    monkeypatch.setattr(messenger, "TOGETHER", 1)
    monkeypatch.setattr(messenger, "NO_LONGER", 0.01)
    made = request(State.WAITING, id=0, service="service-3")
    await at.database.real.write(store.insert, made, "key-3")
    await at.show("R-1003", "waiting", "waiting")
    await at.quiet()
    monkeypatch.setattr(at.messenger, "_finish", lambda queue, job: None)  # nothing comes to its end
    assert await at.messenger.audit_cards() == 3
