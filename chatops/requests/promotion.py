"""``promote_from``: what is deployed has to run well in the environment before, as the assistant itself sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatops.kernel.action import Action
from chatops.kernel.catalog import Environment, Platform, PolicyRule, Service
from chatops.kernel.ports import Clusters, Ledger
from commands.status import Standing, look


async def unpromoted(
    platform: Platform, clusters: Clusters, ledger: Ledger, action: Action, inputs: Mapping[str, Any], *,
    passed: bool = False,
) -> tuple[PolicyRule, ...]:  # fmt: skip
    """The denial of a version that does not run well in the environment before; empty where nothing is to be said.

    ``passed``: it did when it was asked for. Then a newer version there takes nothing away, but that it has
    come to fail there does. Raises ``Unavailable`` or a ``ClusterError`` when the cluster cannot be looked at.
    """
    place = source_of(platform, action, inputs)
    version = str(inputs.get("version") or "")
    if place is None or not version:
        return ()
    service, source = place
    seen = await look(clusters.reader(source), service, source)
    if passed and seen.version != version:
        return ()
    why = _why_not(seen, version) or await _never_ran(seen, ledger)
    if not why:
        return ()
    return (PolicyRule(name="promotion", when="true", deny=why, break_glass=platform.promotion.break_glass),)


def source_of(platform: Platform, action: Action, inputs: Mapping[str, Any]) -> tuple[Service, Environment] | None:
    """The service, and the environment that its version has to come from; None: from anywhere."""
    service = platform.services.get(str(inputs.get("service") or ""))
    target = platform.environments.get(str(inputs.get("environment") or ""))
    if not action.promoted or service is None or target is None or not target.promote_from:
        return None
    return service, platform.environments[target.promote_from]


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
