"""The one road every request takes, whatever door it came in by: parse → permit → plan → gate → run → verify → tell.

This file holds what people do (ask, vote; what else they choose on a card is in ``choices``); ``engine`` moves what the
assistant does by itself (plan, run, verify). Both change a request only through ``register``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import BaseModel

from approvals import lifecycle, store
from approvals.lifecycle import Event, sources_of, stands
from approvals.request import Request, State, Vote
from chatops.kernel.action import Action, Answer
from chatops.kernel.course import nothing_to_do, written_out
from chatops.kernel.diff import unified
from chatops.kernel.errors import Refused
from chatops.kernel.masking import mask
from chatops.kernel.people import STRANGERS, Person, automation
from chatops.kernel.ports import Clock, Configuration, Database, Directory, Tx
from chatops.requests.approvers import team_of
from chatops.requests.choices import Choice, Choices
from chatops.requests.clicks import check_not_done
from chatops.requests.homes import HomePage
from chatops.requests.parse import parse
from chatops.requests.planning import Planner
from chatops.requests.questions import Answers, is_operator
from chatops.requests.register import Register, Told
from chatops.requests.sheets import Sheet, Sheets

Verdict = Literal["approve", "reject", "withdraw"]
SHORTEST_DIGEST = 8  # characters of a plan's digest that a button must name: an empty one would begin every digest


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was taken in; ``fresh`` is False when it had been taken in before (a retry, a double click)."""

    id: int
    post: str  # the id of its card's post
    channel: str
    fresh: bool


@dataclass(slots=True)
class Road:
    """What people can do."""

    actions: Mapping[str, Action]
    database: Database
    register: Register
    planner: Planner
    questions: Answers
    configuration: Configuration
    directory: Directory
    clock: Clock
    sheets: Sheets = field(init=False)
    choices: Choices = field(init=False)

    def __post_init__(self) -> None:
        """What is asked for follows what is filled in."""
        self.sheets = Sheets(self.planner, self.directory)
        self.choices = Choices(self.database, self.register, self.planner, self.configuration, self.clock)

    def permit(self, person: Person, action: str = "") -> None:
        """Raises ``Refused`` for who is no full member of the home workspace, or may never ask for ``action``."""
        if not person.is_member:
            raise Refused(STRANGERS[person.standing])
        if action and not self._open_to(self.actions[action], person):
            raise Refused(f"Only the platform team can ask for {action}.")

    def offered(self, person: Person | None) -> Mapping[str, Action]:
        """The actions that forms and hints name; what is the platform team's alone, to the platform team alone."""
        return {name: one for name, one in self.actions.items() if not one.hidden and self._open_to(one, person)}

    def _open_to(self, action: Action, person: Person | None) -> bool:
        if not action.operators_only:
            return True
        return person is not None and is_operator(person, self.configuration.platform)

    def parse(self, action: str, values: Mapping[str, Any]) -> BaseModel:
        """Typed inputs; raises ``InputErrors``."""
        return parse(self.actions[action], values, self.configuration.platform)

    async def check(self, action: str, values: Mapping[str, Any], *, person: Person) -> BaseModel:
        """Typed inputs that break no rule, without asking the cluster or Slack; raises ``InputErrors``."""
        return await self.sheets.check(self.actions[action], values, person, deep=False)

    async def sheet(self, action: str, values: Mapping[str, Any], *, person: Person, cluster: bool) -> Sheet:
        """What a form of the action shows for what was filled in so far; ``cluster``: also looks for options there."""
        return await self.sheets.look(self.actions[action], values, person, cluster=cluster)

    async def ask(
        self, action: str, values: Mapping[str, Any], *, person: Person, key: str, channel: str = "",
        thread_ts: str = "", break_glass: bool = False, not_before: float = 0.0, schedule: str = "",
    ) -> Asked:  # fmt: skip
        """Takes in a request and commits it; the engine plans it next. The same ``key`` gives the same request.

        What a ``schedule`` asks for (by its name) begins at ``not_before`` (epoch seconds) and holds no place earlier.
        """
        self.permit(person, action)
        timed = {"not_before": not_before, "schedule": schedule, "early": bool(schedule)}
        return await self._take_in(action, values, person, key, channel, thread_ts, break_glass, timed)

    async def wants_approvals(self, action: str, values: Mapping[str, Any], *, person: Person, at: float) -> bool:
        """Whether policy would ask for approvals at that time (epoch seconds), for the plan as it is now."""
        self.permit(person, action)
        record = self.actions[action]
        inputs = await self.sheets.check(record, values, person, deep=True)
        plan = await self.planner.plan(record, inputs, person)
        if nothing_to_do(plan):
            return False
        return (await self.planner.judge.decide(record, inputs, person, plan, at=at)).outcome == "ask"

    def takes(self, action: str) -> frozenset[str]:
        """The names of an action's inputs; none where there is no such action."""
        return frozenset(self.actions[action].inputs.model_fields) if action in self.actions else frozenset()

    async def ask_for(self, rule: str, action: str, values: Mapping[str, Any], *, key: str) -> str:
        """Takes in what an automation asks for, and returns its name; the same ``key`` gives the same request.

        All that follows is as when a person asks, but that an automation does not wait in line. Raises ``Refused``
        while another change holds the place, and ``InputErrors``. The change that holds it may be what the same rule
        asks for: that is the request.
        """
        if action not in self.actions:
            raise Refused(f"There is no action called {action}.")

        def standing(tx: Tx) -> tuple[Request | None, Request | None]:
            place = str(values.get("service") or ""), str(values.get("environment") or "")
            return store.by_key(tx, key), store.holder(tx, *place) if place[0] else None

        known, holder = await self.database.read(standing)
        if known is not None:
            return known.name
        if holder is not None:
            given = {name: str(one) for name, one in values.items() if name != "reason"}
            same = all(str(holder.inputs.get(name)) == one for name, one in given.items())
            if same and (holder.requester_id, holder.action) == (automation(rule).id, action):
                return holder.name
            raise Refused(f"{holder.name} ({holder.whose}) is under way there.")
        return (await self._take_in(action, values, automation(rule), key)).post

    async def _take_in(
        self, action: str, values: Mapping[str, Any], person: Person, key: str, channel: str = "",
        thread_ts: str = "", break_glass: bool = False, timed: Mapping[str, Any] | None = None,
    ) -> Asked:  # fmt: skip
        record = self.actions[action]
        inputs = await self.sheets.check(record, values, person, deep=True)
        fields = inputs.model_dump(mode="json")
        reason, _ = mask(str(fields.get("reason", "")))
        environment = str(fields.get("environment") or "")
        known = self.configuration.platform.environments.get(environment)
        if break_glass and not reason:
            raise Refused("Breaking the glass needs a reason: end the line with `because …`.")
        request = Request(
            id=0, action=action, title=record.title, risk=record.risk, inputs={**fields, "reason": reason},
            service=str(fields.get("service") or ""), environment=environment, tier=known.tier if known else "",
            reason=reason, requester_id=person.id, requester_name=person.name, requester_email=person.email,
            broke_glass=reason if break_glass else "", channel=channel, thread_ts=thread_ts,
            created_at=self.clock.now(), updated_at=self.clock.now(), pinned=record.pinned, **(timed or {}),
        )  # fmt: skip
        return await self.database.write(self._ask, request, key)

    def _ask(self, tx: Tx, request: Request, key: str) -> Asked:
        stored = self.register.create(tx, request, key)
        channel = self.configuration.platform.channel("requests", stored.environment, stored.service)
        fresh = stored.version == 0 and stored.created_at == request.created_at
        return Asked(stored.id, stored.name, channel, fresh)

    async def answer(
        self, action: str, values: Mapping[str, Any], *, person: Person, asked_at: float = 0.0, key: str = "",
        again: bool = False,
    ) -> Answer:  # fmt: skip
        """A read action's answer; ``asked_at`` (epoch seconds) is now when it is not given.

        What it does, as with an incident, the same ``key`` does once. Raises ``TooLate`` when it did, which is looked
        up first when it is worked off ``again``: what it meets then may be its own doing.
        """
        self.permit(person, action)
        if again:
            await self.database.read(check_not_done, key)
        record = self.actions[action]
        inputs = await self.sheets.check(record, values, person, deep=True)
        if record.answer is None:
            raise TypeError(f"{action} is no read action")
        context = self.planner.context(inputs, person)
        asked_at = asked_at or context.now.timestamp()
        return await record.answer(inputs, replace(context, asked_at=asked_at, key=key, again=again))

    async def preview(self, action: str, values: Mapping[str, Any], *, person: Person) -> tuple[str, ...]:
        """What stands under the form: what runs there now and what policy will ask for; nothing while inputs miss."""
        if not person.is_member:
            return ()
        return await self.questions.preview(person, action, values)

    async def first_page(self, *, person: Person) -> Answer:
        """The answer to ``/platform`` alone."""
        self.permit(person)
        return await self.questions.first_page(person)

    async def home(self, *, person: Person) -> HomePage:
        """What App Home shows."""
        self.permit(person)
        return await self.questions.home(person)

    async def diff(self, request: int, *, person: Person) -> str:
        """The whole diff of a request's plan."""
        self.permit(person)
        found = await self.database.read(store.load, request)
        if found.plan is None:
            return f"{found.name} has no plan yet."
        what = f"{found.name}: {found.title} {found.plan.summary}".rstrip()
        heading = f"{what}, in {found.environment}" if found.environment else what
        return "\n\n".join(filter(None, (heading, written_out(found.plan), unified(found.plan.changes))))

    async def vote(
        self, request: int, digest: str, verdict: Verdict, *, person: Person, key: str, reason: str = "",
        told: Told = lambda tx, said: None,
    ) -> str:  # fmt: skip
        """Decides on a plan; returns a sentence for who clicked. Raises ``TooLate`` or ``Refused``.

        The decision, the card, the audit row, that ``key`` has decided and what is ``told`` of it are one commit: the
        same key decides once.
        """
        reason = reason and mask(reason)[0]
        return await self.database.write(self._vote, request, digest, verdict, person, key, reason, told)

    def _vote(
        self, tx: Tx, number: int, digest: str, verdict: Verdict, person: Person, key: str, reason: str, told: Told
    ) -> str:
        return self.register.pressed(
            tx, number, key, told, lambda request: self._voted(tx, request, digest, verdict, person, reason)
        )

    def _voted(self, tx: Tx, request: Request, digest: str, verdict: Verdict, person: Person, reason: str) -> str:
        if verdict == "withdraw":
            after = lifecycle.withdraw(request, person, self.clock.now())
            store.withdraw_vote(tx, request.id, request.digest, person.id, self.clock.now())
            self.register.put(tx, request, after, Event.WITHDRAWN, who=person.email or person.id)
            said, others = f"Your approval of {request.name} is withdrawn.", lifecycle.names(after.votes, "and")
            return said if after.state is State.WAITING else f"{said} It stays approved by {others}."
        if request.ended or request.state is not State.WAITING:
            self.register.show_again(tx, request)
            return stands(request)
        platform = self.configuration.platform
        asks = request.decision.asks if request.decision else ()
        asked, named = [source for ask in asks for source in ask.sources], any(ask.named for ask in asks)
        sources = sources_of(person, asked, team_of(request, self.configuration), platform, named=named)
        lifecycle.check_voter(request, person, sources)
        if len(digest) < SHORTEST_DIGEST or not request.digest.startswith(digest):
            self.register.show_again(tx, request)
            return f"The plan of {request.name} has changed since that card; look at it again before deciding."
        vote = Vote(
            person_id=person.id, name=person.name, email=person.email, verdict=verdict, sources=sources,
            reason=reason, at=self.clock.now(), digest=request.digest,
        )  # fmt: skip
        if verdict == "approve":
            after, said = lifecycle.approve(request, vote, self.clock.now()), f"You approved {request.name}."
            event = Event.SATISFIED if after.state is State.APPROVED else Event.VOTED
        else:
            after, event = lifecycle.reject(request, vote, self.clock.now()), Event.REJECTED
            said = f"You rejected {request.name}."
        store.add_vote(tx, request.id, vote)
        data = {"verdict": verdict, "digest": request.digest, "reason": reason, "sources": sources}
        self.register.put(tx, request, after, event, who=person.email or person.id, data=data)
        return said

    async def choose(
        self, request: int, choice: Choice, *, person: Person, key: str, reason: str = "", saw: str = "",
        told: Told = lambda tx, said: None,
    ) -> str:  # fmt: skip
        """The requester's (or, for breaking the glass, the group's) other buttons; ``saw``: what the card showed."""
        return await self.choices.choose(request, choice, person=person, key=key, reason=reason, saw=saw, told=told)
