"""Answers for ``help``, ``why``, ``requests``, ``pause``, the first page and what stands under a form."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from approvals import policy, store
from approvals.lifecycle import is_requester, sources_of, stands
from approvals.request import Request
from chatops.kernel import audit
from chatops.kernel.action import Action, Answer, Button, Made, RequestList, inputs_of
from chatops.kernel.catalog import Platform
from chatops.kernel.errors import ClusterError, InputError, PlatformError, Refused, TooLate, Unavailable
from chatops.kernel.families import collapsed, families, listed, spoken
from chatops.kernel.masking import mask
from chatops.kernel.people import Person
from chatops.kernel.plan import Plan
from chatops.kernel.ports import Clock, Configuration, Database, Tx
from chatops.kernel.usage import Asked, Forms
from chatops.requests import objects, opened, preferences
from chatops.requests.approvers import team_of
from chatops.requests.clicks import only_once
from chatops.requests.expiry import Expiry
from chatops.requests.homes import HomePage, held_for, incidents_of, on_call_for, scheduled_for, services_of
from chatops.requests.pages import Pages
from chatops.requests.parse import InputErrors, parse
from chatops.requests.pause import changed_at, paused, paused_by, set_paused
from chatops.requests.planning import Planner
from chatops.requests.reviews import Reviews

log = logging.getLogger(__name__)

LATELY = 2 * 86400.0  # seconds for which App Home shows what failed


# Where the cards of requests (by name, R-1042) are on the web; those that nobody can tell are left out.
Cards = Callable[[Tx, Sequence[str]], Mapping[str, str]]


@dataclass(slots=True)
class Answers:
    """Implements ``kernel.action.Questions``; reads only, but for ``pause``."""

    actions: Mapping[str, Action]
    database: Database
    planner: Planner
    configuration: Configuration
    clock: Clock
    pages: Pages
    expiry: Expiry
    reviews: Reviews
    cards: Cards = lambda tx, names: {}
    _allowed: dict[tuple[Any, ...], tuple[Action, ...]] = field(default_factory=dict)

    async def allowed(self, person: Person) -> tuple[Action, ...]:
        """The actions this person could ask for somewhere; remembered until the configuration or the person changes."""
        platform = self.configuration.platform
        if not person.is_member:
            return ()
        minute = int(self.clock.now() // 60)  # a freeze may begin
        key = (platform.digest, person.id, person.groups, person.teams, minute)
        if key not in self._allowed:
            if len(self._allowed) > 1000:
                self._allowed.clear()
            found = [action for action in self.actions.values() if await self._may(person, action, platform)]
            self._allowed[key] = tuple(found)
        return self._allowed[key]

    async def _may(self, person: Person, action: Action, platform: Platform) -> bool:
        if action.hidden:
            return False
        if action.operators_only:
            return is_operator(person, platform)
        if action.risk == "read":
            return True
        return await policy.possible(platform, action, person, self.planner.evaluate, self.clock.now())

    async def why(self, person: Person, action: str, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Policy's answer for an action before anyone asks for it; with a real plan when the inputs suffice for one."""
        record = self.actions.get(action)
        if record is None:
            kin = listed(families(await self.allowed(person)).get(action, ()))
            raise InputError(f"There is no action called {action!r}.", field="action", hint=kin and f"There are {kin}.")
        if record.operators_only and not is_operator(person, self.configuration.platform):
            raise Refused(f"Only the platform team can ask for {action}.")
        needed = {name: value for name, value in values.items() if value not in (None, "")}
        plan, inputs = Plan(summary=""), None
        note: tuple[str, ...] = ()
        try:
            inputs = parse(record, needed, self.configuration.platform)
        except InputErrors as wrong:
            note = (_unfit(wrong, needed) or "Without all inputs this is what policy can say so far:",)
        if inputs is not None and record.plan is not None:
            try:
                plan = await self.planner.plan(record, inputs, person)
            except Refused as no:
                note = (f"As things are it is refused: {_said(no)}", "Policy alone would say:")
            except (Unavailable, ClusterError) as away:
                note = (f"Without looking at the cluster ({away.message.removesuffix('.')}):",)
        platform = self.configuration.platform
        facts = (
            await self.planner.judge.partial_facts(record, needed, person)
            if inputs is None
            else await self.planner.judge.facts(record, inputs, person, plan)
        )
        standing = await self.planner.judge.standing(record, needed, person, plan)
        explained = await policy.explain(platform, facts, self.planner.evaluate, standing=standing)
        if inputs is None:
            return note + explained
        return note + explained + await self._out_of_reach(record, inputs, person, plan)

    async def _out_of_reach(self, action: Action, inputs: BaseModel, person: Person, plan: Plan) -> tuple[str, ...]:
        """Whether all who may approve are too few, as the card would say."""
        decision = await self.planner.judge.decide(action, inputs, person, plan)
        asked = Request(
            id=0, action=action.name, title=action.title, inputs={}, service=getattr(inputs, "service", "") or "",
            environment=getattr(inputs, "environment", "") or "", plan=plan,
            requester_id=person.id, requester_name=person.name, requester_email=person.email,
        )  # fmt: skip
        approvers = await self.planner.approvers.of(asked, decision)
        said = self.planner.approvers.out_of_reach(asked, person, decision, approvers)
        return (f"{said}.",) if said else ()

    async def requests(
        self, person: Person, whose: Literal["mine", "waiting", "recent"]
    ) -> tuple[Mapping[str, Any], ...]:
        """Requests as rows: id, title, state, by, at, link."""
        platform = self.configuration.platform
        return await self.database.read(self._requests, person, whose, platform)

    def _requests(self, tx: Tx, person: Person, whose: str, platform: Platform) -> tuple[Mapping[str, Any], ...]:
        if whose == "mine":
            found = store.of_person(tx, person.id)
        elif whose == "recent":
            found = store.recent(tx)
        else:
            found = [one for one in store.waiting(tx) if self._waits_for(one, person, platform)][:20]
        links = self.cards(tx, [one.name for one in found])
        return tuple(row(one, links.get(one.name, "")) for one in found)

    def _current(self, tx: Tx, person: Person) -> tuple[Mapping[str, Any], ...]:
        """This person's requests that are under way, then those that failed lately."""
        found = [*store.open_of(tx, person.id), *store.failed_of(tx, person.id, self.clock.now() - LATELY)]
        links = self.cards(tx, [one.name for one in found])
        return tuple(row(one, links.get(one.name, "")) for one in found)

    def _waits_for(self, request: Request, person: Person, platform: Platform) -> bool:
        asks = request.decision.asks if request.decision else ()
        voted = any(vote.person_id == person.id for vote in request.votes)
        if voted or is_requester(request, person):
            return False
        asked, named = [source for ask in asks for source in ask.sources], any(ask.named for ask in asks)
        return bool(sources_of(person, asked, team_of(request, self.configuration), platform, named=named))

    async def asked_since(self, moment: float) -> Sequence[Asked]:
        """Every request that was asked for since then (epoch seconds)."""
        return await self.database.read(store.asked_since, moment)

    async def forms_since(self, moment: float) -> Mapping[str, Forms]:
        """By action, the forms that were opened since then (epoch seconds)."""
        return await self.database.read(opened.since, moment, self.clock.now())

    async def made(self, person: Person) -> tuple[Made, ...]:
        """What this person asked for or their teams own, by request, newest first."""
        return await self.database.read(self._made, person)

    def _made(self, tx: Tx, person: Person) -> tuple[Made, ...]:
        return self._of_requests(tx, objects.of_person(tx, person.id, person.teams))

    async def made_by(self, request: int) -> Made | None:
        """What a request made and is still there."""

        def read(tx: Tx) -> Made | None:
            return next(iter(self._of_requests(tx, objects.of_request(tx, request)[::-1])), None)

        return await self.database.read(read)

    def _of_requests(self, tx: Tx, found: Sequence[objects.Owned]) -> tuple[Made, ...]:
        groups: dict[int, list[objects.Owned]] = {}
        for one in found:
            groups.setdefault(one.request_id, []).append(one)
        links = self.cards(tx, [f"R-{number}" for number in groups])
        return tuple(
            Made(
                request=number, by=store.load(tx, number).requester_name, requester_id=each[0].requester_id,
                team=each[0].team, environment=each[0].environment, service=each[0].service,
                objects=tuple((one.ref, one.uid) for one in each), made_at=each[-1].made_at,
                expires_at=min((one.expires_at for one in each if one.expires_at), default=0.0),
                period=max(one.period for one in each), link=links.get(f"R-{number}", ""),
            )
            for number, each in groups.items()
        )  # fmt: skip

    async def review(self, person: Person, request: int, text: str, key: str = "") -> str:
        """``kernel.action.Questions.review``."""
        return await self.reviews.give(person, request, text, key)

    async def extend(self, person: Person, request: int, key: str = "") -> str:
        """Lets what a request made stay for its whole time once more."""
        return await self.expiry.extend(request, person, key)

    async def confirm_page(self, person: Person, request: int, code: str, mine: bool, key: str = "") -> str:
        """The requester's word on who opened a one-time page."""
        return await self.pages.confirm(request, code, person, mine=mine, key=key)

    async def pause(self, person: Person, paused: bool, reason: str, key: str = "", before: float = math.inf) -> str:
        """Stops or resumes new writes; for the platform team."""
        if not is_operator(person, self.configuration.platform):
            raise Refused("Only the platform team can pause or resume new writes.")
        return await self.database.write(self._pause, person, paused, mask(reason)[0], key, before)

    def _pause(self, tx: Tx, person: Person, stop: bool, reason: str, key: str, before: float) -> str:
        now, standing = self.clock.now(), paused(tx)
        if bool(standing) == stop:
            return f"New writes are already paused by {standing['by']}." if stop else "New writes were not paused."
        if standing and changed_at(tx) > before:
            raise TooLate(f"That was after you asked, and stays so: {paused_by(tx)}.")
        only_once(tx, key, now)
        set_paused(tx, {"by": person.name, "why": reason} if stop else {}, now)
        audit.append(
            tx, chain="platform", who=person.email or person.id, what="paused" if stop else "resumed",
            data={"reason": reason}, at=now, configuration=self.configuration.platform.digest,
        )  # fmt: skip
        if stop:
            return "New writes are paused. Planning, approvals and running rollouts go on."
        return "New writes go on."

    async def preview(self, person: Person, action: str, values: Mapping[str, Any]) -> tuple[str, ...]:
        """What runs at the chosen place now, or what would be made there, and what policy will ask for.

        Empty until the place (service and environment, whichever the action asks for) is chosen.
        """
        platform, record = self.configuration.platform, self.actions[action]
        given = {name: value for name, value in values.items() if value not in (None, "")}
        asked = {one.name for one in inputs_of(record.inputs) if one.required}
        for name, known in (("service", platform.services), ("environment", platform.environments)):
            if (name in asked or name in given) and given.get(name) not in known:
                return ()
        if record.pinned:
            lines, plan = await self._would(person, record, given)
        else:
            lines, plan = await self._now(person, record, given), None
        if plan is None:
            facts = await self.planner.judge.partial_facts(record, given, person)
        else:
            facts = await self.planner.judge.facts(record, parse(record, given, platform), person, plan)
        standing = await self.planner.judge.standing(record, given, person, plan)
        lines += await policy.explain(platform, facts, self.planner.evaluate, short=True, standing=standing)
        lines += [f"⚠ {said}" for said in self.planner.judge.freezes_ahead(record, given, plan)]
        if record.risk != "read" and (stop := await self.database.read(paused)):
            lines.append(f"⏸ {_paused_by(stop)}")
        if given.get("service"):
            holder = await self.database.read(store.holder, given["service"], given.get("environment", ""))
            lines += [f"Under way there: {stands(holder)}"] if holder is not None else []
        return tuple(lines)

    async def _would(self, person: Person, record: Action, given: Mapping[str, Any]) -> tuple[list[str], Plan | None]:
        """What a declared action would do, as far as that can be said before everything is filled in."""
        try:
            plan = await self.planner.plan(record, parse(record, given, self.configuration.platform), person)
        except InputError as wrong:
            return ([wrong.message] if not isinstance(wrong, InputErrors) else []), None
        except (Unavailable, ClusterError, Refused) as no:
            return [no.message], None
        return [plan.impact or plan.now, *(f"⚠ {warning}" for warning in plan.warnings)], plan

    async def _now(self, person: Person, record: Action, given: Mapping[str, Any]) -> list[str]:
        """What runs there; for an action that goes to a revision, also which there are."""
        status = self.actions["status"]
        place = {"service": given["service"], "environment": given["environment"]}
        inputs = parse(status, place, self.configuration.platform)
        if status.answer is None:
            raise TypeError("status answers nothing")
        try:
            answer = await status.answer(inputs, self.planner.context(inputs, person))
        except (Unavailable, ClusterError, Refused) as away:
            return [f"What runs there can't be asked now: {away.message}"]
        lines = [f"Now: {answer.lines[0]}" if answer.lines else answer.title]
        if answer.table and "revision" in record.inputs.model_fields:
            kept = (f"{number} ({version}{_outcome(how)})" for number, version, _, _, how in answer.table[1:])
            lines.append(f"Revisions: {', '.join(kept)}")
        return lines

    async def home(self, person: Person) -> HomePage:
        """What App Home shows."""
        stop, wishes = await self.database.read(paused), await self.database.read(preferences.of, person.id)
        return HomePage(
            waiting=await self.requests(person, "waiting"),
            mine=await self.requests(person, "mine"),
            current=await self.database.read(self._current, person),
            wishes=wishes.said(),
            change=Button("Change", wishes.line(), form=True),
            buttons=_buttons(await self.allowed(person)),
            paused=_paused_by(stop),
            incidents=await incidents_of(self.planner, person),
            oncall=await on_call_for(self.planner, person),
            held=await held_for(self.planner, person),
            services=await services_of(self.planner, person),
            scheduled=await scheduled_for(self.planner, person),
        )

    async def first_page(self, person: Person) -> Answer:
        """What this person can do, their recent requests, a button per common action."""
        allowed = await self.allowed(person)
        lines = [f"`/platform {action.usage}`  {action.summary}" for action in allowed if action.button]
        others = [f"`{_short(one)}`" for one in collapsed(one for one in allowed if not one.button)]
        if others:
            lines.append(f"Also {' '.join(others)}")
        mine = await self.requests(person, "mine")
        waiting = await self.requests(person, "waiting")
        lists = (RequestList("Waiting for you", waiting[:5]), RequestList("Your recent requests", mine[:5]))
        stop = await self.database.read(paused)
        if stop:
            lines.insert(0, f"⏸ {_paused_by(stop)}")
        context = "What each does: /platform help · how to ask for one: /platform help ACTION"
        shown = tuple(one for one in lists if one.rows)
        return Answer("What you can do", tuple(lines), shown, buttons=_buttons(allowed), context=context)


def _said(no: PlatformError) -> str:
    """What is wrong and what would be right, in one line."""
    return f"{no.message} {no.hint}".strip()


def _unfit(errors: InputErrors, given: Mapping[str, Any]) -> str:
    """The first thing that was given and will not do; empty when things are only missing."""
    wrong = next((one for one in errors.errors if one.field in given or not one.field), None)
    return f"It would not be taken: {_said(wrong)} Policy alone can say so far:" if wrong else ""


def _paused_by(stop: Mapping[str, str]) -> str:
    return f"New writes are paused by {stop['by']}: {stop['why'] or 'no reason given'}" if stop else ""


def _outcome(how: str) -> str:
    return "" if how == "–" else f", {how}"


def _short(one: Action | tuple[str, tuple[Action, ...]]) -> str:
    return spoken(one.name) if isinstance(one, Action) else f"{one[0]} …"


def _buttons(allowed: Iterable[Action]) -> tuple[Button, ...]:
    return tuple(
        Button(action.button, action.name, form=bool(inputs_of(action.inputs))) for action in allowed if action.button
    )


def is_operator(person: Person, platform: Platform) -> bool:
    """Whether this person is on the platform team."""
    return bool(sources_of(person, platform.operators, "", platform))


def row(request: Request, link: str = "") -> Mapping[str, Any]:
    """A request as lists show it."""
    summary = request.plan.summary if request.plan and request.plan.summary else request.service
    place = f" in {request.environment}" if request.environment else ""
    return {
        "id": request.name,
        "title": f"{request.title} {summary}{place}".strip(),
        "state": request.state.value.replace("_", " "),
        "by": request.requester_name,
        "at": request.created_at,
        "link": link,
        "number": request.id,
        "digest": request.digest[:12],
        "danger": request.risk == "danger",
        "reason": request.reason,
        "impact": request.plan.impact if request.plan else "",
        "warnings": request.plan.warnings if request.plan else (),
    }
