"""Automated responses: an alert comes up, a rule of the configuration holds, and an action is asked for.

What is asked for goes the road of every request: policy decides, people approve; the rule that asks can do neither.
Here nothing is lost and nothing asked for twice: what came up is a row, written with the alert; what a rule made of it
is another one; and the request's key names both.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from approvals import store as requests
from approvals.lifecycle import stands
from approvals.request import Request, State
from chatops.incidents import triggers
from chatops.incidents.grouping import place
from chatops.incidents.keeper import Keeper
from chatops.incidents.rules import Rules, facts_of
from chatops.incidents.triggers import Trigger
from chatops.incidents.withdrawing import Withdrawals, cause
from chatops.kernel.accidents import recorded
from chatops.kernel.alerting import Automation
from chatops.kernel.cel import CelError, EvaluateAll
from chatops.kernel.cel.render import rendered
from chatops.kernel.durations import short
from chatops.kernel.errors import PlatformError, Unavailable
from chatops.kernel.masking import mask
from chatops.kernel.people import AUTOMATION, Person, automation
from chatops.kernel.ports import Clock, Database, Lane, Post, Tx

log = logging.getLogger(__name__)

AT_ONCE = 250  # triggers looked at together
AGAIN = 15.0  # seconds after which what could not be asked for is tried again
COMES_LATE = 30 * 60.0  # seconds after which it is not: a restart long after the alert surprises
ASKED, LIMITED, DRY_RUN, FAILED = "asked", "limited", "dry_run", "failed"
SAME = "same"  # another alert had made the rule ask for it, and that is under way
OVER = "over"  # the alert was, before anything was asked for, or before what was asked for was decided on
WITHDRAWN = "withdrawn"  # asked for; then the alert ended, before anybody decided


class Asks(Protocol):
    """The road, as far as an automation goes it."""

    def takes(self, action: str) -> Collection[str]:
        """The names of an action's inputs; none where there is no such action."""
        ...

    async def ask_for(self, rule: str, action: str, values: Mapping[str, Any], *, key: str) -> str:
        """The name of the request, the same for the same key. Raises ``PlatformError``."""
        ...


@dataclass(slots=True)
class Automations:
    """Looks at what came up, and asks."""

    database: Database
    keeper: Keeper
    rules: Rules
    evaluate: EvaluateAll
    road: Asks
    withdrawals: Withdrawals
    clock: Clock
    count: Callable[[str, str], None]
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def wake(self, number: int) -> None:
        """Something of an incident changed."""
        self._woken.set()

    async def run(self) -> None:
        """Looks at once for what an earlier process left, then when woken, until cancelled; the scheduler looks too."""
        self._woken.set()
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self.look()
            except Exception:  # the next look finds the same again
                log.exception("looking for what automations are to ask for failed")

    async def look(self) -> None:
        """Does what is due now."""
        async with self._looking:
            while found := await self.database.write(triggers.due, self.clock.now(), AT_ONCE):
                await self._judge(found)
            for rule in await self.withdrawals.look():
                self.count(rule, WITHDRAWN)

    def moved(self, tx: Tx, request: Request) -> None:
        """A request came into another state: where an automation asked, its incident's thread says so."""
        trigger = cause(tx, request)
        if trigger is not None and triggers.run_of(tx, _rule(request), trigger) == ASKED:
            self._show(tx, trigger, request)

    def holds(self, tx: Tx, request: Request, person: Person) -> bool:
        """Whether this person has the incident in which an automation asked for it."""
        trigger = cause(tx, request)
        holder = trigger.incident.holder if trigger is not None else None
        return holder is not None and holder.id == person.id

    # inside --------------------------------------------------------------------------------------------------------

    async def _judge(self, found: Sequence[Trigger]) -> None:
        """Which rules hold, asked for all of them together; then each that does, one after the other."""
        platform = self.keeper.configuration.platform
        rules, now = platform.automations, self.clock.now()
        live = [one for one in found if rules and one.live]
        facts = [self._facts(one, now) for one in live]
        answers = await self.rules.answers([rule.when for rule in rules], facts) if live else []
        later = set[str]()
        for trigger, seen, said in zip(live, facts, answers, strict=True):
            for rule in rules:
                if not await self._follow(rule, trigger, seen, said[rule.when]):
                    later.add(trigger.key)
        await self.database.write(self._done, [(one, one.key in later) for one in found])

    def _done(self, tx: Tx, found: Sequence[tuple[Trigger, bool]]) -> None:
        for trigger, again in found:
            if not trigger.live:
                self._close(tx, trigger)
            triggers.put_off(tx, trigger, self.clock.now() + AGAIN if again else 0.0)

    def _close(self, tx: Tx, trigger: Trigger) -> None:
        """It is over; what was asked for just before an earlier process ended is told all the same."""
        for rule in self.keeper.configuration.platform.automations:
            if triggers.run_of(tx, rule.name, trigger) != "":
                continue
            if request := requests.by_key(tx, triggers.key_of(rule.name, trigger)):
                self._end(tx, rule, trigger, request.inputs, request.name)
            else:
                triggers.end(tx, rule.name, trigger, OVER)

    def _facts(self, one: Trigger, now: float) -> dict[str, Any]:
        platform, incident = self.keeper.configuration.platform, one.incident
        facts = facts_of(one.alert, place(one.alert, platform), platform, now)
        about = {"id": str(incident.id), "name": incident.name, "severity": incident.severity}
        return {**facts, "incident": about}

    async def _follow(self, rule: Automation, trigger: Trigger, seen: Mapping[str, Any], answer: Any) -> bool:
        """What one rule makes of it; False: to be tried again."""
        if answer is False:
            return True
        if answer is not True:
            why = answer.message if isinstance(answer, CelError) else "it gives neither true nor false"
            await self.database.write(self._fail, rule, trigger, f"its when could not be evaluated: {why}")
            return True
        if not await self.database.write(self._begin, rule, trigger):
            return True
        try:
            values = await self._values(rule, trigger, seen)
            key = triggers.key_of(rule.name, trigger)
            name = "" if rule.dry_run else await self.road.ask_for(rule.name, rule.action, values, key=key)
        except Unavailable as away:
            if self.clock.now() - trigger.made_at <= COMES_LATE:
                return False
            await self.database.write(self._fail, rule, trigger, away.message)
        except PlatformError as no:
            await self.database.write(self._fail, rule, trigger, no.message)
        except Exception as error:  # a defect costs this rule's request, and none of the alerts behind it
            found = recorded(log, error, f"automation {rule.name} asked for {rule.action}")
            await self.database.write(self._fail, rule, trigger, f"something unexpected went wrong ({found})")
        else:
            await self.database.write(self._end, rule, trigger, values, name)
        return True

    async def _values(self, rule: Automation, trigger: Trigger, seen: Mapping[str, Any]) -> dict[str, Any]:
        """The action's inputs; an incident's service and environment are those of its alert unless the rule says so."""
        given = {"reason": rule.because} if rule.because else {}
        values: dict[str, Any] = await rendered({**rule.inputs, **given}, seen, self.evaluate)
        wanted = self.road.takes(rule.action)
        usual = {
            "service": seen["service"]["name"], "environment": seen["env"]["name"],
            "reason": f"{trigger.incident.name}: {trigger.alert.summary or trigger.alert.name}",
        }  # fmt: skip
        return {name: value for name, value in usual.items() if name in wanted and value} | values

    def _begin(self, tx: Tx, rule: Automation, trigger: Trigger) -> bool:
        """Whether there is something to do, within the rule's limit."""
        before, now = triggers.run_of(tx, rule.name, trigger), self.clock.now()
        if before is not None:
            return before == ""
        if triggers.lately(tx, rule.name, now - rule.per) < rule.at_most:
            triggers.begin(tx, rule.name, trigger, now)
            return True
        last = triggers.last_key(tx, rule.name, trigger.incident)
        if last and (request := requests.by_key(tx, last)) and not request.ended:
            triggers.begin(tx, rule.name, trigger, now, SAME, request.id)
            self.count(rule.name, SAME)
            return False
        if not triggers.told(tx, rule.name, trigger, LIMITED):
            said = f"not asked for: it asks at most {rule.at_most} × in {short(rule.per)}"
            self._tell(tx, rule, trigger, LIMITED, said)
        triggers.begin(tx, rule.name, trigger, now, LIMITED)
        self.count(rule.name, LIMITED)
        return False

    def _fail(self, tx: Tx, rule: Automation, trigger: Trigger, why: str) -> None:
        before = triggers.run_of(tx, rule.name, trigger)
        if before:  # looked at again for another rule's sake: what came of this one stays
            return
        if before is None:
            triggers.begin(tx, rule.name, trigger, self.clock.now())
        said = mask(f"nothing was asked for: {why}")[0]
        if not triggers.told(tx, rule.name, trigger, FAILED):
            self._tell(tx, rule, trigger, FAILED, said)
            log.warning("automation %s, %s: %s", rule.name, trigger.incident.name, said)
        triggers.end(tx, rule.name, trigger, FAILED)
        self.count(rule.name, FAILED)

    def _end(self, tx: Tx, rule: Automation, trigger: Trigger, values: Mapping[str, Any], name: str) -> None:
        asked, outcome = _wanted(rule.action, values), ASKED if name else DRY_RUN
        request = requests.load(tx, int(name.removeprefix("R-"))) if name else None
        first = cause(tx, request) if request is not None else None
        if request is not None and requests.key_of(tx, request.id) != triggers.key_of(rule.name, trigger):
            outcome = SAME  # its thread says it already
            elsewhere = first is None or first.incident.id != trigger.incident.id
            if elsewhere and not triggers.told(tx, rule.name, trigger, SAME):
                self._tell(tx, rule, trigger, SAME, f"{asked} was asked for before ({name})")
        elif request is not None:
            said = {"text": f"asks for {asked} ({name})"}
            self.keeper.note(tx, trigger.incident, automation(rule.name).name, f"automation_{outcome}", said)
            self._show(tx, trigger, request, news=False)
        else:
            self._tell(tx, rule, trigger, outcome, f"would ask for {asked} (dry run)")
        triggers.end(tx, rule.name, trigger, outcome, request.id if request is not None else 0)
        self.count(rule.name, outcome)

    def _show(self, tx: Tx, trigger: Trigger, request: Request, *, news: bool = True) -> None:
        """One reply says what was asked for and how that stands; its end is news, so it is a reply of its own."""
        incident, who = trigger.incident, request.requester_name
        asked = _wanted(request.action, request.inputs)
        once = f"automation/{_rule(request)}/{trigger.key.removeprefix(f'{incident.name}/')}"
        told = {once: f"*{who}* about {trigger.alert.name}: asks for {asked}"}
        if request.ended:
            self.keeper.note(tx, incident, who, "automation_ended", {"text": _ended(request)})
            told |= {f"automation/{request.name}/end/{request.version}": f"*{who}*: {asked}"} if news else {}
        for what, line in told.items():
            post = Post(
                f"{incident.name}/{what}", Lane.ANSWER, "notice", str(request.id), channel=incident.channel,
                thread_of=incident.name, content={"line": line},
            )  # fmt: skip
            self.keeper.outbox.show(tx, post)

    def _tell(self, tx: Tx, rule: Automation, trigger: Trigger, outcome: str, said: str) -> None:
        """In the thread and on the timeline; what is no request is said once each time the incident opens."""
        incident = trigger.incident
        self.keeper.note(tx, incident, automation(rule.name).name, f"automation_{outcome}", {"text": said})
        once = trigger.key.removeprefix(f"{incident.name}/")
        once = once if outcome == DRY_RUN else f"{trigger.round}/{outcome}"
        about = f" about {trigger.alert.name}" if outcome == DRY_RUN else ""
        line = f"*Automation {rule.name}*{about}: {said}"
        self.keeper.say(tx, incident, f"automation/{rule.name}/{once}", [line])


def _rule(request: Request) -> str:
    return request.requester_id.removeprefix(AUTOMATION)


def _ended(request: Request) -> str:
    """What became of it; of what was cancelled also why."""
    told = stands(request)
    return f"{told[:-1]}: {request.outcome}." if request.state is State.CANCELLED and request.outcome else told


def _wanted(action: str, values: Mapping[str, Any]) -> str:
    """The action and what it is given, as on the line."""
    shown = [str(value) for key, value in values.items() if key != "reason" and value not in (None, "")]
    return mask(" ".join([action, *shown]))[0]
