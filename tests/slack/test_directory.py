"""Who people are; when nobody can say in time, the answer is no."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from chatops.kernel.catalog import Group
from chatops.kernel.people import Standing
from chatops.kernel.ports import Database
from chatops.slack.directory import FRESH, SHOWN, Home, SlackDirectory, standing
from chatops.slack.usergroups import KEPT, Usergroups
from tests.slack.desk import Configured, desk
from tests.support.clock import MovableClock
from tests.support.databases import database as database_in

MEMBER = {"id": "U0LEE", "team_id": "T0", "is_restricted": False, "is_ultra_restricted": False, "is_bot": False}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Standing.MEMBER),
        ({"is_restricted": True}, Standing.GUEST),
        ({"is_ultra_restricted": True}, Standing.GUEST),
        ({"is_bot": True}, Standing.BOT),
        ({"id": "USLACKBOT"}, Standing.BOT),
        ({"is_workflow_bot": True}, Standing.BOT),
        ({"deleted": True}, Standing.DEACTIVATED),
        ({"team_id": "T0PARTNER"}, Standing.OUTSIDER),
        ({"is_stranger": True}, Standing.OUTSIDER),
        ({"team_id": None}, Standing.OUTSIDER),
        ({"team_id": "T0GRID", "enterprise_user": {"teams": ["T0"]}}, Standing.MEMBER),
        ({"team_id": "T0GRID", "enterprise_user": {"teams": ["T1"]}}, Standing.OUTSIDER),
    ],
)
def test_whatever_is_unusual_about_an_account_counts_against_it(changes: dict[str, Any], expected: Standing) -> None:
    assert standing({**MEMBER, **changes}, "T0") is expected


def test_an_account_without_the_guest_marks_is_nobody() -> None:
    assert standing({"id": "U0LEE", "team_id": "T0"}, "T0") is Standing.UNKNOWN
    assert standing(MEMBER, "") is Standing.UNKNOWN


class FakeSlack:
    """Answers what a test planned for (method, argument) and raises on everything else."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, list[str]] = {}
        self.errors: dict[str, str] = {}
        self.calls: list[str] = []
        self.hangs = False

    def has(self, user_id: str, email: str, **changes: Any) -> None:
        profile = {"email": email, "real_name": user_id.removeprefix("U0").capitalize()}
        self.people[user_id] = {**MEMBER, "id": user_id, "profile": profile, **changes}

    async def api_call(self, method: str, params: dict[str, Any]) -> AsyncSlackResponse:
        self.calls.append(f"{method} {next(iter(params.values()), '')}")
        if self.hangs:
            await asyncio.Event().wait()
        if method in self.errors:
            raise self._error(method, self.errors[method])
        if method == "users.info":
            return self._told({"user": self.people[params["user"]]})
        if method == "users.lookupByEmail":
            found = [one for one in self.people.values() if one["profile"]["email"] == params["email"]]
            if not found:
                raise self._error(method, "users_not_found")
            return self._told({"user": found[0]})
        raise AssertionError(f"unplanned call: {method}")

    async def usergroups_list(self, **_: Any) -> dict[str, Any]:
        self.calls.append("usergroups.list")
        if "usergroups.list" in self.errors:
            raise self._error("usergroups.list", self.errors["usergroups.list"])
        return {"usergroups": [{"id": f"S-{handle}", "handle": handle} for handle in self.groups]}

    async def usergroups_users_list(self, usergroup: str) -> dict[str, Any]:
        return {"users": self.groups[usergroup.removeprefix("S-")]}

    def _told(self, data: dict[str, Any]) -> AsyncSlackResponse:
        return AsyncSlackResponse(
            client=None,
            http_verb="POST",
            api_url="",
            req_args={},
            data={"ok": True, **data},
            headers={},
            status_code=200,
        )

    def _error(self, method: str, code: str) -> SlackApiError:
        response = AsyncSlackResponse(
            client=None, http_verb="POST", api_url="", req_args={}, data={"ok": False, "error": code},
            headers={"Retry-After": "30"}, status_code=429 if code == "ratelimited" else 200,
        )  # fmt: skip
        return SlackApiError(code, response)


class Place:
    """A directory on a fake Slack and a clock that stands still."""

    def __init__(self, database: Database) -> None:
        self.slack, self.clock, self.configuration = FakeSlack(), MovableClock(), Configured()
        groups = self.configuration.platform.groups
        handles = Usergroups(
            self.slack,
            self.clock,
            lambda: [one.usergroup for one in groups.values() if one.usergroup],  # type: ignore[arg-type]
        )
        self.directory = SlackDirectory(
            self.slack,
            self.configuration,
            database,
            self.clock,
            Home("T0", "https://acme.test/"),
            handles,  # type: ignore[arg-type]
        )
        self.slack.has("U0LEE", "lee@acme.test")
        self.slack.has("U0DANA", "Dana@Acme.test")
        self.slack.has("U0OLU", "olu@acme.test")
        self.slack.groups = {"platform-leads": ["U0DANA"]}


@pytest.fixture
async def place(tmp_path: Path) -> Any:
    async with database_in(tmp_path) as database:
        made = Place(database)
        made.slack.database = database  # type: ignore[attr-defined]
        yield made


async def test_groups_and_teams_come_from_e_mails_ids_and_usergroups(place: Place) -> None:
    lee, dana, olu = [await place.directory.person(user) for user in ("U0LEE", "U0DANA", "U0OLU")]
    assert (lee.groups, lee.teams) == (("leads",), ("shop",))
    assert (dana.groups, dana.teams) == (("leads",), ("shop",)), "by usergroup, and by e-mail whatever its case"
    assert (olu.groups, olu.teams) == (("sre",), ())


async def test_a_standing_counts_for_five_minutes_and_is_asked_for_again_then(place: Place) -> None:
    assert place.directory.known("U0LEE") is None
    await place.directory.person("U0LEE")
    await place.clock.advance(FRESH - 1)
    assert place.directory.known("U0LEE") is not None
    await place.clock.advance(2)
    assert place.directory.known("U0LEE") is None
    place.slack.people["U0LEE"]["deleted"] = True
    gone = await place.directory.person("U0LEE")
    assert gone.standing is Standing.DEACTIVATED
    assert gone.groups == gone.teams == ()


async def test_many_who_wait_for_the_same_person_ask_once(place: Place) -> None:
    await asyncio.gather(*(place.directory.person("U0LEE") for _ in range(20)))
    assert place.slack.calls.count("users.info U0LEE") == 1


async def test_a_slack_that_does_not_answer_makes_everybody_unknown_but_keeps_names(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.directory.person("U0LEE")
    await place.clock.advance(FRESH + 1)
    place.slack.hangs = True
    monkeypatch.setattr("chatops.slack.directory.ASK_WITHIN", 0.01)
    lee = await place.directory.person("U0LEE")
    assert (lee.standing, lee.name, lee.groups) == (Standing.UNKNOWN, "Lee", ())


async def test_names_are_remembered_over_a_restart_and_standings_are_not(place: Place) -> None:
    await place.directory.person("U0LEE")
    again = Place(place.slack.database)  # type: ignore[attr-defined]
    await again.directory.open()
    again.slack.errors["users.info"] = "internal_error"
    lee = await again.directory.person("U0LEE")
    assert (lee.name, lee.email, lee.standing) == ("Lee", "lee@acme.test", Standing.UNKNOWN)


async def test_after_a_429_slack_is_left_alone_for_as_long_as_it_said(place: Place) -> None:
    place.slack.errors["users.info"] = "ratelimited"
    await place.directory.person("U0LEE")
    del place.slack.errors["users.info"]
    assert (await place.directory.person("U0LEE")).standing is Standing.UNKNOWN
    assert place.slack.calls.count("users.info U0LEE") == 1
    await place.clock.advance(31)
    assert (await place.directory.person("U0LEE")).is_member


async def test_an_e_mail_that_two_active_accounts_share_names_neither(place: Place) -> None:
    place.slack.has("U0FAKE", "lee@acme.test")
    await place.directory.person("U0LEE")
    fake = await place.directory.person("U0FAKE")
    lee = await place.directory.person("U0LEE")
    assert fake.groups == fake.teams == lee.groups == lee.teams == ()
    place.slack.people["U0FAKE"]["deleted"] = True
    await place.clock.advance(FRESH + 1)
    await place.directory.person("U0FAKE")
    assert (await place.directory.person("U0LEE")).groups == ("leads",)


async def test_a_guest_or_stranger_belongs_to_no_group_whatever_the_configuration_says(place: Place) -> None:
    place.slack.people["U0LEE"]["is_restricted"] = True
    assert (await place.directory.person("U0LEE")).groups == ()
    stranger = await place.directory.person("U0OLU", "T0PARTNER")
    assert (stranger.standing, stranger.groups) == (Standing.OUTSIDER, ())
    assert place.directory.known("U0OLU", "T0PARTNER") == stranger


@pytest.mark.parametrize("refusal", ["missing_scope", "paid_teams_only"])
async def test_without_usergroups_only_configured_members_count(place: Place, refusal: str) -> None:
    place.slack.errors["usergroups.list"] = refusal
    assert (await place.directory.person("U0LEE")).groups == ("leads",)
    assert (await place.directory.person("U0DANA")).groups == ()
    assert place.slack.calls.count("usergroups.list") == 1


async def test_the_last_good_answer_about_usergroups_counts_for_an_hour(place: Place) -> None:
    assert (await place.directory.person("U0DANA")).groups == ("leads",)
    place.slack.errors["usergroups.list"] = "internal_error"
    await place.clock.advance(KEPT - 1)
    assert (await place.directory.person("U0DANA")).groups == ("leads",)
    await place.clock.advance(FRESH + 1)
    assert (await place.directory.person("U0DANA")).groups == ()


async def test_members_are_the_active_people_a_source_stands_for(place: Place) -> None:
    names = {source: [one.name for one in await place.directory.members(source, "shop")] for source in (
        "group:leads", "group:sre", "team-leads", "user:olu@acme.test", "user:U0DANA", "group:nobody", "user:x@y.test",
    )}  # fmt: skip
    assert names == {
        "group:leads": ["Dana", "Lee"],
        "group:sre": ["Olu"],
        "team-leads": ["Lee"],
        "user:olu@acme.test": ["Olu"],
        "user:U0DANA": ["Dana"],
        "group:nobody": [],
        "user:x@y.test": [],
    }
    place.slack.people["U0LEE"]["deleted"] = True
    await place.clock.advance(SHOWN + 1)
    assert [one.name for one in await place.directory.members("group:leads")] == ["Dana"]


async def test_whom_slack_could_not_be_asked_about_is_told_apart_from_whom_it_does_not_know(place: Place) -> None:
    sources = ("user:olu@acme.test", "user:x@y.test", "user:U0DANA")

    async def unsaid() -> list[tuple[str, ...]]:
        for source in sources:
            await place.directory.members(source)
        return [place.directory.unsaid(source) for source in sources]

    assert await unsaid() == [(), (), ()]
    await place.clock.advance(SHOWN + 1)
    place.slack.errors = {"users.info": "internal_error", "users.lookupByEmail": "internal_error"}
    assert await unsaid() == [("olu@acme.test",), ("x@y.test",), ()]
    place.slack.errors = {}
    place.slack.people["U0OLU"]["deleted"] = True
    assert await unsaid() == [(), (), ()], "Slack says that nobody works there any more"


async def test_a_card_does_not_ask_slack_anew_for_each_of_its_approvers(place: Place) -> None:
    await place.directory.members("group:leads")
    calls = len(place.slack.calls)
    await place.clock.advance(FRESH + 1)
    await place.directory.members("team-leads", "shop")
    assert len(place.slack.calls) == calls


async def test_a_new_configuration_counts_at_once(place: Place) -> None:
    assert (await place.directory.person("U0OLU")).groups == ("sre",)
    groups = {"ops": Group(name="ops", members=("OLU@acme.test",))}
    place.configuration.platform = place.configuration.platform.model_copy(update={"groups": groups})
    assert (await place.directory.person("U0OLU")).groups == ("ops",)


async def test_in_the_first_moments_the_members_of_a_group_are_known_as_well(tmp_path: Path) -> None:
    async with desk(tmp_path, warm=False) as acme:
        acme.front.directory.home.team_id = ""
        assert [one.name for one in await acme.front.directory.members("user:olu@acme.test")] == ["Olu"]


async def test_in_the_first_moments_the_home_workspace_is_asked_for(tmp_path: Path) -> None:
    async with desk(tmp_path, warm=False) as acme:
        acme.front.directory.home.team_id = ""
        assert (await acme.front.directory.person("U0LEE")).is_member


async def test_a_deactivated_account_and_a_guest_on_the_local_slack_are_no_members(tmp_path: Path) -> None:
    async with desk(tmp_path, warm=False) as acme:
        await acme.sandbox.change_person("U0LEE", deleted=True)
        await acme.sandbox.change_person("U0SAM", is_restricted=True)
        people = [await acme.front.directory.person(user) for user in ("U0LEE", "U0SAM", "U0GUS", "U0DANA", "U0NOBODY")]
        expected = [Standing.DEACTIVATED, Standing.GUEST, Standing.OUTSIDER, Standing.MEMBER, Standing.UNKNOWN]
        assert [one.standing for one in people] == expected


async def test_everybody_the_configuration_names_is_known_after_warming_up(tmp_path: Path) -> None:
    async with desk(tmp_path, warm=False) as acme:
        warming = asyncio.create_task(acme.front.directory.warm())
        async with asyncio.timeout(10):
            while acme.front.directory.known("U0DANA") is None:
                await asyncio.sleep(0.01)
        warming.cancel()
