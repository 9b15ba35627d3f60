"""What happens while the assistant is killed, and what must have come of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tests.support.house import DEPLOYS, REQUESTS
from tests.support.people import Person, Seen, SlackSays

if TYPE_CHECKING:
    from tests.fire.trial import Trial

Get = Callable[[str], Awaitable[dict[str, Any]]]  # what the cluster has at a path
Wakes = tuple[str, str, dict[str, Any]]

SHELF = """
name: shelf.create
title: Put up a shelf
risk: change
inputs:
  service:     {type: service}
  environment: {type: environment}
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.service}-shelf"}
      data: {size: "10"}
    undo: {remove: "ConfigMap/${inputs.service}-shelf"}
  - name: up
    wait: {object: "ConfigMap/${inputs.service}-shelf", until: 'object.data.ready == "yes"'}
    outputs: {size: object.data.size}
  - job: {image: "tools:1", command: [paint]}
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.service}-box"}
      data: {size: "${steps.up.outputs.size}"}
outputs: {where: "${inputs.service}-shelf.${env.namespace}"}
"""


class Play(Protocol):
    """What people do and see until the end, and what has come of it."""

    @property
    def actions(self) -> Mapping[str, str]:
        """Declared actions by the names of their files."""
        ...

    @property
    def routes(self) -> Sequence[Mapping[str, Any]]:
        """Of the configuration: who hears of deploys."""
        ...

    @property
    def wakes(self) -> Wakes | None:
        """Once this point is reached, what changes in the cluster."""
        ...

    @property
    def since(self) -> str:
        """Only points after this one are tried: those before it are the same in every play."""
        ...

    @property
    def beside(self) -> bool:
        """Whether pages go by mail and webhook as well."""
        ...

    async def acted(self, trial: Trial) -> None:
        """People try again when Slack tells them that something did not work."""

    async def check(self, trial: Trial, said: frozenset[str]) -> None:
        """``said``: the ids of what stands in Slack."""


async def pressed(person: Person, seen: Seen, button: str, over: Callable[[], bool]) -> None:
    """Clicks, and once more when Slack says that it did not work or nothing comes of it."""
    for _ in range(5):
        if over():
            return
        with suppress(SlackSays):
            await seen.click(button)
        with suppress(AssertionError):
            await person.wait(lambda: True if over() else None, 4, lambda: f"{button} to count")
    raise AssertionError(f"{button} was clicked five times and nothing happened")


async def taken_in(person: Person, line: str) -> bool:
    """Types a line; whether it was acknowledged, and not answered at once with why it could not be kept."""
    try:
        return not (await person.types(line)).text
    except SlackSays:
        return False


@dataclass(frozen=True)
class RequestPlay:
    """One request from the line to its end; ``once`` counts what the audit trail must say of it."""

    line: str
    card: str  # words of the card
    notice: str  # words of the notice
    once: Mapping[str, int]
    left: Callable[[Get, list[dict[str, Any]]], Awaitable[None]]  # of the cluster, and the rows of objects
    actions: Mapping[str, str] = field(default_factory=dict)
    routes: Sequence[Mapping[str, Any]] = ()
    wakes: Wakes | None = None
    since: str = ""
    beside: bool = False

    async def acted(self, trial: Trial) -> None:
        """Dana asks, Lee approves."""
        card = await self._ask(trial)
        await pressed(trial.acme.lee, card, "Approve", lambda: "WAITING" not in card.text)
        await trial.acme.olu.sees(DEPLOYS, self.notice, within=30)
        await card.becomes("SUCCEEDED", within=30)

    async def _ask(self, trial: Trial) -> Seen:
        """What was acknowledged is never asked for again; after an error Dana waits a while, as people do."""
        for patience in (15, 15, 30):
            acknowledged = await taken_in(trial.acme.dana, self.line)
            try:
                wait = 40 if acknowledged else patience
                return await trial.acme.lee.sees(REQUESTS, self.card, "WAITING", within=wait)
            except AssertionError:
                assert not acknowledged, "Slack was told that the line had been taken in, and it is lost"
        raise AssertionError("Dana asked three times and no card came")

    async def check(self, trial: Trial, said: frozenset[str]) -> None:
        """One request, one run, one card, one notice."""
        name = f"R-{trial.only('requests', 1001)}"
        assert trial.rows("SELECT state FROM requests") == [{"state": "succeeded"}]
        what = [row["what"] for row in trial.rows(f"SELECT what FROM audit WHERE chain = '{name}' ORDER BY seq")]
        assert {name: what.count(name) for name in self.once} == self.once
        assert trial.rows("SELECT outcome FROM ledger") == [{"outcome": "succeeded"}]
        assert {name, f"{name}/notice"} <= said
        await self.left(trial.get, trial.rows("SELECT name, uid FROM objects"))


@dataclass(frozen=True)
class IncidentPlay:
    """Two alerts are one incident, nobody answers the first page, the second is acknowledged, both end, it is over."""

    actions: Mapping[str, str] = field(default_factory=dict)
    routes: Sequence[Mapping[str, Any]] = ()
    wakes: Wakes | None = None
    since: str = "before commit _take #"
    beside: bool = False

    async def acted(self, trial: Trial) -> None:
        """The monitor tells until it is answered; Olu and Lee sleep; Lee wakes up at the second step."""
        olu, lee = trial.acme.olu, trial.acme.lee
        await trial.tell("alert", _alert("firing"))
        card = await lee.sees("incidents", "SEV1 · checkout · PRODUCTION · NOBODY HAS IT", within=30)
        await trial.tell("alert", _latency("firing"))
        await card.becomes("2 alerts: ErrorRate and Latency", "Paged: @olu", within=30)
        await olu.sees("@platform", "You are paged.", "INC-1", within=30)
        await trial.acme.slack.connected()  # a ticket for a socket is worth nothing ten minutes later
        trial.advance(10 * 60 + 1)
        page = await lee.sees("@platform", "You are paged.", "INC-1", within=30)
        await pressed(lee, page, "Acknowledge", lambda: "LEE HAS IT" in card.text)
        await trial.tell("alert", _alert("resolved"))
        await trial.tell("alert", _latency("resolved"))
        await card.becomes("All alerts are resolved.", within=30)
        await pressed(lee, card, "Resolve", lambda: "Resolved by" in card.text)

    async def check(self, trial: Trial, said: frozenset[str]) -> None:
        """One incident, one card, each step taken once and for one person, nobody paged twice, nothing skipped."""
        number = trial.only("incidents", 101)
        assert trial.rows("SELECT state FROM incidents") == [{"state": "resolved"}]
        alerts = trial.rows("SELECT name, incident_id, changes FROM alerts ORDER BY name")
        assert [tuple(row.values()) for row in alerts] == [("ErrorRate", number, 1), ("Latency", number, 1)]
        asked = trial.rows("SELECT person_id, step FROM paging ORDER BY step")
        assert [(row["person_id"], row["step"]) for row in asked] == [("U0OLU", 0), ("U0LEE", 1)]
        what = [row["what"] for row in trial.rows(f"SELECT what FROM audit WHERE chain = 'INC-{number}' ORDER BY seq")]
        once = {"opened": 1, "alerted": 2, "paged": 2, "acknowledged": 1, "calmed": 1, "resolved": 1}
        once |= {"page_arrived": 2, "page_failed": 0}
        assert {name: what.count(name) for name in once} == once
        pages = [one for one in said if one.startswith("page/")]
        assert sorted(one.split("/")[1] for one in pages) == ["U0LEE", "U0OLU"], pages
        assert f"INC-{number}" in said


@dataclass(frozen=True)
class AutomationPlay:
    """An alert comes up for which Acme's rule asks for a restart; Lee approves it, and it runs."""

    actions: Mapping[str, str] = field(default_factory=dict)
    routes: Sequence[Mapping[str, Any]] = ()
    wakes: Wakes | None = None
    since: str = "before commit _take #"
    beside: bool = False

    async def acted(self, trial: Trial) -> None:
        """The monitor tells until it is answered, and once more; Lee approves."""
        lee, leak = trial.acme.lee, {**_alert("firing"), "name": "MemoryNearLimit"}
        await trial.tell("alert", leak)
        card = await lee.sees(REQUESTS, "Restart checkout", "WAITING", "Automation restart-what-leaks", within=30)
        await trial.tell("alert", leak)
        await pressed(lee, card, "Approve", lambda: "WAITING" not in card.text)
        await card.becomes("SUCCEEDED", within=30)

    async def check(self, trial: Trial, said: frozenset[str]) -> None:
        """One incident, one request, one restart; the incident's timeline and thread say it once."""
        incident, request = f"INC-{trial.only('incidents', 101)}", f"R-{trial.only('requests', 1001)}"
        assert trial.rows("SELECT state FROM requests") == [{"state": "succeeded"}]
        assert trial.rows("SELECT outcome FROM automation_runs") == [{"outcome": "asked"}]
        what = [row["what"] for row in trial.rows(f"SELECT what FROM audit WHERE chain IN ('{incident}', '{request}')")]
        once = {**_ONCE, **dict.fromkeys(("opened", "automation_asked", "automation_ended", "written"), 1)}
        assert {name: what.count(name) for name in once} == once
        assert {incident, request, f"{request}/notice"} <= said
        assert len([one for one in said if one.startswith(f"{incident}/automation/restart-what-leaks/")]) == 1
        await _deployed(trial.get, trial.rows("SELECT name, uid FROM objects"))


async def typed(person: Person, line: str, over: Callable[[], bool]) -> None:
    """Types a line, and again when Slack says that it did not work; what was acknowledged is never typed again."""
    for patience in (5, 15, 30):
        acknowledged = await taken_in(person, line)
        with suppress(AssertionError):
            wait = 40 if acknowledged else patience
            await person.wait(lambda: True if over() else None, wait, lambda: f"what comes of {line}")
            return
        assert not acknowledged, f"Slack was told that the line had been taken in, and it is lost: {line}"
    raise AssertionError(f"{line} was typed three times and nothing happened")


@dataclass(frozen=True)
class RoomPlay:
    """Olu has an incident, asks for its room, and closes it: the draft of the postmortem comes into the room."""

    actions: Mapping[str, str] = field(default_factory=dict)
    routes: Sequence[Mapping[str, Any]] = ()
    wakes: Wakes | None = None
    since: str = "before commit _act #2"
    beside: bool = False

    async def acted(self, trial: Trial) -> None:
        """From the page to the draft."""
        olu = trial.acme.olu
        await trial.tell("alert", _alert("firing"))
        page = await olu.sees("@platform", "You are paged.", "INC-1", within=30)
        card = await olu.sees("incidents", "SEV1 · checkout · PRODUCTION", within=30)
        await pressed(olu, page, "Acknowledge", lambda: "OLU HAS IT" in card.text)
        number = trial.only("incidents", 101)
        await typed(olu, f"/platform incident room INC-{number}", lambda: "Room: #inc-" in card.text)
        await self._until(trial, lambda: any(one.pins for one in _rooms(trial)))
        await typed(olu, f"/platform incident close INC-{number}", lambda: "RESOLVED" in card.text)
        done = f"SELECT 1 FROM rooms WHERE work_at = 0 AND incident_id = {number}"
        await self._until(trial, lambda: bool(trial.rows(done)))

    @staticmethod
    async def _until(trial: Trial, over: Callable[[], bool]) -> None:
        """Time goes on until it is so, for what is put off is looked at some seconds later."""
        async with asyncio.timeout(60):
            while not over():
                trial.advance(1)
                await asyncio.sleep(0.1)

    async def check(self, trial: Trial, said: frozenset[str]) -> None:
        """One channel, one pinned card, everybody in it, one file; the timeline says each once."""
        number = trial.only("incidents", 101)
        assert trial.rows("SELECT state FROM incidents") == [{"state": "resolved"}]
        what = [row["what"] for row in trial.rows(f"SELECT what FROM audit WHERE chain = 'INC-{number}' ORDER BY seq")]
        once = dict.fromkeys(("opened", "acknowledged", "room_asked", "room_opened", "closed", "postmortem"), 1)
        assert {name: what.count(name) for name in once} == once
        [room] = _rooms(trial)
        assert {"U0OLU", "U0LEE"} <= set(room.members)
        assert len(room.pins) == 1
        files = [file["name"] for one in room.messages.values() for file in one.get("files", ())]
        assert files == [f"inc-{number}-postmortem.md"]
        assert {f"INC-{number}", f"INC-{number}/room"} <= said


def _rooms(trial: Trial) -> list[Any]:
    return [one for one in trial.acme.slack.state.conversations.values() if one.name.startswith("inc-")]


@dataclass(frozen=True)
class PagePlay:
    """A page goes by mail and webhook beside Slack, and is acknowledged."""

    actions: Mapping[str, str] = field(default_factory=dict)
    routes: Sequence[Mapping[str, Any]] = ()
    wakes: Wakes | None = None
    since: str = "before commit _page #"
    beside: bool = True

    async def acted(self, trial: Trial) -> None:
        """Olu answers once all three ways have reached him."""
        olu = trial.acme.olu
        await trial.tell("alert", _alert("firing"))
        page = await olu.sees("@platform", "You are paged.", "INC-1", within=30)
        card = await olu.sees("incidents", "SEV1 · checkout · PRODUCTION", within=30)
        async with asyncio.timeout(40):
            while len(trial.rows("SELECT 1 FROM page_calls WHERE ended = 'sent'")) < 2:
                await asyncio.sleep(0.05)
        await pressed(olu, page, "Acknowledge", lambda: "OLU HAS IT" in card.text)

    async def check(self, trial: Trial, said: frozenset[str]) -> None:
        """Nothing is lost. Mail and webhook may come twice, for one death at most once more, and then bear one id."""
        assert trial.mails is not None
        assert trial.ringer is not None
        mails = [str(one["Message-ID"]) for one in trial.mails.mails]
        calls = [headers["Idempotency-Key"] for headers, _ in trial.ringer.calls]
        again = 1 if trial.target else 0
        for told in (mails, calls):
            assert len(set(told)) == 1, told
            assert len(told) <= 1 + again, told
        assert {str(one["To"]) for one in trial.mails.mails} == {"olu@acme.test"}
        found = trial.rows("SELECT path, ended FROM page_calls ORDER BY path")
        assert found == [{"path": "mail", "ended": "sent"}, {"path": "webhook", "ended": "sent"}]
        number = trial.only("incidents", 101)
        what = [row["what"] for row in trial.rows(f"SELECT what FROM audit WHERE chain = 'INC-{number}' ORDER BY seq")]
        once = {"opened": 1, "paged": 1, "page_sent": 2, "page_failed": 0, "acknowledged": 1}
        assert {name: what.count(name) for name in once} == once
        assert len([one for one in said if one.startswith("page/")]) == 1


@dataclass(frozen=True)
class NoticePlay:
    """Two deploys of another pipeline, one of which fails; one channel hears of all, the other's successes wait."""

    actions: Mapping[str, str] = field(default_factory=dict)
    routes: Sequence[Mapping[str, Any]] = (
        {"channels": [DEPLOYS], "quiet": "17:00", "timezone": "Europe/Berlin"}, {"channels": ["team-shop"]},
    )  # fmt: skip
    wakes: Wakes | None = None
    since: str = "before commit _take #"
    beside: bool = False

    async def acted(self, trial: Trial) -> None:
        """The pipeline tells until it is answered; then it is five o'clock."""
        dana = trial.acme.dana
        await trial.tell("deploy", _build("cart", "running"))
        await dana.sees("team-shop", "2.4.0 is being deployed in staging", within=30)
        await trial.tell("deploy", _build("cart", "succeeded"))
        await dana.sees("team-shop", "2.4.0 was deployed in staging", within=30)
        await trial.tell("deploy", _build("search", "failed"))
        for channel in ("team-shop", DEPLOYS):
            await dana.sees(channel, "search", "2.4.0 failed in staging", within=30)
        await trial.acme.slack.connected()
        trial.advance(7 * 3600 + 60)
        await dana.sees(DEPLOYS, "One change went well", "cart in staging", within=30)

    async def check(self, trial: Trial, said: frozenset[str]) -> None:
        """Each message once and in its place; what went well is in one digest, and what failed is in none."""
        well, failed = (int(row["id"]) for row in trial.rows("SELECT id FROM outside ORDER BY id"))
        number = trial.only("gathered", 1)
        gathered = trial.rows("SELECT subject, channel, digest FROM gathered")
        assert gathered == [{"subject": well, "channel": DEPLOYS, "digest": number}]
        about = {one for one in said if one.startswith(("outside/", "gathered/"))}
        outside = {f"outside/{well}/team-shop", f"outside/{failed}", f"outside/{failed}/team-shop"}
        assert about == outside | {f"gathered/{number}"}
        assert trial.rows("SELECT outcome FROM ledger ORDER BY id") == [{"outcome": "succeeded"}, {"outcome": "failed"}]


def _build(service: str, state: str) -> dict[str, Any]:
    return {
        "service": service, "environment": "staging", "version": "2.4.0", "state": state, "by": "dana",
        "id": f"build-{service}", "pipeline": "Jenkins",
    }  # fmt: skip


def _alert(status: str) -> dict[str, Any]:
    return {
        "name": "ErrorRate", "status": status, "service": "checkout", "environment": "production",
        "severity": "critical", "summary": "5xx", "key": "fire-1",
    }  # fmt: skip


def _latency(status: str) -> dict[str, Any]:
    return {**_alert(status), "name": "Latency", "severity": "warning", "summary": "slow", "key": "fire-2"}


async def _deployed(get: Get, objects: list[dict[str, Any]]) -> None:
    found = await get("/apis/apps/v1/namespaces/shop/deployments/checkout")
    assert found["metadata"]["generation"] == 2, "the workload was written more than once"
    assert objects == []


async def _put_up(get: Get, objects: list[dict[str, Any]]) -> None:
    maps = {one["metadata"]["name"]: one for one in (await get("/api/v1/namespaces/shop/configmaps"))["items"]}
    made = {name: one["metadata"]["uid"] for name, one in maps.items() if name in ("checkout-shelf", "checkout-box")}
    assert {one["name"]: one["uid"] for one in objects} == made
    assert len(made) == 2
    assert maps["checkout-box"]["data"] == {"size": "10"}
    jobs = (await get("/apis/batch/v1/namespaces/shop/jobs"))["items"]
    assert [one["status"].get("succeeded") for one in jobs] == [1], "the Job ran but once"


_ONCE = dict.fromkeys(("requested", "asked", "satisfied", "begun", "became_healthy"), 1)
DEPLOY = RequestPlay(
    line="/platform deploy checkout 1.4.2 production because fixes the cart",
    card="Deploy checkout", notice="1.4.1 → 1.4.2", once={**_ONCE, "written": 1}, left=_deployed,
)  # fmt: skip
STEPS = RequestPlay(
    line="/platform shelf create checkout production because we need room",
    card="Put up a shelf", notice="carried out Put up a shelf", once={**_ONCE, "written": 3, "step_done": 4},
    left=_put_up, actions={"shelf.create.yml": SHELF}, since="after commit _begin",
    wakes=(  # not before somebody watches: whether a wait that is over at once opens its watch is a matter of luck
        "after cluster watch ConfigMap/checkout-shelf #1",
        "/api/v1/namespaces/shop/configmaps/checkout-shelf", {"data": {"ready": "yes"}},
    ),
)  # fmt: skip
ALERT = IncidentPlay()
AUTOMATION = AutomationPlay()
ROOM = RoomPlay()
PAGES = PagePlay()
NOTICES = NoticePlay()
