"""Whether Slack would take a message: the local Slack's own checks, and a few that Slack makes silently."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from chatops.sandbox.slack.blockkit import MESSAGE_CHARACTERS, characters, check_blocks, check_view
from chatops.slack.views.blocks import Message

Json = dict[str, Any]
# What <…> may be in a message of ours: people, moments and links. Nothing that rings a whole channel.
_ALLOWED = re.compile(r"<(@[UW][A-Z0-9]{2,30}|!date\^\d+\^[^<>|]+\|[^<>|]+|https?://[^<>|\s]+\|[^<>]*)>")
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")


def problems(message: Message) -> list[str]:
    """What is wrong with it; empty when nothing is."""
    found = check_blocks(message.blocks, "message")
    if characters(message.blocks) > MESSAGE_CHARACTERS:
        found.append(f"{characters(message.blocks)} characters over all blocks")
    if not message.text or len(message.text) > 4000:
        found.append(f"a fallback of {len(message.text)} characters")
    json.dumps([message.text, message.blocks], ensure_ascii=False).encode()  # half a surrogate pair can't be sent
    for text in [message.text, *texts(message.blocks)]:
        found += unsafe(text)
    return found


def view_problems(view: Json) -> list[str]:
    """The same for a modal or App Home."""
    return check_view(view) + [problem for text in texts(view["blocks"]) for problem in unsafe(text)]


def texts(thing: Any) -> Iterator[str]:
    """Every mrkdwn text."""
    if isinstance(thing, dict):
        if thing.get("type") == "mrkdwn":
            yield thing["text"]
        else:
            yield from (one for value in thing.values() for one in texts(value))
    elif isinstance(thing, list):
        yield from (one for value in thing for one in texts(value))


def unsafe(text: str) -> list[str]:
    """Marks that nobody meant: mentions out of a reason, broken entities, broken mentions."""
    rest = _ALLOWED.sub("", text)
    found = [f"a mark nobody meant: {rest!r}"] if "<" in rest or ">" in rest else []
    return found + ([f"a broken entity: {text!r}"] if _ENTITY.search(text) else [])
