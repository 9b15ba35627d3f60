"""Looking at a change afterwards, where nobody had to look at it before: somebody else says that they did.

Asked for in the transaction in which the change ends, so it is asked once; a review is a row of the audit trail. Until
there is one, those who may give it are reminded once a day: when, is a row too, so a restart forgets none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from approvals import store
from approvals.lifecycle import is_requester, names, sources_of
from approvals.request import Request, Review
from chatops.kernel.errors import Refused, TooLate
from chatops.kernel.masking import mask
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Configuration, Database, Tx
from chatops.kernel.texts import ended
from chatops.requests.approvers import team_of
from chatops.requests.clicks import only_once
from chatops.requests.register import Register

NOTE = "review"
DAY = 86400.0  # seconds between two reminders

OPEN = "INSERT INTO reviews (request_id, remind_at) VALUES (:request, :at) ON CONFLICT (request_id) DO NOTHING"
DUE = "SELECT request_id FROM reviews WHERE remind_at <= :now ORDER BY remind_at LIMIT 100"
REMINDED = """
UPDATE reviews SET reminders = reminders + 1, remind_at = :at WHERE request_id = :request AND remind_at <= :now
RETURNING reminders
"""
CLOSE = "DELETE FROM reviews WHERE request_id = :request RETURNING reminders"


@dataclass(slots=True)
class Reviews:
    """Takes reviews, and reminds of those that are missing; ``ask`` is told of each request that ended."""

    database: Database
    register: Register
    configuration: Configuration
    clock: Clock

    async def give(self, person: Person, number: int, text: str, key: str) -> str:
        """``kernel.action.Questions.review``."""
        return await self.database.write(self._give, person, number, mask(text)[0], key)

    async def look(self) -> int:
        """Reminds of what is due, and returns of how many changes; may be called late, early or twice."""
        due = await self.database.read(lambda tx: [int(row["request_id"]) for row in tx.all(DUE, now=self.clock.now())])
        return sum([await self.database.write(self._remind, number) for number in due])

    def _remind(self, tx: Tx, number: int) -> int:
        """One reminder, however many days nobody looked; the button stands on the newest."""
        now, request = self.clock.now(), store.load(tx, number)
        row = tx.one(REMINDED, request=number, at=now + DAY, now=now)
        if row is None:
            return 0
        told, line = int(row["reminders"]), f"*Still to be reviewed:* {request.requester_name} {_how(request)}."
        if told > 1:
            self.register.say(tx, request, f"{NOTE}/{told - 1}", [line])
        self.register.say(
            tx, request, f"{NOTE}/{told}", [line, _whom(request)], mention=[one.id for one in request.reviewers],
            buttons=_buttons(request),
        )  # fmt: skip
        return 1

    def _give(self, tx: Tx, person: Person, number: int, text: str, key: str) -> str:
        only_once(tx, key, self.clock.now())
        request = store.load(tx, number)
        if request.reviewed is not None:
            raise TooLate(
                f"{request.reviewed.name} has already reviewed {request.name}: {ended(request.reviewed.text)}"
            )
        if not to_review(request):
            raise TooLate(f"There is nothing to review about {request.name}.")
        self._check(request, person)
        review = Review(name=person.name or person.id, text=text, at=self.clock.now())
        after = self.register.reviewed(tx, request, review, who=person.email or person.id)
        closed, said = tx.one(CLOSE, request=number), f"Reviewed by {review.name}: {text}"
        self.register.say(tx, after, NOTE, [*_asked(after)[:1], said])
        if closed and closed["reminders"]:
            self.register.say(tx, after, f"{NOTE}/{closed['reminders']}", [said])
        return f"You have reviewed {request.name}."

    def _check(self, request: Request, person: Person) -> None:
        if is_requester(request, person):
            raise Refused("Nobody reviews their own change. Ask " + (names(request.reviewers) or "somebody else") + ".")
        sources = request.decision.reviewers if request.decision else ()
        platform, team = self.configuration.platform, team_of(request, self.configuration)
        if not sources_of(person, sources, team, platform, named=request.risk == "danger"):
            raise Refused(f"{request.name} is reviewed by {names(request.reviewers) or 'others'}.")


def to_review(request: Request) -> bool:
    """Whether somebody has to look at a change that was carried out."""
    carried_out = request.ended and bool(request.started_at)
    return carried_out and request.decision is not None and bool(request.decision.reviewers)


def ask(register: Register, tx: Tx, request: Request) -> None:
    """Asks those who may to look at a change that has ended, where policy wants that."""
    if to_review(request):
        tx.run(OPEN, request=request.id, at=request.ended_at + DAY)
        rung = [one.id for one in request.reviewers]
        register.say(tx, request, NOTE, _asked(request), mention=rung, buttons=_buttons(request))


def _asked(request: Request) -> list[str]:
    return [f"*To be reviewed:* {request.requester_name} {_how(request)}.", _whom(request)]


def _how(request: Request) -> str:
    return "broke the glass" if request.glass_is_broken else "did this at once, nobody had to approve it"


def _whom(request: Request) -> str:
    whom = names(request.reviewers)
    return f"{whom}: look at it, and say that you did." if whom else "I found nobody else who may look at it."


def _buttons(request: Request) -> list[dict[str, Any]]:
    return [{"label": "Reviewed", "line": f"review {request.name}", "form": True}]
