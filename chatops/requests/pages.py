"""One-time pages: where a person gives a value that may not pass through Slack.

The life of a page: ``ask`` (a link goes to the requester as a direct message) → somebody opens it and sees a code →
the requester confirms in Slack that this code is theirs → the page shows the field → ``give``: the value goes straight
to the cluster. Opening never uses a page up: each browser gets a code of its own, so a preview of the link opens
nothing. The database keeps hashes of tokens and never a value; the message with the link loses it when the page ends.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from approvals import store
from approvals.lifecycle import Event
from approvals.request import ENDED, Request, State
from chatops.kernel.action import Action, Answer, Button
from chatops.kernel.errors import ClusterError, Conflict, InputError, Refused, TooLate, Unavailable
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Database, Lane, Outbox, Post, Tx
from chatops.requests.clicks import only_once
from chatops.requests.pause import paused_by
from chatops.requests.planning import Planner
from chatops.requests.register import Register

LIVES = 10 * 60.0  # seconds from the asking to the value
LOOK = 5.0  # seconds between looks whether the value has come
LARGEST = 256 * 1024  # bytes of a value; Kubernetes keeps at most 1 MiB in a Secret
MOST_VISITS = 20  # browsers that may open one page
CLAIM = 60.0  # seconds for which one sending of a value holds the page; longer than the cluster may take to answer
STEP = "awaiting"

ADD = """
INSERT INTO pages (token, request_id, person_id, expires_at, closed_at)
VALUES (:token, :request, :person, :expires, 0)
"""
CLOSE = "UPDATE pages SET closed_at = :now WHERE request_id = :request AND closed_at = 0"
PAGE = "SELECT token, request_id, person_id, expires_at, closed_at FROM pages WHERE token = :token"
VISIT = "SELECT session, token, code, confirmed_at FROM page_visits WHERE session = :session AND token = :token"
ADD_VISIT = """
INSERT INTO page_visits (session, token, code, opened_at, confirmed_at) VALUES (:session, :token, :code, :now, 0)
"""
VISITS = "SELECT session, code, confirmed_at FROM page_visits WHERE token = :token"
OPEN = "SELECT token FROM pages WHERE request_id = :request AND closed_at = 0"
CONFIRM = """
UPDATE page_visits SET confirmed_at = :now WHERE confirmed_at = 0 AND code = :code AND token IN (
    SELECT token FROM pages
    WHERE request_id = :request AND person_id = :person AND closed_at = 0 AND expires_at > :now
) RETURNING session
"""
PRUNE = "DELETE FROM pages WHERE expires_at < :before"

Shown = Literal["gone", "code", "field", "done"]


@dataclass(frozen=True, slots=True)
class Opened:
    """What a browser may see: ``code`` to compare, the ``field`` to fill in, that it is ``done``, or nothing."""

    shown: Shown
    title: str = ""
    code: str = ""
    session: str = ""  # of a new visit: the browser's cookie


@dataclass(slots=True)
class Pages:
    """Asks for values and takes them in; ``public_url`` is where people's browsers reach us."""

    actions: Mapping[str, Action]
    database: Database
    register: Register
    outbox: Outbox
    planner: Planner
    clock: Clock
    public_url: Callable[[], str]

    async def ask(self, request: Request) -> None:
        """Sends the requester a link; once for each run."""
        token = secrets.token_hex(24)  # letters and digits alone: Slack ends a link before a last - or _
        await self.database.write(self._ask, request, token)

    async def wait(self, request: Request) -> None:
        """Looks a little later, or ends the request when its time is over."""
        left = request.run.value_until - self.clock.now()
        if left > 0:
            await self.clock.sleep(min(left, LOOK))
        else:
            await self.database.write(self._expired, request)

    async def open(self, token: str, session: str) -> Opened:
        """What the browser with this cookie (empty: none) may see. Opening changes nothing but that a code is made."""
        return await self.database.write(self._open, _hash(token), session)

    async def confirm(self, request: int, code: str, person: Person, *, mine: bool, key: str = "") -> str:
        """The requester says whether the browser that shows this code is theirs; a sentence for them."""
        return await self.database.write(self._confirm, request, code, person, mine, key)

    async def give(self, token: str, session: str, value: str) -> str:
        """Writes the value to the cluster; a sentence for the page.

        Raises ``InputError`` for a value that cannot be kept, ``Refused`` for a browser that was not confirmed or when
        the cluster says no, ``Unavailable`` when it did not answer (after it and after a wrong value the page may be
        sent once more).
        """
        request = await self.database.write(self._giving, _hash(token), session, _size(value))
        action = self.actions[request.action]
        if request.plan is None or action.give is None:
            raise TypeError(f"{request.name} does not wait for a value")
        try:
            outcome = await action.give(request.plan, value, await self.planner.writer(request))
        except Conflict:
            await self.database.write(self._not_given, request, False)
            raise Unavailable("Somebody else is changing it just now. Send the value once more.") from None
        except Refused:
            await self.database.write(self._not_given, request, False)
            raise
        except ClusterError as no:  # its words could hold the value
            await self.database.write(self._not_given, request, False)
            raise Refused(f"{_refusal(no.status)} Nothing was changed.") from None
        except Unavailable:  # it may have been stored all the same
            await self.database.write(self._not_given, request, True)
            raise Unavailable("The cluster does not answer just now. Send the value once more.") from None
        await self.database.write(self._given, request, dict(outcome.generations))
        return f"It is stored. {request.name} has what it needs; you can close this page."

    # ---- inside

    def _ask(self, tx: Tx, request: Request, token: str) -> None:
        now = self.clock.now()
        self._close(tx, request, "Another link follows.")
        tx.run(ADD, token=_hash(token), request=request.id, person=request.requester_id, expires=now + LIVES)
        run = request.run.to(value_until=now + LIVES)
        after = self.register.progress(
            tx, request, step=STEP, run=run, progress=f"waiting for {request.requester_name} to give the value"
        )
        said = Answer(
            title=f"{request.name}: {_title(request)}",
            lines=(
                f"Give the value on this page, within {LIVES / 60:.0f} minutes: {self.public_url()}/page/{token}",
                "It shows a code. I ask you here whether it is yours, before the page shows the field.",
            ),
        )
        self._tell(tx, after, f"link-{_hash(token)[:16]}", said)

    def _open(self, tx: Tx, token: str, session: str) -> Opened:
        page, now = tx.one(PAGE, token=token), self.clock.now()
        if page is None:
            return Opened("gone")
        request = store.find(tx, page["request_id"])
        if request is None:
            return Opened("gone")
        title = _title(request)
        visit = tx.one(VISIT, session=_hash(session), token=token) if session else None
        if page["closed_at"] or page["expires_at"] <= now:
            return Opened("done" if visit is not None and request.run.given else "gone", title)
        if visit is None:
            if len(tx.all(VISITS, token=token)) >= MOST_VISITS:
                return Opened("gone", title)
            return self._visited(tx, request, token, title)
        return Opened("field" if visit["confirmed_at"] else "code", title, visit["code"])

    def _visited(self, tx: Tx, request: Request, token: str, title: str) -> Opened:
        session, code = secrets.token_urlsafe(32), f"{secrets.randbelow(10**6):06}"
        tx.run(ADD_VISIT, session=_hash(session), token=token, code=code, now=self.clock.now())
        shown = f"{code[:3]} {code[3:]}"
        line = f"secret.confirm {request.id} {code}"
        said = Answer(
            title=f"{request.name}: does your page show {shown}?",
            lines=("Somebody opened the page. Say yes only if you did, and if it shows this very code.",),
            buttons=(
                Button(f"Yes, {shown} is mine", f"{line} yes", style="primary"),
                Button("No, close the page", f"{line} no", style="danger"),
            ),
        )
        self._tell(tx, request, f"code-{_hash(session)[:16]}", said)
        return Opened("code", title, code, session)

    def _confirm(self, tx: Tx, number: int, code: str, person: Person, mine: bool, key: str) -> str:
        request, now = store.load(tx, number), self.clock.now()
        only_once(tx, key, now)
        if request.requester_id != person.id:
            raise Refused(f"Only {request.requester_name}, who asked for {request.name}, can say so.")
        if request.state is not State.RUNNING or request.step != STEP:
            raise TooLate(f"{request.name} does not wait for a value any more.")
        if not mine:
            self._fail(tx, request, f"{request.requester_name} did not open the page; somebody else did.")
            return "The page is closed and nothing was changed. Somebody else had your link; ask once more."
        confirmed = tx.all(CONFIRM, request=number, person=person.id, code=code, now=now)
        if len(confirmed) != 1:
            raise TooLate("That code is not one of an open page, or it was confirmed already.")
        self._answered(tx, request, confirmed[0]["session"], code, "You said yes: the page shows the field now.")
        self.register.record(tx, request, "page_confirmed", {})
        return "Thank you: the page shows the field now."

    def _giving(self, tx: Tx, token: str, session: str, size: int) -> Request:
        """Holds the page for this value; two tabs that send at once would otherwise both be told that theirs counts."""
        page = tx.one(PAGE, token=token)
        visit = tx.one(VISIT, session=_hash(session), token=token) if session else None
        if page is None or visit is None or not visit["confirmed_at"]:
            raise Refused("This browser was not confirmed in Slack.")
        request, now = store.load(tx, page["request_id"]), self.clock.now()
        if page["closed_at"] or page["expires_at"] <= now or request.state is not State.RUNNING or request.step != STEP:
            stored = "A value was stored already." if request.run.given and request.state in ENDED else ""
            raise Refused(stored or "This page is closed. Ask once more in Slack.")
        if not 0 < size <= LARGEST:
            raise InputError("Nothing was typed." if not size else f"It is longer than {LARGEST // 1024} KiB.")
        if stop := paused_by(tx):
            raise Unavailable(f"Nothing was stored: {stop}. Send the value once more when writes are resumed.")
        if now < request.run.held_until:
            raise Unavailable("A value is being stored just now. Reload this page in a moment to see whether it was.")
        return self.register.progress(tx, request, run=request.run.to(given=True, held_until=now + CLAIM))

    def _not_given(self, tx: Tx, request: Request, perhaps: bool) -> None:
        current = self.register.current(tx, request)
        if current.step == STEP and not current.ended:
            self.register.progress(tx, current, run=current.run.to(given=perhaps, held_until=0.0))

    def _given(self, tx: Tx, request: Request, generations: dict[str, int]) -> None:
        current = self.register.current(tx, request)
        if current.state is not State.RUNNING or current.step != STEP:
            return  # it ended while the cluster took its time
        self._close(tx, current, "The value is stored.")
        self.register.record(tx, current, "written", {"objects": generations})
        run = current.run.to(generations=generations)
        self.register.move(tx, current, Event.BECAME_HEALTHY, run=run, progress="", outcome="the value is stored")

    def _expired(self, tx: Tx, request: Request) -> None:
        """Ends a request for which no value was stored in time."""
        current = self.register.current(tx, request)
        if current.state is State.RUNNING and current.step == STEP:
            self._fail(tx, current, f"Nobody gave the value within {LIVES / 60:.0f} minutes.")

    def _fail(self, tx: Tx, request: Request, why: str) -> None:
        self._close(tx, request, "The page is closed.")
        if request.run.given:  # it was sent, and the cluster's answer is not known
            why = "A value was sent, and whether it was stored is not known."
            said = f"{why} Ask once more."
        else:
            said = f"{why} Nothing was changed."
        self.register.move(tx, request, Event.FAILED, data={"why": why}, outcome=said)

    def _close(self, tx: Tx, request: Request, why: str) -> None:
        """Ends the request's pages, and takes links and buttons that lead nowhere out of the messages."""
        for page in tx.all(OPEN, request=request.id):
            said = Answer(title=f"{request.name}: {_title(request)}", lines=(why,))
            self._tell(tx, request, f"link-{page['token'][:16]}", said)
            for visit in tx.all(VISITS, token=page["token"]):
                line = why if visit["confirmed_at"] else "It is closed. It never showed the field."
                self._answered(tx, request, visit["session"], visit["code"], line)
        tx.run(CLOSE, request=request.id, now=self.clock.now())

    def _answered(self, tx: Tx, request: Request, session: str, code: str, line: str) -> None:
        said = Answer(title=f"{request.name}: the page that showed {code[:3]} {code[3:]}", lines=(line,))
        self._tell(tx, request, f"code-{session[:16]}", said)

    def _tell(self, tx: Tx, request: Request, what: str, said: Answer) -> None:
        post = Post(
            f"{request.name}/page/{what}", Lane.ANSWER, "answer", str(request.id),
            person=request.requester_id, content=asdict(said), asked=True,
        )  # fmt: skip
        self.outbox.show(tx, post)


def prune(tx: Tx, now: float) -> int:
    """Forgets pages a day after they ended, with their visits; returns how many."""
    return tx.run(PRUNE, before=now - 86400.0)


def _title(request: Request) -> str:
    return request.plan.summary if request.plan else request.title


def _size(value: str) -> int:
    return len(value.encode())


def _refusal(status: int) -> str:
    if status in (401, 403):
        return f"The cluster does not allow writing this Secret (status {status})."
    return f"The cluster refused the value (status {status})."


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
