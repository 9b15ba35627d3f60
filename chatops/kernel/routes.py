"""Which channels hear of what happens at a place, and which of them hear of successes in a digest only. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chatops.kernel.catalog import Platform, Route
from chatops.kernel.ports import Post
from chatops.kernel.rota import moment
from chatops.kernel.scope import covers


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
    zone, at = ZoneInfo(route.timezone), time.fromisoformat(route.quiet)
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    return next(found for day in range(3) if (found := moment(today + timedelta(days=day), at, zone)) > now)


def spread(platform: Platform, post: Post, environment: str, service: str) -> Iterator[Post]:
    """A message that every channel that hears of the place gets at once; of the usual one it keeps its id."""
    for place, one in enumerate(hearing(platform, environment, service)):
        yield replace(post, channel=one.channel, id=f"{post.id}/{one.channel}" if place else post.id)
