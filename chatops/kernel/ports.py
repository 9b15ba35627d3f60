"""What the inner parts need from the outer ones, as Protocols; handed in by ``chatops.parts``, faked in tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from chatops.kernel.catalog import Environment, Platform
from chatops.kernel.dora import Change
from chatops.kernel.people import Identity, Person
from chatops.kernel.plan import ObjectRef, Write

P = ParamSpec("P")
T = TypeVar("T")
Row = Mapping[str, Any]
# Evaluates (CEL expression, variables) pairs in one go; in the place of a value that there isn't: its ``CelError``
EvaluateAll = Callable[[Sequence[tuple[str, Mapping[str, Any]]]], Awaitable[list[Any]]]


class Tx(Protocol):
    """One transaction on the database, used on the database's own thread; SQL has ``:named`` values.

    Times are seconds since the epoch (float, UTC), JSON is text, booleans are 0 and 1: the same on SQLite and
    PostgreSQL.
    """

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        """Every row of a query."""
        ...

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row of a query, or None."""
        ...

    def run(self, sql: str, /, **values: Any) -> int:
        """Executes a statement and returns the number of rows it changed."""
        ...

    def after_commit(self, call: Callable[[], object]) -> None:
        """Calls back on the event loop once this transaction is durable; never when it is rolled back."""
        ...


class Database(Protocol):
    """Runs plain functions of a transaction; no async twins."""

    failing: bool  # nothing of what was to be saved last could be; false again once something was

    async def write(self, fn: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``fn(tx, …)`` in a savepoint of its own and returns its result after COMMIT.

        Its exception rolls it back alone.
        """
        ...

    async def read(self, fn: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``fn(tx, …)`` on a read-only snapshot, not behind the writers."""
        ...


class Clock(Protocol):
    """Time that tests can move."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits on this clock."""
        ...


class Lane(IntEnum):
    """Which messages go first when Slack is slow."""

    PAGE = 0
    APPROVAL = 1
    ANSWER = 2
    NOTICE = 3


@dataclass(frozen=True, slots=True)
class Post:
    """A message that should stand in Slack; ``id`` is stable and goes along in the message's metadata.

    ``kind`` names the renderer that turns (transaction, post) into text and blocks at the moment of sending, so that
    the message tells what is true then. Where: ``channel`` (name or id), with ``person`` as well: an ephemeral for that
    person; ``person`` alone: a direct message. In a thread: ``thread_of`` (another post's id: waits until that one
    stands) or ``thread_ts``. With ``response_url`` the message is sent through it first (private answers to a command).
    ``asked``: its person waits for it now, so it comes in their quiet hours, too.
    """

    id: str
    lane: Lane
    kind: str
    subject: str = ""
    channel: str = ""
    person: str = ""
    thread_of: str = ""
    thread_ts: str = ""
    response_url: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    asked: bool = False


class Outbox(Protocol):
    """Where the inner parts say which messages should stand; the messenger makes it so."""

    def show(self, tx: Tx, post: Post) -> None:
        """Wants this post, or wants it updated when its id is known; in the caller's transaction."""
        ...


class Directory(Protocol):
    """Who people are: Slack's answer joined with the catalog; cached, never raising."""

    async def person(self, user_id: str, team_id: str = "") -> Person:
        """The person behind a Slack id; standing UNKNOWN when nobody could say in time."""
        ...

    def known(self, user_id: str, team_id: str = "") -> Person | None:
        """The same from the cache alone, without waiting."""
        ...

    async def members(self, source: str, team: str = "") -> tuple[Person, ...]:
        """The active members that ``group:NAME``, ``team-leads`` (of ``team``) or ``user:NAME`` stand for.

        Those who cannot be resolved are left out.
        """
        ...

    def unsaid(self, source: str, team: str = "") -> tuple[str, ...]:
        """The e-mails of a source of which nobody could say, when ``members`` was asked, whose they are."""
        ...


class ClusterReader(Protocol):
    """Reads one environment's cluster; a planner gets only this, so it cannot write.

    Every method raises ``Unavailable`` or a ``ClusterError``; ``get`` gives None for 404.
    """

    async def get(self, ref: ObjectRef) -> dict[str, Any] | None:
        """The live object as the API gives it."""
        ...

    async def resolve(self, kind: str, group: str = "") -> tuple[str, bool]:
        """The apiVersion that the cluster prefers for a kind, and whether it is namespaced; no ``group``: the core's.

        Raises ``NotFound`` for a kind that the cluster does not have.
        """
        ...

    async def metadata(self, ref: ObjectRef) -> dict[str, Any] | None:
        """The live object with nothing but its ``metadata``, for what must not be read."""
        ...

    async def find(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """Live objects by label selector."""
        ...

    async def events(self, namespace: str, kind: str, name: str) -> list[dict[str, Any]]:
        """Events about one object, oldest first."""
        ...

    async def logs(
        self, namespace: str, pod: str, container: str = "", *, lines: int = 20, previous: bool = False,
        since: int = 0, stamped: bool = False,
    ) -> str:  # fmt: skip
        """The last lines of a container's log; empty when there is none.

        ``since``: no older than that many seconds. ``stamped``: each line begins with its time in RFC 3339, UTC.
        """
        ...

    async def dry_run(self, write: Write) -> dict[str, Any]:
        """The object as it would be after ``write`` (``dryRun=All``)."""
        ...

    def watch(self, ref: ObjectRef, *, timeout: float) -> AsyncIterator[dict[str, Any]]:
        """The object now and after each change, for ``timeout`` seconds; survives 410 and closed connections."""
        ...


class ClusterWriter(ClusterReader, Protocol):
    """Also writes."""

    async def write(self, write: Write) -> dict[str, Any]:
        """Carries out ``write`` with its resourceVersion as precondition; returns the object.

        Raises ``Conflict`` when somebody wrote in between.
        """
        ...

    async def delete(self, ref: ObjectRef, uid: str) -> bool:
        """Deletes the object that has this uid, and what it owns.

        False when it is gone or another object bears its name by now: that one stays.
        """
        ...


class Clusters(Protocol):
    """A cluster for each environment, asked as the assistant itself unless ``acting_for`` says otherwise."""

    def acting_for(self, identity: Identity) -> Clusters:
        """The same clusters, asked as this identity where the environment says ``impersonate: true``.

        A cluster's no is then ``Forbidden``, and so is every call for an identity that cannot be named to a cluster.
        """
        ...

    def reader(self, environment: Environment) -> ClusterReader: ...

    def writer(self, environment: Environment) -> ClusterWriter: ...


class Deployed(Protocol):
    """One line of the deploy ledger."""

    @property
    def version(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def at(self) -> float: ...
    @property
    def outcome(self) -> str: ...
    @property
    def before(self) -> str: ...  # what ran there until then; empty: nobody knows
    @property
    def own(self) -> bool: ...  # carried out here, and watched until it was healthy; not told by another pipeline


class Ledger(Protocol):
    """What was deployed where, newest first."""

    async def last(self, service: str, environment: str, limit: int = 5) -> list[Deployed]: ...

    async def latest(self, places: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Deployed]:
        """What was deployed last at each of these services and environments, where anything was."""
        ...

    async def changes(self, since: float, until: float) -> Sequence[Change]:
        """The deploys and rollbacks that ended between two moments (epoch seconds), in order.

        Of more than ``dora.MOST_CHANGES`` it is the newest.
        """
        ...


class Configuration(Protocol):
    """The configuration that holds now; replaced as a whole when its folder changes and is valid."""

    @property
    def platform(self) -> Platform: ...
