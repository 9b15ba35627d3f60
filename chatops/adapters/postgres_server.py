"""One PostgreSQL server: reaching it, a transaction on it, and its troubles in words that people can act on."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap, Buffer, Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.types.numeric import Int8Dumper

from chatops.adapters.postgres_sql import marked
from chatops.kernel.errors import DatabaseAway, PlatformError
from chatops.kernel.masking import mask
from chatops.kernel.ports import Row, Tx

CONNECT_WITHIN = 3  # seconds; Slack waits as long for an acknowledgement
ANSWER_WITHIN = 15  # seconds for one statement; the server ends it then, and a server that says nothing is left
# What the server is told of each connection. A lock of a paused process must not hold up everyone, and the connections
# of a machine that is gone must end, for they keep its successor out. A small table that was read from end to end
# stands in the way of everyone who writes to it (serializable); what was found by an index, of few. What is
# acknowledged is on the disk, also where the server's default is not to wait for it.
_OPTIONS = {
    "synchronous_commit": "on",
    "statement_timeout": f"{ANSWER_WITHIN}s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s", "client_encoding": "UTF8", "jit": "off", "enable_seqscan": "off",
}  # fmt: skip
_UNSUPPORTED = "unsupported startup parameter: options"  # PgBouncer before 1.20; what is set later, it keeps
_KEEPALIVE = {
    "keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25000
}  # fmt: skip

# What the server does to us, by its SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_TROUBLE = {
    "25006": "it may not be written to; it may be a standby",
    "25P03": "the work was paused for too long",
    "28000": "it does not let us in",
    "28P01": "it does not let us in with this password",
    "3D000": "it has no database of this name",
    "42501": "a right is missing there",
    "53100": "its disk is full",
    "53200": "it is out of memory",
    "53300": "it takes no more connections",
    "55P03": "somebody else holds a lock there",
    "57014": f"it did not answer within {ANSWER_WITHIN} seconds",
    "57P01": "it is being stopped",
    "57P02": "it is being stopped",
    "57P03": "it is starting or being stopped",
    "58030": "its disk answers with errors",
}


class _AsNumber(Loader):
    """Sums are ``numeric`` on the server: the int or float that SQLite gives."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdigit() else float(text)


class _AsInteger(Int8Dumper):
    """A bool is 0 or 1, as it is in our tables."""

    def dump(self, obj: Any) -> bytes:
        return b"%d" % obj


# One type for every whole number: with psycopg's three, a statement would be prepared again for each mix of them.
_ADAPTERS = AdaptersMap(psycopg.adapters)
_ADAPTERS.register_dumper(int, _AsInteger)
_ADAPTERS.register_dumper(bool, _AsInteger)
_ADAPTERS.register_loader("numeric", _AsNumber)


class Address:
    """Where a database is. It is shown without its user and password; libpq's own variables (PGPASSWORD, …) hold, too.

    ``of`` is added to the name by which the server knows our connections.

    Raises ``PlatformError`` for a URL that is none.
    """

    def __init__(self, url: str) -> None:
        given = None
        with suppress(psycopg.Error):  # its text may hold the password: it is no part of what is raised
            given = conninfo_to_dict(url)
        if given is None:
            raise PlatformError(
                "CHATOPS_DATABASE cannot be read as the address of a PostgreSQL.",
                hint="It is postgresql://USER:PASSWORD@HOST:5432/NAME; write @ in a password as %40, / as %2F.",
            )
        self._given = given
        self.of = ""
        host, port = str(self._given.get("host") or ""), self._given.get("port")
        shown = "" if host.startswith("/") else f"{host}:{port}" if port else host
        self._shown = f"postgresql://{shown}/{self._given.get('dbname') or ''}"

    def __str__(self) -> str:
        return str(self._shown)

    __repr__ = __str__

    @property
    def name(self) -> str:
        """How the server's lists name our connections: which machine and process it is."""
        given = str(self._given.get("application_name") or f"chatops {socket.gethostname()} {os.getpid()}")
        return f"{given} {self.of}".strip().replace("'", "")

    def connect(self) -> psycopg.Connection[Any]:
        """A connection that commits by itself what is not between BEGIN and COMMIT; raises ``psycopg.Error``."""
        given: dict[str, Any] = {"connect_timeout": CONNECT_WITHIN, **_KEEPALIVE, **self._given}
        given["application_name"] = self.name
        own = str(given.pop("options", None) or "")
        options = " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items())
        try:
            return psycopg.connect(autocommit=True, context=_ADAPTERS, options=f"{options} {own}".strip(), **given)
        except psycopg.OperationalError as error:
            if own or _UNSUPPORTED not in str(error):
                raise
        connection = psycopg.connect(autocommit=True, context=_ADAPTERS, **given)
        connection.execute("; ".join(f"SET {name} = '{value}'" for name, value in _OPTIONS.items()).encode())
        return connection


class Session:
    """A connection, used by one thread at a time; another may ``cut`` it when the server does not answer.

    Raises ``psycopg.Error``.
    """

    def __init__(self, address: Address) -> None:
        self.asked_at = 0.0  # time.monotonic() of the statement that is under way; 0: none is
        self.connection = address.connect()
        self.connection.prepared_max = 500  # our stores have some hundreds of statements
        self._cursor = psycopg.RawCursor[dict[str, Any]](self.connection, row_factory=dict_row)

    @property
    def lost(self) -> bool:
        """Whether the connection is gone for good."""
        return bool(self.connection.closed)

    def ask(self, sql: str, values: Sequence[Any] = ()) -> psycopg.RawCursor[dict[str, Any]]:
        """Executes one statement with ``$1`` … and returns the cursor with its whole result."""
        self.asked_at = time.monotonic()
        try:
            return self._cursor.execute(sql.encode(), values)
        finally:
            self.asked_at = 0.0

    def several(self, sql: str) -> Row | None:
        """Executes statements without values in one exchange; the first row of the last one."""
        self.asked_at = time.monotonic()
        try:
            cursor = self._cursor.execute(sql.encode(), prepare=False)
        finally:
            self.asked_at = 0.0
        while cursor.nextset():
            pass
        return cursor.fetchone() if cursor.description else None

    @property
    def said(self) -> str:
        """What the server called the last statement: COMMIT, or ROLLBACK for a COMMIT of what had failed."""
        return self._cursor.statusmessage or ""

    def cut(self) -> None:
        """Makes a thread that waits for the server's answer hear that the connection is lost."""
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self.connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes it; what is not committed is undone."""
        self.connection.close()


class Reading:
    """A transaction that only looks."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        return list(self._ask(sql, values))

    def one(self, sql: str, /, **values: Any) -> Row | None:
        cursor = self._ask(sql, values)
        return cursor.fetchone() if cursor.description else None

    def run(self, sql: str, /, **values: Any) -> int:
        raise RuntimeError("a read changes nothing: use write()")

    def after_commit(self, call: Callable[[], object]) -> None:
        raise RuntimeError("a read commits nothing: use write()")

    def _ask(self, sql: str, values: Mapping[str, Any]) -> psycopg.RawCursor[dict[str, Any]]:
        text, names = marked(sql)
        return self._session.ask(text, [storable(values[name]) for name in names])


class Writing(Reading):
    """A transaction that changes things and remembers whom to call once it is durable."""

    __slots__ = ("calls",)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.calls: list[Callable[[], object]] = []

    def run(self, sql: str, /, **values: Any) -> int:
        return self._ask(sql, values).rowcount

    def after_commit(self, call: Callable[[], object]) -> None:
        self.calls.append(call)


def storable(value: Any) -> Any:
    """U+0000, which JSON from outside can carry, is no text to PostgreSQL."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) and "\0" in value else value


BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


@contextmanager
def reading(url: str) -> Iterator[Tx]:
    """One read-only snapshot of a database, also beside a running assistant; for programs without a loop.

    Raises ``DatabaseAway`` when it cannot be read.
    """
    address = Address(url)
    with explained(address):
        session = Session(address)
        try:
            session.several(f"SET statement_timeout = 0; {BEGIN_READING}")  # a long trail takes its time
            yield Reading(session)
        finally:
            session.close()


def trouble(error: BaseException) -> str:
    """The server's trouble in our words; empty for a mistake in SQL."""
    known = _TROUBLE.get(getattr(error, "sqlstate", None) or "", "")
    if known or not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return known
    lines = str(error).strip().splitlines() or ["the connection was lost"]
    return mask(lines[0].removeprefix("connection failed: "))[0]


def unavailable(error: BaseException, what: str) -> DatabaseAway:
    return DatabaseAway(
        f"{what}: {(trouble(error) or str(error)).rstrip('.')}.",
        hint="Try again once that is cured; nothing else is lost.",
    )


@contextmanager
def explained(address: Address) -> Iterator[None]:
    """The server's own words become a sentence; mistakes in SQL stay what they are."""
    try:
        yield
    except psycopg.Error as error:
        if not trouble(error):
            raise
        raise unavailable(error, f"{address} cannot be used") from error
