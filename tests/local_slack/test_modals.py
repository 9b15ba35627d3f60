"""Modals: triggers, stacks, hashes, what an app may answer to a submission, and response_urls."""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from tests.local_slack.test_web_api import error_of
from tests.support.people import Acme, Modal, SlackSays

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def modal(title: str, **more: Any) -> Json:
    field = {
        "type": "input",
        "block_id": "reason",
        "optional": True,
        "label": plain("Reason"),
        "element": {"type": "plain_text_input", "action_id": "reason"},
    }
    more_button = {"type": "button", "text": plain("More"), "action_id": "more"}
    blocks = [field, {"type": "actions", "block_id": "do", "elements": [more_button]}]
    return {
        "type": "modal",
        "callback_id": "form",
        "title": plain(title),
        "submit": plain("Go"),
        "blocks": blocks,
    } | more


class Desk:
    """An app that opens a modal for /platform and keeps what it was handed."""

    def __init__(self, acme: Acme, app: Any) -> None:
        self.acme = acme
        self.client = app.client
        self.bodies: list[Json] = []
        self.closed: list[Json] = []
        self.answer: Json = {}
        self.view = modal("First")

        @app.command("/platform")
        async def command(ack: Any, body: Json) -> None:
            await ack()
            self.bodies.append(body)

        @app.action("more")
        async def more(ack: Any, body: Json) -> None:
            await ack()
            self.bodies.append(body)

        @app.view("form")
        async def view(ack: Any, body: Json) -> None:
            self.bodies.append(body)
            await ack(**self.answer)

        @app.view_closed("form")
        async def view_closed(ack: Any, body: Json) -> None:
            await ack()
            self.closed.append(body)

    @property
    def trigger(self) -> str:
        return str(self.bodies[-1]["trigger_id"])

    async def open(self, **more: Any) -> Modal:
        await self.acme.dana.types("/platform deploy")
        await self.client.views_open(trigger_id=self.trigger, view=modal("First", **more))
        return await self.acme.dana.modal(title="First")

    async def push(self, below: Modal, title: str, **more: Any) -> Modal:
        await below.click("More")
        await self.client.views_push(trigger_id=self.trigger, view=modal(title, **more))
        return await self.acme.dana.modal(title=title)


@pytest.fixture
async def desk(start: Any) -> Desk:
    return Desk(*(await start()))


async def test_trigger_works_once_and_for_three_seconds(desk: Desk) -> None:
    await desk.open()
    again = desk.client.views_open(trigger_id=desk.trigger, view=desk.view)
    assert await error_of(again) == "exchanged_trigger_id"
    await desk.acme.dana.types("/platform deploy")
    await desk.acme.sandbox.advance(3.1)
    late = desk.client.views_open(trigger_id=desk.trigger, view=desk.view)
    assert await error_of(late) == "expired_trigger_id"


async def test_mistake_in_a_view_leaves_the_trigger_for_the_next_try(desk: Desk) -> None:
    await desk.acme.dana.types("/platform deploy")
    bad = desk.client.views_open(trigger_id=desk.trigger, view=modal("x" * 25))
    with pytest.raises(SlackApiError) as caught:
        await bad
    assert caught.value.response["error"] == "invalid_arguments"
    assert caught.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]
    await desk.client.views_open(trigger_id=desk.trigger, view=desk.view)
    huge = desk.client.views_open(trigger_id=desk.trigger, view=desk.view)
    assert await error_of(huge) == "exchanged_trigger_id"


async def test_too_large_a_view_is_refused(desk: Desk) -> None:
    await desk.acme.dana.types("/platform deploy")
    section = {"type": "section", "text": plain("x" * 2900)}
    view = modal("Large") | {"blocks": [section] * 100}
    assert await error_of(desk.client.views_open(trigger_id=desk.trigger, view=view)) == "view_too_large"


async def test_two_views_can_be_pushed_and_close_one_by_one(desk: Desk) -> None:
    first = await desk.open()
    second = await desk.push(first, "Second")
    third = await desk.push(second, "Third")
    await third.click("More")
    fourth = desk.client.views_push(trigger_id=desk.trigger, view=modal("Fourth"))
    assert await error_of(fourth) == "push_limit_reached"
    assert third.view["root_view_id"] == first.id
    assert third.view["previous_view_id"] == second.id
    await third.close()
    await third.closes()
    assert (await desk.acme.dana.modal()).id == second.id
    assert desk.closed == []


async def test_push_needs_a_trigger_from_the_modal(desk: Desk) -> None:
    await desk.open()
    await desk.acme.dana.types("/platform other")
    push = desk.client.views_push(trigger_id=desk.trigger, view=modal("Second"))
    assert await error_of(push) == "invalid_trigger_id"


async def test_clear_on_close_closes_all_and_tells_each_that_asked(desk: Desk) -> None:
    first = await desk.open(notify_on_close=True)
    second = await desk.push(first, "Second", clear_on_close=True, notify_on_close=True)
    await second.close()
    await first.closes()
    await desk.acme.sandbox.settled()
    assert [(one["view"]["id"], one["is_cleared"]) for one in desk.closed] == [(second.id, True), (first.id, True)]


async def test_update_with_an_old_hash_is_refused(desk: Desk) -> None:
    form = await desk.open()
    old = form.view["hash"]
    await desk.client.views_update(view_id=form.id, hash=old, view=modal("Newer"))
    stale = desk.client.views_update(view_id=form.id, hash=old, view=modal("Older"))
    assert await error_of(stale) == "hash_conflict"
    await form.becomes("Newer")


async def test_update_keeps_what_was_typed_in_fields_that_stay(desk: Desk) -> None:
    form = await desk.open()
    await form.fill(Reason="fixes the cart")
    await form.click("More")
    assert desk.bodies[-1]["view"]["state"]["values"]["reason"]["reason"]["value"] == "fixes the cart"
    updated = await desk.client.views_update(view_id=form.id, view=modal("Newer"))
    assert updated["view"]["state"]["values"]["reason"]["reason"]["value"] == "fixes the cart"


async def test_external_id_names_a_view_and_is_unique(desk: Desk) -> None:
    form = await desk.open(external_id="R-1042")
    await desk.client.views_update(external_id="R-1042", view=modal("By name", external_id="R-1042"))
    await form.becomes("By name")
    await form.click("More")
    twin = desk.client.views_push(trigger_id=desk.trigger, view=modal("Twin", external_id="R-1042"))
    assert await error_of(twin) == "duplicate_external_id"


async def test_closed_view_is_not_found(desk: Desk) -> None:
    form = await desk.open()
    await form.close()
    assert await error_of(desk.client.views_update(view_id=form.id, view=modal("Late"))) == "not_found"
    with pytest.raises(SlackSays, match="no_such_view"):
        await form.submit()


async def test_submission_may_be_answered_with_another_view(desk: Desk) -> None:
    form = await desk.open()
    desk.answer = {"response_action": "update", "view": modal("Updated")}
    assert await form.submit() == {}
    await form.becomes("Updated")
    desk.answer = {"response_action": "push", "view": modal("Pushed")}
    await form.submit()
    pushed = await desk.acme.dana.modal(title="Pushed")
    desk.answer = {}
    await pushed.submit()
    await pushed.closes()
    assert form.is_open
    await desk.push(form, "On top")
    desk.answer = {"response_action": "clear"}
    await (await desk.acme.dana.modal(title="On top")).submit()
    await form.closes()
    assert desk.acme.dana.views == []


WRONG: list[tuple[Json, str]] = [
    ({"response_action": "errors", "errors": {"nowhere": "x"}}, "errors name no input block: nowhere"),
    ({"response_action": "errors", "errors": {"do": "x"}}, "errors name no input block: do"),
    ({"response_action": "errors", "errors": {"reason": ""}}, "an error without text"),
    ({"response_action": "update", "view": modal("x" * 25)}, "must be less than 25 characters"),
]


@pytest.mark.parametrize(("answer", "complaint"), WRONG)
async def test_wrong_answer_to_a_submission_keeps_the_form_open(desk: Desk, answer: Json, complaint: str) -> None:
    form = await desk.open()
    desk.answer = answer
    with pytest.raises(SlackSays, match=complaint):
        await form.submit()
    assert form.is_open


async def test_unacknowledged_submission_keeps_the_form_open(start: Any) -> None:
    acme, app = await start()
    desk = Desk(acme, app)
    form = await desk.open(callback_id="nobody listens")
    acme.slack.settings.ack_timeout = 0.05
    with pytest.raises(SlackSays, match="operation_timeout"):
        await form.submit()
    assert form.is_open


async def test_new_modal_opened_while_a_submission_is_handled_stays(start: Any) -> None:
    acme, app = await start()
    desk = Desk(acme, app)

    @app.view("slow")
    async def slow(ack: Any, body: Json, client: Any) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=modal("Another"))
        await ack()

    form = await desk.open(callback_id="slow")
    await form.submit()
    await form.closes()
    assert (await acme.dana.modal()).view["title"]["text"] == "Another"


# ---- response_urls


async def test_response_url_works_five_times_and_returns_no_ts(desk: Desk) -> None:
    await desk.acme.dana.types("/platform help", "deploys")
    url = AsyncWebhookClient(desk.bodies[-1]["response_url"])
    for number in range(5):
        answer = await url.send(text=f"answer {number}", response_type="in_channel" if number == 4 else "ephemeral")
        assert (answer.status_code, answer.body) == (200, "ok")
    spent = await url.send(text="one too many")
    assert (spent.status_code, "used_url" in spent.body) == (404, True)
    await desk.acme.dana.sees("deploys", "answer 0")
    await desk.acme.lee.sees("deploys", "answer 4")
    await desk.acme.lee.never_sees("deploys", "answer 3")


async def test_response_url_expires_after_half_an_hour(desk: Desk) -> None:
    await desk.acme.dana.types("/platform help")
    url = AsyncWebhookClient(desk.bodies[-1]["response_url"])
    await desk.acme.sandbox.advance(30 * 60 + 1)
    late = await url.send(text="late")
    assert (late.status_code, "expired_url" in late.body) == (404, True)


async def test_response_url_refuses_wrong_blocks(desk: Desk) -> None:
    await desk.acme.dana.types("/platform help")
    url = AsyncWebhookClient(desk.bodies[-1]["response_url"])
    wrong = await url.send(text="x", blocks=[{"type": "section"}])
    assert (wrong.status_code, "invalid_blocks" in wrong.body) == (400, True)


async def test_ephemeral_message_is_replaced_and_deleted_through_its_response_url(desk: Desk) -> None:
    button = {"type": "actions", "elements": [{"type": "button", "text": plain("More"), "action_id": "more"}]}
    await desk.client.chat_postEphemeral(channel="C0DEPLOYS", user="U0DANA", text="x", blocks=[button])
    seen = await desk.acme.dana.sees("deploys", "[More]")
    await seen.click("More")
    body = desk.bodies[-1]
    assert body["container"]["is_ephemeral"] is True
    assert "message" not in body
    url = AsyncWebhookClient(body["response_url"])
    await url.send(text="less", replace_original=True)
    await seen.becomes("less")
    await url.send(delete_original=True)
    await desk.acme.dana.wait(lambda: True if seen.gone else None, 5, lambda: "the message to go")
    await desk.acme.lee.never_sees("deploys", "less")


async def test_wrong_answer_in_the_ack_of_a_command_is_shown_as_such(start: Any) -> None:
    acme, app = await start()

    @app.command("/platform")
    async def command(ack: Any) -> None:
        await ack(text="x", blocks=[{"type": "header", "text": plain("x" * 151)}])

    with pytest.raises(SlackSays, match="must be less than 151 characters"):
        await acme.dana.types("/platform help")
    await acme.dana.sees("general", "cannot show", "invalid_blocks")


async def test_double_click_reaches_the_app_twice(desk: Desk) -> None:
    button = {"type": "actions", "elements": [{"type": "button", "text": plain("More"), "action_id": "more"}]}
    await desk.client.chat_postMessage(channel="C0DEPLOYS", text="x", blocks=[button])
    seen = await desk.acme.dana.sees("deploys", "[More]")
    await asyncio.gather(seen.click("More"), seen.click("More"))
    first, second = desk.bodies
    assert first["trigger_id"] != second["trigger_id"]
    assert first["actions"][0]["action_ts"] != second["actions"][0]["action_ts"]
