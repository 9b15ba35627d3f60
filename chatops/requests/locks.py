"""Locks of a service in an environment: kept in the database, told in the deploys channel, and over by themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from approvals.lifecycle import sources_of
from chatops.kernel import audit
from chatops.kernel.catalog import Platform
from chatops.kernel.errors import Refused, TooLate
from chatops.kernel.locks import Lock, Where
from chatops.kernel.masking import mask
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Configuration, Database, Lane, Outbox, Post, Row, Tx
from chatops.kernel.routes import hearing, placed
from chatops.requests.clicks import only_once

HELD = """
SELECT * FROM locks
WHERE service = :service AND environment = :environment AND tier = :tier AND team = :team AND ended_at = 0
"""
FROZEN = "SELECT * FROM locks WHERE service = '' AND ended_at = 0 AND until_at > :now ORDER BY id"
ALL = "SELECT * FROM locks WHERE ended_at = 0 AND until_at > :now ORDER BY until_at, id LIMIT 100"
DUE = "SELECT * FROM locks WHERE ended_at = 0 AND until_at <= :now ORDER BY until_at LIMIT 50"
INSERT = """
INSERT INTO locks (service, environment, tier, team, holder_id, holder, reason, made_at, until_at)
VALUES (:service, :environment, :tier, :team, :holder_id, :holder, :reason, :now, :until) RETURNING *
"""
LONGER = "UPDATE locks SET until_at = :until, reason = :reason WHERE id = :id RETURNING *"
END = "UPDATE locks SET ended_at = :now, ended_by = :by WHERE id = :id AND ended_at = 0"
WATCH = "INSERT INTO lock_watchers (lock_id, person_id) VALUES (:id, :person) ON CONFLICT DO NOTHING"
WATCHERS = "SELECT person_id FROM lock_watchers WHERE lock_id = :id ORDER BY person_id"
# What people are told of it has an id below it as well: "lock/7/releases", "lock/7/U0DANA"
TOLD = """
SELECT id, channel FROM posts
WHERE (id = :id OR (id >= :id || '/' AND id < :id || '0')) AND person = '' ORDER BY length(id), id
"""
PRUNE = """
DELETE FROM locks WHERE id IN (
    SELECT id FROM locks WHERE ended_at > 0 AND ended_at < :before ORDER BY ended_at LIMIT 500
)
"""
NAMED = ("service", "environment")  # of where it is, always in the audit trail
KEPT = 90 * 86400.0  # seconds; the audit trail tells of them for ever
WAYS_BACK = frozenset({"rollback"})  # nothing keeps anybody from going back


def prune(tx: Tx, now: float) -> int:
    """Forgets locks that ended long ago; how many."""
    return tx.run(PRUNE, before=now - KEPT)


def _held(tx: Tx, where: Where, now: float) -> Lock | None:
    row = tx.one(HELD, **asdict(where))
    return _read(row) if row is not None and row["until_at"] > now else None


def _on(tx: Tx, platform: Platform, service: str, environment: str, now: float) -> list[Lock]:
    """What holds at a place: the freezes that cover it, and its own lock."""
    there, what = platform.environments.get(environment), platform.services.get(service)
    frozen = [_read(row) for row in tx.all(FROZEN, now=now)]
    found = [one for one in frozen if there is not None and one.where.covers(there, what)]
    own = _held(tx, Where(service, environment), now) if service else None
    return [*found, own] if own is not None else found


@dataclass(slots=True)
class LockDesk:
    """Implements ``kernel.locks.Locks``."""

    database: Database
    outbox: Outbox
    configuration: Configuration
    clock: Clock

    async def standing(self, requester: Person, action: str, risk: str, service: str, environment: str) -> list[Lock]:
        """The locks that keep this person from changing this: never their own, and never a way back."""
        if risk == "read" or action in WAYS_BACK or not environment:
            return []
        platform, now = self.configuration.platform, self.clock.now()
        held = await self.database.read(_on, platform, service, environment, now)
        return [one for one in held if not one.service or one.holder_id != requester.id]

    async def listed(self) -> Sequence[Lock]:
        """What is locked, the one that ends first first."""
        now = self.clock.now()
        return await self.database.read(lambda tx: [_read(row) for row in tx.all(ALL, now=now)])

    async def take(self, person: Person, where: Where, until: float, reason: str, key: str = "") -> Lock:
        """``kernel.locks.Locks.take``."""
        self._check(person, where)
        return await self.database.write(self._take, person, where, until, mask(reason)[0], key)

    async def give_back(
        self, person: Person, where: Where, reason: str, key: str = "", before: float = math.inf
    ) -> Lock:
        """``kernel.locks.Locks.give_back``."""
        return await self.database.write(self._give_back, person, where, mask(reason)[0], key, before)

    async def watch(self, person: Person, service: str, environment: str) -> Lock | None:
        """Tells this person once it is free; None when it is."""
        return await self.database.write(self._watch, person, service, environment)

    async def look(self) -> None:
        """Ends what is over by now."""
        await self.database.write(self._look)

    # inside --------------------------------------------------------------------------------------------------------

    def _check(self, person: Person, where: Where) -> None:
        """The owning team, its leads, the platform team, and who may break the glass of locks."""
        if not (self._owns(person, where) or self._breaks(person)):
            found = self.configuration.platform.services.get(where.service)
            leads = f"the leads of {where.team}" if where.team else "the leads of a team"
            who = f"team {found.team}, who owns it," if found else leads
            what = f"lock {where.service}" if where.service else f"freeze {where.place}"
            raise Refused(f"Only {who} and the platform team can {what}.")

    def _owns(self, person: Person, where: Where) -> bool:
        found = self.configuration.platform.services.get(where.service)
        if not person.is_member:
            return False
        return (found is not None and found.team in person.teams) or self._leads(person, where)

    def _leads(self, person: Person, where: Where) -> bool:
        """The platform team, and the leads: of the team whose it is, or of any where more than a team's is frozen."""
        platform = self.configuration.platform
        found = platform.services.get(where.service)
        owner = (found.team if found else "") if where.service else where.team
        teams = [owner] if where.service or owner else list(platform.teams)
        if sources_of(person, platform.operators, "", platform):
            return True
        return any(sources_of(person, ("team-leads",), team, platform) for team in teams)

    def _breaks(self, person: Person) -> bool:
        glass = self.configuration.platform.locks.break_glass
        return person.is_member and glass is not None and glass.group in person.groups

    def _take(self, tx: Tx, person: Person, where: Where, until: float, reason: str, key: str) -> Lock:
        now = self.clock.now()
        only_once(tx, key, now)
        row = tx.one(HELD, **asdict(where))
        if row is not None and row["until_at"] <= now:
            self._end(tx, _read(row), "", "")
            row = None
        if row is not None and row["holder_id"] != person.id:
            raise TooLate(_read(row).sentence(now))
        if row is not None:
            made = tx.one(LONGER, id=row["id"], until=until, reason=reason or row["reason"])
        else:
            made = tx.one(
                INSERT, **asdict(where), holder_id=person.id, holder=person.name or person.id,
                reason=reason, now=now, until=until,
            )  # fmt: skip
        if made is None:
            raise TypeError("a statement that returns gives a row")
        lock = _read(made)
        self._audit(tx, person.email or person.id, lock.done, lock, reason)
        self._tell(tx, lock, f"{'🔒' if lock.service else '🧊'} {lock.sentence(now)}")
        return lock

    def _give_back(self, tx: Tx, person: Person, where: Where, reason: str, key: str, before: float) -> Lock:
        only_once(tx, key, self.clock.now())
        lock = _held(tx, where, self.clock.now())
        if lock is None:
            is_not = f"{where.place} is not {'locked' if where.service else 'frozen'}"
            raise TooLate(f"{is_not}.", hint="" if where.service else "What the configuration freezes ends by itself.")
        if lock.made_at > before:
            raise TooLate(f"That was {lock.done} after you asked, and stays so: {lock.sentence(self.clock.now())}")
        mine, leads = lock.holder_id == person.id, self._leads(person, where)
        if not mine and not leads and not self._breaks(person):
            said = f"{lock.holder} has {lock.done} it: they, the leads of its team and the platform team end that."
            raise Refused(said)
        if not mine and not leads and not reason.strip():
            raise Refused("Breaking a lock needs a reason: … because REASON.", hint="Everyone is told of it.")
        self._end(tx, lock, person.name or person.id, reason, who=person.email or person.id)
        if not mine:
            why, kind = f": {reason}" if reason else ".", "lock" if lock.service else "freeze"
            self._say_to(tx, lock, lock.holder_id, [f"🔓 {person.name} ended your {kind} of {lock.place}{why}"])
        return lock

    def _watch(self, tx: Tx, person: Person, service: str, environment: str) -> Lock | None:
        held = _on(tx, self.configuration.platform, service, environment, self.clock.now())
        for lock in held:
            tx.run(WATCH, id=lock.id, person=person.id)
        return max(held, key=lambda one: one.until, default=None)

    def _look(self, tx: Tx) -> None:
        for row in tx.all(DUE, now=self.clock.now()):
            self._end(tx, _read(row), "", "")

    def _end(self, tx: Tx, lock: Lock, by: str, reason: str, who: str = "assistant") -> None:
        """It is free; whoever wanted to hear of that is told, and the deploys channel."""
        tx.run(END, id=lock.id, now=self.clock.now(), by=by)
        self._audit(tx, who, "unlocked" if lock.service else "thawed", lock, reason)
        kind, ended = ("lock", "unlocked it") if lock.service else ("freeze", "thawed it")
        how = f"{lock.holder}'s {kind} is over" if not by else f"{by} {ended}" + (f": {reason}" if reason else "")
        self._tell(tx, lock, f"🔓 {lock.place} is free: {how.rstrip('.')}.")
        for row in tx.all(WATCHERS, id=lock.id):
            lines = [f"🔓 {lock.place} is free: {how.rstrip('.')}."]
            place = f"{lock.service} {lock.environment}" if lock.service else f"environment={lock.environment}"
            line = f"deploy {place}" if lock.environment else "deploy"
            self._say_to(tx, lock, row["person_id"], lines, line)

    def _audit(self, tx: Tx, who: str, what: str, lock: Lock, reason: str) -> None:
        data: dict[str, Any] = {name: value for name, value in asdict(lock.where).items() if value or name in NAMED}
        data |= {"lock": lock.id, "holder": lock.holder}
        audit.append(
            tx, chain="platform", who=who, what=what, data={**data, "until": lock.until, "reason": reason},
            at=self.clock.now(), configuration=self.configuration.platform.digest,
        )  # fmt: skip

    def _tell(self, tx: Tx, lock: Lock, line: str) -> None:
        """One message a lock in each channel that hears of its place, brought up to date: it says that it is over."""
        platform, found = self.configuration.platform, dict[str, None]()
        for one in platform.environments.values():
            if lock.environment in ("", one.name) and lock.where.tier in ("", one.tier):
                heard = hearing(platform, one.name, lock.service, lock.where.team)
                found |= dict.fromkeys(each.channel for each in heard)
        post = Post(f"lock/{lock.id}", Lane.NOTICE, "note", content={"lines": [line]})
        # By the present routes alone, a channel that hears no more of the place would say "locked" for ever
        standing = {row["channel"]: str(row["id"]) for row in tx.all(TOLD, id=post.id)}
        for each in placed(post, found, standing):
            self.outbox.show(tx, each)

    def _say_to(self, tx: Tx, lock: Lock, person: str, lines: list[str], line: str = "") -> None:
        buttons = [{"label": "Deploy", "line": line, "form": True}] if line else []
        self.outbox.show(
            tx,
            Post(
                f"lock/{lock.id}/{person}", Lane.ANSWER, "note", person=person,
                content={"lines": lines, "buttons": buttons},
            ),
        )  # fmt: skip


def _read(row: Row) -> Lock:
    return Lock(
        id=int(row["id"]), where=Where(row["service"], row["environment"], row["tier"], row["team"]),
        holder_id=row["holder_id"], holder=row["holder"], reason=row["reason"], made_at=row["made_at"],
        until=row["until_at"],
    )  # fmt: skip
