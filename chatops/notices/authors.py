"""Mentions whose commits are in a deploy that failed, in the thread of the message that tells of it.

Only people whose login the configuration knows (``people:``) are mentioned; whoever asked for the deploy here has been
told already.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from approvals import store
from approvals.request import Request, State
from chatops.kernel.background import Background
from chatops.kernel.commits import Comparison
from chatops.kernel.ports import Clock, Configuration, Database, Directory, Lane, Outbox, Post, Row, Tx
from chatops.notices import comparisons
from chatops.notices.between import compared
from chatops.notices.comparisons import Kind
from chatops.notices.ledger import is_told

log = logging.getLogger(__name__)

MOST = 5  # people; ringing more makes nobody feel asked
ANSWERED_WITHIN = 900.0  # seconds that GitHub's answer is waited for; without it who set it off is mentioned
AGAIN_AFTER, GIVEN_UP_AFTER = 30.0, 3600.0  # seconds, while Slack can't say who somebody is
KEPT = 90 * 86400.0  # seconds
FAILED = frozenset({State.FAILED, State.ROLLED_BACK})

ADD = """
INSERT INTO failed_changes (kind, subject, repository, base, head, login, place, made_at, due_at)
VALUES (:kind, :subject, :repository, :base, :head, :login, :place, :now, :due_at) ON CONFLICT DO NOTHING
"""
KNOWN = "UPDATE failed_changes SET due_at = :now WHERE kind = :kind AND subject = :subject AND due_at > :now"
DUE = "SELECT * FROM failed_changes WHERE due_at > 0 AND due_at <= :now ORDER BY due_at LIMIT 20"
LATER = "UPDATE failed_changes SET due_at = :due_at WHERE kind = :kind AND subject = :subject"
PRUNE = """
DELETE FROM failed_changes WHERE (kind, subject) IN
    (SELECT kind, subject FROM failed_changes WHERE made_at < :before ORDER BY made_at LIMIT 500)
"""


def prune(tx: Tx, now: float) -> int:
    """Forgets what failed long ago; how many."""
    return tx.run(PRUNE, before=now - KEPT)


@dataclass(slots=True)
class Authors:
    """Works off the deploys that failed, once GitHub has said who wrote what they brought."""

    database: Database
    outbox: Outbox
    configuration: Configuration
    directory: Directory
    clock: Clock
    tasks: Background = field(default_factory=Background)

    def moved(self, tx: Tx, request: Request) -> None:
        """``Register.moved``: a deploy that failed after something was written."""
        written = request.state in FAILED and request.step != "writing"
        if written and request.action == "deploy" and is_told(request):
            asked = compared(self.configuration.platform, request)
            self.failed(tx, "request", request.id, asked, "", (request.service, request.environment))

    def failed(
        self, tx: Tx, kind: Kind, subject: int, asked: Comparison | None, login: str, place: tuple[str, str]
    ) -> None:
        """A deploy failed; ``login``: who set it off, as far as GitHub says. ``place``: service and environment."""
        if not self.configuration.platform.people or not (asked or login):
            return
        named = asked or Comparison("", "", "")
        now, waits = self.clock.now(), asked is not None and comparisons.is_due(tx, asked)
        tx.run(
            ADD, kind=kind, subject=subject, repository=named.repository, base=named.base, head=named.head, login=login,
            place=self.configuration.platform.channel("deploys", place[1], place[0]), now=now,
            due_at=now + (ANSWERED_WITHIN if waits else 0.0),
        )  # fmt: skip
        tx.after_commit(self.wake)

    def known(self, tx: Tx, kind: Kind, subject: int) -> None:
        """GitHub has answered, or never will."""
        if tx.run(KNOWN, kind=kind, subject=subject, now=self.clock.now()):
            tx.after_commit(self.wake)

    def wake(self) -> None:
        """Looks at once, beside what goes on."""
        self.tasks.spawn(self.look(), name="mentioning authors")

    async def close(self) -> None:
        """Stops; who is not mentioned is mentioned after the next start."""
        await self.tasks.close()

    async def look(self) -> None:
        """Mentions all that is due."""
        if not self.configuration.platform.people:
            return
        for row in await self.database.read(lambda tx: tx.all(DUE, now=self.clock.now())):
            wrote, emails = await self.database.read(self._concerned, row)
            people = [one for email in emails for one in await self.directory.members(f"user:{email}")]
            unsaid = [email for email in emails if self.directory.unsaid(f"user:{email}")]
            if unsaid and self.clock.now() - row["made_at"] < GIVEN_UP_AFTER:
                due_at = self.clock.now() + AGAIN_AFTER
                await self.database.write(self._later, row, due_at)
                continue
            await self.database.write(self._mention, row, wrote, [one.id for one in people])

    # inside --------------------------------------------------------------------------------------------------------

    def _concerned(self, tx: Tx, row: Row) -> tuple[bool, list[str]]:
        """Whose commits it brought, else who set it off, by e-mail; whether it is the former."""
        found, _ = comparisons.find(tx, Comparison(row["repository"], row["base"], row["head"]))
        wrote = found is not None and bool(found.authors)
        logins = found.authors if found is not None and wrote else (row["login"],)
        emails = [self.configuration.platform.person_called(login) for login in logins if login]
        return wrote, list(dict.fromkeys(filter(None, emails)))[:MOST]

    def _later(self, tx: Tx, row: Row, due_at: float) -> None:
        tx.run(LATER, kind=row["kind"], subject=row["subject"], due_at=due_at)

    def _mention(self, tx: Tx, row: Row, wrote: bool, people: Sequence[str]) -> None:
        self._later(tx, row, 0.0)
        parent = f"outside/{row['subject']}"
        if row["kind"] == "request":
            request = store.load(tx, row["subject"])
            people, parent = [one for one in people if one != request.requester_id], f"{request.name}/notice"
        if not people:
            return
        line = "A commit of yours is in this deploy, which failed." if wrote else "You set off this deploy. It failed."
        post = Post(
            f"{parent}/authors", Lane.NOTICE, "note", channel=row["place"], thread_of=parent,
            content={"lines": [line], "mention": list(people)},
        )  # fmt: skip
        self.outbox.show(tx, post)
