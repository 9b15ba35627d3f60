"""What people typed, out of what Slack made of it: mentions, links, escaped characters."""

from __future__ import annotations

import re

# Slack wraps mentions and links: <@U1|lee>, <#C1|deploys>, <!subteam^S1|@leads>, <!here>, <https://a.test|a.test>
# https://docs.slack.dev/messaging/formatting-message-text
_WRAPPED = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")


def unescape(text: str) -> str:
    """What the person typed, out of what Slack made of it: mentions as @name, links as typed, ``&amp;`` as ``&``."""
    plain = _WRAPPED.sub(_unwrapped, text)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def people_in(text: str) -> dict[str, str]:
    """The Slack ids of the people that a text mentions, by the handles that ``unescape`` leaves of them."""
    mentions = [match.groups() for match in _WRAPPED.finditer(text)]
    return {(label or target).removeprefix("@").casefold(): target for sigil, target, label in mentions if sigil == "@"}


def without_mention(text: str, user_id: str) -> str:
    """What was said to ``user_id`` in a message, unescaped: the line after (or around) the mention."""
    return unescape(re.sub(rf"<@{re.escape(user_id)}(?:\|[^>]*)?>[,:]?", " ", text, count=1)).strip()


def _unwrapped(match: re.Match[str]) -> str:
    sigil, target, label = match.groups()
    if sigil in ("@", "#"):
        return sigil + (label or target).removeprefix(sigil)
    if sigil == "!":
        return "@" + (label or target.partition("^")[0]).removeprefix("@")
    return label or target.removeprefix("mailto:")
