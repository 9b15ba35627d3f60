"""Who takes whose place on call for a while: asked for in Slack, kept in the database, looked at by every page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from approvals.lifecycle import sources_of
from chatops.kernel import audit
from chatops.kernel.called import called
from chatops.kernel.errors import Refused, TooLate
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Configuration, Database, Directory, Lane, Outbox, Post, Row, Tx
from chatops.kernel.rota import Overridden
from chatops.kernel.spans import shown, zone_of
from chatops.requests.clicks import only_once

INSERT = """
INSERT INTO overrides (rota, person_id, person, name, starts_at, ends_at, made_by, made_at, reason)
VALUES (:rota, :person_id, :person, :name, :starts_at, :ends_at, :made_by, :made_at, :reason) RETURNING id
"""
OF_ROTA = """
SELECT * FROM overrides WHERE rota = :rota AND removed_at = 0 AND ends_at > :start AND starts_at < :end ORDER BY id
"""
FIND = "SELECT * FROM overrides WHERE id = :id"
REMOVE = "UPDATE overrides SET removed_at = :now WHERE id = :id AND removed_at = 0"


def of_rota(tx: Tx, rota: str, start: float, end: float) -> list[Overridden]:
    """What holds between two moments, in the order in which it was made."""
    return [_read(row) for row in tx.all(OF_ROTA, rota=rota, start=start, end=end)]


@dataclass(slots=True)
class Overrides:
    """Implements ``kernel.action.Overrides``."""

    database: Database
    outbox: Outbox
    configuration: Configuration
    directory: Directory
    clock: Clock

    async def of(self, rota: str, start: float, end: float) -> list[Overridden]:
        """What holds between two moments, in the order in which it was made."""
        return await self.database.read(of_rota, rota, start, end)

    async def called(self, people: Collection[str]) -> Mapping[str, str]:
        """What those are called whom the configuration names by e-mail or id, as far as Slack says it in time."""
        return await called(self.directory, people)

    async def put(
        self, asker: Person, rota: str, who: str, start: float, end: float, reason: str, key: str = ""
    ) -> Overridden:
        """Somebody is on call instead of whoever it would be, the same ``key`` once.

        Raises ``TooLate``, ``Refused``.
        """
        self._check(asker, rota)
        found = await self.directory.members(f"user:{who}")
        if not found or not found[0].is_member:
            raise Refused(f"Nobody here goes by {who}.", hint="Mention the person, or give an e-mail.")
        return await self.database.write(self._put, asker, rota, found[0], start, end, reason, key)

    async def remove(self, asker: Person, number: int, key: str = "") -> Overridden:
        """The rota holds again, the same ``key`` once. Raises ``TooLate``, ``Refused``."""
        return await self.database.write(self._remove, asker, number, key)

    # inside --------------------------------------------------------------------------------------------------------

    def _check(self, asker: Person, rota: str) -> None:
        """Those who take turns, the leads of teams that the rota serves, and the platform team."""
        platform = self.configuration.platform
        found = platform.rotas[rota]
        leads = [lead for team in platform.teams.values() if team.oncall == rota for lead in team.leads]
        operator = bool(sources_of(asker, platform.operators, "", platform))
        mine = operator or any(map(asker.is_named, (*found.people, *leads)))
        if not asker.is_member or not mine:
            said = f"{rota} is changed by those who take turns in it, the leads of its teams and the platform team."
            raise Refused(said, hint=f"Ask one of them: {', '.join(found.people[:4])}.")

    def _put(
        self, tx: Tx, asker: Person, rota: str, person: Person, start: float, end: float, reason: str, key: str
    ) -> Overridden:
        only_once(tx, key, self.clock.now())
        row = tx.one(
            INSERT, rota=rota, person_id=person.id, person=person.email or person.id, name=person.name or person.id,
            starts_at=start, ends_at=end, made_by=asker.name or asker.id, made_at=self.clock.now(), reason=reason,
        )  # fmt: skip
        if row is None:
            raise TypeError("an insert that returns gives a row")
        made = _read(tx.all(FIND, id=row["id"])[0])
        self._audit(tx, asker, "oncall_overridden", made)
        if person.id != asker.id:
            self._tell(tx, made, f"{(made.by)} put you on call for {rota}", person.tz)
        return made

    def _remove(self, tx: Tx, asker: Person, number: int, key: str) -> Overridden:
        only_once(tx, key, self.clock.now())
        row = tx.one(FIND, id=number)
        if row is None or row["removed_at"]:
            raise TooLate(f"There is no override {number} any more.")
        found = _read(row)
        if found.rota in self.configuration.platform.rotas:
            self._check(asker, found.rota)
        tx.run(REMOVE, id=number, now=self.clock.now())
        self._audit(tx, asker, "oncall_restored", found)
        if found.person_id != asker.id:
            self._tell(tx, found, f"{(asker.name or asker.id)} took you off call for {found.rota} again", "")
        return found

    def _audit(self, tx: Tx, asker: Person, what: str, made: Overridden) -> None:
        data = {"rota": made.rota, "person": made.person, "start": made.start, "end": made.end, "override": made.id}
        audit.append(
            tx, chain="platform", who=asker.email or asker.id, what=what, data=data, at=self.clock.now(),
            configuration=self.configuration.platform.digest,
        )  # fmt: skip

    def _tell(self, tx: Tx, made: Overridden, said: str, zone: str) -> None:
        lines = [f"{said}: {shown(made.start, made.end, zone_of(zone))}."]
        post = Post(
            f"override/{made.id}/{self.clock.now()}", Lane.ANSWER, "note", person=made.person_id,
            content={"lines": lines},
        )  # fmt: skip
        self.outbox.show(tx, post)


def _read(row: Row) -> Overridden:
    return Overridden(
        id=int(row["id"]), rota=row["rota"], person_id=row["person_id"], person=row["person"], name=row["name"],
        start=row["starts_at"], end=row["ends_at"], by=row["made_by"], reason=row["reason"],
    )  # fmt: skip
