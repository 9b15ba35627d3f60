"""Where a request changes: its row, the audit trail, its messages and the hand-over of its place, in one
transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from approvals import store
from approvals.lifecycle import Event, move, stands
from approvals.request import Request, Review, State
from chatops.kernel import audit
from chatops.kernel.errors import TooLate
from chatops.kernel.people import is_automation
from chatops.kernel.ports import Clock, Configuration, Lane, Outbox, Post, Tx
from chatops.kernel.routes import spread
from chatops.requests.clicks import first_time

Told = Callable[[Tx, str], None]  # keeps the sentence for who pressed, in the commit of what was decided
SYSTEM = "assistant"
UNDER_WAY = frozenset({State.PLANNING, State.APPROVED, State.RUNNING, State.ROLLING_BACK})  # what the engine moves


@dataclass(slots=True)
class Register:
    """Writes requests; ``ended`` and ``to_review`` are told of each that ended, in the transaction of its end.

    ``moved`` is told of each that came into another state, in that transaction too.
    """

    outbox: Outbox
    configuration: Configuration
    clock: Clock
    ended: Callable[[Tx, Request], None]
    to_review: Callable[[Register, Tx, Request], None]
    wake: Callable[[int], None] = field(default=lambda number: None)
    moved: Callable[[Tx, Request], None] = field(default=lambda tx, request: None)

    def create(self, tx: Tx, request: Request, key: str) -> Request:
        """Stores a new request, contested when another one holds its place; the stored one when ``key`` is known."""
        now = self.clock.now()
        takes_place = request.service and not request.early
        holder = store.holder(tx, request.service, request.environment) if takes_place else None
        if holder is not None:
            request = request.model_copy(
                update={"state": State.CONTESTED, "deadline_at": now + 3600, **_behind(holder)}
            )
        number = store.insert(tx, request, key)
        if number is None:
            found = store.by_key(tx, key)
            if found is None:
                raise RuntimeError(f"the request with key {key} was there and is gone")
            return found
        request = request.model_copy(update={"id": number})
        asked: dict[str, Any] = {"action": request.action, "inputs": request.inputs, "reason": request.reason}
        asked |= {"break_glass": True} if request.broke_glass else {}
        self._note(tx, request, request.requester_email or request.requester_id, "requested", asked)
        self._show(tx, request)
        return request

    def move(
        self, tx: Tx, request: Request, event: Event, *, who: str = SYSTEM, data: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Request:  # fmt: skip
        """Takes the request through ``event`` and stores everything that follows from it."""
        return self.put(tx, request, move(request, event, self.clock.now(), **changes), event, who=who, data=data)

    def put(
        self, tx: Tx, before: Request, after: Request, event: Event, *, who: str = SYSTEM,
        data: Mapping[str, Any] | None = None, successor: Request | None = None,
    ) -> Request:  # fmt: skip
        """Stores ``after``, which came out of ``before``; a place it gives up goes to ``successor`` or the next."""
        store.save(tx, after, before)
        self._note(tx, after, who, event.value, {"state": after.state.value, **(data or {})})
        self._show(tx, after, before)
        if after.state is not before.state:
            self.moved(tx, after)
        if after.ended:
            self.ended(tx, after)
            self.to_review(self, tx, after)
        if store.slot_of(before) and not store.slot_of(after):
            self.hand_over(tx, after, successor)
        return after

    def pressed(self, tx: Tx, number: int, key: str, told: Told, then: Callable[[Request], str]) -> str:
        """What came of a press on a request, the same ``key`` once; ``told`` keeps it.

        A request whose time is over expires by it, for whoever looks for what is due may not have looked yet.
        """
        request = store.load(tx, number)
        if not first_time(tx, key, self.clock.now()):
            return stands(request)
        over = self.expire(tx, request)
        said = then(request) if over is request else stands(over)
        told(tx, said)
        return said

    def expire(self, tx: Tx, request: Request) -> Request:
        """The request as it is once its deadline is looked at; the same one where there is none, or time is left."""
        if not 0 < request.deadline_at <= self.clock.now():
            return request
        try:
            return self.move(tx, request, Event.EXPIRED)
        except TooLate:  # it was decided in time
            return request

    def progress(self, tx: Tx, /, request: Request, **changes: Any) -> Request:
        """Stores how far the work has come and updates the card; no audit row, for nothing was decided or done."""
        after = move(request, Event.MOVED, self.clock.now(), **changes)
        store.save(tx, after)
        self.outbox.show(tx, card(after, self._channel(after)))
        return after

    def show_again(self, tx: Tx, request: Request) -> None:
        """Repairs a card that somebody saw stale."""
        channel = self._channel(request)
        posts: list[Post] = [card(request, channel)]
        if request.digest and request.approvers:
            posts.append(approvers(request, channel))
        for post in posts:
            self.outbox.show(tx, post)

    def reviewed(self, tx: Tx, request: Request, review: Review, *, who: str) -> Request:
        """Stores what somebody said afterwards of a change that has ended, with its row in the audit trail."""
        after = request.model_copy(update={"reviewed": review, "version": request.version + 1})
        store.save(tx, after)
        self._note(tx, after, who, "reviewed", {"text": review.text})
        self._show(tx, after)
        return after

    def current(self, tx: Tx, request: Request) -> Request:
        """The stored request, which may have made progress since ``request`` was read."""
        return store.load(tx, request.id)

    def stall(self, tx: Tx, request: Request) -> None:
        """Asks the requester before anything is written: a change that comes long after its approval surprises."""
        said = "It was approved more than 30 minutes ago and could not start."
        deadline = self.clock.now() + 24 * 3600
        after = self.move(tx, request, Event.STALLED, deadline_at=deadline, outcome=said, progress="", step="")
        asked = [said, "Start it now, or cancel it, on its card."]
        self.say(tx, after, f"stalled-{after.version}", asked, mention=speakers(request))

    def record(self, tx: Tx, request: Request, what: str, data: Mapping[str, Any]) -> None:
        """Puts an effect into the audit trail that is no transition."""
        self._note(tx, request, SYSTEM, what, data)

    def announce(self, tx: Tx, request: Request, what: str, line: str) -> None:
        """Tells the deploys channel something besides the one notice."""
        channel = self.configuration.platform.channel("deploys", request.environment, request.service)
        post = Post(
            f"{request.name}/announce/{what}", Lane.APPROVAL, "note", str(request.id), channel=channel,
            content={"lines": [line]},
        )  # fmt: skip
        for one in spread(self.configuration.platform, post, request.environment, request.service):
            self.outbox.show(tx, one)

    def hand_over(self, tx: Tx, left: Request, successor: Request | None = None) -> None:
        """Gives the place that ``left`` held to ``successor`` or the next in line; the rest learn who is ahead."""
        waiting = successor or store.next_in_line(tx, left.service, left.environment)
        if waiting is None:
            return
        first = self.move(tx, waiting, Event.TURN_CAME, behind=0, ahead="", deadline_at=0.0)
        for other in store.in_line(tx, left.service, left.environment):
            self.progress(tx, other, **_behind(first))

    def say(
        self, tx: Tx, request: Request, what: str, lines: Sequence[str], *, mention: Sequence[str] = (), code: str = "",
        buttons: Sequence[Mapping[str, Any]] = (),
    ) -> None:  # fmt: skip
        """Puts a note into the card's thread, once for each ``what``."""
        rung = [one for one in mention if not is_automation(one)]
        content = {"lines": list(lines), "mention": rung, "code": code, "buttons": list(buttons)}
        post = Post(
            f"{request.name}/note/{what}",
            Lane.ANSWER,
            "note",
            str(request.id),
            channel=self._channel(request),
            thread_of=request.name,
            content=content,
        )
        self.outbox.show(tx, post)

    def _note(self, tx: Tx, request: Request, who: str, what: str, data: Mapping[str, Any]) -> None:
        audit.append(
            tx,
            chain=request.name,
            who=who,
            what=what,
            data=data,
            at=self.clock.now(),
            configuration=self.configuration.platform.digest,
        )

    def _channel(self, request: Request) -> str:
        return self.configuration.platform.channel("requests", request.environment, request.service)

    def _show(self, tx: Tx, request: Request, before: Request | None = None) -> None:
        channel = self._channel(request)
        self.outbox.show(tx, card(request, channel))
        if before is not None and before.digest and before.digest != request.digest:
            self.outbox.show(tx, approvers(before, channel))
        if request.digest and (request.approvers or request.votes):
            self.outbox.show(tx, approvers(request, channel))
        if request.state in UNDER_WAY:
            tx.after_commit(lambda: self.wake(request.id))


def speakers(request: Request) -> list[str]:
    """Who is asked when something is to be said about a request: who asked, or who may approve what nobody asked."""
    if is_automation(request.requester_id):
        return [one.id for one in request.approvers]
    return [request.requester_id]


def _behind(holder: Request) -> dict[str, Any]:
    return {"behind": holder.id, "ahead": holder.whose}


def card(request: Request, channel: str = "") -> Post:
    """The request's one card. A state in which someone is waited for goes out before mere progress."""
    lane = Lane.APPROVAL if request.state in (State.WAITING, State.CONTESTED, State.STALLED) else Lane.ANSWER
    return Post(request.name, lane, "request", str(request.id), channel=channel)


def approvers(request: Request, channel: str) -> Post:
    """The first reply in the card's thread, one for each plan: it mentions the approvers and carries the buttons."""
    return Post(
        f"{request.name}/approvers/{request.digest[:8]}",
        Lane.APPROVAL,
        "approvers",
        str(request.id),
        channel=channel,
        thread_of=request.name,
        content={"digest": request.digest},
    )
