"""What a person filled in: the `state.values` of payloads, and what Slack checks before it asks the app."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from chatops.sandbox.slack.blockkit import elements_of, options_of
from chatops.sandbox.slack.errors import PageError

Json = dict[str, Any]

# Element type: (its key in state.values, its initial key).
VALUE_KEYS: dict[str, tuple[str, str]] = {
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "file_input": ("files", ""),
}
# What an action carries besides the element's type and ids.
ACTION_KEYS = {name: key for name, (key, _) in VALUE_KEYS.items()} | {"button": "value", "overflow": "selected_option"}

REQUIRED = "Please complete this required field."


def values_of(blocks: list[Json], typed: Json) -> Json:
    """`state.values` of these blocks: what was typed, else what stands there initially, else null."""
    values: Json = {}
    for block in blocks:
        for element in elements_of(block):
            if element["type"] not in VALUE_KEYS:
                continue
            key, initial = VALUE_KEYS[element["type"]]
            given = (typed.get(block["block_id"]) or {}).get(element["action_id"]) or {}
            none: Any = [] if key in ("selected_options", "files") else None
            value = given[key] if key in given else element.get(initial, none)
            values.setdefault(block["block_id"], {})[element["action_id"]] = {"type": element["type"], key: value}
    return values


def element_at(blocks: list[Json], block_id: str, action_id: str) -> tuple[Json, Json]:
    """The block and element with these ids. Raises PageError no_such_element."""
    for block in blocks:
        if block.get("block_id") == block_id:
            for element in elements_of(block):
                if element["action_id"] == action_id:
                    return block, element
    raise PageError("no_such_element", f"There is no element {action_id} in a block {block_id} here.")


def chosen(element: Json, given: Json) -> Json:
    """What an action payload says about the element: button value or selection. Raises PageError no_such_option."""
    kind = element["type"]
    key = ACTION_KEYS[kind]
    if kind == "button":
        return {"text": element["text"]} | {name: element[name] for name in ("value", "style") if name in element}
    value = given.get(key)
    if kind in ("static_select", "overflow", "radio_buttons", "multi_static_select", "checkboxes"):
        known = {option["value"] for option in options_of(element)}
        picked = value if isinstance(value, list) else [value] if value else []
        if any(not isinstance(option, dict) or option.get("value") not in known for option in picked):
            raise PageError("no_such_option", f"{element['action_id']} does not offer that option.")
    extra = {"placeholder": element["placeholder"]} if "placeholder" in element else {}
    return {key: value, **extra}


def complaints(blocks: list[Json], values: Json) -> dict[str, str]:
    """What Slack itself says under the fields before a form reaches the app, by block_id."""
    found: dict[str, str] = {}
    for block in blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        value = values[block["block_id"]][element["action_id"]][VALUE_KEYS[element["type"]][0]]
        if value in (None, "", []):
            if not block.get("optional"):
                found[block["block_id"]] = REQUIRED
            continue
        check = _CHECKS.get(element["type"])
        complaint = check(element, value) if check else ""
        if complaint:
            found[block["block_id"]] = complaint
    return found


def _text(element: Json, value: str) -> str:
    shortest, longest = element.get("min_length", 0), element.get("max_length", 3000)
    if len(value) < shortest:
        return f"Must be at least {shortest} characters."
    return f"Must be at most {longest} characters." if len(value) > longest else ""


def _number(element: Json, value: str) -> str:
    pattern = r"-?\d+(\.\d+)?" if element["is_decimal_allowed"] else r"-?\d+"
    if not re.fullmatch(pattern, value):
        return "Enter a number." if element["is_decimal_allowed"] else "Enter a whole number."
    if "min_value" in element and float(value) < float(element["min_value"]):
        return f"Must be at least {element['min_value']}."
    if "max_value" in element and float(value) > float(element["max_value"]):
        return f"Must be at most {element['max_value']}."
    return ""


def _most(element: Json, value: list[Any]) -> str:
    most = element.get("max_selected_items", 100)
    return f"Select at most {most}." if len(value) > most else ""


_CHECKS: dict[str, Callable[[Json, Any], str]] = {
    "plain_text_input": _text,
    "number_input": _number,
    "email_text_input": lambda _, value: (
        "" if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value) else "Enter a valid email address."
    ),
    "url_text_input": lambda _, value: "" if re.fullmatch(r"https?://\S+", value) else "Enter a valid URL.",
    **{name: _most for name in VALUE_KEYS if name.startswith("multi_")},
}
