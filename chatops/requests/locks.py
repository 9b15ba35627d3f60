"""Locks of a service in an environment: kept in the database, told in the deploys channel, and over by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from approvals.lifecycle import sources_of
from chatops.kernel import audit
from chatops.kernel.errors import Refused, TooLate
from chatops.kernel.locks import Lock
from chatops.kernel.masking import mask
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Configuration, Database, Lane, Outbox, Post, Row, Tx
from chatops.kernel.routes import spread

HELD = "SELECT * FROM locks WHERE service = :service AND environment = :environment AND ended_at = 0"
ALL = "SELECT * FROM locks WHERE ended_at = 0 AND until_at > :now ORDER BY until_at, id LIMIT 100"
DUE = "SELECT * FROM locks WHERE ended_at = 0 AND until_at <= :now ORDER BY until_at LIMIT 50"
INSERT = """
INSERT INTO locks (service, environment, holder_id, holder, reason, made_at, until_at)
VALUES (:service, :environment, :holder_id, :holder, :reason, :now, :until) RETURNING *
"""
LONGER = "UPDATE locks SET until_at = :until, reason = :reason WHERE id = :id RETURNING *"
END = "UPDATE locks SET ended_at = :now, ended_by = :by WHERE id = :id AND ended_at = 0"
WATCH = "INSERT INTO lock_watchers (lock_id, person_id) VALUES (:id, :person) ON CONFLICT DO NOTHING"
WATCHERS = "SELECT person_id FROM lock_watchers WHERE lock_id = :id ORDER BY person_id"
PRUNE = """
DELETE FROM locks WHERE id IN (
    SELECT id FROM locks WHERE ended_at > 0 AND ended_at < :before ORDER BY ended_at LIMIT 500
)
"""
KEPT = 90 * 86400.0  # seconds; the audit trail tells of them for ever
WAYS_BACK = frozenset({"rollback"})  # nothing keeps anybody from going back


def prune(tx: Tx, now: float) -> int:
    """Forgets locks that ended long ago; how many."""
    return tx.run(PRUNE, before=now - KEPT)


def _held(tx: Tx, service: str, environment: str, now: float) -> Lock | None:
    row = tx.one(HELD, service=service, environment=environment)
    return _read(row) if row is not None and row["until_at"] > now else None


def _on(tx: Tx, service: str, environment: str, now: float) -> list[Lock]:
    """What holds at a place: the freeze of its environment, and its own lock."""
    found = (_held(tx, one, environment, now) for one in ("", service))
    return [one for one in found if one is not None]


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
        held = await self.database.read(_on, service, environment, self.clock.now())
        return [one for one in held if not one.service or one.holder_id != requester.id]

    async def listed(self) -> Sequence[Lock]:
        """What is locked, the one that ends first first."""
        now = self.clock.now()
        return await self.database.read(lambda tx: [_read(row) for row in tx.all(ALL, now=now)])

    async def take(self, person: Person, service: str, environment: str, until: float, reason: str) -> Lock:
        """Locks it, or says of one's own lock that it lasts until then. Raises ``Refused``, ``TooLate``."""
        self._check(person, service, f"lock {service}" if service else f"freeze {environment}")
        return await self.database.write(self._take, person, service, environment, until, mask(reason)[0])

    async def give_back(self, person: Person, service: str, environment: str, reason: str) -> Lock:
        """Unlocks it. Raises ``Refused`` for who may not, ``TooLate`` where nothing is locked."""
        return await self.database.write(self._give_back, person, service, environment, mask(reason)[0])

    async def watch(self, person: Person, service: str, environment: str) -> Lock | None:
        """Tells this person once it is free; None when it is."""
        return await self.database.write(self._watch, person, service, environment)

    async def look(self) -> None:
        """Ends what is over by now."""
        await self.database.write(self._look)

    # inside --------------------------------------------------------------------------------------------------------

    def _check(self, person: Person, service: str, what: str) -> None:
        """The owning team, its leads, the platform team, and who may break the glass of locks."""
        if not (self._owns(person, service) or self._breaks(person)):
            found = self.configuration.platform.services.get(service)
            who = f"team {found.team}, who owns it," if found else "the leads of a team"
            raise Refused(f"Only {who} and the platform team can {what}.")

    def _owns(self, person: Person, service: str) -> bool:
        platform = self.configuration.platform
        found = platform.services.get(service)
        team = found.team if found else ""
        if not person.is_member:
            return False
        return (bool(service) and team in person.teams) or self._leads(person, service)

    def _leads(self, person: Person, service: str) -> bool:
        """The platform team, and the leads: of the owning team, or of any where a whole environment is frozen."""
        platform = self.configuration.platform
        found = platform.services.get(service)
        teams = [found.team if found else ""] if service else list(platform.teams)
        if sources_of(person, platform.operators, "", platform):
            return True
        return any(sources_of(person, ("team-leads",), team, platform) for team in teams)

    def _breaks(self, person: Person) -> bool:
        glass = self.configuration.platform.locks.break_glass
        return person.is_member and glass is not None and glass.group in person.groups

    def _take(self, tx: Tx, person: Person, service: str, environment: str, until: float, reason: str) -> Lock:
        now = self.clock.now()
        row = tx.one(HELD, service=service, environment=environment)
        if row is not None and row["until_at"] <= now:
            self._end(tx, _read(row), "", "")
            row = None
        if row is not None and row["holder_id"] != person.id:
            raise TooLate(_read(row).sentence(now))
        if row is not None:
            made = tx.one(LONGER, id=row["id"], until=until, reason=reason or row["reason"])
        else:
            made = tx.one(
                INSERT, service=service, environment=environment, holder_id=person.id, holder=person.name or person.id,
                reason=reason, now=now, until=until,
            )  # fmt: skip
        if made is None:
            raise TypeError("a statement that returns gives a row")
        lock = _read(made)
        self._audit(tx, person.email or person.id, lock.done, lock, reason)
        self._tell(tx, lock, f"{'🔒' if lock.service else '🧊'} {lock.sentence(now)}")
        return lock

    def _give_back(self, tx: Tx, person: Person, service: str, environment: str, reason: str) -> Lock:
        lock = _held(tx, service, environment, self.clock.now())
        if lock is None:
            is_not = f"{service} in {environment} is not locked" if service else f"{environment} is not frozen"
            raise TooLate(f"{is_not}.", hint="" if service else "What the configuration freezes ends by itself.")
        mine, leads = lock.holder_id == person.id, self._leads(person, service)
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
        held = _on(tx, service, environment, self.clock.now())
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
            self._say_to(tx, lock, row["person_id"], lines, f"deploy {place}")

    def _audit(self, tx: Tx, who: str, what: str, lock: Lock, reason: str) -> None:
        data = {"service": lock.service, "environment": lock.environment, "lock": lock.id, "holder": lock.holder}
        audit.append(
            tx, chain="platform", who=who, what=what, data={**data, "until": lock.until, "reason": reason},
            at=self.clock.now(), configuration=self.configuration.platform.digest,
        )  # fmt: skip

    def _tell(self, tx: Tx, lock: Lock, line: str) -> None:
        """One message a lock, brought up to date: it says at the end that it is over."""
        channel = self.configuration.platform.channel("deploys", lock.environment, lock.service)
        post = Post(f"lock/{lock.id}", Lane.NOTICE, "note", channel=channel, content={"lines": [line]})
        for one in spread(self.configuration.platform, post, lock.environment, lock.service):
            self.outbox.show(tx, one)

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
        id=int(row["id"]), service=row["service"], environment=row["environment"], holder_id=row["holder_id"],
        holder=row["holder"], reason=row["reason"], made_at=row["made_at"], until=row["until_at"],
    )  # fmt: skip
