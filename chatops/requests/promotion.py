"""``promote_from``: what is deployed has to run well in the environment before, as the assistant itself sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chatops.kernel import freezes, touched
from chatops.kernel.action import Action
from chatops.kernel.catalog import Environment, Platform, PolicyRule, Service
from chatops.kernel.plan import Decision, Plan
from chatops.kernel.ports import Clusters, Ledger
from commands.status import Standing, look

RULE = "promotion"  # the name of the denial, as people read it
Wanted = tuple[Service, Environment, str]  # a service, the environment that its version has to come from, the version


Looked = tuple[str, Standing]  # the version that is wanted, and what runs in the environment that it has to come from


async def looked(clusters: Clusters, wanted: Iterable[Wanted]) -> list[Looked]:
    """What runs there; raises ``Unavailable`` or a ``ClusterError`` when a cluster cannot be looked at."""
    return [(version, await look(clusters.reader(source), service, source)) for service, source, version in wanted]


def proven(found: Iterable[Looked]) -> tuple[str, float]:
    """In which environment the version has run well before, and since when (epoch seconds); empty: that is not known.

    Of several versions the one that has run the shortest there.
    """
    known = [(seen.environment, seen.well_since) for version, seen in found if seen.version == version and seen.is_well]
    return max((one for one in known if one[1]), key=lambda one: one[1], default=("", 0.0))


def has_passed(decision: Decision) -> bool:
    """Whether an earlier decision found that the version had run well before.

    Whose glass was broken did not pass: that is judged anew each time, or nobody would look at it afterwards.
    """
    return decision.outcome != "deny" and RULE not in decision.rules


async def unpromoted(
    platform: Platform, ledger: Ledger, looked: Iterable[Looked], *, passed: bool = False
) -> tuple[PolicyRule, ...]:
    """The denials of versions that do not run well in the environment before; empty where nothing is to be said.

    ``passed``: they did when it was asked for. Then a newer version there takes nothing away, but that it has
    come to fail there does.
    """
    found = []
    for version, seen in looked:
        if passed and seen.version != version:
            continue
        why = _why_not(seen, version) or await _never_ran(seen, ledger)
        if why:
            glass = platform.promotion.break_glass
            found.append(PolicyRule(name=RULE, when="true", deny=why, break_glass=glass))
    return tuple(found)


def wanted(
    platform: Platform, action: Action, inputs: Mapping[str, Any], plan: Plan | None = None
) -> tuple[Wanted, ...]:
    """The versions that have to run well elsewhere first: what is deployed, and what else the plan gives services."""
    target = platform.environments.get(str(inputs.get("environment") or ""))
    if target is None or not target.promote_from or action.name in freezes.NEVER_FROZEN:
        return ()
    source, found = platform.environments[target.promote_from], dict[str, Wanted]()
    service, version = platform.services.get(str(inputs.get("service") or "")), str(inputs.get("version") or "")
    if action.promoted and service is not None and version:
        found[service.name] = service, source, version
    if plan is not None:
        for one in touched.services(platform, target, plan):
            if given := touched.version(one, target, plan):
                found.setdefault(one.name, (one, source, given))
    return tuple(found.values())


def _why_not(seen: Standing, version: str) -> str:
    if seen.seen is None:
        return f"{seen.service} has to run well in {seen.environment} first: it is not there."
    if seen.version != version:
        return f"{seen.service} {version} has to run well in {seen.environment} first: {seen.version} runs there."
    if not seen.is_well:
        return f"{seen.service} {version} has to run well in {seen.environment} first: it is {seen.state} there."
    return ""


async def _never_ran(seen: Standing, ledger: Ledger) -> str:
    """Scaled to nothing (staging at night) it is healthy and proves nothing: then counts what was watched before."""
    if seen.seen is None or seen.seen.wanted:
        return ""
    newest = next(iter(await ledger.last(seen.service, seen.environment, 1)), None)
    if newest and newest.own and newest.outcome == "succeeded" and newest.version == seen.version:
        return ""
    return f"{seen.service} {seen.version} has to run well in {seen.environment} first: it is {seen.state} there."
