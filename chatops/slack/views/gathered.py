"""A digest of deploys that went well, for a channel that wants to hear of those once a day."""

from __future__ import annotations

from collections.abc import Mapping

from chatops.notices.telling import Gathered, Place
from chatops.slack.mrkdwn import bold, escape, link, when
from chatops.slack.views.blocks import Message, context, fallback, sections


def gathered(digest: Gathered, links: Mapping[str, str], now: float) -> Message:
    """How many in all; a line for each service in an environment, with the card of the last; ``links`` by request."""
    number = "one change" if digest.number == 1 else f"{digest.number:,} changes"
    first = f"📦 {bold(f'{number[:1].upper()}{number[1:]} went well')} since {when(digest.since, now)}"
    if digest.services > 1:
        first += f", of {digest.services:,} services"
    lines = [first, *(_line(one, links) for one in digest.places)]
    if digest.left_out:
        lines.append(f"… and {digest.left_out:,} more, which are not named here")
    small = "What failed was told at once."
    return Message(fallback([*lines, small]), [*sections(lines, limit=11_000), context(small)])


def _line(one: Place, links: Mapping[str, str]) -> str:
    where = f"{bold(escape(one.service, 60))} in {escape(one.environment, 40)}"
    last = escape(one.line, 160)
    card = link(links.get(one.request, ""), one.request) if one.request else ""
    told = f"{one.number:,} changes, the last: {last}" if one.number > 1 else last
    return f"• {where}: {told}{f' ({card})' if card else ''}"
