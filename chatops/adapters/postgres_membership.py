"""The replicas on a PostgreSQL: who lives, who has claimed what, who leads, and whose writes still count.

A replica is one start of chatops; its ``epoch`` is its number. Its row in ``_chatops_replicas`` is its lease: it renews
it all the time, on the server's clock. Whoever finds a lease that ran out, or whose holder's connection has ended,
buries that replica: ends its connections and removes its row, and the rows of its writers, in one transaction. From
then on every transaction of the buried one is refused, for each begins with counting in such a row (``postgres``), and
what it had claimed is free, for a claim names an epoch. So a process that was paused or cut off cannot finish what has
been taken over. It begins anew with another epoch.

Claims are taken with ``FOR UPDATE SKIP LOCKED``. To lead is a claim as well. Nobody judges the others who was away
himself a moment ago: after the server's restart all leases look as if they had run out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import psycopg

from chatops.adapters.postgres_schema import migrate, prepare
from chatops.adapters.postgres_server import Address, Session, explained
from chatops.kernel.errors import DatabaseAway
from chatops.kernel.ports import Row

log = logging.getLogger(__name__)

LEASE = 10.0  # seconds without a sign of life after which a replica is given up
PATIENCE = 3.0  # seconds in which the connection of one that has it alone may still be ending
LEADS = "lead"  # the claim of who leads
# Advisory locks of a database share one space of numbers. Replicas have the first together; `migrate --to` and a
# chatops that knows of no replicas have it alone. Each has one of the second kind with its epoch, as long as its
# connection lasts.
_KEY, _OWN, _MIGRATING = 0x63686174, 0x63686175, 0x63686176
_TOGETHER, _ALONE = f"SELECT pg_try_advisory_lock_shared({_KEY}) AS got", f"SELECT pg_try_advisory_lock({_KEY}) AS got"
_HOLDER = """
SELECT application_name AS name FROM pg_stat_activity WHERE pid IN (
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = $1 AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND pid <> pg_backend_pid()
"""
_WAIT = f"""
BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_lock({_MIGRATING}); COMMIT
"""
_WAITED = f"SELECT pg_advisory_unlock({_MIGRATING})"
# LOCK waits for what is being written: nobody of whom there is no row may still be at it when the tables change.
_BEFORE = """
BEGIN; LOCK TABLE _chatops_turn IN EXCLUSIVE MODE;
DELETE FROM _chatops_writers WHERE epoch NOT IN (SELECT epoch FROM _chatops_replicas); COMMIT
"""
# One transaction with the row: who is seen has been joined by everyone of a lower epoch, or they are gone.
_NEXT = "BEGIN; UPDATE _chatops_turn SET epoch = epoch + 1 RETURNING epoch"
_OWN_LOCK = f"SELECT pg_try_advisory_lock({_OWN}, {{epoch}}) AS got"
_JOIN = """
INSERT INTO _chatops_replicas (epoch, name, beat) VALUES ({epoch}, '{name}', clock_timestamp());
INSERT INTO _chatops_writers SELECT {epoch}, writer, 0 FROM generate_series(0, {writers} - 1) AS writer; COMMIT
"""
_LEAVE = """
BEGIN; DELETE FROM _chatops_writers WHERE epoch = {epoch}; DELETE FROM _chatops_claims WHERE epoch = {epoch};
DELETE FROM _chatops_replicas WHERE epoch = {epoch}; COMMIT
"""
_BEAT = "UPDATE _chatops_replicas SET beat = clock_timestamp() WHERE epoch = $1 RETURNING epoch"
# A transaction's lock, which ends with this look: whoever can have it sees that its owner's connection is gone.
_OTHERS = """
SELECT epoch, name, beat::text AS beat, EXTRACT(EPOCH FROM clock_timestamp() - beat)::float8 AS age,
    pg_try_advisory_xact_lock($2::int, epoch::int) AS cut
FROM _chatops_replicas WHERE epoch <> $1 ORDER BY epoch
"""
_BURY = "SELECT epoch FROM _chatops_replicas WHERE epoch = $1 AND beat::text = $2 FOR UPDATE SKIP LOCKED"
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE $1 AND pid <> pg_backend_pid()
"""
_GONE = ("DELETE FROM _chatops_writers WHERE epoch = $1", "DELETE FROM _chatops_replicas WHERE epoch = $1")
_KNOWN = """
INSERT INTO _chatops_claims (work, epoch) SELECT work, 0 FROM unnest($1::text[]) AS work ORDER BY work
ON CONFLICT DO NOTHING
"""
# The row of who claims is locked, so that it is not buried meanwhile: a claim of somebody who is gone is free.
_TAKE = """
WITH mine AS (SELECT epoch FROM _chatops_replicas WHERE epoch = $2 FOR SHARE), free AS (
    SELECT work FROM _chatops_claims WHERE work = ANY($1)
        AND (epoch = $2 OR epoch NOT IN (SELECT epoch FROM _chatops_replicas))
    ORDER BY work FOR UPDATE SKIP LOCKED)
UPDATE _chatops_claims SET epoch = $2 WHERE work IN (SELECT work FROM free) AND EXISTS (SELECT 1 FROM mine)
RETURNING work
"""
_DROP = "DELETE FROM _chatops_claims WHERE work = ANY($1) AND epoch = $2"
_RING = "SELECT pg_notify('chatops', $1)"


class Membership:
    """This process among the replicas of one database; its methods are called on one thread at a time.

    ``writers`` is how many threads write, ``lease`` in seconds. ``alone``: no other may be there meanwhile.
    ``changed`` is called, on that thread, when others have come or gone, when this one leads, and when it is lost.
    """

    def __init__(
        self, address: Address, *, writers: int = 0, lease: float = LEASE, alone: bool = False,
        patience: float = PATIENCE, changed: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        self.epoch = 0
        self.lost = False
        self.leading = False
        self.others: frozenset[int] = frozenset()
        self.newest = 0
        self._address, self._writers, self._lease = address, writers, lease
        self._alone, self._patience, self._changed = alone, patience, changed
        self._session: Session | None = None
        self._let_in = False
        self._away = False
        self._renewed = 0.0  # time.monotonic() before the lease was renewed the last time
        self._back = 0.0  # since when it was renewed without a gap
        self._dropped: set[str] = set()
        self._guard = threading.Lock()

    def join(self) -> None:
        """Joins the others, after it has brought the tables up to date, which older replicas bear (docs/operations.md).

        Raises ``DatabaseAway`` when somebody has the database alone or the server cannot be reached, ``Refused`` as
        ``postgres_schema.prepare``.
        """
        with explained(self._address):
            self._session = session = Session(self._address)
            try:
                self._admit(session)
                self._let_in = True
                self._bring_up_to_date(session)
                row = session.several(_NEXT)
                self.epoch = self.newest = int(row["epoch"]) if row else 0
                self._address.of = f"#{self.epoch}"
                if self._alone:
                    session.several("COMMIT")
                    return
                session.several(f"{_OWN_LOCK.format(epoch=self.epoch)}; SET application_name = '{self._address.name}'")
                self._renewed = time.monotonic()
                joining = _JOIN.format(epoch=self.epoch, name=self._address.name, writers=self._writers)
                session.several(joining)
                self._look(session)
            except BaseException:
                session.close()
                raise

    def keep(self) -> None:
        """Renews the lease and looks after the others; after a connection was lost, on a new one."""
        with self._guard:
            if self._session is None or self.lost or self._alone:
                return
            try:
                self._keep(self._session)
                self._away = False
            except psycopg.Error as error:
                if not self._away:
                    log.error("%s does not answer: %s", self._address, type(error).__name__)
                self._away = True
                self._session.close()

    def take(self, works: Sequence[str]) -> set[str]:
        """Claims what nobody has who lives; raises ``DatabaseAway``."""
        with self._guard, explained(self._address):
            self.check()
            return self._take(self._living(), works)

    def drop(self, work: str) -> None:
        """Lets go of a claim, later when the server is away."""
        with self._guard:
            self._dropped.add(work)
            with suppress(psycopg.Error, DatabaseAway):
                self._drop(self._living())

    def ring(self, rung: str) -> None:
        """Tells the other replicas; a bell that cannot be rung is lost.

        Also of one that was given up: its connection has been ended then, and the others have to hear what it did.
        """
        with self._guard, suppress(psycopg.Error, DatabaseAway):
            try:
                self._living().ask(_RING, (rung,))
            except psycopg.Error:
                self._living().ask(_RING, (rung,))

    def lose(self) -> None:
        """Notices that the others have given this one up."""
        if not self.lost:
            self.lost = True
            log.error("%s was taken over by another chatops: this one changes nothing more", self._address)
            self._changed()

    def check(self) -> None:
        """Raises ``DatabaseAway`` once the others have given this one up."""
        if self.lost:
            raise DatabaseAway(
                "Another chatops has taken over the database.", hint="Try again in a moment: this one begins anew."
            )

    def check_lease(self) -> None:
        """The same, also while they may have done so without our knowing: the lease has nearly run out."""
        self.check()
        if not self._alone and time.monotonic() - self._renewed > self._lease * 0.8:
            raise DatabaseAway("This chatops was paused or cut off from its database, and others may be at its work.")

    def cut(self, since: float) -> None:
        """Ends a look that has waited for the server since before ``since`` (``time.monotonic``)."""
        if self._session is not None and 0 < self._session.asked_at < since:
            self._session.cut()

    def leave(self) -> None:
        """Leaves everything to the others; what was not joined is left as it is."""
        with self._guard:
            if self._session is not None:
                if self.epoch and not self._alone and not self.lost:
                    with suppress(psycopg.Error):
                        self._session.several(_LEAVE.format(epoch=self.epoch))
                        self._session.ask(_RING, (f"{self.epoch}\nlook ",))
                self._session.close()
                self._session = None

    # inside --------------------------------------------------------------------------------------------------------

    def _living(self) -> Session:
        if self._session is None:
            raise DatabaseAway("The database is closed.")
        return self._connected(self._session)

    def _connected(self, session: Session) -> Session:
        """The connection, a new one where it was lost."""
        if session.lost:
            self._back = time.monotonic()
            session = self._session = Session(self._address)
            self._let_in = False
            session.several(_OWN_LOCK.format(epoch=self.epoch))
        return session

    def _admit(self, session: Session) -> None:
        end = time.monotonic() + self._patience
        while not self._admitted(session):
            if time.monotonic() >= end:
                row = session.ask(_HOLDER, (_KEY,)).fetchone()
                holder = str(row["name"]).removeprefix("chatops ") if row else ""
                whose = f"{holder or 'unknown'}: its machine and process"
                raise DatabaseAway(
                    f"{self._address} is in use by another chatops ({whose}).",
                    hint="Stop that one first, or let CHATOPS_DATABASE name another database.",
                )
            time.sleep(0.1)

    def _admitted(self, session: Session) -> bool:
        row = session.several(_ALONE if self._alone else _TOGETHER)
        return bool(row and row["got"])

    def _bring_up_to_date(self, session: Session) -> None:
        """One at a time; what was begun by somebody who left no row of his own, ends before."""
        session.several(_WAIT)  # as long as it takes: another one may be changing a large table
        applied = prepare(session, self._address)
        session.several(_BEFORE)
        migrate(session, applied)
        session.several(_WAITED)

    def _keep(self, session: Session) -> None:
        asked = time.monotonic()
        if asked - self._renewed > self._lease / 2:
            self._back = asked
        session = self._connected(session)
        # Where somebody has it alone, our row is gone; until then our lease goes on.
        self._let_in = self._let_in or self._admitted(session)
        if session.ask(_BEAT, (self.epoch,)).fetchone() is None:
            self.lose()
            return
        self._renewed = asked
        if self._dropped:
            self._drop(session)
        self._look(session)

    def _look(self, session: Session) -> None:
        """Who else is there, who of them is to be buried, and whether somebody leads."""
        found = session.ask(_OTHERS, (self.epoch, _OWN)).fetchall()
        may_judge = not self._back or self._renewed - self._back >= self._lease
        buried = {int(one["epoch"]) for one in found if may_judge and self._is_gone(one) and self._bury(session, one)}
        before, led = self.others, self.leading
        self.newest = max([self.newest, *(int(one["epoch"]) for one in found)])
        self.others = frozenset(int(one["epoch"]) for one in found) - buried
        self.leading = led or bool(self._take(session, [LEADS]))
        if self.others != before or self.leading != led:
            self._changed()

    def _is_gone(self, one: Row) -> bool:
        return bool(one["cut"]) or float(one["age"]) > self._lease

    def _bury(self, session: Session, one: Row) -> bool:
        """Takes from a replica all that it has, unless it has shown a sign of life or another is at it."""
        session.several("BEGIN; SET LOCAL lock_timeout = '1s'")  # our own lease must not run out meanwhile
        try:
            mine = session.ask(_BURY, (one["epoch"], one["beat"])).fetchone() is not None
            if mine:
                session.ask(_CUT, (f"% #{one['epoch']}",))
                for sql in _GONE:
                    session.ask(sql, (one["epoch"],))
            session.several("COMMIT")
        except psycopg.Error as error:
            if session.lost:
                raise
            session.several("ROLLBACK")
            log.warning("replica %s cannot be given up yet: %s", one["epoch"], type(error).__name__)
            return False
        if mine:
            log.warning("replica %s (%s) is gone: its work is taken over", one["epoch"], one["name"])
        return mine

    def _take(self, session: Session, works: Sequence[str]) -> set[str]:
        self._dropped.difference_update(works)
        session.ask(_KNOWN, (list(works),))
        return {str(row["work"]) for row in session.ask(_TAKE, (list(works), self.epoch))}

    def _drop(self, session: Session) -> None:
        works = list(self._dropped)
        session.ask(_DROP, (works, self.epoch))
        self._dropped.difference_update(works)
