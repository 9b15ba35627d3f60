"""What is silenced: what the alerts of an incident have in common; and what is said when it can't be."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from chatops.adapters.alertmanager import Alertmanager
from chatops.incidents.silences import matchers_of
from chatops.kernel.alert import Alert
from chatops.kernel.catalog import Endpoint
from chatops.kernel.errors import Refused


def at(url: str) -> Endpoint:
    """One that asks for no login."""
    return Endpoint(name="alertmanager", url=url)


def alert(name: str, **labels: str) -> Alert:
    given = {"alertname": name, "service": "checkout", "namespace": "shop", **labels}
    return Alert(source="alertmanager", fingerprint=f"{name}{labels}", status="firing", name=name, labels=given)


def words(*alerts: Alert) -> list[str]:
    return [f"{one['name']}{'=~' if one['isRegex'] else '='}{one['value']}" for one in matchers_of(alerts)]


def test_one_alert_is_silenced_by_its_labels_except_those_that_pass() -> None:
    assert words(alert("ErrorRate", pod="checkout-1", code="500")) == [
        "alertname=ErrorRate", "code=500", "namespace=shop", "service=checkout",
    ]  # fmt: skip


def test_several_are_silenced_by_their_names_and_what_they_share() -> None:
    assert words(alert("Latency", code="500"), alert("Error.Rate", code="502"), alert("Latency", code="503")) == [
        "alertname=~Error\\.Rate|Latency", "namespace=shop", "service=checkout",
    ]  # fmt: skip


async def said(status: int, body: Any) -> tuple[str, int]:
    """What is said, and how often Alertmanager was asked."""
    asked = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        await request.json()
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_post("/api/v2/silences", answer)
    async with TestServer(app) as server, ClientSession() as session:
        silencer = Alertmanager(lambda: at(str(server.make_url("/"))), lambda: session, timeout=2)
        with pytest.raises(Refused) as no:
            await silencer.silence(matchers_of([alert("A")]), 1.0, 2.0, "Olu", "INC-1")
        return no.value.message, asked


async def test_what_alertmanager_refuses_is_said_in_its_words_and_not_tried_again() -> None:
    assert await said(400, "bad matcher") == ('Alertmanager refuses it, so nothing is silenced: "bad matcher"', 1)


@pytest.mark.parametrize("status", [500, 503])
async def test_one_that_fails_is_asked_twice_and_nothing_is_said_to_be_silent(status: int) -> None:
    assert await said(status, {}) == (f"Alertmanager answered {status}; nothing is silenced.", 2)


def listed(number: str, comment: str, ends_at: str, state: str = "active") -> dict[str, Any]:
    """As Alertmanager lists one."""
    told = {"id": number, "comment": comment, "endsAt": ends_at, "status": {"state": state}}
    return {**told, "matchers": matchers_of([alert("A")])}


@pytest.mark.parametrize(
    ("standing", "status", "came_of_it"),
    [
        ([], 200, None),
        ([listed("1f-2", "INC-1: slow", "2026-11-25T11:00:00.123Z")], 200, "1f-2"),
        ([listed("1f-2", "INC-1: slow", "2026-11-25T11:00:00.123Z", "expired")], 200, None),
        ([listed("1f-2", "INC-1: slow", "2026-11-25T11:00:01.123Z")], 200, None),
        ([listed("1f-2", "INC-2: slow", "2026-11-25T11:00:00.123Z")], 200, None),
        ([{"id": "1f-2"}], 200, "Alertmanager's list of silences can't be read; whether it is silenced is not known."),
        ([], 503, "Alertmanager answered 503; whether it is silenced is not known."),
    ],
)
async def test_one_that_was_made_is_found_by_what_it_says_and_when_it_ends(
    standing: Any, status: int, came_of_it: str | None
) -> None:
    async def what_stands(request: web.Request) -> web.Response:
        return web.json_response(standing, status=status)

    app = web.Application()
    app.router.add_get("/api/v2/silences", what_stands)
    end = datetime(2026, 11, 25, 11, 0, 0, 123456, UTC).timestamp()
    async with TestServer(app) as server, ClientSession() as session:
        silencer = Alertmanager(lambda: at(str(server.make_url("/"))), lambda: session, timeout=2)
        try:
            found = await silencer.standing("INC-1: slow", end)
            said = found and found[0].rpartition("/")[2]
        except Refused as no:
            found, said = None, no.message
    assert said == came_of_it
    assert found is None or found[1] == matchers_of([alert("A")])


@pytest.mark.parametrize("proxy", [0, 502, 504])
@pytest.mark.parametrize("arrived", [False, True])
async def test_one_whose_answer_was_lost_is_looked_for_before_it_is_made_again(arrived: bool, proxy: int) -> None:
    made: list[Any] = []

    async def make(request: web.Request) -> web.Response:
        lost = not made
        made.append(await request.json())
        if lost and proxy:
            return web.Response(status=proxy)
        if lost and request.transport is not None:
            request.transport.close()
        return web.json_response({"silenceID": "second"})

    async def what_stands(request: web.Request) -> web.Response:
        return web.json_response([listed("first", "INC-1: slow", made[0]["endsAt"])] if arrived else [])

    app = web.Application()
    app.router.add_post("/api/v2/silences", make)
    app.router.add_get("/api/v2/silences", what_stands)
    async with TestServer(app) as server, ClientSession() as session:
        silencer = Alertmanager(lambda: at(str(server.make_url("/"))), lambda: session, timeout=2)
        address = await silencer.silence(matchers_of([alert("A")]), 1.0, 2.0, "Olu", "INC-1: slow")
    assert (address.rpartition("/")[2], len(made)) == (("first", 1) if arrived else ("second", 2))


async def test_an_answer_without_a_silence_is_none() -> None:
    assert await said(200, {"id": 3}) == (
        "Alertmanager's answer can't be read; look there whether it is silenced.", 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "refusal", "asked"),
    [
        (200, "", "", 1),
        (404, "silence 1f-2 not found", "", 1),
        (500, "silence 1f-2 already expired", "", 1),
        (500, "disk full", "Alertmanager answered 500; the silence goes on.", 2),
        (403, "no", "Alertmanager refuses it, so the silence goes on: no", 1),
    ],
)
async def test_a_silence_is_ended_and_one_that_is_over_needs_no_end(
    status: int, body: str, refusal: str, asked: int
) -> None:
    given: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        given.append(request.match_info["id"])
        return web.Response(text=body, status=status)

    app = web.Application()
    app.router.add_delete("/api/v2/silence/{id}", answer)
    async with TestServer(app) as server, ClientSession() as session:
        silencer = Alertmanager(lambda: at(str(server.make_url("/"))), lambda: session, timeout=2)
        try:
            await silencer.end("http://alertmanager.acme.test/#/silences/1f-2")
            message = ""
        except Refused as no:
            message = no.message
    assert (message, given) == (refusal, ["1f-2"] * asked)


async def test_one_that_hangs_is_given_up() -> None:
    end = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await request.read()
        await end.wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/api/v2/silences", hang)
    async with TestServer(app) as server, ClientSession() as session:
        silencer = Alertmanager(lambda: at(str(server.make_url("/"))), lambda: session, timeout=0.05)
        with pytest.raises(Refused, match=r"does not answer \(.*Timeout.*; whether it is silenced is not known"):
            await silencer.silence(matchers_of([alert("A")]), 1.0, 2.0, "Olu", "INC-1")
        end.set()


async def test_one_that_is_away_is_said_to_be() -> None:
    async with ClientSession() as session:
        silencer = Alertmanager(lambda: at("http://127.0.0.1:9"), lambda: session)
        with pytest.raises(Refused, match="does not answer"):
            await silencer.silence(matchers_of([alert("A")]), 1.0, 2.0, "Olu", "INC-1")


async def test_where_none_is_configured_that_is_said() -> None:
    with pytest.raises(Refused, match="No Alertmanager is configured"):
        await Alertmanager(lambda: None, lambda: None).silence([], 1.0, 2.0, "Olu", "INC-1")
