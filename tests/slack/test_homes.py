"""App Home: what waits for you first; a stranger's says why there is nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from chatops.adapters.clock import SystemClock
from chatops.kernel.action import Button
from chatops.kernel.errors import Unavailable
from chatops.kernel.people import Person, Standing
from chatops.requests.questions import HomePage
from chatops.slack.homes import A_MINUTE, OPEN_FOR, Homes
from tests.slack.desk import Desk, desk
from tests.support.clock import MovableClock
from tests.support.modal import Home

ROW = {"id": "R-1042", "title": "Deploy checkout", "state": "waiting", "by": "Dana", "at": 1.0, "link": ""}


async def test_home_starts_with_what_waits_and_says_that_writes_are_paused(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        deploy = Button("Deploy", "deploy", form=True)
        acme.road.plan("home", HomePage((ROW,), (), (deploy,), "New writes are paused by Olu: upgrade"))
        await alone(acme).show("U0LEE")
        home = await acme.lee.home("Waiting for you", "R-1042", "paused by Olu", "You have asked for nothing yet")
        await home.click("Deploy")
        await acme.lee.modal("Deploy")


async def test_a_strangers_home_says_why_it_is_empty(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await alone(acme).show("U0GUS")
        await acme.gus.home("home workspace")


async def test_a_slack_that_takes_no_home_is_a_line_in_the_log(tmp_path: Path, caplog: Any) -> None:
    async with desk(tmp_path) as acme:
        await acme.sandbox.fault("error", method="views.publish", error="internal_error", times=1)
        await alone(acme).show("U0GUS")
        assert "views.publish: internal_error" in caplog.text


async def test_what_one_does_at_home_shows_there_at_once_and_what_one_does_elsewhere_in_its_time(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as acme:
        waiting = {**ROW, "number": 1042, "digest": "7f3a"}
        page = HomePage((waiting,), (), (Button("Deploy", "deploy", form=True),))

        async def at_home() -> Home:
            acme.road.plan("home", page)
            await alone(acme).show("U0LEE")
            return await acme.lee.watches_home("R-1042")

        acme.road.plan("vote", "You approved R-1042.", "You rejected R-1042.", "You approved R-1042.")
        acme.road.plan("ask", lambda *_: acme.asked())
        await (await at_home()).click("Approve")
        await acme.quiet()
        assert acme.homes == ["U0LEE"]
        await (await at_home()).click("Reject")
        form = await acme.lee.modal("Reject")
        await form.fill(Reason="not before the sale")
        assert await form.submit() == {}
        await acme.quiet()
        assert acme.homes == ["U0LEE"] * 2
        await (await at_home()).click("Deploy")
        form = await acme.lee.modal("Deploy")
        await form.fill(Service="checkout", Environment="production", Version="1.4.2", Reason="fixes the cart")
        assert await form.submit() == {}
        await acme.quiet()
        assert acme.homes == ["U0LEE"] * 3
        await (await acme.lee.sees("platform-requests", "card of R-1042")).click("Approve")
        await acme.quiet()
        assert acme.homes == ["U0LEE"] * 3


class Publishing:
    """A Slack that takes homes; to the first ``limited`` it says that it is asked too often, for a minute."""

    def __init__(self, clock: MovableClock, limited: int = 0) -> None:
        self.clock, self.limited = clock, limited
        self.taken: list[tuple[float, str]] = []

    async def views_publish(self, *, user_id: str, view: dict[str, Any]) -> None:
        if self.limited:
            self.limited -= 1
            answer = SlackResponse(
                client=None, http_verb="POST", api_url="views.publish", req_args={}, status_code=429,
                data={"ok": False, "error": "ratelimited"}, headers={"Retry-After": "60"},
            )  # fmt: skip
            raise SlackApiError("ratelimited", answer)
        self.taken.append((self.clock.now(), user_id))


class Everybody:
    """The directory, and the road on which everybody's home is the same; who is called Teamless is of none."""

    async def person(self, user_id: str, team_id: str = "") -> Person:
        teams = () if user_id == "Teamless" else ("shop",)
        return Person(id=user_id, name=user_id, standing=Standing.MEMBER, teams=teams)

    async def home(self, *, person: Person) -> HomePage:
        return HomePage((), (), ())


class Looks:
    """Somebody who looks at the clusters when asked to; whose homes were there by then, look by look."""

    def __init__(self, slack: Publishing, *, unknown: bool = False) -> None:
        self.slack, self.unknown = slack, unknown
        self.begun: list[list[str]] = []
        self.done = asyncio.Event()

    async def look(self) -> None:
        self.begun.append([user for _, user in self.slack.taken])
        await self.done.wait()


class Kept:
    """A database that takes what it is told, or is away; ``there`` is what others wrote."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.there: list[Any] = []
        self.away = False
        self.goes_on = asyncio.Event()

    async def read(self, fn: Any, *values: Any) -> list[Any]:
        return self.there

    async def write(self, fn: Any, *values: Any) -> None:
        if self.away:
            raise Unavailable("The database is away.")
        self.rows.append(values)
        await self.goes_on.wait()


def homes(slack: Publishing, looks: Looks | None = None, kept: Kept | None = None) -> Homes:
    everybody: Any = Everybody()
    client: Any = slack
    health: Any = looks or Looks(slack)
    database: Any = kept or Kept()
    return Homes(client, everybody, everybody, database, health, slack.clock)


def alone(acme: Desk) -> Homes:
    """Homes for which nobody has to look at a cluster."""
    health: Any = Looks(Publishing(MovableClock()))
    return Homes(acme.client, acme.road, acme.front.directory, acme.database, health, SystemClock())


async def test_a_change_that_concerns_hundreds_keeps_to_what_slack_takes_in_a_minute_and_shows_all_of_them() -> None:
    slack = Publishing(MovableClock())
    shown = homes(slack)
    for number in range(300):
        opening = asyncio.ensure_future(shown.show(f"U{number}"))
        await slack.clock.advance(1.0)
        await opening
    slack.taken.clear()
    await slack.clock.advance(120.0)
    shown.concerns(lambda person: "shop" in person.teams)
    await slack.clock.advance(900.0)
    assert {user for _, user in slack.taken} == {f"U{number}" for number in range(300)}
    moments = [at for at, _ in slack.taken]
    assert len(moments) == 300
    assert max(sum(at <= other < at + 60 for other in moments) for at in moments) <= A_MINUTE
    await shown.close()


async def test_when_slack_says_too_often_the_home_is_shown_after_the_time_that_it_says() -> None:
    slack = Publishing(MovableClock())
    shown = homes(slack)
    await shown.show("U1")
    slack.limited, begun = 1, slack.clock.now()
    shown.changed(["U1"])
    await slack.clock.advance(300.0)
    [_, (at, user)] = slack.taken
    assert user == "U1"
    assert 60 <= at - begun < 70
    shown.changed(["U2"])
    await slack.clock.advance(10.0)
    assert len(slack.taken) == 2, "hers is not open"
    await shown.close()


async def test_whoever_opens_theirs_waits_for_no_cluster_and_what_is_seen_then_is_shown() -> None:
    slack = Publishing(MovableClock())
    looks = Looks(slack, unknown=True)
    shown = homes(slack, looks)
    await shown.show("Teamless")
    await shown.show("U1")
    await slack.clock.advance(0)
    assert looks.begun == [["Teamless", "U1"]], "after the home is there, and for who has services"
    await shown.show("U2")
    await slack.clock.advance(0)
    assert len(looks.begun) == 1, "one at a time"
    slack.taken.clear()
    looks.unknown = False
    shown.looked()
    looks.done.set()
    await slack.clock.advance(10.0)
    assert sorted(user for _, user in slack.taken) == ["U1", "U2"]
    await shown.show("U1")
    shown.looked()
    await slack.clock.advance(10.0)
    assert (len(looks.begun), len(slack.taken)) == (1, 3), "all is known, and everybody sees it"
    await shown.close()


async def test_what_was_opened_while_another_replica_led_is_followed_as_long_as_any_other() -> None:
    slack, kept = Publishing(MovableClock()), Kept()
    shown = homes(slack, kept=kept)
    await shown.show("U1")
    await slack.clock.advance(OPEN_FOR - 60)
    person = Person(id="U1", name="U1", teams=("cart",))
    kept.there = [{"person_id": "U1", "opened_at": slack.clock.now(), "body": person.model_dump_json()}]
    await shown.open()
    await slack.clock.advance(120)
    slack.taken.clear()
    shown.concerns(lambda person: "cart" in person.teams)
    await slack.clock.advance(10)
    assert [user for _, user in slack.taken] == ["U1"]
    await shown.close()


async def test_whoever_opens_theirs_does_not_wait_until_that_is_kept(caplog: Any) -> None:
    slack, kept = Publishing(MovableClock()), Kept()
    shown = homes(slack, kept=kept)
    await shown.show("U1")
    assert [user for _, user in slack.taken] == ["U1"]
    await slack.clock.advance(0)
    [(person, at)] = kept.rows
    assert (person.id, at) == ("U1", slack.clock.now())
    await shown.show("U1")
    await slack.clock.advance(600)
    assert len(kept.rows) == 1, "a moment ago is near enough"
    await shown.show("U1")
    await slack.clock.advance(0)
    assert [at for _, at in kept.rows] == [at, at + 600]
    slack.taken.clear()
    kept.away = True
    await shown.show("U2")
    await slack.clock.advance(0)
    assert [user for _, user in slack.taken] == ["U2"]
    assert "that App Home is open will be forgotten: The database is away." in caplog.text
    await shown.close()
