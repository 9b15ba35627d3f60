"""Block Kit as a table: which blocks and elements exist, what they need, how much they hold.

The numbers are those of Slack's Block Kit reference (block, element and composition object pages).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from chatops.sandbox.slack.schema import Anything, Bool, Enum, Int, List, Obj, Problems, Rule, Str, Typed

Json = dict[str, Any]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MESSAGE_CHARACTERS = 13_000
VIEW_BYTES = 250_000

ID = Str(255)
URL = Str(3000, pattern=r"[a-z][a-z0-9+.-]*:\S+")
SLACK_FILE = Obj({}, {"id": Str(64, pattern=r"F[A-Z0-9]{8,}"), "url": URL}, any_of=("id", "url"))
ACTION: dict[str, Rule] = {"action_id": ID}
FOCUS: dict[str, Rule] = {"focus_on_load": Bool()}


def plain(longest: int, shortest: int = 1) -> Rule:
    return Typed({"plain_text": Obj({"text": Str(longest, shortest)}, {"emoji": Bool()})})


def text(longest: int, shortest: int = 1) -> Rule:
    mrkdwn = Obj({"text": Str(longest, shortest)}, {"verbatim": Bool()})
    return Typed({"plain_text": Obj({"text": Str(longest, shortest)}, {"emoji": Bool()}), "mrkdwn": mrkdwn})


CONFIRM = Obj(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": Enum(("primary", "danger"))},
)
CONFIRMED: dict[str, Rule] = {"confirm": CONFIRM}
PLACEHOLDER: dict[str, Rule] = {"placeholder": plain(150)}
OPTION = Obj({"text": plain(75), "value": Str(150)}, {"description": plain(75)})
RICH_OPTION = Obj({"text": text(75), "value": Str(150)}, {"description": text(75)})
OVERFLOW_OPTION = Obj({"text": plain(75), "value": Str(150)}, {"description": plain(75), "url": URL})
OPTIONS = List(OPTION, 100)
OPTION_GROUPS = List(Obj({"label": plain(75), "options": OPTIONS}), 100)
DISPATCH = Obj({"trigger_actions_on": List(Enum(("on_enter_pressed", "on_character_entered")), 2)})
MOST_SELECTED: dict[str, Rule] = {"max_selected_items": Int(1, 100)}
FILTER = Obj(
    {},
    {
        "include": List(Enum(("im", "mpim", "private", "public")), 4),
        "exclude_external_shared_channels": Bool(),
        "exclude_bot_users": Bool(),
    },
    any_of=("include", "exclude_external_shared_channels", "exclude_bot_users"),
)
SELECT: dict[str, Rule] = {**ACTION, **FOCUS, **CONFIRMED, **PLACEHOLDER}
WRITTEN: dict[str, Rule] = {**ACTION, **FOCUS, **PLACEHOLDER, "dispatch_action_config": DISPATCH}
USER_IDS = List(Str(64), 100)
STATIC = {"options": OPTIONS, "option_groups": OPTION_GROUPS}

ELEMENTS: dict[str, Obj] = {
    "button": Obj(
        {"text": plain(75)},
        {
            **ACTION,
            **CONFIRMED,
            "url": URL,
            "value": Str(2000),
            "style": Enum(("primary", "danger")),
            "accessibility_label": Str(75),
        },
    ),
    "overflow": Obj({"options": List(OVERFLOW_OPTION, 5)}, {**ACTION, **CONFIRMED}),
    "image": Obj({"alt_text": Str(2000)}, {"image_url": URL, "slack_file": SLACK_FILE}, ("image_url", "slack_file")),
    "static_select": Obj({}, {**SELECT, **STATIC, "initial_option": OPTION}, any_of=("options", "option_groups")),
    "external_select": Obj({}, {**SELECT, "initial_option": OPTION, "min_query_length": Int(0)}),
    "users_select": Obj({}, {**SELECT, "initial_user": Str(64)}),
    "channels_select": Obj({}, {**SELECT, "initial_channel": Str(64), "response_url_enabled": Bool()}),
    "conversations_select": Obj(
        {},
        {
            **SELECT,
            "initial_conversation": Str(64),
            "default_to_current_conversation": Bool(),
            "response_url_enabled": Bool(),
            "filter": FILTER,
        },
    ),
    "multi_static_select": Obj(
        {}, {**SELECT, **STATIC, **MOST_SELECTED, "initial_options": OPTIONS}, any_of=("options", "option_groups")
    ),
    "multi_external_select": Obj(
        {}, {**SELECT, **MOST_SELECTED, "initial_options": OPTIONS, "min_query_length": Int(0)}
    ),
    "multi_users_select": Obj({}, {**SELECT, **MOST_SELECTED, "initial_users": USER_IDS}),
    "multi_channels_select": Obj({}, {**SELECT, **MOST_SELECTED, "initial_channels": USER_IDS}),
    "multi_conversations_select": Obj(
        {},
        {
            **SELECT,
            **MOST_SELECTED,
            "initial_conversations": USER_IDS,
            "default_to_current_conversation": Bool(),
            "filter": FILTER,
        },
    ),
    "datepicker": Obj({}, {**SELECT, "initial_date": Str(10, pattern=r"\d{4}-\d{2}-\d{2}")}),
    "timepicker": Obj({}, {**SELECT, "initial_time": Str(5, pattern=r"\d{2}:\d{2}"), "timezone": Str(100)}),
    "datetimepicker": Obj({}, {**ACTION, **FOCUS, **CONFIRMED, "initial_date_time": Int(10**9, 10**10 - 1)}),
    "checkboxes": Obj(
        {"options": List(RICH_OPTION, 10)},
        {**ACTION, **FOCUS, **CONFIRMED, "initial_options": List(RICH_OPTION, 10)},
    ),
    "radio_buttons": Obj(
        {"options": List(RICH_OPTION, 10)}, {**ACTION, **FOCUS, **CONFIRMED, "initial_option": RICH_OPTION}
    ),
    "plain_text_input": Obj(
        {},
        {
            **WRITTEN,
            "initial_value": Str(3000, 0),
            "multiline": Bool(),
            "min_length": Int(0, 3000),
            "max_length": Int(1, 3000),
        },
    ),
    "email_text_input": Obj({}, {**WRITTEN, "initial_value": Str(3000)}),
    "url_text_input": Obj({}, {**WRITTEN, "initial_value": Str(3000)}),
    "number_input": Obj(
        {"is_decimal_allowed": Bool()},
        {**WRITTEN, "initial_value": Str(100), "min_value": Str(100), "max_value": Str(100)},
    ),
    "rich_text_input": Obj({}, {**WRITTEN, "initial_value": Anything()}),
    "file_input": Obj({}, {**ACTION, "filetypes": List(Str(64), 100), "max_files": Int(1, 10)}),
}

INPUTS = {
    name: rule for name, rule in ELEMENTS.items() if name not in ("button", "overflow", "image")
}  # what an input block may hold
_IN_ACTIONS = {name: rule for name, rule in ELEMENTS.items() if not name.endswith("_input") and name != "image"}
_ACCESSORY = {name: rule for name, rule in ELEMENTS.items() if not name.endswith("_input")}
_RICH = Typed(
    {
        name: Obj(
            {"elements": List(Anything(), 1000, 0)},
            {"indent": Int(0, 8), "style": Anything(), "border": Int(0, 1), "offset": Int()},
        )
        for name in ("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")
    }
)
BLOCK_ID: dict[str, Rule] = {"block_id": ID}
_CELL = Typed({"raw_text": Obj({"text": Str(3000, 0)}), "rich_text": Obj({"elements": List(_RICH, 100)}, BLOCK_ID)})

BLOCKS: dict[str, Obj] = {
    "section": Obj(
        {},
        {
            **BLOCK_ID,
            "text": text(3000),
            "fields": List(text(2000), 10),
            "accessory": Typed(_ACCESSORY),
            "expand": Bool(),
        },
        any_of=("text", "fields"),
    ),
    "divider": Obj({}, BLOCK_ID),
    "header": Obj({"text": plain(150)}, BLOCK_ID),
    "context": Obj(
        {
            "elements": List(
                Typed(
                    {
                        "image": ELEMENTS["image"],
                        "mrkdwn": Obj({"text": Str(3000)}, {"verbatim": Bool()}),
                        "plain_text": Obj({"text": Str(3000)}, {"emoji": Bool()}),
                    }
                ),
                10,
            )
        },
        BLOCK_ID,
    ),
    "actions": Obj({"elements": List(Typed(_IN_ACTIONS), 25, unique=("action_id",))}, BLOCK_ID),
    "image": Obj(
        {"alt_text": Str(2000)},
        {**BLOCK_ID, "image_url": URL, "slack_file": SLACK_FILE, "title": plain(2000)},
        any_of=("image_url", "slack_file"),
    ),
    "input": Obj(
        {"label": plain(2000), "element": Typed(INPUTS)},
        {**BLOCK_ID, "hint": plain(2000), "optional": Bool(), "dispatch_action": Bool()},
    ),
    "rich_text": Obj({"elements": List(_RICH, 100, 0)}, BLOCK_ID),
    "markdown": Obj({"text": Str(12_000)}, BLOCK_ID),
    "table": Obj({"rows": List(List(_CELL, 20), 100)}, {**BLOCK_ID, "column_settings": List(Anything(), 20)}),
    "file": Obj({"external_id": ID, "source": Enum(("remote",))}, BLOCK_ID),
    "video": Obj(
        {"alt_text": Str(2000), "title": plain(199), "thumbnail_url": URL, "video_url": URL},
        {
            **BLOCK_ID,
            "author_name": Str(49),
            "description": plain(200),
            "provider_icon_url": URL,
            "provider_name": Str(100),
            "title_url": URL,
        },
    ),
    "context_actions": Obj({"elements": List(Anything(), 5)}, BLOCK_ID),
    "alert": Obj({"text": text(3000)}, {**BLOCK_ID, "level": Enum(("default", "info", "warning", "error", "success"))}),
}

# Where a block may stand (each block's page: "available in surfaces").
ALLOWED: dict[str, tuple[str, ...]] = {
    "message": tuple(name for name in BLOCKS if name != "alert"),
    "modal": tuple(name for name in BLOCKS if name not in ("markdown", "table", "file", "context_actions")),
    "home": tuple(name for name in BLOCKS if name not in ("markdown", "table", "file", "context_actions", "alert")),
}

_VIEW: dict[str, Rule] = {
    "private_metadata": Str(3000, 0),
    "callback_id": Str(255, 0),
    "external_id": Str(255, 0),
}
VIEWS: dict[str, Obj] = {
    "modal": Obj(
        {"title": plain(24), "blocks": Anything()},
        {
            **_VIEW,
            "submit": plain(24),
            "close": plain(24),
            "clear_on_close": Bool(),
            "notify_on_close": Bool(),
            "submit_disabled": Bool(),
        },
    ),
    "home": Obj({"blocks": Anything()}, _VIEW),
}


def check_blocks(blocks: Any, surface: str, path: str = "/blocks") -> list[str]:
    """What Slack would find wrong with these blocks on a message, modal or home; empty when nothing is."""
    problems = Problems()
    most = MESSAGE_BLOCKS if surface == "message" else VIEW_BLOCKS
    fewest = 0
    table = Typed({name: BLOCKS[name] for name in ALLOWED[surface]})
    List(table, most, fewest, unique=("block_id",)).check(blocks, path, problems)
    if not problems.found:
        _initial_options(blocks, path, problems)
        _between(blocks, path, problems)
    return problems.found


def characters(value: Any) -> int:
    """How many characters of text the blocks hold, which Slack limits over all blocks of a message."""
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(characters(one) for name, one in value.items() if name != "text" or not own)
    return sum(characters(one) for one in value) if isinstance(value, list) else 0


def check_view(view: Any) -> list[str]:
    """What Slack would find wrong with a modal or home view; raises nothing, empty when it is right."""
    problems = Problems()
    Typed(VIEWS).check(view, "/view", problems)
    if problems.found:
        return problems.found
    found = check_blocks(view["blocks"], view["type"], "/view/blocks")
    if not found and view["type"] == "modal" and "submit" not in view:
        for index, block in enumerate(view["blocks"]):
            if block["type"] == "input":
                found.append(
                    f"must define `submit` to use an `input` block in modals [json-pointer:/view/blocks/{index}/type]"
                )
    return found


def view_too_large(view: Any) -> bool:
    return len(json.dumps(view).encode()) > VIEW_BYTES


def elements_of(block: Json) -> list[Json]:
    """The interactive elements of a block."""
    found: list[Any] = []
    if block["type"] == "actions":
        found = block["elements"]
    elif block["type"] == "input":
        found = [block["element"]]
    elif block["type"] == "section" and block.get("accessory"):
        found = [block["accessory"]]
    return [element for element in found if element["type"] in ELEMENTS and element["type"] != "image"]


def options_of(element: Json) -> list[Json]:
    """All options of an element, those in groups too."""
    grouped = [option for group in element.get("option_groups") or () for option in group["options"]]
    return [*(element.get("options") or ()), *grouped]


def _initial_options(blocks: list[Json], path: str, problems: Problems) -> None:
    for index, block in enumerate(blocks):
        for element in elements_of(block):
            if element["type"].endswith("external_select"):
                continue
            initial = [element["initial_option"]] if element.get("initial_option") else element.get("initial_options")
            values = [option["value"] for option in options_of(element)]
            if len(values) != len(set(values)):
                problems.add("`options` must have unique values", f"{path}/{index}")
            for option in initial or ():
                if option["value"] not in values:
                    problems.add("initial option must be one of the options", f"{path}/{index}")


def _between(blocks: list[Json], path: str, problems: Problems) -> None:
    """Limits that leave nothing between them, and numbers that are none."""
    for index, block in enumerate(blocks):
        element = block.get("element") if block["type"] == "input" else None
        if not isinstance(element, dict):
            continue
        place = f"{path}/{index}/element"
        if element.get("min_length", 0) > element.get("max_length", 3000):
            problems.add("min_length must be less than max_length", place)
        if element["type"] == "number_input":
            _numbers(element, place, problems)


def _numbers(element: Json, place: str, problems: Problems) -> None:
    found: dict[str, float] = {}
    for name in ("min_value", "max_value", "initial_value"):
        text = element.get(name)
        if text is None:
            continue
        if not re.fullmatch(r"-?\d+(\.\d+)?" if element["is_decimal_allowed"] else r"-?\d+", text):
            problems.add("must be a valid number", f"{place}/{name}")
        else:
            found[name] = float(text)
    if found.get("min_value", -math.inf) > found.get("max_value", math.inf):
        problems.add("min_value must be less than max_value", place)
