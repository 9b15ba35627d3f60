"""``routes:``: which other channels hear of deploys, and which hear of successes in a digest only."""

from __future__ import annotations

import re

from chatops.adapters.configuration.fields import CHANNEL, Fields
from chatops.adapters.configuration.freezes import places
from chatops.adapters.configuration.zones import zone
from chatops.kernel.catalog import Platform, Route

TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def routes(root: Fields, platform: Platform) -> tuple[Route, ...]:
    """Every route, in the order in which they stand."""
    found = []
    for place, node in enumerate(root.items("routes", "routes"), 1):
        fields = Fields(node, f"route {place}", root.problems)
        fields.only("channels", "quiet", "timezone", "environments", "tiers", "teams", "services")
        channels = tuple(_channels(fields))
        quiet = fields.text("quiet", pattern=TIME, like='it is the hour of the digest, like "17:00"')
        if fields.has("timezone") and not fields.has("quiet"):
            fields.wrong(fields.line("timezone"), "has a timezone without quiet: it is the digest's")
        elif channels:
            found.append(
                Route(channels=channels, quiet=quiet, timezone=zone(fields, "UTC"), **places(fields, platform))
            )
    return tuple(found)


def _channels(fields: Fields) -> list[str]:
    if not fields.has("channels"):
        fields.wrong(fields.line("channels"), "needs channels: those that hear of it, like [releases]")
    found: list[str] = []
    for node in fields.items("channels", "channels", one_is_enough=True):
        name = fields.as_text(node, "channels")
        if name.startswith("#"):
            fields.wrong(node.line, f"has {name!r} among its channels: write it without #, {name[1:]}")
        elif name and not CHANNEL.fullmatch(name):
            fields.wrong(node.line, f"has {name!r} among its channels: a channel is its name in lower case, or its id")
        elif name:
            found.append(name)
    return list(dict.fromkeys(found))
