"""Asks the configuration's rules about alerts: one batch of questions for a delivery, each different one once.

A rule that fails must never lose a page: it counts as one that does not hold, and what was wrong is told.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from chatops.incidents.grouping import Place
from chatops.kernel.accidents import recorded
from chatops.kernel.alert import Alert
from chatops.kernel.alerting import Maintenance
from chatops.kernel.catalog import Platform
from chatops.kernel.cel import CelError, EvaluateAll, paths_of
from chatops.kernel.escalation import severity_of
from chatops.kernel.masking import mask
from chatops.kernel.ports import Clock
from chatops.kernel.variables import of_environment, of_service

log = logging.getLogger(__name__)

TOGETHER = 250  # alerts whose questions are made at a time: others wait for the event loop meanwhile
AT_ONCE = 1000  # questions in one batch
PATIENCE = 5.0  # seconds for a batch; one that needs longer would hold up the next alerts
REST = 60.0  # seconds for which nothing is asked after that
LONGEST_KEY = 200  # characters
MOST_SAID = 200  # failures remembered, so that each is in the log once
Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ruled:
    """What the rules say about one alert; what is empty they don't say."""

    ignore: bool = False
    key: str = ""
    severity: str = ""
    channel: str = ""
    resolve: str = ""
    quiet: str = ""  # the window of maintenance
    quiet_until: float = 0.0
    failed: tuple[str, ...] = ()  # which rules could not be evaluated, and why


@dataclass(slots=True)
class Rules:
    """Evaluates; ``ask`` does not raise, whatever becomes of an expression."""

    evaluate: EvaluateAll
    clock: Clock
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _rests_until: float = 0.0
    _said: set[str] = field(default_factory=set)

    async def ask(self, told: Sequence[tuple[Alert, Place]], platform: Platform) -> list[Ruled]:
        """What holds for each alert; where there are no rules and no open window, nothing is evaluated."""
        now = self.clock.now()
        windows = [one for one in platform.maintenance if one.holds_at(now)]
        if not platform.alerts and not windows:
            return [Ruled()] * len(told)
        wanted = [*(rule.when for rule in platform.alerts), *(one.when for one in windows)]
        wanted = list(dict.fromkeys([*wanted, *(rule.key for rule in platform.alerts if rule.key)]))
        found: list[Ruled] = []
        for start in range(0, len(told), TOGETHER):
            facts = [facts_of(alert, at, platform, now) for alert, at in told[start : start + TOGETHER]]
            found += [_ruled(answers, platform, windows) for answers in await self.answers(wanted, facts)]
        for sentence in dict.fromkeys(sentence for one in found for sentence in one.failed):
            self._say(sentence)
        return found

    async def answers(self, wanted: Sequence[str], facts: Sequence[Variables]) -> list[dict[str, Any]]:
        """What each expression gives about each of a few alerts; a ``CelError`` where it gives nothing."""
        questions = _Questions()
        asked = [{expression: questions.put(expression, one) for expression in wanted} for one in facts]
        answers = await self._answers(questions.pairs)
        return [{expression: answers[place] for expression, place in places.items()} for places in asked]

    # inside --------------------------------------------------------------------------------------------------------

    async def _answers(self, pairs: Sequence[tuple[str, Variables]]) -> list[Any]:
        answers: list[Any] = []
        async with self._turn:  # who waits for its turn does not use up its time
            for start in range(0, len(pairs), AT_ONCE):
                answers += await self._batch(pairs[start : start + AT_ONCE])
        return answers

    async def _batch(self, pairs: Sequence[tuple[str, Variables]]) -> list[Any]:
        if self.clock.now() < self._rests_until:
            return [CelError("the rules rest for a minute, because they took too long")] * len(pairs)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.evaluate(pairs)
        except TimeoutError:
            self._rests_until = self.clock.now() + REST
            return [CelError(f"the rules together took longer than {PATIENCE:g} s")] * len(pairs)
        except Exception as error:  # an alert must come through whatever is wrong with the rules
            reference = recorded(log, error, "evaluating the rules about alerts")
            return [CelError(f"an unexpected failure ({reference})")] * len(pairs)

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            if len(self._said) >= MOST_SAID:
                self._said.clear()
            self._said.add(sentence)
            log.warning("%s; it counts as a rule that does not hold", sentence)


class _Questions:
    """Pairs of expression and variables, without what the expression does not speak of; equal ones are one."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, Variables]] = []
        self._places: dict[tuple[str, str], int] = {}
        self._variables: dict[str, Variables] = {}

    def put(self, expression: str, facts: Variables) -> int:
        """The place of the answer."""
        seen = _spoken(_paths(expression), facts)
        text = json.dumps(seen, sort_keys=True, default=str)
        place = self._places.setdefault((expression, text), len(self.pairs))
        if place == len(self.pairs):
            self.pairs.append((expression, self._variables.setdefault(text, seen)))
        return place


@lru_cache(maxsize=1000)
def _paths(expression: str) -> frozenset[tuple[str, ...]]:
    return paths_of(expression)


def _spoken(paths: frozenset[tuple[str, ...]], facts: Variables) -> dict[str, Any]:
    """The part of the facts that these paths lead to; a label that is not there stays away."""
    found: dict[str, Any] = {}
    for path in sorted(paths):  # the shorter one of two first: it brings all that is in it
        _copy(path, facts, found)
    return found


def _copy(path: tuple[str, ...], source: Any, target: dict[str, Any]) -> None:
    name, *rest = path
    if name not in source:
        return
    value = source[name]
    if not rest or not isinstance(value, Mapping):
        target[name] = value
    elif target.get(name) is not value:  # else all of it is there already
        _copy(tuple(rest), value, target.setdefault(name, {}))


def facts_of(alert: Alert, at: Place, platform: Platform, now: float) -> dict[str, Any]:
    """The variables of ``chatops.kernel.cel.of_alerts``; what is absent is ``""`` or ``{}``."""
    env, service = platform.environments.get(at.environment), platform.services.get(at.service)
    return {
        "alert": {
            "source": alert.source,
            "name": alert.name,
            "status": alert.status,
            "severity": alert.severity,
            "summary": alert.summary,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
        },
        "severity": severity_of(alert.severity, platform.severities).name,
        "env": of_environment(env),
        "service": of_service(service),
        "team": at.team,
        "now": datetime.fromtimestamp(now, UTC),
    }


def _ruled(answers: Mapping[str, Any], platform: Platform, windows: Sequence[Maintenance]) -> Ruled:
    """Every rule that holds counts; of each setting, what the first one says."""
    failed: list[str] = []
    said: dict[str, Any] = {}
    for rule in platform.alerts:
        if not _holds(answers[rule.when], rule.name, failed):
            continue
        says = {"severity": rule.severity, "channel": rule.channel, "resolve": rule.resolve}
        says |= {"key": _key(answers[rule.key], rule.name, failed)} if rule.key and "key" not in said else {}
        said = {name: value for name, value in says.items() if value} | said
        if rule.ignore is not None:
            said.setdefault("ignore", rule.ignore)
    for window in windows:
        if _holds(answers[window.when], f"maintenance {window.name!r}", failed):
            said |= {"quiet": f"maintenance: {window.name}", "quiet_until": window.end}
            break
    return Ruled(**said, failed=tuple(failed))


def _holds(answer: Any, name: str, failed: list[str]) -> bool:
    if isinstance(answer, bool):
        return answer
    failed.append(_failure(name, answer, "true or false"))
    return False


def _key(answer: Any, name: str, failed: list[str]) -> str:
    if isinstance(answer, str) and len(answer) <= LONGEST_KEY:
        return answer.strip()
    failed.append(_failure(f"the key of {name}", answer, f"text of at most {LONGEST_KEY} characters"))
    return ""


def _failure(name: str, answer: Any, wanted: str) -> str:
    why = answer.message if isinstance(answer, CelError) else f"it gives no {wanted}"
    return mask(f"{name} could not be evaluated: {why}")[0]
