"""Deciding on a card: that somebody pressed is committed before the acknowledgement, and worked off after it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from chatops.kernel.errors import DatabaseAway, Refused, TooLate, Unavailable
from chatops.kernel.people import Standing
from chatops.slack import intake
from chatops.slack.intake import ADD
from chatops.slack.messenger import Messenger
from tests.slack.desk import Desk, desk
from tests.support.databases import database as database_in
from tests.support.people import Seen, SlackSays


async def card_of(acme: Desk) -> Seen:
    await acme.card()
    return await acme.lee.sees("platform-requests", "card of R-1042")


async def test_a_press_is_committed_before_it_is_acknowledged_and_worked_off_after_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        acme.road.plan("vote", "You approved R-1042.")
        await card.click("Approve")
        [row] = await acme.rows("SELECT key, kind FROM inbox")
        await acme.quiet()
        [(request, digest, verdict, person, key, _)] = acme.road.called("vote")
        assert (request, digest, verdict, person.id) == (1042, "7f3a", "approve", "U0LEE")
        assert person.groups == ("leads",)
        assert (row["key"], row["kind"]) == (key, "decision")
        assert await acme.rows("SELECT id FROM posts WHERE kind = 'answer'") == []


async def test_who_is_too_late_is_told_what_stands(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        acme.road.plan("vote", TooLate("Sam rejected R-1042 at 17:02."), "R-1042 is cancelled by Dana.")
        await card.click("Approve")
        await acme.lee.sees("platform-requests", "Too late", "Sam rejected R-1042")
        await card.click("Approve")
        await acme.lee.sees("platform-requests", "R-1042 is cancelled by Dana.")
        await acme.dana.never_sees("platform-requests", "Too late")


async def test_somebody_unknown_is_asked_for_after_the_click_was_kept(tmp_path: Path) -> None:
    async with desk(tmp_path, warm=False) as acme:
        card = await card_of(acme)
        acme.road.plan("vote", Refused("You asked for it yourself."))
        await card.click("Approve")
        await acme.lee.sees("platform-requests", "Refused", "You asked for it yourself.")
        [(*_, person, _, _)] = acme.road.called("vote")
        assert person.standing is Standing.MEMBER
        assert [row["kind"] for row in await acme.rows("SELECT kind FROM inbox")] == ["decision"]


async def test_when_slack_does_not_say_who_clicked_the_road_hears_of_a_stranger(tmp_path: Path) -> None:
    async with desk(tmp_path, warm=False) as acme:
        card = await card_of(acme)
        await acme.sandbox.fault("error", method="users.info", error="internal_error", times=5)
        acme.road.plan("vote", Refused("I could not find out who you are just now."))
        await card.click("Approve")
        await acme.lee.sees("platform-requests", "could not find out who you are")
        [(*_, person, _, _)] = acme.road.called("vote")
        assert person.standing is Standing.UNKNOWN
        assert person.groups == ()


async def test_a_click_from_another_company_counts_as_an_outsiders(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.card()
        card = await acme.gus.sees("platform-requests", "card of R-1042")
        acme.road.plan("vote", Refused("The platform answers only people of its home workspace."))
        await card.click("Approve")
        await acme.gus.sees("platform-requests", "home workspace")
        [(*_, person, _, _)] = acme.road.called("vote")
        assert person.standing is Standing.OUTSIDER


async def test_rejecting_asks_for_a_reason_first(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        await card.click("Reject")
        form = await acme.lee.modal("Reject R-1042")
        acme.road.plan("vote", "You rejected R-1042.")
        await form.fill(Reason="not before the weekend, token=abcdef123456")
        assert await form.submit() == {}
        await form.closes()
        [(_, digest, verdict, person, _, reason)] = acme.road.called("vote")
        assert (digest, verdict, person.name) == ("7f3a", "reject", "Lee")
        assert reason == "not before the weekend, token=[masked]"


async def test_a_reason_that_comes_too_late_is_told_in_the_form(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        await card.click("Break_glass")
        form = await acme.lee.modal("Break glass R-1042")
        await form.submit()
        assert form.is_open, "breaking the glass needs a reason"
        acme.road.plan("choose", TooLate("R-1042 was cancelled by Dana."))
        await form.fill(Reason="fire")
        await form.submit()
        await form.becomes("R-1042 was cancelled by Dana.")


@pytest.mark.parametrize(("button", "call"), [("Cancel", "choose"), ("Withdraw", "vote")])
async def test_other_decisions_say_what_came_of_them(tmp_path: Path, button: str, call: str) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        acme.road.plan(call, "R-1042 is as you wanted it.")
        await card.click(button)
        await acme.lee.sees("platform-requests", "as you wanted it")
        assert acme.road.called(call)[0][:1] == (1042,)


async def test_the_whole_diff_opens_in_a_window(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        acme.road.plan("diff", "--- Deployment/checkout\n- image: 1.4.1\n+ image: 1.4.2 <!channel>")
        await card.click("Full_diff")
        form = await acme.lee.modal("R-1042")
        await form.becomes("+ image: 1.4.2 <!channel>")


async def test_a_diff_too_long_for_a_window_comes_as_a_file_to_one_person(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        acme.road.plan("diff", "\n".join(f"+ line {number} {'x' * 60}" for number in range(6000)))
        await card.click("Full_diff")
        form = await acme.lee.modal("R-1042")
        await form.becomes("as a file")
        await acme.sandbox.settled()
        [upload] = await acme.sandbox.traffic("files.completeUploadExternal")
        assert upload["request"]["channel_id"].startswith("D")


async def test_a_database_that_fails_leaves_the_clicker_with_a_sentence(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        acme.road.plan("vote", OSError("disk full"))
        await card.click("Approve")
        await acme.lee.sees("platform-requests", "Something went wrong on our side", "E-")


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has to be tried again is, without much of a pause."""
    monkeypatch.setattr(intake, "FIRST_PAUSE", 0.02)


async def test_a_press_is_not_taken_back_for_a_database_that_was_away_when_it_was_to_be_decided_on(
    tmp_path: Path, soon: None
) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        unsure = DatabaseAway("The connection to the database was lost while it was saving: it is not known …")
        acme.road.plan("vote", DatabaseAway("Nothing was saved: it is away."), unsure, "You approved R-1042.")
        await card.click("Approve")
        await acme.quiet()
        assert len({key for *_, key, _ in acme.road.called("vote")}) == 1, "each under another key would count anew"
        assert len(acme.road.called("vote")) == 3
        assert await acme.rows("SELECT id FROM posts WHERE kind = 'answer'") == []


async def test_when_what_came_of_it_could_not_be_said_the_database_is_asked_and_not_blamed(
    tmp_path: Path, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        show, lost = Messenger.show, [DatabaseAway("Nothing was saved: it is away.")]

        def away(*of: Any) -> None:
            if lost:
                raise lost.pop()
            show(*of)

        monkeypatch.setattr(Messenger, "show", away)
        acme.road.plan("choose", "R-1042 is cancelled.", "R-1042 was cancelled by Lee.")
        await card.click("Cancel")
        await acme.lee.sees("platform-requests", "R-1042 was cancelled by Lee.")
        await acme.lee.never_sees("platform-requests", "Nothing was saved")


async def test_a_cluster_that_is_away_when_something_is_to_be_replaced_is_told_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        acme.road.plan("choose", Unavailable("R-1040 was not replaced.", hint="Press Replace once more in a minute."))
        await card.click("Cancel")
        await acme.lee.sees("platform-requests", "Not now", "R-1040 was not replaced.", "once more in a minute")
        await acme.quiet()
        assert len(acme.road.called("choose")) == 1


@pytest.mark.parametrize("known", [True, False])
async def test_a_press_that_a_crash_left_is_decided_on_by_the_next_start_or_its_presser_hears_why_not(
    tmp_path: Path, known: bool
) -> None:
    where = {"user": "U0LEE", "team": "T0ACME", "channel": "C0REQUESTS"}
    body = {"where": where, "decision": {"request": 1042, "verdict": "approve", "digest": "7f3a"}}
    async with database_in(tmp_path) as left:
        row = {"key": "decision:t1", "kind": "decision", "body": json.dumps(body), "now": 1.0, "replica": 0}
        await left.write(lambda tx: tx.run(ADD, **row))
    async with desk(tmp_path, start=False, warm=False) as acme:
        await acme.joins()
        if not known:
            await acme.sandbox.fault("error", method="users.info", error="internal_error", times=5)
        acme.road.plan("vote", "You approved R-1042." if known else Refused("I could not find out who you are."))
        await acme.front.intake.open()
        await acme.quiet()
        [(request, digest, verdict, person, key, _)] = acme.road.called("vote")
        assert (request, digest, verdict, key) == (1042, "7f3a", "approve", "decision:t1")
        assert person.standing is (Standing.MEMBER if known else Standing.UNKNOWN)
        if not known:
            await acme.lee.sees("platform-requests", "Refused", "could not find out who you are")


async def test_a_replayed_click_is_acknowledged_and_worked_off_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        card = await card_of(acme)
        acme.road.plan("vote", "You approved R-1042.")
        await card.click("Approve")
        [click] = await acme.sandbox.traffic("block_actions")
        body: dict[str, Any] = click["request"]
        answers: list[dict[str, Any]] = []

        class Ack:
            response: object = None

            async def __call__(self, **answer: Any) -> None:
                answers.append(answer)

        await acme.front.listeners.vote(Ack(), body)  # type: ignore[arg-type]
        await acme.quiet()
        assert len(acme.road.called("vote")) == 1
        assert answers == [{}]


async def test_nobody_is_left_without_an_acknowledgement_when_64_click_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.card()
        card = await acme.lee.sees("platform-requests", "card of R-1042")
        acme.road.plan("vote", *["You approved R-1042."] * 64)
        results = await asyncio.gather(*(card.click("Approve") for _ in range(64)), return_exceptions=True)
        assert [one for one in results if isinstance(one, SlackSays)] == []
        await acme.quiet()
        assert len(acme.road.called("vote")) == 64
