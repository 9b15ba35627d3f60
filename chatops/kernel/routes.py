"""Which channels hear of what happens at a place, and which of them hear of successes in a digest only. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import time
from types import MappingProxyType
from zoneinfo import ZoneInfo

from chatops.kernel.catalog import Platform, Route
from chatops.kernel.ports import Post
from chatops.kernel.scope import covers
from chatops.kernel.weeks import moment_after

NOWHERE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Hears:
    """A channel that hears of a deploy; ``digest`` None: of everything at once, else of successes as the route says."""

    channel: str
    digest: Route | None = None


def hearing(platform: Platform, environment: str, service: str, team: str = "") -> list[Hears]:
    """The usual channel first, then those of the routes that concern the place, each once.

    ``team``: whose it is where it is about no service. Quiet is a channel that only quiet routes name; the usual one
    hears of everything unless a route names it.
    """
    usual = platform.channel("deploys", environment, service, team)
    there, what = platform.environments.get(environment), platform.services.get(service)
    found: dict[str, list[Route]] = {usual: []}
    for route in platform.routes:
        if covers(route, there, what, team):
            for channel in route.channels:
                found.setdefault(channel, []).append(route)
    return [Hears(channel, _quiet(routes)) for channel, routes in found.items()]


def _quiet(routes: list[Route]) -> Route | None:
    return routes[0] if routes and all(one.quiet for one in routes) else None


def digest_at(route: Route, now: float) -> float:
    """When the next digest of a quiet route comes (epoch seconds), by its own clock."""
    return moment_after(now, None, time.fromisoformat(route.quiet), ZoneInfo(route.timezone))


def spread(platform: Platform, post: Post, environment: str, service: str) -> Iterator[Post]:
    """A message that every channel that hears of the place gets at once; in the usual one it keeps its id."""
    return placed(post, (one.channel for one in hearing(platform, environment, service)))


def placed(post: Post, channels: Iterable[str], standing: Mapping[str, str] = NOWHERE) -> Iterator[Post]:
    """A message where it stands (``standing``: its id by channel), then in the channels in which it does not yet.

    In the first of ``channels`` it keeps its id, unless it stands with that id elsewhere: routes may change.
    """
    for channel, name in standing.items():
        yield replace(post, channel=channel, id=name)
    for number, channel in enumerate(channels):
        if channel not in standing:
            usual = number == 0 and post.id not in standing.values()
            yield replace(post, channel=channel, id=post.id if usual else f"{post.id}/{channel}")
