"""Pages beside Slack: a row for each way, committed with the page, sent until it worked or nobody is needed any more.

A row is sent again only when the last try failed, or when nobody knows whether it arrived, as after a crash: then the
page's id tells the other side.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chatops.incidents import store
from chatops.incidents.incident import AUTOMATION, Incident, State
from chatops.incidents.keeper import Keeper
from chatops.kernel import audit
from chatops.kernel.accidents import recorded
from chatops.kernel.background import Background
from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.pages import Page, PagePath
from chatops.kernel.ports import Clock, Database, Lane, Post, Row, Tx

log = logging.getLogger(__name__)

PAUSES = (5.0, 15.0, 30.0, 60.0)  # seconds before the next try; the last one goes on
GIVEN_UP_AFTER = 900.0  # seconds; the next page of the escalation comes anyway
KEPT = 30 * 86400.0  # seconds for which rows that ended are remembered
AT_ONCE = 10  # sent at the same time
MOST_LINES = 20  # incidents on one page
MOST_ROWS = 20  # of them that get a row of the audit trail each
MOST_SPANS = 2000  # of numbers in one row, which holds 65,536 bytes

ADD = """
INSERT INTO page_calls (page_id, path, name, email, made_at, due_at) VALUES (:page, :path, :name, :email, :now, :now)
ON CONFLICT DO NOTHING
"""
DUE = """
SELECT page_id, path, name, email, made_at, tries FROM page_calls WHERE ended = '' AND due_at <= :now
ORDER BY due_at LIMIT 50
"""
LATER = """
UPDATE page_calls SET due_at = :due_at, tries = tries + 1
WHERE page_id = :page AND path = :path AND ended = ''
"""
END = """
UPDATE page_calls SET ended = :ended, ended_at = :now, tries = tries + 1
WHERE page_id = :page AND path = :path AND ended = ''
"""
FORGET = """
DELETE FROM page_calls WHERE (page_id, path) IN (
    SELECT page_id, path FROM page_calls WHERE ended <> '' AND made_at < :before LIMIT 500)
"""
TEST = "test-page/"  # what the id of a test begins with; then comes whose it is
WORDS = {"mail": "e-mail", "webhook": "webhook"}


@dataclass(frozen=True, slots=True)
class Call:
    """One page on one way."""

    page: str
    path: str
    name: str
    email: str
    made_at: float
    tries: int


@dataclass(slots=True)
class Couriers:
    """Carries pages on every way that is configured (``mail``, ``webhook``)."""

    database: Database
    keeper: Keeper
    paths: Mapping[str, PagePath]
    clock: Clock
    count: Callable[[str, str], None] = lambda path, outcome: None
    tasks: Background = field(default_factory=Background)
    _under_way: set[tuple[str, str]] = field(default_factory=set)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def note(self, tx: Tx, page: str, name: str, email: str) -> Sequence[str]:
        """Puts a page down for every way that reaches this person; returns the ways in words."""
        ways = [path for path in self.paths if email or path != "mail"]
        for path in ways:
            tx.run(ADD, page=page, path=path, name=name, email=email, now=self.clock.now())
        if ways:
            tx.after_commit(self.wake)
        return [WORDS[path] for path in ways]

    def outcome(self, tx: Tx, post: Post, why: str) -> None:
        """What became of a page in Slack, on the timeline (``why`` it failed; empty: Slack has it)."""
        if post.kind == "incident" and not why:
            self.keeper.stands(tx, post.id, int(post.subject))
        if post.kind == "page":
            data = {"path": "Slack", **({"text": f"{why}; it is not tried again"} if why else {})}
            self._note(tx, post.id, store.name_on_page(tx, post.id), "page_failed" if why else "page_arrived", data)

    def wake(self) -> None:
        """Looks at once, beside what goes on."""
        self.tasks.spawn(self.look(), name="pages beside Slack")

    async def close(self) -> None:
        """Stops; what was not sent is sent after the next start."""
        await self.tasks.close()

    async def look(self) -> None:
        """Sends what is due, each beside the others: a way that hangs keeps no other page waiting."""
        calls = await self.database.read(_due, self.clock.now())
        await asyncio.gather(*(self._call(one) for one in calls if (one.page, one.path) not in self._under_way))

    # inside --------------------------------------------------------------------------------------------------------

    async def _call(self, call: Call) -> None:
        key = (call.page, call.path)
        self._under_way.add(key)
        try:
            async with self._room:
                await self._send(call)
        finally:
            self._under_way.discard(key)

    async def _send(self, call: Call) -> None:
        incidents = await self.database.read(store.on_page, call.page)
        path = self.paths.get(call.path)
        if path is None or (incidents and not any(one.state is State.OPEN for one in incidents)):
            await self.database.write(self._end, call, "not needed", "")
            return
        try:
            await path.send(_page(call, incidents))
        except Refused as no:
            await self.database.write(self._end, call, "refused", no.message)
        except Unavailable as away:
            await self.database.write(self._failed, call, away.message)
        except Exception as error:  # whatever is wrong with one way, the next try comes
            await self.database.write(
                self._failed, call, f"an unexpected failure ({recorded(log, error, 'a page beside Slack')})"
            )
        else:
            await self.database.write(self._end, call, "sent", "")

    def _failed(self, tx: Tx, call: Call, why: str) -> None:
        now = self.clock.now()
        if now - call.made_at >= GIVEN_UP_AFTER:
            self._end(tx, call, "given up", why)
            return
        pause = PAUSES[min(call.tries, len(PAUSES) - 1)]
        if tx.run(LATER, page=call.page, path=call.path, due_at=now + pause) and call.tries == 0:
            self._tell(tx, call, "page_failed", f"{why}; it is tried again")

    def _end(self, tx: Tx, call: Call, ended: str, why: str) -> None:
        if not tx.run(END, page=call.page, path=call.path, ended=ended, now=self.clock.now()):
            return
        tx.after_commit(lambda: self.count(call.path, ended))
        if ended == "sent":
            self._tell(tx, call, "page_sent", "")
        elif why:
            log.error("a page by %s could not be sent: %s", WORDS[call.path], why)
            self._tell(tx, call, "page_failed", f"{why}; it is not tried again")

    def _tell(self, tx: Tx, call: Call, what: str, why: str) -> None:
        """On the timeline of every incident that is on the page; who tests their page reads what became of it."""
        if call.page.startswith(TEST):
            said = f"could not be sent: {why}" if why else "is on its way; it should arrive within a minute"
            content = {"lines": [f"Your test page by {WORDS[call.path]} {said}."]}
            person = call.page.split("/")[1]
            post = Post(
                f"{call.page}/{call.path}/{what}", Lane.ANSWER, "note", person=person, content=content, asked=True
            )
            self.keeper.outbox.show(tx, post)
        data = {"path": WORDS[call.path], **({"text": why} if why else {})}
        self._note(tx, call.page, call.name, what, data)

    def _note(self, tx: Tx, page: str, name: str, what: str, data: Mapping[str, str]) -> None:
        """On the timeline of everything on the page: a row each, or one that they share on a chain of the page's own.

        A row each for the thousands of a storm would keep all other writes waiting while pages must go out.
        """
        numbers = store.numbers_on_page(tx, page)
        if len(numbers) <= MOST_ROWS:
            for number in numbers:
                self.keeper.note(tx, store.load(tx, number), AUTOMATION, what, {"people": name, **data})
            return
        shared = {"people": name, **data, "incidents": len(numbers), "numbers": spans(numbers)}
        audit.append(
            tx, chain=page, who=AUTOMATION, what=what, data=shared, at=self.clock.now(),
            configuration=self.keeper.configuration.platform.digest,
        )  # fmt: skip


def spans(numbers: Sequence[int]) -> str:
    """Numbers in their order as ``101-160, 162``; what is beyond a row's room is counted."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    said = ", ".join("-".join(map(str, run)) for run in runs[:MOST_SPANS])
    return f"{said} and {len(runs) - MOST_SPANS} more spans" if len(runs) > MOST_SPANS else said


def _page(call: Call, incidents: Sequence[Incident]) -> Page:
    """The page as it reads now: what is answered meanwhile is said to be."""
    waiting = [one for one in incidents if one.state is State.OPEN]
    if not incidents:
        text = "You are paged. This is the test that you asked for: nothing is broken."
        return Page(id=call.page, name=call.name, email=call.email, subject="Test: you are paged", text=text)
    lines = ["You are paged. Acknowledge it in Slack; nobody else is paged while you have it.", ""]
    for one in incidents[:MOST_LINES]:
        has = f" ({one.holder.name} has it)" if one.holder else "" if one.state is State.OPEN else " (resolved)"
        lines.append(f"{one.name} {_line(one)}{has}")
        lines += [f"  runbook: {one.summary.runbook}"] if one.summary.runbook else []
    if len(incidents) > MOST_LINES:
        lines.append(f"and {len(incidents) - MOST_LINES} more: `/platform incidents` lists them")
    more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    return Page(
        id=call.page, name=call.name, email=call.email, subject=f"{waiting[0].name} {_line(waiting[0])}"[:150] + more,
        text="\n".join(lines), incidents=tuple(one.name for one in incidents),
    )  # fmt: skip


def _line(incident: Incident) -> str:
    where = f" in {incident.environment}" if incident.environment else ""
    said = " ".join(filter(None, (incident.summary.text or incident.title, incident.summary.numbers)))
    return f"{incident.severity.upper()} {incident.service or incident.title}{where}: {said}"


def _due(tx: Tx, now: float) -> list[Call]:
    return [_read(row) for row in tx.all(DUE, now=now)]


def _read(row: Row) -> Call:
    return Call(
        str(row["page_id"]), str(row["path"]), str(row["name"]), str(row["email"]), float(row["made_at"]),
        int(row["tries"]),
    )  # fmt: skip


def prune(tx: Tx, now: float) -> int:
    """Forgets what ended long ago, some at a time; how much."""
    return tx.run(FORGET, before=now - KEPT)
