"""Asking, as people see it: on the local Slack, with a road that does what each test planned."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chatops.kernel.action import Answer, Button
from chatops.kernel.errors import DatabaseAway, Refused, TooLate, Unavailable
from chatops.kernel.keys import LONGEST
from chatops.slack import asking, intake, payloads
from chatops.slack.messenger import Messenger
from tests.slack.desk import desk

LINE = "deploy checkout 1.4.2 production because fixes the cart"
DIRECT = "@platform"
VALUES = {"service": "checkout", "version": "1.4.2", "environment": "production", "reason": "fixes the cart"}


async def test_a_whole_line_asks_at_once_and_says_where_the_card_is(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types(f"/platform {LINE}")
        seen = await acme.dana.sees("general", "R-1042 Deploy", "#platform-requests")
        assert "/archives/C0REQUESTS/p" in str(seen.message["blocks"])
        [(action, values, who, _, place)] = acme.road.called("ask")
        assert (action, values, who) == ("deploy", VALUES, "Dana")
        assert place["channel"] == "C0GENERAL"
        await acme.lee.never_sees("general", "R-1042")


async def test_half_a_character_on_the_line_is_a_question_mark_and_no_accident(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types("/platform deploy checkout 1.4.2 production because fixes the \ud800 cart")
        await acme.dana.sees("general", "R-1042 Deploy")
        [(_, values, *_)] = acme.road.called("ask")
        assert values["reason"] == "fixes the ? cart"


async def test_asked_in_the_requests_channel_the_card_is_the_answer(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types(f"/platform {LINE}", channel="platform-requests")
        await acme.dana.sees("platform-requests", "card of R-1042")
        await acme.front.background.idle()
        await acme.dana.never_sees("platform-requests", "its card is in")


async def test_an_action_alone_opens_its_form_which_tells_what_runs_there_now(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        answers: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
        acme.road.plan("ask", lambda *_: acme.asked())
        acme.road.plan("preview", lambda *_: answers.get())
        await acme.dana.types("/platform deploy")
        form = await acme.dana.modal("Deploy", "Choose a service and an environment")
        await form.fill(Version="1.4.2", Reason="fixes the cart")
        await form.fill(Service="checkout", Environment="production")
        await form.becomes("…looking")
        await answers.put(("Now: 1.4.1 healthy", "production needs a lead: 1 approval from Lee"))
        await form.becomes("Now: 1.4.1 healthy", "1 approval from Lee")
        assert form.values["Version"] == "1.4.2"
        assert await form.submit() == {}
        await form.closes()
        await acme.dana.sees("general", "R-1042")
        [(_, values, *_)] = acme.road.called("ask")
        assert values == VALUES


@pytest.mark.parametrize("trouble", [Unavailable("no answer"), RuntimeError("broken"), asyncio.Event().wait])
async def test_a_cluster_that_cannot_be_asked_leaves_the_form_usable(tmp_path: Path, trouble: Any) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("preview", trouble if isinstance(trouble, Exception) else lambda *_: asyncio.Event().wait())
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types("/platform deploy checkout production because x")
        form = await acme.dana.modal("Deploy")
        await form.becomes("can't be asked just now")
        await form.fill(Version="1.4.2")
        assert await form.submit() == {}
        await acme.dana.sees("general", "R-1042")


async def test_of_two_choices_in_a_row_the_form_tells_about_the_last(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        slow = asyncio.Event()

        async def first(*_: Any) -> tuple[str, ...]:
            await slow.wait()
            return ("about checkout",)

        acme.road.plan("preview", first, ("about cart",))
        await acme.dana.types("/platform deploy checkout production")
        form = await acme.dana.modal("Deploy")
        await form.becomes("…looking")
        await form.fill(Service="cart")
        await form.becomes("about cart")
        slow.set()
        await acme.front.background.idle()
        assert "about cart" in form.text


async def test_mistakes_stand_at_their_fields_and_nothing_is_asked(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.dana.types("/platform deploy checkout because x")
        form = await acme.dana.modal("Deploy")
        acme.road.plan("preview", ("Now: healthy",))
        await form.fill(Environment="production", Version="one two")
        errors = await form.submit()
        assert "no spaces" in errors["Version"]
        assert form.is_open
        await form.fill(Version="9" * 300)
        assert "128 characters" in (await form.submit())["Version"]
        assert acme.road.called("ask") == []


async def test_a_form_submitted_twice_makes_one_request(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        gate = asyncio.Event()

        async def slow(*_: Any) -> Any:
            await gate.wait()
            return await acme.asked()

        acme.road.plan("ask", slow)
        acme.road.plan("preview", ("Now: healthy",))
        await acme.dana.types("/platform deploy checkout production because x")
        form = await acme.dana.modal("Deploy")
        await form.fill(Version="1.4.2")
        view = form.view
        body = {"type": "view_submission", "user": {"id": "U0DANA", "team_id": "T0ACME"}, "team": {"id": "T0ACME"}}
        values = {f"in:{name}": {"v": {"type": "plain_text_input", "value": value}} for name, value in VALUES.items()}
        body |= {"view": {**view, "state": {"values": values}}, "trigger_id": "t"}
        acks = [Ack(), Ack()]
        await asyncio.gather(*(acme.front.listeners.form_submitted(ack, dict(body)) for ack in acks))  # type: ignore[arg-type]
        gate.set()
        await acme.front.background.idle()
        assert [ack.answers for ack in acks] == [[{}], [{}]]
        assert len(acme.road.called("ask")) == 1


async def test_a_typo_is_answered_with_buttons_that_run_the_right_line_or_open_the_form(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types("/platform deploy chekout 1.4.2 production because fixes the cart")
        seen = await acme.dana.sees("general", "no service called 'chekout'", "Did you mean checkout?")
        assert seen.buttons == ["Use checkout", "Open the form"]
        await seen.click("Open the form")
        form = await acme.dana.modal("Deploy")
        assert form.values["Version"] == "1.4.2"
        assert form.values["Reason"] == "fixes the cart"
        await form.close()
        await seen.click("Use checkout")
        await acme.dana.sees("general", "R-1042")
        [(_, values, *_)] = acme.road.called("ask")
        assert values == VALUES


@pytest.mark.parametrize("reason", ["fixes the cart", "修" * 400])
async def test_a_double_click_on_the_corrected_line_asks_with_one_short_key(tmp_path: Path, reason: str) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("ask", lambda *_: acme.asked(), lambda *_: acme.asked())
        await acme.dana.types(f"/platform deploy chekout 1.4.2 production because {reason}")
        seen = await acme.dana.sees("general", "Did you mean checkout?")
        await asyncio.gather(seen.click("Use checkout"), seen.click("Use checkout"))
        await acme.front.background.idle()
        first, second = acme.road.called("ask")
        assert first[3] == second[3]
        assert len(first[3].encode()) <= LONGEST


async def test_what_is_missing_is_asked_for_in_a_form_and_with_a_button_where_no_form_can_open(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.joins()
        seen = await acme.dana.types("@platform deploy checkout", channel="platform-requests")
        reply = await seen.thread("Deploy needs Version and Environment too", "Usage")
        await reply.click("Open the form")
        form = await acme.dana.modal("Deploy")
        assert form.values["Service"] == "checkout"


async def test_a_mention_in_a_thread_asks_and_links_the_card_in_that_thread(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.joins()
        await acme.card(1001)
        card = await acme.dana.sees("platform-requests", "card of R-1001")
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types(f"@platform {LINE}", channel="platform-requests", thread=card)
        reply = await card.thread("R-1042 Deploy", "its card is in")
        assert reply.message["thread_ts"] == card.ts
        [(_, values, _, _, place)] = acme.road.called("ask")
        assert values == VALUES
        assert place["thread_ts"] == card.ts
        await acme.lee.sees("platform-requests", "its card is in", thread=card.ts)


async def test_a_line_typed_to_the_app_itself_works_like_a_command_and_is_answered_there(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.card()
        acme.road.plan("ask", lambda *_: acme.asked())
        typed = await acme.dana.types(LINE, channel=DIRECT)
        answer = await acme.dana.sees(DIRECT, "R-1042 Deploy", "its card is in #platform-requests")
        assert "thread_ts" not in answer.message
        [(_, values, _, _, place)] = acme.road.called("ask")
        assert (values, place["channel"]) == (VALUES, typed.channel)
        await acme.dana.types("deploy checkout", channel=DIRECT)
        missing = await acme.dana.sees(DIRECT, "Deploy needs Version and Environment too")
        await missing.click("Open the form")
        await (await acme.dana.modal("Deploy")).close()
        thread = await acme.dana.types("delpoy", channel=DIRECT, thread=answer)
        await acme.dana.sees(DIRECT, "Did you mean deploy?", thread=answer.ts)
        assert thread.message["thread_ts"] == answer.ts


async def test_in_direct_messages_only_what_a_person_says_anew_is_a_line(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("first_page", Answer("What you can do", ("words",)))
        await acme.dana.types("@platform", channel=DIRECT)
        answer = await acme.dana.sees(DIRECT, "What you can do")
        opened = await acme.client.conversations_open(users="U0DANA")
        await acme.client.chat_postMessage(channel=opened["channel"]["id"], text="deploy checkout 1.4.2 production")
        await acme.client.chat_update(channel=answer.channel, ts=answer.ts, text="deploy checkout 1.4.2 staging")
        await acme.dana.types("deploy checkout 1.4.2 staging", channel="general")
        await acme.quiet()
        assert len(await acme.rows("SELECT key FROM inbox WHERE kind = 'line'")) == 1


@pytest.mark.parametrize(
    "event",
    [{"subtype": "message_changed"}, {"subtype": "file_share"}, {"bot_id": "B1"}, {"hidden": True}, {"user": ""},
     {"user": None}, {"channel_type": "channel"}, {"channel_type": "mpim"}],
)  # fmt: skip
def test_what_no_person_typed_in_direct_messages_is_no_line(event: dict[str, Any]) -> None:
    said = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U0DANA", "ts": "1.0", "text": "help"}
    assert payloads.of_direct({"event": said}) is not None
    assert payloads.of_direct({"event": said | event}) is None


async def test_the_shortcut_on_a_message_asks_in_its_thread(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.card(1001)
        card = await acme.dana.sees("platform-requests", "card of R-1001")
        acme.road.plan("answer", Answer("checkout", ("1.4.1 healthy",)))
        await acme.dana.uses_shortcut("ask_platform_here", on=card)
        form = await acme.dana.modal("Ask the platform")
        await form.fill({"What do you need?": "status chekout"})
        assert "Did you mean checkout" in (await form.submit())["What do you need?"]
        await form.fill({"What do you need?": "status checkout"})
        assert await form.submit() == {}
        await acme.dana.sees("platform-requests", "1.4.1 healthy", thread=card.ts)


async def test_the_global_shortcut_leads_to_the_form_for_what_is_missing(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.uses_shortcut("ask_platform")
        form = await acme.dana.modal("Ask the platform")
        await form.fill({"What do you need?": "deploy checkout"})
        await form.submit()
        form = await acme.dana.modal("Deploy")
        acme.road.plan("preview", ("Now: healthy",))
        await form.fill(Environment="staging", Version="1.4.2")
        assert await form.submit() == {}
        await acme.front.background.idle()
        [(_, values, *_)] = acme.road.called("ask")
        assert values == {"service": "checkout", "version": "1.4.2", "environment": "staging"}


async def test_platform_alone_shows_the_first_page_whose_buttons_work(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        buttons = (Button("Deploy", "deploy", form=True), Button("My requests", "requests"))
        acme.road.plan("first_page", Answer("What you can do", ("`/platform deploy`",), buttons=buttons))
        acme.road.plan("answer", Answer("Your requests", ("none",)), Answer("Your requests", ("none",)))
        await acme.dana.types("/platform")
        page = await acme.dana.sees("general", "What you can do")
        await page.click("My requests")
        await acme.dana.sees("general", "Your requests")
        await page.click("Deploy")
        await acme.dana.modal("Deploy")


async def test_a_refusal_is_said_as_it_stands_and_an_accident_with_a_reference(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("ask", Refused("Production is frozen.", rule="frozen", hint="Break the glass."))
        await acme.dana.types(f"/platform {LINE}")
        await acme.dana.sees("general", "Refused", "Production is frozen.", "Break the glass.")
        acme.road.plan("ask", RuntimeError("boom"))
        await acme.dana.types(f"/platform {LINE}")
        seen = await acme.dana.sees("general", "Something went wrong on our side")
        reference = next(word for word in seen.text.split() if word.startswith("E-")).rstrip(".")
        [record] = [one for one in caplog.records if reference in one.getMessage()]
        assert record.exc_info is not None
        assert await acme.rows("SELECT key FROM inbox WHERE done_at IS NULL") == []


async def test_mistakes_that_only_the_road_sees_lead_back_to_the_form(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.dana.types(f"/platform deploy checkout {'9' * 300} production because x")
        seen = await acme.dana.sees("general", "128 characters")
        await seen.click("Open the form")
        acme.road.plan("preview", ("Now: healthy",))
        form = await acme.dana.modal("Deploy")
        assert form.values["Service"] == "checkout"


async def test_gus_of_the_partner_company_is_refused_before_anything_happens(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        for line in (f"/platform {LINE}", "/platform deploy", "/platform", "/platform nonsense"):
            await acme.gus.types(line, channel="platform-requests")
        await acme.quiet()
        await acme.gus.catches_up()
        said = [one for one in acme.gus.messages["C0REQUESTS"].values() if "home workspace" in str(one)]
        assert len(said) == 4
        assert acme.gus.views == []


async def test_a_token_in_a_reason_is_masked_before_it_is_stored_and_its_owner_is_told(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("ask", lambda *_: acme.asked())
        secret = "xoxb-1234567890-abcdefghijkl"
        await acme.dana.types(f"/platform deploy checkout 1.4.2 production because <!channel> {secret} leaked")
        await acme.dana.sees("general", "looked like a password or a token")
        [(_, values, *_)] = acme.road.called("ask")
        assert "[masked] leaked" in values["reason"]
        stored = await acme.rows("SELECT body FROM inbox UNION ALL SELECT content FROM posts")
        assert secret not in str(stored)


async def test_a_request_is_asked_for_with_its_key_until_the_database_says_that_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "FIRST_PAUSE", 0.02)
    async with desk(tmp_path) as acme:
        unsure = DatabaseAway("The connection to the database was lost while it was saving: it is not known …")
        acme.road.plan("ask", DatabaseAway("Nothing was saved: it is away."), unsure, lambda *_: acme.asked())
        await acme.dana.types(f"/platform {LINE}")
        await acme.dana.sees("general", "R-1042 Deploy")
        assert len(acme.road.called("ask")) == 3
        assert len({key for *_, key, _ in acme.road.called("ask")}) == 1
        await acme.dana.never_sees("general", "saved")


async def test_an_answer_is_made_once_and_told_when_the_database_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "TELL_AGAIN", 0.02)
    async with desk(tmp_path) as acme:
        show, lost = Messenger.show, [DatabaseAway("Nothing was saved: it is away.") for _ in range(3)]

        def away(*of: Any) -> None:
            if lost:
                raise lost.pop()
            show(*of)

        monkeypatch.setattr(Messenger, "show", away)
        acme.road.plan("answer", Answer(title="checkout in production"))
        await acme.dana.types("/platform status checkout production")
        await acme.dana.sees("general", "checkout in production")
        await acme.quiet()
        assert len(acme.road.called("answer")) == 1
        assert lost == []


async def test_what_a_line_does_is_tried_again_with_its_key_until_the_database_says_what_came_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "FIRST_PAUSE", 0.02)
    async with desk(tmp_path) as acme:
        unsure = DatabaseAway("It is not known whether it was saved.")
        acme.road.plan("answer", unsure, DatabaseAway("It is away."), TooLate("This was done already."))
        await acme.dana.types("/platform status checkout production")
        await acme.dana.sees("general", "This was done already.")
        assert [again for *_, again in acme.road.called("answer")] == [False, True, True]
        assert len({key for *_, key, _ in acme.road.called("answer")}) == 1
        await acme.dana.never_sees("general", "saved")


@pytest.mark.parametrize("tries", [1, 2])
async def test_who_waits_long_for_the_database_hears_what_is_wrong_with_it_and_whether_to_look_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    monkeypatch.setattr(intake, "FIRST_PAUSE", 0.02)
    async with desk(tmp_path) as acme:

        def slow(*call: Any) -> None:
            if len(acme.road.called("answer")) == tries:
                monkeypatch.setattr(asking, "TRIED_FOR", 0.0)
            raise DatabaseAway("It did not answer within 15 seconds.", hint="Try again once that is cured.")

        acme.road.plan("answer", *[slow] * tries)
        await acme.dana.types("/platform status checkout production")
        hint = "Try again once that is cured." if tries == 1 else "It was tried before, and may have been done then"
        await acme.dana.sees("general", "Not now", "It did not answer within 15 seconds.", hint)
        await acme.quiet()
        assert len(acme.road.called("answer")) == tries


async def test_home_is_shown_to_who_opens_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.dana.home("home of U0DANA")
        assert acme.homes == ["U0DANA"]


async def test_a_trigger_that_expired_is_answered_with_a_button(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.sandbox.fault("error", method="views.open", error="expired_trigger_id", times=1)
        await acme.dana.types("/platform deploy checkout")
        seen = await acme.dana.sees("general", "too little time")
        await seen.click("Open the form")
        form = await acme.dana.modal("Deploy")
        assert form.values["Service"] == "checkout"


async def test_buttons_and_events_that_nobody_knows_are_answered(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.client.chat_postMessage(
            channel="C0REQUESTS", text="old", blocks=[old_button("frobnicate", "x"), old_button("approve", "not ours")]
        )
        seen = await acme.dana.sees("platform-requests", "Frobnicate")
        await seen.click("Frobnicate")
        await acme.dana.sees("platform-requests", "older version of me")
        await seen.click("Approve")
        await acme.dana.sees("platform-requests", "older version of the card")


async def test_typing_finds_services_and_own_ones_come_first(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.dana.types("/platform deploy")
        form = await acme.dana.modal("Deploy")
        assert await form.fields.suggestions("Service", "chekout") == ["checkout"]
        assert await form.fields.suggestions("Service", "zzzz") == []
        assert set(await form.fields.suggestions("Service", "")) == {"checkout", "cart", "payments"}


class Ack:
    """Bolt's ack, remembering."""

    def __init__(self) -> None:
        self.response: object = None
        self.answers: list[dict[str, Any]] = []

    async def __call__(self, **answer: Any) -> None:
        self.response = answer
        self.answers.append(answer)


def old_button(action_id: str, value: str) -> dict[str, Any]:
    text = {"type": "plain_text", "text": action_id.capitalize()}
    return {
        "type": "actions",
        "elements": [{"type": "button", "action_id": action_id, "text": text, "value": value}],
    }


async def test_a_token_is_told_to_its_owner_also_when_what_was_asked_for_is_refused(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("ask", Refused("Only the platform team can ask for that."))
        await acme.dana.types("/platform deploy checkout 1.4.2 production because xoxb-1234567890-abcdefghijkl")
        await acme.dana.sees("general", "Only the platform team")
        await acme.dana.sees("general", "looked like a password or a token")


async def test_a_form_whose_action_went_before_it_was_worked_off_is_told_in_words(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        where = {"user": "U0DANA", "team": "T0ACME", "channel": "C0GENERAL"}
        told = {"action": "cache.create", "values": {"service": "checkout"}, "break_glass": False, "where": where}
        await acme.front.intake.accept("view:V1", "form", {**told, "masked": False})
        await acme.dana.sees("general", "There is no cache.create any more", "/platform")
        await acme.dana.never_sees("general", "Something went wrong")


@pytest.mark.parametrize("answer", [Answer("Noted."), Refused("Noted.")])
async def test_what_was_answered_is_not_done_again_for_a_database_that_goes_away_right_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer | Refused
) -> None:
    monkeypatch.setattr(intake, "FIRST_PAUSE", 0.02)
    async with desk(tmp_path) as acme:
        write, away = acme.database.write, [DatabaseAway("Nothing was saved: it is away.")]

        async def goes_away(fn: Any, /, *args: Any) -> Any:
            if away and await acme.rows("SELECT id FROM posts WHERE kind = 'answer'"):
                raise away.pop()
            return await write(fn, *args)

        monkeypatch.setattr(acme.database, "write", goes_away)
        acme.road.plan("answer", answer, Answer("Noted a second time."))
        await acme.dana.types("/platform status checkout")
        await acme.dana.sees("general", "Noted.")
        await acme.quiet()
        assert len(acme.road.called("answer")) == 1
