"""Who people are: Slack's ``users.info`` joined with the catalog. When nobody can say in time, the answer is no.

What Slack said is believed for five minutes, for an approval may not count on more; names and addresses are remembered
over a restart, standings are not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.catalog import Platform
from chatops.kernel.people import Person, Standing
from chatops.kernel.ports import Clock, Configuration, Database, Row, Tx
from chatops.slack.errors import AWAY
from chatops.slack.memberships import Memberships
from chatops.slack.usergroups import Usergroups

log = logging.getLogger(__name__)

FRESH = 300.0  # seconds a standing counts for a decision
SHOWN = 3600.0  # seconds a name counts for a card and a mention
ASK_WITHIN = 2.0  # seconds; a click must be acknowledged within three

SAVE = """
INSERT INTO people (id, body, fetched_at) VALUES (:id, :body, :at)
ON CONFLICT (id) DO UPDATE SET body = excluded.body, fetched_at = excluded.fetched_at
"""
LOAD = "SELECT id, body, fetched_at FROM people"


class Account(BaseModel):
    """One Slack account as ``users.info`` showed it."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str = ""
    email: str = ""
    standing: Standing = Standing.UNKNOWN
    tz: str = "UTC"


@dataclass
class Home:
    """The home workspace and our own account there, learned from ``auth.test``; empty until then."""

    team_id: str = ""
    url: str = ""
    bot_user_id: str = ""
    bot_id: str = ""

    async def learn(self, client: AsyncWebClient) -> None:
        """Asks Slack who we are. Raises what the client raises."""
        told = await client.auth_test()
        self.team_id, self.url = str(told["team_id"]), str(told.get("url") or "")
        self.bot_user_id, self.bot_id = str(told["user_id"]), str(told.get("bot_id") or "")


@dataclass(slots=True)
class _Told:
    account: Account
    at: float


@dataclass(slots=True)
class SlackDirectory:
    """Implements ``kernel.ports.Directory``."""

    client: AsyncWebClient
    configuration: Configuration
    database: Database
    clock: Clock
    home: Home
    usergroups: Usergroups
    _told: dict[str, _Told] = field(default_factory=dict)
    _remembered: dict[str, Account] = field(default_factory=dict)
    _asking: dict[str, asyncio.Task[Account | None]] = field(default_factory=dict)
    _emails: dict[str, tuple[str, float]] = field(default_factory=dict)
    _holders: dict[str, set[str]] = field(default_factory=dict)  # active accounts by e-mail
    _memberships: Memberships = field(default_factory=Memberships)
    _quiet_until: float = 0.0

    async def open(self) -> None:
        """Remembers the people of earlier runs: their names and addresses, not their standing."""
        for row in await self.database.read(_load):
            try:
                account = Account.model_validate_json(row["body"])
            except ValidationError:  # of another version: it is asked for again
                continue
            self._remembered[account.id] = account

    async def warm(self) -> None:
        """Asks for everyone the configuration names, slowly enough for Slack's limits (50 e-mails a minute)."""
        await self.usergroups.refresh()
        for name in sorted(_names(self.configuration.platform)):
            asked = await self._id_of(name)
            if asked and self._fresh(asked, SHOWN) is None:
                await self._ask(asked)
            await self.clock.sleep(1.5)

    def known(self, user_id: str, team_id: str = "") -> Person | None:
        """The person from what Slack said in the last five minutes, without waiting."""
        if self._is_outside(team_id):
            return self._outsider(user_id)
        account = self._fresh(user_id, FRESH)
        if account is None or not self.usergroups.fresh(self._handles()):
            return None
        return self._person(account)

    def id_known(self, email: str) -> str:
        """The Slack id behind an e-mail, from the cache alone; empty when nobody has asked for it lately."""
        return self._emails.get(email.casefold(), ("", 0.0))[0]

    async def person(self, user_id: str, team_id: str = "") -> Person:
        """The person, asked for when need be; UNKNOWN after two seconds without an answer."""
        await self._know_home()
        if self._is_outside(team_id):
            return self._outsider(user_id)
        account = self._fresh(user_id, FRESH)
        if not self.usergroups.fresh(self._handles()):
            _, account = await asyncio.gather(self._usergroups_in_time(), _given(account) or self._ask(user_id))
        account = account or await self._ask(user_id)
        if account is None:
            old = self._remembered.get(user_id, Account(id=user_id))
            return Person(id=user_id, name=old.name, email=old.email, tz=old.tz, standing=Standing.UNKNOWN)
        return self._person(account)

    async def members(self, source: str, team: str = "") -> tuple[Person, ...]:
        """Active members of a source, by name; a name is believed for an hour, for it decides nothing."""
        await self._know_home()
        names, handles = sources(self.configuration.platform, source, team)
        if handles and not self.usergroups.fresh(set(handles)):
            await self._usergroups_in_time()
        wanted = [*names, *(member for handle in handles for member in self.usergroups.members(handle))]
        found: dict[str, Person] = {}
        for person in await asyncio.gather(*(self._named(name) for name in dict.fromkeys(wanted))):
            if person is not None and person.is_member:
                found[person.id] = person
        return tuple(sorted(found.values(), key=lambda one: one.name))

    def unsaid(self, source: str, team: str = "") -> tuple[str, ...]:
        """Those that Slack could not be asked about; not those of which it said that nobody has them."""
        names, _ = sources(self.configuration.platform, source, team)
        return tuple(name.casefold() for name in dict.fromkeys(names) if "@" in name and not self._said(name))

    # ---- inside

    def _said(self, email: str) -> bool:
        """Whether Slack said within the hour who has this e-mail, or that nobody has."""
        now, (user_id, at) = self.clock.now(), self._emails.get(email.casefold(), ("", 0.0))
        if not user_id and now - at < SHOWN:
            return True
        told = [one.account for one in self._told.values() if now - one.at < SHOWN]
        return any(one.id == user_id or one.email.casefold() == email.casefold() for one in told)

    async def _named(self, name: str) -> Person | None:
        user_id = await self._id_of(name)
        account = (self._fresh(user_id, SHOWN) or await self._ask(user_id)) if user_id else None
        return self._person(account) if account is not None else None

    async def _id_of(self, name: str) -> str:
        """The account that a name of the configuration means: an id as it stands, an e-mail looked up."""
        if "@" not in name:
            return name
        email = name.casefold()
        known = self._emails.get(email)
        if known is not None and self.clock.now() - known[1] < SHOWN:
            return known[0]
        remembered = [one.id for one in self._remembered.values() if one.email.casefold() == email]
        if len(remembered) == 1:
            return remembered[0]
        told = await self._call("users.lookupByEmail", email=name)
        if told is None:
            return ""
        account = self._keep(told["user"]) if told.get("user") else None
        # "nobody has this e-mail" is remembered too, or each card would ask again
        self._emails[email] = (account.id if account else "", self.clock.now())
        return account.id if account else ""

    async def _ask(self, user_id: str) -> Account | None:
        """Asks Slack once for however many wait for the answer."""
        task = self._asking.get(user_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._users_info(user_id))
            self._asking[user_id] = task
            task.add_done_callback(lambda _: self._asking.pop(user_id, None))
        return await asyncio.shield(task)

    async def _users_info(self, user_id: str) -> Account | None:
        told = await self._call("users.info", user=user_id)
        if told is None or not told.get("user"):
            return None
        account = self._keep(told["user"])
        if self._remembered.get(account.id) != account:
            self._remembered[account.id] = account
            await self.database.write(_save, account, self.clock.now())
        return account

    async def _call(self, method: str, **params: Any) -> Mapping[str, Any] | None:
        """A call's answer, an empty one for "there is no such person", None when Slack cannot say now."""
        if self.clock.now() < self._quiet_until or not self.home.team_id:
            return None
        try:
            async with asyncio.timeout(ASK_WITHIN):
                told = await self.client.api_call(method, params=params)
        except SlackApiError as error:
            said = error.response.get("error")
            if said in ("users_not_found", "user_not_found", "user_not_visible"):
                return {}
            if said == "ratelimited":
                wait = float(error.response.headers.get("Retry-After", 10))
                self._quiet_until = self.clock.now() + wait
            log.warning("%s: %s", method, said)
            return None
        except AWAY as error:
            log.warning("%s: %s", method, type(error).__name__)
            return None
        except Exception:  # whatever it is: Slack cannot say now
            log.warning("%s failed", method, exc_info=True)
            return None
        return told.data if isinstance(told.data, dict) else None

    async def _know_home(self) -> None:
        """Without the home workspace nobody's standing can be told; in the first moments it is asked for here."""
        if self.home.team_id:
            return
        try:
            async with asyncio.timeout(ASK_WITHIN):
                await self.home.learn(self.client)
        except Exception as error:  # whoever asked is told that we don't know them; the start goes on asking
            log.warning("auth.test: %s", type(error).__name__)

    async def _usergroups_in_time(self) -> None:
        try:
            async with asyncio.timeout(ASK_WITHIN):
                await self.usergroups.refresh()
        except TimeoutError:
            log.warning("usergroups took more than %s s", ASK_WITHIN)

    def _keep(self, user: Mapping[str, Any]) -> Account:
        account = self._read(user)
        if (before := self._told.get(account.id)) is not None:
            self._holders.get(before.account.email.casefold(), set()).discard(account.id)
        self._told[account.id] = _Told(account, self.clock.now())
        if account.email and account.standing is Standing.MEMBER:
            email = account.email.casefold()
            self._emails[email] = (account.id, self.clock.now())
            self._holders.setdefault(email, set()).add(account.id)
        return account

    def _read(self, user: Mapping[str, Any]) -> Account:
        """https://docs.slack.dev/reference/objects/user-object"""
        profile = user.get("profile") or {}
        name = (
            profile.get("display_name") or user.get("real_name") or profile.get("real_name") or user.get("name") or ""
        )
        return Account(
            id=str(user["id"]),
            name=str(profile.get("real_name") or user.get("real_name") or name),
            email=str(profile.get("email") or ""),
            standing=standing(user, self.home.team_id),
            tz=str(user.get("tz") or "UTC"),
        )

    def _fresh(self, user_id: str, seconds: float) -> Account | None:
        told = self._told.get(user_id)
        return told.account if told is not None and self.clock.now() - told.at < seconds else None

    def _person(self, account: Account) -> Person:
        groups: Iterable[str] = ()
        teams: Iterable[str] = ()
        if account.standing is Standing.MEMBER:
            groups, teams = self._memberships.of(
                self.configuration.platform, account.id, self._own_email(account), self.usergroups.members
            )
        return Person(
            id=account.id, name=account.name, email=account.email, standing=account.standing, tz=account.tz,
            groups=tuple(groups), teams=tuple(teams),
        )  # fmt: skip

    def _own_email(self, account: Account) -> str:
        """The account's e-mail, unless another active account goes by it too: then it names nobody."""
        email = account.email.casefold()
        return email if self._holders.get(email, set()) <= {account.id} else ""

    def _handles(self) -> frozenset[str]:
        return self._memberships.handles(self.configuration.platform)

    def _is_outside(self, team_id: str) -> bool:
        return bool(team_id and self.home.team_id) and team_id != self.home.team_id

    def _outsider(self, user_id: str) -> Person:
        name = self._remembered.get(user_id, Account(id=user_id)).name
        return Person(id=user_id, name=name, standing=Standing.OUTSIDER)


def standing(user: Mapping[str, Any], home: str) -> Standing:
    """How an account stands to the home workspace; what is missing or unclear counts against it."""
    if not home:
        return Standing.UNKNOWN
    # In a grid, one account is in several workspaces of the same company.
    teams = {user.get("team_id"), *((user.get("enterprise_user") or {}).get("teams") or ())}
    if home not in teams or user.get("is_stranger"):
        return Standing.OUTSIDER
    if user.get("deleted"):
        return Standing.DEACTIVATED
    if user.get("is_bot") or user.get("is_workflow_bot") or user.get("id") == "USLACKBOT":
        return Standing.BOT
    if "is_restricted" not in user or "is_ultra_restricted" not in user:
        return Standing.UNKNOWN
    return Standing.GUEST if user["is_restricted"] or user["is_ultra_restricted"] else Standing.MEMBER


def sources(platform: Platform, source: str, team: str = "") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names and the usergroup handles that ``group:NAME``, ``team-leads`` or ``user:NAME`` stand for."""
    kind, _, name = source.partition(":")
    if kind == "group" and (group := platform.groups.get(name)):
        return group.members, (group.usergroup,) if group.usergroup else ()
    if source == "team-leads" and (owner := platform.teams.get(team)):
        return owner.leads, ()
    return ((name,), ()) if kind == "user" and name else ((), ())


def _names(platform: Platform) -> set[str]:
    groups = (name for group in platform.groups.values() for name in group.members)
    teams = (name for team in platform.teams.values() for name in (*team.members, *team.leads))
    return {*groups, *teams}


async def _given(account: Account | None) -> Account | None:
    return account


def _load(tx: Tx) -> list[Row]:
    return tx.all(LOAD)


def _save(tx: Tx, account: Account, at: float) -> None:
    tx.run(SAVE, id=account.id, body=account.model_dump_json(exclude={"standing"}), at=at)
