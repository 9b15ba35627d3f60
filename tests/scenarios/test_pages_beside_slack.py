"""Pages by e-mail and webhook: beside the direct message, at once when Slack is away, and once each."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chatops.adapters.mail import Mail
from chatops.incidents.couriers import GIVEN_UP_AFTER
from chatops.kernel.alert import Alert, Delivery
from tests.scenarios.test_preferences import EVENING
from tests.scenarios.test_weekly import on
from tests.support.house import House, acme_house
from tests.support.mailserver import PASSWORD, MailServer, mail_server
from tests.support.ringer import Ringer

INCIDENTS, SECRET = "incidents", "page-hook-canary-1234"


@pytest.fixture
async def mails() -> AsyncIterator[MailServer]:
    async with mail_server() as found:
        yield found


@asynccontextmanager
async def with_mail(mails: MailServer, **changes: Any) -> AsyncIterator[House]:
    async with acme_house(**changes) as house:
        await house.stop()
        house.settings = replace(house.settings, mail=replace(Mail.from_url(mails.url), timeout=1.0))
        await house.start()
        yield house


async def alarm(house: House, name: str = "ErrorRate") -> None:
    labels = {"environment": "production", "service": "checkout"}
    summary = "5xx\r\nBcc: gus@partner.test <!channel>"
    alert = Alert(
        "alertmanager", name, "firing", name, severity="critical", summary=summary, numbers="12.4 %", labels=labels,
        runbook="https://runbooks.acme.test/checkout",
    )  # fmt: skip
    await house.assistant.alerts.take(Delivery("alertmanager", (alert,)))


async def timeline(house: House) -> str:
    await house.quiet()
    rows = await house.rows("SELECT what, data FROM audit WHERE chain = 'INC-101' ORDER BY seq")
    return "\n".join(f"{row['what']} {row['data']}" for row in rows)


async def due(house: House, seconds: float) -> None:
    house.clock.advance(seconds)
    await house.assistant.couriers.look()


async def test_a_page_goes_by_mail_as_well_and_the_timeline_says_so(mails: MailServer) -> None:
    async with with_mail(mails) as house:
        await alarm(house)
        mail = await mails.arrived()
        assert mail["To"] == "olu@acme.test"
        assert mail["Subject"] == "INC-101 SEV1 checkout in production: 5xx Bcc: gus@partner.test <!channel> 12.4 %"
        assert mail["Bcc"] is None
        text = mail.get_content()
        assert "You are paged." in text
        assert "runbook: https://runbooks.acme.test/checkout" in text
        await house.olu.sees("@platform", "You are paged.")
        await house.until(lambda: not house.assistant.couriers.tasks)
        assert 'page_sent {"path":"e-mail","people":"Olu"}' in await timeline(house)
        await house.olu.types("/platform incident timeline INC-101")
        await house.olu.sees("general", "Olu was paged by e-mail as well")
        await due(house, 120)
        assert len(mails.mails) == 1
        assert PASSWORD not in str(await house.rows("SELECT * FROM page_calls"))
        counted = house.assistant.metrics.registry.get_sample_value
        assert counted("chatops_pages_total", {"path": "mail", "outcome": "sent"}) == 1


async def test_while_slack_cannot_be_reached_the_mail_comes_all_the_same(mails: MailServer) -> None:
    async with with_mail(mails) as house:
        house.slack.faults.add({"kind": "away"})
        house.clock.advance(2 * 3600)  # what Slack said of people counts no more
        await alarm(house)
        mail = await mails.arrived()
        assert mail["To"] == "olu@acme.test"
        house.slack.faults.clear()
        card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", within=20)
        await (await house.olu.sees(INCIDENTS, "NOBODY HAS IT")).click("Acknowledge")
        await card.becomes("OLU HAS IT")


async def test_whom_slack_does_not_know_costs_no_time_and_gets_no_mail(mails: MailServer) -> None:
    def gone(platform: dict[str, Any]) -> None:
        platform["rotas"]["shop-rota"]["people"] = ["sam.who.left@acme.test"]

    async with with_mail(mails, platform=gone) as house:
        await house.assistant.directory.members("user:sam.who.left@acme.test")  # Slack has been asked
        await alarm(house)
        mail = await mails.arrived()
        assert mail["To"] == "lee@acme.test", "the next step is taken at once"
        await house.lee.sees("@platform", "You are paged.")
        await house.until(lambda: not house.assistant.couriers.tasks)
        assert len(mails.mails) == 1


@pytest.mark.parametrize(("mood", "why"), [("busy", "answered 451"), ("cut", "could not be reached")])
async def test_a_mail_server_in_trouble_is_asked_again_and_the_timeline_says_why(
    mails: MailServer, mood: str, why: str
) -> None:
    async with with_mail(mails) as house:
        mails.mood = mood
        await alarm(house)
        await house.olu.sees("@platform", "You are paged.")
        await house.until(lambda: mails.tried > 0 and not house.assistant.couriers.tasks)
        assert why in await timeline(house)
        mails.mood = "take"
        await due(house, 6)
        await mails.arrived()
        assert len(mails.mails) == 1
        assert "page_sent" in await timeline(house)


async def test_one_that_hangs_keeps_nobody_waiting_and_is_given_up_in_the_end(mails: MailServer) -> None:
    async with with_mail(mails) as house:
        mails.mood = "hang"
        await alarm(house)
        await house.olu.sees("@platform", "You are paged.")
        await house.until(lambda: mails.tried == 1 and not house.assistant.couriers.tasks)
        await due(house, GIVEN_UP_AFTER)
        assert "it is not tried again" in await timeline(house)
        await due(house, 600)
        assert mails.tried == 2


async def test_what_somebody_has_meanwhile_is_not_sent_late(mails: MailServer) -> None:
    async with with_mail(mails) as house:
        mails.mood = "busy"
        await alarm(house)
        await (await house.olu.sees("@platform", "You are paged.")).click("Acknowledge")
        await house.olu.sees(INCIDENTS, "OLU HAS IT")
        await house.until(lambda: mails.tried == 1 and not house.assistant.couriers.tasks)
        mails.mood = "take"
        await due(house, 30)
        assert mails.mails == []
        ended = await house.rows("SELECT ended FROM page_calls")
        assert [row["ended"] for row in ended] == ["not needed"]


async def test_after_a_restart_it_is_sent_with_the_id_of_before(mails: MailServer) -> None:
    async with with_mail(mails) as house:
        mails.mood = "hang"
        await alarm(house)
        await house.until(lambda: mails.tried == 1)
        [row] = await house.rows("SELECT page_id, ended FROM page_calls")
        assert row["ended"] == ""
        await house.stop()
        mails.mood = "take"
        await house.start()
        await due(house, 10)
        mail = await mails.arrived()
        assert mail["Message-ID"] == f"<{row['page_id'].replace('/', '.')}@acme.test>"


async def test_a_mail_that_is_refused_is_said_and_not_tried_again(mails: MailServer) -> None:
    async with with_mail(mails) as house:
        mails.mood = "refuse"
        await alarm(house)
        await house.until(lambda: mails.tried > 0 and not house.assistant.couriers.tasks)
        said = await timeline(house)
        assert "the mail server does not take mail for olu@acme.test (550); it is not tried again" in said
        await due(house, 600)
        assert mails.tried == 1


async def test_oncall_test_goes_every_way_and_tells_what_became_of_it(mails: MailServer) -> None:
    async with with_mail(mails) as house:
        await house.dana.types("/platform oncall test")
        await house.dana.sees("general", "a direct message of mine, and by e-mail")
        mail = await mails.arrived()
        assert (mail["To"], mail["Subject"]) == ("dana@acme.test", "Test: you are paged")
        await house.dana.sees("@platform", "You are paged.", "nothing is broken")
        await house.dana.sees("@platform", "Your test page by e-mail is on its way")


async def test_what_became_of_a_test_page_is_told_in_quiet_hours_too(mails: MailServer) -> None:
    async with with_mail(mails, clock=on(EVENING)) as house:
        await house.dana.types("/platform preferences quiet=22:00-07:00")
        await house.dana.sees("general", "quiet from 22:00 to 07:00")
        await house.dana.types("/platform oncall test")
        await house.dana.sees("@platform", "Your test page by e-mail is on its way")


@pytest.mark.parametrize(("status", "outcome"), [(200, "sent"), (503, ""), (404, "refused")])
async def test_a_webhook_is_signed_and_told_once(status: int, outcome: str) -> None:
    ringer, app = Ringer(status), web.Application()
    app.router.add_post("/ring", ringer.answer)
    async with TestServer(app) as server, acme_house() as house:
        await house.stop()
        url = str(server.make_url("/ring"))
        house.settings = replace(house.settings, page_hook_url=url, page_hook_secret=SECRET)
        await house.start()
        await alarm(house)
        await house.olu.sees("@platform", "You are paged.")
        await house.until(lambda: bool(ringer.calls) and not house.assistant.couriers.tasks)
        headers, body = ringer.calls[0]
        signed = hmac.new(SECRET.encode(), f"{headers['X-Chatops-Timestamp']}.".encode() + body, hashlib.sha256)
        assert headers["X-Chatops-Signature"] == f"v1={signed.hexdigest()}"
        told = json.loads(body)
        assert (told["id"], told["email"], told["incidents"]) == (
            headers["Idempotency-Key"], "olu@acme.test", ["INC-101"],
        )  # fmt: skip
        [row] = await house.rows("SELECT ended FROM page_calls")
        assert row["ended"] == outcome
        await due(house, 6)
        again = [one for one, _ in ringer.calls]
        assert {one["Idempotency-Key"] for one in again} == {told["id"]}
        assert len(again) == (2 if outcome == "" else 1)
        assert SECRET not in str(await house.rows("SELECT * FROM page_calls"))
