"""What somebody sees and does on the page, in a real browser."""

from __future__ import annotations

import asyncio
import io
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from slack_sdk.web.async_client import AsyncWebClient

from tests.page.conftest import Open
from tests.page.standin import DEPLOYS, REQUESTS, Standin, card
from tests.support.chromium import expect

if TYPE_CHECKING:
    from playwright.async_api import APIResponse, Page, Route, WebSocket, WebSocketRoute

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.group("browser"),
]


async def type_line(page: Page, line: str, channel: str = "platform-requests") -> None:
    box = page.get_by_label(f"Message #{channel}")
    await box.fill(line)
    await box.press("Enter")


async def test_a_slash_suggests_the_actions_and_tab_takes_one(open_page: Open) -> None:
    page = await open_page("dana", "platform-requests")
    box = page.get_by_label("Message #platform-requests")
    await box.press_sequentially("/pl")
    await expect(page.get_by_role("option", name="/platform")).to_be_visible()
    await box.press("Tab")
    await expect(page.get_by_role("option")).to_have_count(4)
    await box.press_sequentially("de")
    await expect(page.get_by_role("option", name="Deploy a version")).to_contain_text("because REASON")
    await box.press("Enter")
    await expect(box).to_have_value("/platform deploy ")


async def test_an_action_of_two_words_is_suggested_and_its_own_usage_stays_while_its_inputs_are_typed(
    open_page: Open,
) -> None:
    page = await open_page("dana", "platform-requests")
    box = page.get_by_label("Message #platform-requests")
    await box.press_sequentially("/platform incident a")
    await expect(page.get_by_role("option")).to_have_count(1)
    await expect(page.get_by_role("option")).to_have_text(re.compile("^incident ackSay that you have it ?INCIDENT$"))
    await box.press("Enter")
    await box.press_sequentially(" 7")
    await expect(page.get_by_text("incident ack INCIDENT · Say that you have it")).to_be_visible()


async def test_a_command_alone_is_sent_by_one_enter_and_answered_privately(open_page: Open) -> None:
    page = await open_page("dana", "platform-requests")
    lee = await open_page("lee", "platform-requests")
    await type_line(page, "/platform")
    answer = page.get_by_role("article").filter(has_text="You can deploy")
    await expect(answer).to_contain_text("Only visible to you")
    await expect(lee.get_by_text("You can deploy")).to_have_count(0)


async def test_the_form_keeps_what_was_typed_and_shows_errors_at_their_fields(
    open_page: Open, platform: Standin
) -> None:
    page = await open_page("dana", "platform-requests")
    await type_line(page, "/platform deploy")
    dialog = page.get_by_role("dialog", name="Deploy")
    await dialog.get_by_label("Version").fill("1.4.2 rc")
    await dialog.get_by_label("Reason").fill("fixes the cart")
    await dialog.get_by_label("Service").fill("che")
    await page.get_by_role("option", name="checkout").click()
    await dialog.get_by_label("Environment").click()
    await page.get_by_role("option", name="production").click()
    await expect(dialog).to_contain_text("checkout in production: 1.4.1 healthy")
    await expect(dialog.get_by_label("Version")).to_have_value("1.4.2 rc")
    await dialog.get_by_role("button", name="Plan it").click()
    await expect(dialog.get_by_role("alert").filter(has_text="A version has no spaces.")).to_be_visible()
    await expect(dialog.get_by_label("Version")).to_be_focused()
    await expect(dialog.get_by_label("Reason")).to_have_value("fixes the cart")
    await dialog.get_by_label("Version").fill("1.4.2")
    await dialog.get_by_label("Version").press("Enter")
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name="Approve")).to_be_visible()
    values = [body for body in platform.heard if body.get("type") == "view_submission"][-1]["view"]["state"]["values"]
    assert values["service"]["service"]["selected_option"]["value"] == "checkout"
    assert values["reason"]["reason"]["value"] == "fixes the cart"


async def test_a_required_field_left_empty_is_refused_before_the_app_is_asked(
    open_page: Open, platform: Standin
) -> None:
    page = await open_page("dana", "platform-requests")
    await type_line(page, "/platform deploy")
    dialog = page.get_by_role("dialog", name="Deploy")
    await dialog.get_by_role("button", name="Plan it").click()
    await expect(dialog.get_by_text("Please complete this required field.")).to_have_count(3)
    assert not [body for body in platform.heard if body.get("type") == "view_submission"]
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_label("Message #platform-requests")).to_be_focused()


async def test_tab_stays_inside_an_open_form(open_page: Open) -> None:
    page = await open_page("dana", "platform-requests")
    await type_line(page, "/platform deploy")
    await page.get_by_role("dialog", name="Deploy").get_by_label("Service").wait_for()
    for _ in range(9):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('[role=dialog]') !== null")


async def test_an_app_that_does_not_answer_is_told_in_slacks_words(open_page: Open, platform: Standin) -> None:
    page = await open_page("dana", "platform-requests")
    await platform.post_card()
    platform.slack.settings.ack_timeout = 0.2
    platform.silent = True
    await page.get_by_role("button", name="Full diff").click()
    await expect(page.get_by_text("We had some trouble connecting. Try again?")).to_be_visible()
    await type_line(page, "/platform status")
    await expect(page.get_by_text('failed with the error "operation_timeout"')).to_be_visible()


async def test_a_card_changes_in_place_while_somebody_reads_further_up(
    open_page: Open, platform: Standin, client: AsyncWebClient
) -> None:
    for number in range(30):
        await client.chat_postMessage(channel=REQUESTS, text=f"line {number}\nand another")
    ts = await platform.post_card()
    page = await open_page("lee", "platform-requests")
    await page.get_by_role("button", name="Approve").focus()
    message = page.locator(f"[data-ts='{ts}']")
    node = await message.element_handle()
    assert node is not None
    scroller = page.get_by_role("region", name="Messages")
    await scroller.evaluate("node => node.scrollTo(0, 200)")
    await expect(page.get_by_role("button", name="Newest")).to_be_visible()
    await client.chat_update(channel=REQUESTS, ts=ts, text="x", blocks=card("RUNNING: 1 of 3 pods ready"))
    await expect(message).to_contain_text("1 of 3 pods ready")
    assert await node.evaluate("node => node.isConnected"), "the card was made anew instead of changed"
    assert await scroller.evaluate("node => node.scrollTop") == 200
    await expect(message.get_by_role("button", name="Approve")).to_be_focused()
    await expect(message).to_contain_text("(edited)")
    await client.chat_postMessage(channel=REQUESTS, text="something new")
    await page.get_by_role("button", name="1 new").click()
    await expect(page.get_by_text("something new")).to_be_in_viewport()


async def test_one_click_makes_one_somebody_else_in_the_same_channel(open_page: Open, platform: Standin) -> None:
    await platform.post_card()
    page = await open_page("dana", "platform-requests")
    lee = page.get_by_role("button", name="Act as Lee")
    await lee.click()
    await expect(lee).to_have_attribute("aria-pressed", "true")
    await expect(page).to_have_url(re.compile(rf"as=U0LEE&channel={REQUESTS}"))
    await page.get_by_role("button", name="Approve").click()
    await expect(page.get_by_text("APPROVED by @Lee")).to_be_visible()
    assert [body for body in platform.heard if body.get("type") == "block_actions"][-1]["user"]["id"] == "U0LEE"


async def test_a_guest_is_marked_and_lands_where_they_may_be(open_page: Open) -> None:
    page = await open_page("dana", "deploys")
    guest = page.get_by_role("button", name="Act as Gus")
    await expect(guest).to_contain_text("guest")
    await guest.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("platform-requests")
    await expect(page.get_by_role("link", name="deploys")).to_have_count(0)


async def test_unread_channels_are_marked_and_reading_takes_the_mark_away(
    open_page: Open, client: AsyncWebClient
) -> None:
    page = await open_page("dana", "platform-requests")
    await client.chat_postMessage(channel=DEPLOYS, text="for <@U0DANA>")
    link = page.get_by_role("link", name="deploys")
    await expect(link.get_by_label("1 mention")).to_be_visible()
    await link.click()
    await expect(page.get_by_text("for @Dana")).to_be_visible()
    await expect(link.get_by_label("1 mention")).to_have_count(0)


async def test_a_channel_that_comes_to_be_known_is_called_by_its_name_where_it_was_mentioned(
    open_page: Open, client: AsyncWebClient
) -> None:
    page = await open_page("dana", "platform-requests")
    room = (await client.conversations_create(name="inc-101"))["channel"]["id"]
    await client.chat_postMessage(channel="C0REQUESTS", text=f"Room: <#{room}>")
    await expect(page.get_by_text(f"#{room}")).to_be_visible()
    await client.conversations_invite(channel=room, users="U0DANA")
    await expect(page.get_by_role("article").get_by_text("#inc-101")).to_be_visible()


async def test_a_thread_opens_beside_the_channel_and_replies_go_there(open_page: Open, platform: Standin) -> None:
    ts = await platform.post_card()
    await platform.client.chat_postMessage(channel=REQUESTS, thread_ts=ts, text="Lee, please look")
    page = await open_page("lee", "platform-requests")
    await page.get_by_role("button", name="1 reply").click()
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_text("Lee, please look")).to_be_visible()
    await thread.get_by_label("Reply in the thread").fill("looks *good* to me")
    await thread.get_by_label("Reply in the thread").press("Enter")
    await expect(thread.get_by_text("good", exact=False).last).to_be_visible()
    await expect(page.get_by_role("button", name="2 replies")).to_be_visible()
    await page.reload()
    await expect(thread.get_by_text("Lee, please look")).to_be_visible()


async def test_what_people_write_never_becomes_markup(open_page: Open, client: AsyncWebClient) -> None:
    page = await open_page("dana", "platform-requests")
    attack = '<img src=x onerror="document.title=1"> <b>bold</b> javascript:alert(1)'
    await type_line(page, attack)
    await client.chat_postMessage(channel=REQUESTS, text="<javascript:alert(1)|click me> *bold* _it_ `code`")
    mine = page.get_by_role("article").filter(has_text="onerror")
    await expect(mine).to_contain_text(attack)
    theirs = page.get_by_role("article").filter(has_text="click me")
    await expect(theirs.locator("strong")).to_have_text("bold")
    await expect(theirs.get_by_role("link")).to_have_count(0)
    assert await page.locator("article img").count() == 0


async def test_an_address_that_stands_by_itself_can_be_followed(open_page: Open, client: AsyncWebClient) -> None:
    page = await open_page("dana", "general")
    said = "Give it on http://127.0.0.1:8080/page/a_b?x=1&amp;y=2. Not on xhttp://other.test, nor `http://code.test`"
    await client.chat_postMessage(channel="general", text=said, unfurl_links=False)
    theirs = page.get_by_role("article").filter(has_text="Give it on")
    await expect(theirs.get_by_role("link")).to_have_count(1)
    await expect(theirs.get_by_role("link")).to_have_attribute("href", "http://127.0.0.1:8080/page/a_b?x=1&y=2")
    await expect(theirs.get_by_role("link")).to_have_attribute("rel", "noopener noreferrer")


async def test_a_block_the_page_does_not_know_is_shown_as_such(open_page: Open, platform: Standin) -> None:
    ts = await platform.post_card()
    platform.slack.state.conversations[REQUESTS].messages[ts]["blocks"].append({"type": "hologram", "depth": 3})
    page = await open_page("dana", "platform-requests")
    await expect(page.get_by_text("A block of type “hologram”")).to_be_visible()
    await expect(page.get_by_role("button", name="Approve")).to_be_visible()


async def test_a_question_is_asked_before_a_dangerous_button_acts(open_page: Open, platform: Standin) -> None:
    await platform.post_card()
    page = await open_page("lee", "platform-requests")
    await page.get_by_role("button", name="Reject").click()
    question = page.get_by_role("alertdialog", name="Sure?")
    await question.get_by_role("button", name="No").click()
    assert not [body for body in platform.heard if body.get("type") == "block_actions"]
    await page.get_by_role("button", name="Reject").click()
    await question.get_by_role("button", name="Do it").click()
    await expect(question).to_have_count(0)
    await expect(page.get_by_role("button", name="Reject")).not_to_have_attribute("aria-busy", "true")
    assert [body["actions"][0]["action_id"] for body in platform.heard if body.get("type") == "block_actions"] == [
        "reject"
    ]


async def test_shortcuts_are_in_the_menus_of_the_message_and_the_composer(open_page: Open, platform: Standin) -> None:
    ts = await platform.post_card()
    page = await open_page("dana", "platform-requests")
    message = page.locator(f"[data-ts='{ts}']")
    await message.hover()
    await message.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Make it a request").click()
    await page.get_by_role("button", name="Shortcuts").first.click()
    await page.get_by_role("menuitem", name="Deploy a service").click()
    await expect(page.get_by_role("dialog", name="Deploy")).to_be_visible()
    assert [body["callback_id"] for body in platform.heard if body.get("type") == "message_action"] == ["request"]


async def test_a_lost_connection_comes_back_with_what_was_missed(open_page: Open, platform: Standin) -> None:
    page = await open_page("dana", "platform-requests", fresh=True)
    routes: list[WebSocketRoute] = []

    def through(route: WebSocketRoute) -> None:
        routes.append(route)
        route.connect_to_server()

    await page.route_web_socket(re.compile("/sandbox/api/live"), through)
    await page.reload()
    await page.locator("body[data-ready]").wait_for()
    await routes[-1].close()
    await platform.post_card()
    await expect(page.get_by_role("button", name="Approve")).to_be_visible()
    await expect(page.locator("body[data-connection=open]")).to_have_count(1)
    await platform.client.chat_postMessage(channel=REQUESTS, text="after the gap")
    await expect(page.get_by_text("after the gap")).to_be_visible()


async def test_what_happens_while_a_channel_is_being_loaded_is_shown(open_page: Open, client: AsyncWebClient) -> None:
    page = await open_page("dana", "platform-requests", fresh=True)
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    answers: list[APIResponse] = []
    one_at_a_time = asyncio.Lock()

    async def too_early(route: Route) -> None:
        async with one_at_a_time:
            if not answers:
                answers.append(await route.fetch())
                async with sockets[-1].expect_event("framereceived", lambda frame: "said in between" in frame):
                    await client.chat_postMessage(channel=REQUESTS, text="said in between")
        await route.fulfill(response=answers[0])

    await page.route(re.compile("/sandbox/api/messages"), too_early)
    await page.reload()
    await expect(page.get_by_text("said in between")).to_be_visible()


async def test_the_tour_does_its_steps_and_ticks_them_off(open_page: Open) -> None:
    page = await open_page("dana", "deploys")
    tour = page.get_by_role("complementary", name="Tour")
    await expect(tour.get_by_role("heading")).to_have_text("Ask for a deploy")
    await tour.get_by_role("button", name="Do it for me").click()
    await expect(tour.get_by_role("heading")).to_have_text("Approve it")
    await expect(tour.get_by_label("Step 1, done")).to_be_visible()
    await page.reload()
    await tour.get_by_role("button", name="Switch to Lee").click()
    await page.get_by_role("button", name="Approve").click()
    await expect(tour.get_by_label("Step 2, done")).to_be_visible()
    await expect(tour.get_by_role("heading")).to_have_text("Approve it")
    await page.get_by_role("link", name="deploys").click()
    await expect(tour.get_by_role("heading")).to_have_text("That is the tour")
    await tour.get_by_role("button", name="Start again").click()
    await expect(tour.get_by_role("heading")).to_have_text("Ask for a deploy")


async def test_the_inspector_shows_the_traffic_and_makes_trouble(open_page: Open, platform: Standin) -> None:
    page = await open_page("dana", "platform-requests")
    await page.get_by_role("button", name="Inspector", exact=True).click()
    await type_line(page, "/platform deploy checkout 1.4.2 production")
    rows = page.get_by_role("listbox", name="Traffic").get_by_role("option")
    await expect(rows.filter(has_text="/platform")).to_have_count(1)
    await page.get_by_label("Filter the traffic").fill("chat.postMessage")
    await expect(rows).to_have_count(1)
    await rows.first.click()
    await expect(page.get_by_role("region", name="Exchange")).to_contain_text("WAITING")
    await page.get_by_role("button", name="Faults").click()
    await page.get_by_role("menuitem", name="Answer the next call with 500").click()
    await expect(page.get_by_text("Armed: answer the next call with 500")).to_be_visible()
    assert [fault.kind for fault in platform.slack.faults] == ["error"]


async def test_app_home_is_shown_and_follows_the_person(open_page: Open) -> None:
    page = await open_page("dana", "platform-requests")
    await page.get_by_role("link", name="Platform", exact=True).click()
    await expect(page.get_by_text("Waiting for you")).to_be_visible()
    await page.get_by_role("tab", name="Messages").click()
    await expect(page.get_by_label("Message Platform")).to_be_visible()


async def test_a_permalink_leads_to_its_message(open_page: Open, platform: Standin, client: AsyncWebClient) -> None:
    ts = await platform.post_card()
    for number in range(40):
        await client.chat_postMessage(channel=REQUESTS, text=f"line {number}")
    page = await open_page("dana", "", path=f"/archives/{REQUESTS}/p{ts.replace('.', '')}")
    await expect(page.locator(f"[data-ts='{ts}']")).to_be_in_viewport()


async def test_a_phone_shows_everything_without_scrolling_sideways(open_page: Open, platform: Standin) -> None:
    ts = await platform.post_card()
    diff = "-" + "image: registry.acme.test/shop/checkout:1.4.1 " * 9
    await platform.client.chat_postMessage(channel=REQUESTS, thread_ts=ts, text=f"```{diff}```")
    page = await open_page("dana", "platform-requests", width=390, height=844)
    sideways = "Math.max(...[...document.querySelectorAll('body *')].map(one => one.getBoundingClientRect().right))"
    await expect(page.get_by_role("button", name="Approve")).to_be_in_viewport()
    assert await page.evaluate(sideways) <= 390
    await page.get_by_role("button", name="1 reply").click()
    await expect(page.get_by_label("Reply in the thread")).to_be_in_viewport()
    assert await page.evaluate(sideways) <= 390
    await page.get_by_role("button", name="Back to the channel").click()
    await page.get_by_role("button", name="Back to the list").click()
    await page.get_by_role("link", name="deploys").click()
    await expect(page.get_by_label("Message #deploys")).to_be_in_viewport()


async def test_a_picture_that_was_given_to_slack_is_shown_with_its_words(
    open_page: Open, client: AsyncWebClient
) -> None:
    written = io.BytesIO()
    Image.new("RGB", (1200, 675), "white").save(written, format="png")
    file = (await client.files_upload_v2(filename="INC-101.png", content=written.getvalue()))["files"][0]["id"]
    blocks = [{"type": "image", "slack_file": {"id": file}, "alt_text": "ErrorRate: 12.4, alerts above 1"}]
    await client.chat_postMessage(channel=REQUESTS, text="a chart", blocks=blocks)
    page = await open_page("dana", "platform-requests", width=390, height=844)
    picture = page.get_by_role("img", name="ErrorRate: 12.4, alerts above 1")
    await expect(picture).to_be_visible()
    await expect(picture).to_have_js_property("naturalWidth", 1200)
    assert (await picture.bounding_box() or {"width": 0})["width"] > 250


async def test_every_control_has_a_name(open_page: Open, platform: Standin) -> None:
    await platform.post_card()
    page = await open_page("dana", "platform-requests")
    await page.get_by_role("button", name="Inspector", exact=True).click()
    await type_line(page, "/platform deploy")
    await page.get_by_role("dialog", name="Deploy").wait_for()
    nameless = await page.evaluate(
        """() => [...document.querySelectorAll("button, a[href], input, textarea")]
             .filter(one => one.offsetParent && !(one.labels || []).length)
             .filter(one => !one.getAttribute("aria-label") && !one.textContent.trim())
           .map(one => one.outerHTML)"""
    )
    assert nameless == []
