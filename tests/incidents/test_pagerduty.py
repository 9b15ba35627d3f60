"""PagerDuty's events, its signatures, and what its API answers when it does not do what it is asked for."""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from chatops.adapters.pagerduty import LONGEST_WAIT, PagerDutyApi
from chatops.http.pagerduty import signed
from chatops.incidents.sources.pagerduty import read
from chatops.kernel.alert import Unreadable
from chatops.kernel.errors import Refused, Unavailable
from tests.support.pagerduty import (
    API_TOKEN,
    NOTE,
    RESPONDER,
    SERVICE,
    UPDATE,
    StandIn,
    pagerduty,
    reference,
    signature,
)  # fmt: skip

OLU = "olu@acme.test"


def body(event: Any) -> bytes:
    return json.dumps(event).encode()


@pytest.fixture
async def there() -> AsyncIterator[StandIn]:
    async with pagerduty() as found:
        yield found


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as found:
        yield found


@pytest.fixture
def api(there: StandIn, session: ClientSession) -> PagerDutyApi:
    return PagerDutyApi(lambda: there.address, API_TOKEN, lambda: session, timeout=0.5)


async def failure(call: Awaitable[None]) -> Unavailable:
    with pytest.raises(Unavailable) as away:
        await call
    return away.value


def test_an_event_says_which_incident_it_is_about_and_how_bad_it_is() -> None:
    priority = reference("priority", "P53ZZH5", "P1")
    found = read(body(StandIn().event("triggered", agent="PXPGF42", priority=priority)))
    assert (found.kind, found.status, found.incident, found.agent) == (
        "triggered", "triggered", "PT4KHLK", ("PXPGF42", "Olu"),
    )  # fmt: skip
    assert found.alert is not None
    assert (found.alert.fingerprint, found.alert.status, found.alert.severity) == ("PT4KHLK", "firing", "P1")
    assert found.alert.link == "https://acme.pagerduty.com/incidents/PT4KHLK"
    assert found.service == ("PIJ90N7", "Checkout (production)")


@pytest.mark.parametrize(
    "kind",
    ["acknowledged", "delegated", "escalated", "priority_updated", "reassigned", "reopened", "resolved", "triggered",
     "unacknowledged"],
)  # fmt: skip
def test_each_event_that_is_documented_to_carry_the_incident_is_read(kind: str) -> None:
    found = read(body(StandIn().event(kind, agent="PXPGF42")))
    assert (found.kind, found.incident, found.service[0]) == (kind, "PT4KHLK", "PIJ90N7")
    assert found.alert is not None
    assert found.alert.status == ("resolved" if kind == "resolved" else "firing")


@pytest.mark.parametrize(
    ("name", "data", "incident", "words"),
    [
        ("incident.annotated", NOTE, "PT4KHLK", "I look at the cache"),
        ("incident.status_update_published", UPDATE, "PT4KHLK", "The cache is being emptied"),
        ("incident.responder.added", RESPONDER, "PT4KHLK", "Please help"),
        ("incident.responder.replied", {**RESPONDER, "state": "accepted"}, "PT4KHLK", "Please help"),
        ("service.created", SERVICE, "", ""),
        ("service.updated", SERVICE, "", ""),
        ("service.deleted", SERVICE, "", ""),
    ],
)
def test_each_event_that_is_documented_to_carry_something_else_is_read(
    name: str, data: dict[str, Any], incident: str, words: str
) -> None:
    found = read(body(StandIn().about(name, data, agent="PXPGF42")))
    assert (found.incident, found.text, found.alert, found.status) == (incident, words, None, "")


@pytest.mark.parametrize(("urgency", "severity"), [("high", "high"), ("low", "warning"), ("odd", "odd")])
def test_without_a_priority_the_urgency_says_how_bad_it_is(urgency: str, severity: str) -> None:
    alert = read(body(StandIn().event("triggered", urgency=urgency))).alert
    assert alert is not None
    assert alert.severity == severity


def test_what_a_service_did_was_done_by_nobody() -> None:
    event = StandIn().event("triggered")
    event["event"]["agent"] = reference("service", "PIJ90N7", "Checkout")
    assert read(body(event)).agent == ("", "")


@pytest.mark.parametrize(
    "data", [{"type": "ping", "message": "Hello"}, {"type": "incident_workflow_instance", "id": "1"}]
)
def test_what_is_about_no_incident_is_taken_and_left(data: dict[str, str]) -> None:
    event = StandIn().event("workflow.started")
    event["event"]["data"] = data
    assert read(body(event)).incident == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": ""}, "event.id or event.event_type is missing"),
        ({"occurred_at": "yesterday"}, "event.occurred_at is no time"),
        ({"data": []}, "event has no object data"),
        ({"data": {}}, "event.data.id is missing"),
        ({"data": {"id": "P1", "service": "Checkout"}}, "event.data.service is no object"),
        ({"event_type": "incident.odd", "data": {"id": "P1", "status": "odd"}}, "event.data.status is 'odd'"),
    ],
)
def test_what_cannot_be_read_is_said(change: dict[str, Any], why: str) -> None:
    event = StandIn().event("triggered")
    event["event"] |= change
    with pytest.raises(Unreadable, match=why):
        read(body(event))


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=8)
)
def test_nothing_that_is_sent_breaks_the_parser(data: Any) -> None:
    event = StandIn().event("annotated")
    for changed in ({"data": data}, {"agent": data}, {"event_type": data}):
        with contextlib.suppress(Unreadable):
            read(body({"event": event["event"] | changed}))


def test_one_right_signature_of_several_is_enough_and_only_over_these_very_bytes() -> None:
    assert signed(b"{}", f"v1=00, {signature(b'{}', 'new')}", ("old", "new"))
    assert not signed(b"{ }", signature(b"{}", "new"), ("new",))
    assert not signed(b"{}", signature(b"{}", "new").upper(), ("new",))
    assert not signed(b"{}", signature(b"{}", "new").removeprefix("v1="), ("new",))


async def test_resolving_what_is_resolved_already_is_done(there: StandIn, api: PagerDutyApi) -> None:
    there.status = "resolved"
    await api.set_status("PT4KHLK", "resolved", OLU)
    assert there.status == "resolved"


async def test_a_note_that_may_have_arrived_is_not_made_twice(there: StandIn, api: PagerDutyApi) -> None:
    await api.add_note("PT4KHLK", "the cache", OLU)
    await api.add_note("PT4KHLK", "the cache", OLU)
    assert there.notes == ["the cache"]


async def test_one_that_hangs_is_given_up_and_asked_again_later(there: StandIn, api: PagerDutyApi) -> None:
    there.hangs = True
    assert "does not answer (" in (await failure(api.set_status("PT4KHLK", "acknowledged", OLU))).message


async def test_one_that_is_away_is_said_to_be(session: ClientSession) -> None:
    api = PagerDutyApi(lambda: "http://127.0.0.1:9", API_TOKEN, lambda: session)
    assert "does not answer (" in (await failure(api.set_status("PT4KHLK", "acknowledged", OLU))).message


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"ratelimit-reset": "21"}, 21.0),
        ({"Retry-After": "99999"}, LONGEST_WAIT),
        ({}, 30),
    ],
)
async def test_it_waits_for_as_long_as_it_is_asked_to(
    there: StandIn, api: PagerDutyApi, headers: dict[str, str], wait: float
) -> None:
    there.answers = [(429, headers)]
    assert (await failure(api.set_status("PT4KHLK", "acknowledged", OLU))).retry_after == wait


async def test_an_incident_that_is_gone_and_a_sender_that_is_unknown_are_refusals(
    there: StandIn, api: PagerDutyApi
) -> None:
    with pytest.raises(Refused, match=r"refuses it \(404, Not Found\)") as gone:
        await api.set_status("PGONE", "acknowledged", OLU)
    assert gone.value.rule == ""
    with pytest.raises(Refused, match="Requester User Not Found") as unknown:
        await api.set_status("PT4KHLK", "acknowledged", "nobody@acme.test")
    assert unknown.value.rule == "sender"


async def test_without_a_token_nobody_is_asked_for_an_e_mail(there: StandIn, session: ClientSession) -> None:
    assert await PagerDutyApi(lambda: there.address, "", lambda: session).email_of("PXPGF42") == ""
    assert there.calls == []


async def test_an_e_mail_is_asked_for_once(there: StandIn, api: PagerDutyApi) -> None:
    assert [await api.email_of("PXPGF42") for _ in range(3)] == [OLU] * 3
    assert len(there.calls) == 1
