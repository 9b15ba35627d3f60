"""What makes up a message, checked the way chat.postMessage checks it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from chatops.sandbox.slack.blockkit import MESSAGE_CHARACTERS, characters, check_blocks
from chatops.sandbox.slack.errors import SlackError

Json = dict[str, Any]
LONGEST_TEXT = 40_000
MOST_ATTACHMENTS = 100
LARGEST_METADATA = 8_000


def checked_content(
    content: Json, check: Callable[[Any, str], list[str]] = check_blocks, *, must_say: bool = True
) -> Json:
    """The content unchanged. Raises SlackError no_text, msg_too_long, invalid_blocks, msg_blocks_too_long …"""
    text = content.get("text")
    if text is not None and not isinstance(text, str):
        raise SlackError("invalid_arguments", ["[ERROR] must be a string [json-pointer:/text]"])
    if len(text or "") > LONGEST_TEXT:
        raise SlackError("msg_too_long")
    blocks = content.get("blocks")
    if blocks is not None:
        _checked_blocks(blocks, "/blocks", check)
    attachments = content.get("attachments")
    if attachments is not None:
        _checked_attachments(attachments, check)
    if must_say and not (text or blocks or attachments):
        raise SlackError("no_text")
    if characters(blocks or []) > MESSAGE_CHARACTERS:
        raise SlackError("msg_blocks_too_long")
    if content.get("metadata"):
        checked_metadata(content["metadata"])
    return content


def _checked_blocks(blocks: Any, path: str, check: Callable[[Any, str], list[str]]) -> None:
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    found = check(blocks, "message")
    if found:
        found = [one.replace("[json-pointer:/blocks", f"[json-pointer:{path}") for one in found]
        raise SlackError("invalid_blocks", [f"[ERROR] {one}" for one in found], errors=found)


def _checked_attachments(attachments: Any, check: Callable[[Any, str], list[str]]) -> None:
    if not isinstance(attachments, list) or not all(isinstance(one, dict) for one in attachments):
        raise SlackError("invalid_attachments")
    if len(attachments) > MOST_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    for index, one in enumerate(attachments):
        if one.get("blocks") is not None:
            _checked_blocks(one["blocks"], f"/attachments/{index}/blocks", check)


def checked_metadata(metadata: Any) -> None:
    """Raises SlackError invalid_metadata_format or metadata_too_large."""
    if not isinstance(metadata, dict) or set(metadata) - {"event_type", "event_payload", "entities"}:
        raise SlackError("invalid_metadata_format")
    event_type, payload = metadata.get("event_type"), metadata.get("event_payload")
    if not isinstance(event_type, str) or not re.fullmatch(r"[A-Za-z0-9_]{1,255}", event_type):
        raise SlackError("invalid_metadata_format")
    if not isinstance(payload, dict):
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(metadata)) > LARGEST_METADATA:
        raise SlackError("metadata_too_large")
