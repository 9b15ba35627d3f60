"""A strict stand-in for PagerDuty: its REST API, which refuses what PagerDuty would, and its webhooks, signed."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.house import House

API_TOKEN = "y_NbAkKc66ryYTWUXYEu"
SECRET = "aXJQcmvFb2Jr8TFnbTEd0ZbP5i4oGqEq8LkW"
USERS = {"PXPGF42": ("Olu", "olu@acme.test"), "PGUEST1": ("Gus", "gus@elsewhere.test")}
_events = itertools.count(1)


def signature(body: bytes, secret: str = SECRET) -> str:
    """As PagerDuty signs a delivery."""
    return "v1=" + hmac.digest(secret.encode(), body, "sha256").hex()


def reference(kind: str, number: str, name: str) -> dict[str, str]:
    """How PagerDuty refers to something."""
    home, api = "https://acme.pagerduty.com", "https://api.pagerduty.com"
    several = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    page = f"{home}/account/incident_priorities" if kind == "priority" else f"{home}/{several}/{number}"
    return {
        "id": number, "type": f"{kind}_reference", "summary": name, "html_url": page,
        "self": f"{api}/{several}/{number}",
    }  # fmt: skip


INCIDENT = reference("incident", "PT4KHLK", "The cart answers with errors")
# What ``event.data`` is where it is not the incident itself, as PagerDuty documents it:
# https://developer.pagerduty.com/docs/webhooks-overview#event-data-types
NOTE = {"incident": INCIDENT, "id": "PN1", "content": "I look at the cache", "trimmed": False, "type": "incident_note"}
UPDATE = {
    "incident": INCIDENT, "id": "PS1", "message": "The cache is being emptied", "trimmed": False,
    "type": "incident_status_update",
}  # fmt: skip
RESPONDER = {
    "incident": INCIDENT, "user": reference("user", "PXPGF42", "Olu"),
    "escalation_policy": reference("escalation_policy", "PUS0KTE", "Default"), "message": "Please help",
    "state": "pending", "type": "incident_responder",
}  # fmt: skip
SERVICE = {
    **reference("service", "PIJ90N7", "Checkout (production)"), "alert_creation": "create_alerts_and_incidents",
    "teams": [reference("team", "PFCVPS0", "Shop")], "type": "service",
}  # fmt: skip


@dataclass
class StandIn:
    """One account with one incident, PT4KHLK; ``answers`` are given instead of what is asked for, first to last."""

    status: str = "triggered"
    calls: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, From
    notes: list[str] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    hangs: bool = False
    end: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """What was asked to be changed."""
        return [call for call in self.calls if call[0] != "GET"]

    async def handle(self, request: web.Request) -> web.Response:
        """Every call: the headers first, then what it asks for."""
        email = request.headers.get("From", "")
        self.calls.append((request.method, request.path, email))
        if request.method != "GET" and self.hangs:
            await self.end.wait()
        if request.method != "GET" and self.answers:
            status, headers = self.answers.pop(0)
            return web.json_response({"error": {"message": "no", "code": status}}, status=status, headers=headers)
        if request.headers.get("Authorization") != f"Token token={API_TOKEN}":
            return _error(401, "Unauthorized")
        if request.headers.get("Accept") != "application/vnd.pagerduty+json;version=2":
            return _error(400, "Invalid Accept header")
        if request.method != "GET" and email not in {address for _, address in USERS.values()}:
            return _error(400, "Invalid Input Provided", "Requester User Not Found")
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["users", user] if user in USERS:
                name, address = USERS[user]
                return web.json_response({"user": {"id": user, "type": "user", "name": name, "email": address}})
            case "PUT", ["incidents", "PT4KHLK"]:
                return self._put(await request.json())
            case "POST", ["incidents", "PT4KHLK", "notes"]:
                body = await request.json()
                self.notes.append(body["note"]["content"])
                return web.json_response({"note": {"id": "PN1", "content": self.notes[-1]}}, status=201)
            case "GET", ["incidents", "PT4KHLK", "notes"]:
                return web.json_response({"notes": [{"id": "PN1", "content": one} for one in self.notes]})
        return _error(404, "Not Found")

    def _put(self, body: dict[str, Any]) -> web.Response:
        incident = body.get("incident", {})
        if set(body) != {"incident"} or incident.get("type") not in ("incident", "incident_reference"):
            return _error(400, "Invalid Input Provided", "incident is needed")
        if incident.get("status") not in ("acknowledged", "resolved"):
            return _error(400, "Invalid Input Provided", "Status must be acknowledged or resolved")
        if self.status == "resolved":
            return _error(400, "Invalid Input Provided", "Incident Already Resolved")
        self.status = incident["status"]
        return web.json_response({"incident": {"id": "PT4KHLK", "type": "incident", "status": self.status}})

    def event(self, kind: str, at: str = "2026-11-23T09:00:00.000Z", agent: str = "", **data: Any) -> dict[str, Any]:
        """An event as a webhook of version 3 carries it."""
        status = {"acknowledged": "acknowledged", "resolved": "resolved"}.get(kind, "triggered")
        found = {
            "id": "PT4KHLK", "type": "incident", "self": "https://api.pagerduty.com/incidents/PT4KHLK",
            "html_url": "https://acme.pagerduty.com/incidents/PT4KHLK", "number": 1234, "status": status,
            "incident_key": "baf7cf21b1da41b4b0221008339ff357", "created_at": "2026-11-23T08:59:00Z",
            "title": "The cart answers with errors",
            "service": reference("service", "PIJ90N7", "Checkout (production)"),
            "assignees": [reference("user", "PXPGF42", "Olu")],
            "escalation_policy": reference("escalation_policy", "PUS0KTE", "Default"),
            "teams": [reference("team", "PFCVPS0", "Shop")], "priority": None, "urgency": "high",
            "conference_bridge": {"conference_number": "+1 5550100,,987654321#", "conference_url": "https://meet.acme.test"},
            "resolve_reason": None,
        }  # fmt: skip
        who = reference("user", agent, USERS[agent][0]) if agent else None
        return {
            "event": {
                "id": f"01EVENT{next(_events):08}", "event_type": f"incident.{kind}", "resource_type": "incident",
                "occurred_at": at, "agent": who, "client": {"name": "PagerDuty"} if who else None,
                "data": {**found, **data},
            }
        }  # fmt: skip

    def about(
        self, name: str, data: dict[str, Any], at: str = "2026-11-23T09:00:00.000Z", agent: str = ""
    ) -> dict[str, Any]:
        """An event whose data is not the incident itself: a note, a status update, a responder, a service."""
        event = self.event(name.removeprefix("incident."), at, agent)
        event["event"] |= {"event_type": name, "resource_type": name.partition(".")[0], "data": data}
        return event

    async def sends(self, house: House, event: Any, sign: str | None = None) -> int:
        """Delivers an event; ``sign`` is another signature than the right one. The status of the answer."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        headers = {
            "X-PagerDuty-Signature": signature(body) if sign is None else sign,
            "X-Webhook-Subscription": "a-subscription",
        }
        address = f"{house.assistant.http.address}/hooks/pagerduty"
        async with house.sandbox.session.post(address, data=body, headers=headers) as answer:
            return answer.status


def _error(status: int, message: str, *errors: str) -> web.Response:
    body = {"error": {"message": message, "code": 2001, "errors": list(errors)}}
    return web.json_response(body, status=status)


@asynccontextmanager
async def pagerduty() -> AsyncIterator[StandIn]:
    """PagerDuty, listening on loopback."""
    found, app = StandIn(), web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    async with TestServer(app) as server:
        found.address = str(server.make_url("/")).rstrip("/")
        yield found
        found.end.set()
