"""Who may write: one chatops at a time has a PostgreSQL database, and one that was overtaken changes nothing more.

The process holds a session lock (``pg_try_advisory_lock``) on a connection of its own, which ends with that connection
however the process ends. A connection can be lost while the process lives; so the one that starts next also takes the
next ``epoch``, and every transaction asks first whether its own epoch still holds. Taking it waits for the transactions
that have asked already. A process that was paused or cut off cannot finish a write after its successor began.
"""

from __future__ import annotations

import logging
import threading
import time

import psycopg

from chatops.adapters.postgres_schema import migrate, prepare
from chatops.adapters.postgres_server import Address, Session, explained
from chatops.kernel.errors import Unavailable

log = logging.getLogger(__name__)

PATIENCE = 3.0  # seconds in which a predecessor's connection may still be ending
_KEY = 0x63686174  # "chat": advisory locks of a database share one space of numbers
_LOCK = f"SELECT pg_try_advisory_lock({_KEY}) AS got"
_HOLDER = """
SELECT application_name AS name FROM pg_stat_activity WHERE pid = (
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = $1 AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
_NEXT = """
BEGIN; LOCK TABLE _chatops_turn IN EXCLUSIVE MODE; UPDATE _chatops_turn SET epoch = epoch + 1;
DELETE FROM _chatops_writers;
INSERT INTO _chatops_writers SELECT epoch, writer, 0 FROM _chatops_turn, generate_series(0, {writers} - 1) AS writer;
COMMIT; SELECT epoch FROM _chatops_turn
"""
_EPOCH = "SELECT epoch FROM _chatops_turn"


class Turn:
    """The right to write to one database, for so many ``writers``; its methods are called on one thread at a time."""

    def __init__(self, address: Address, *, writers: int = 0, patience: float = PATIENCE) -> None:
        self.epoch = 0
        self._next = _NEXT.format(writers=writers)
        self.overtaken = False
        self._address = address
        self._patience = patience
        self._session: Session | None = None
        self._locked = False
        self._away = False
        self._guard = threading.Lock()

    def take(self) -> None:
        """Takes it, and then brings the tables up to date, for a predecessor may write until it is overtaken.

        Raises ``Unavailable`` when another chatops has it or the server cannot be reached, ``Refused`` as
        ``postgres_schema.prepare``.
        """
        with explained(self._address):
            self._session = session = Session(self._address)
            try:
                self._lock(session)
                self._locked = True
                applied = prepare(session, self._address)
                row = session.several(self._next)
                self.epoch = int(row["epoch"]) if row else 0
                migrate(session, applied)
            except BaseException:
                session.close()
                raise

    def keep(self) -> None:
        """Looks whether it is still ours, and takes the lock again after a connection was lost."""
        with self._guard:
            if self._session is None or self.overtaken:
                return
            try:
                if self._session.lost:
                    self._session, self._locked = Session(self._address), False
                # Where a successor has it, its epoch follows; until then writing goes on under ours.
                self._locked = self._locked or self._got(self._session)
                row = self._session.several(_EPOCH)
                if row is None or int(row["epoch"]) != self.epoch:
                    self.lose()
                self._away = False
            except psycopg.Error as error:
                if not self._away:
                    log.error("%s does not answer: %s", self._address, type(error).__name__)
                self._away = True
                self._session.close()

    def lose(self) -> None:
        """Notices that somebody else has it."""
        if not self.overtaken:
            self.overtaken = True
            log.error("%s was taken over by another chatops: this one changes nothing more", self._address)

    def check(self) -> None:
        """Raises ``Unavailable`` once somebody else has it."""
        if self.overtaken:
            raise Unavailable(
                "Another chatops has taken over the database.",
                hint="This one has to be ended, and started again alone.",
            )

    def cut(self, since: float) -> None:
        """Ends a look that has waited for the server since before ``since`` (``time.monotonic``)."""
        if self._session is not None and 0 < self._session.asked_at < since:
            self._session.cut()

    def give_back(self) -> None:
        """Ends it; what was not taken is left as it is."""
        with self._guard:
            if self._session is not None:
                self._session.close()
                self._session = None

    def _lock(self, session: Session) -> None:
        end = time.monotonic() + self._patience
        while not self._got(session):
            if time.monotonic() >= end:
                row = session.ask(_HOLDER, (_KEY,)).fetchone()
                holder = str(row["name"]).removeprefix("chatops ") if row else ""
                raise Unavailable(
                    f"{self._address} is in use by another chatops ({holder or 'unknown'}: its machine and process).",
                    hint="Stop that one first, or let CHATOPS_DATABASE name another database.",
                )
            time.sleep(0.1)

    @staticmethod
    def _got(session: Session) -> bool:
        row = session.several(_LOCK)
        return bool(row and row["got"])
