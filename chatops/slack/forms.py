"""An action's inputs as a modal, and what was filled in as texts by input name. Pure: values in, views out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from chatops.kernel.action import Action, Input, InputKind, inputs_of
from chatops.kernel.catalog import Platform
from chatops.kernel.errors import InputError
from chatops.slack import ids

Json = dict[str, Any]

# Limits: https://docs.slack.dev/reference/block-kit
_TITLE, _OPTION, _LABEL, _HINT, _TEXT, _OPTIONS = 24, 75, 2000, 2000, 3000, 100
_META = 3000
LOOKING = "…looking"
PICK = "Choose a service and an environment to see what runs there now and what policy will ask for."
SILENT = (
    "What runs there can't be asked just now. You can ask for the change all the same: it is planned when it can be."
)
_DIFF_SECTIONS = 60  # of a view's 100 blocks; longer diffs go out as a file
_DIFF_PART = 2900  # characters a section, without its fences


@dataclass(frozen=True, slots=True)
class Origin:
    """Where somebody asked, so that the answer finds its way back; travels in the view's private_metadata."""

    channel: str = ""
    thread_ts: str = ""
    response_url: str = ""
    action: str = ""
    break_glass: bool = False
    request: int = 0
    digest: str = ""
    verdict: str = ""

    def pack(self) -> str:
        """JSON without what is empty."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})[:_META]

    @classmethod
    def read(cls, packed: str) -> Origin:
        """What `pack` wrote; empty for anything else, for a view may be of an older version."""
        try:
            origin = cls(**json.loads(packed))
        except (TypeError, ValueError):
            return cls()
        ours = all(type(getattr(origin, one.name)) is type(one.default) for one in fields(cls))
        return origin if ours else cls()


def previews(action: Action) -> bool:
    """Whether choosing service and environment tells something under the form."""
    names = {one.name for one in inputs_of(action.inputs)}
    return action.risk != "read" and {"service", "environment"} <= names


def form(
    action: Action,
    platform: Platform,
    actions: Iterable[str],
    values: Mapping[str, Any],
    origin: Origin,
    info: Sequence[str] = (),
) -> Json:
    """The modal of an action, filled in as far as ``values`` go; ``info`` stands under the environment."""
    blocks: list[Json] = []
    if action.summary:
        blocks.append({"type": "context", "block_id": "summary", "elements": [_plain(action.summary, _LABEL)]})
    if origin.break_glass:
        blocks.append(
            {"type": "context", "block_id": "glass", "elements": [_plain("Breaking the glass: say why.", _LABEL)]}
        )
    inputs = inputs_of(action.inputs)
    for one in inputs:
        blocks.append(_input(one, platform, actions, str(values.get(one.name) or "")))
        if one.name == "environment" and previews(action):
            blocks.append(info_block(info or (PICK,)))
    return {
        "type": "modal",
        "callback_id": ids.FORM_VIEW,
        "title": _plain(action.title, _TITLE),
        "submit": _plain(action.title, _TITLE),
        "close": _plain("Not now", _TITLE),
        "private_metadata": origin.pack(),
        "blocks": blocks,
    }


def info_block(lines: Sequence[str]) -> Json:
    """The block that is filled in after the form stands."""
    text = "\n".join(line for line in lines if line) or PICK
    return {"type": "context", "block_id": ids.INFO, "elements": [_plain(text, _LABEL)]}


def with_info(view: Mapping[str, Any], lines: Sequence[str]) -> Json:
    """The same view, as a payload shows it, with other words under the environment; keeps what was typed.

    Slack keeps what stands in an input whose block and action ids stay the same.
    """
    blocks = [info_block(lines) if block.get("block_id") == ids.INFO else block for block in view.get("blocks", ())]
    kept = ("type", "callback_id", "title", "submit", "close", "private_metadata")
    return {name: view[name] for name in kept if view.get(name)} | {"blocks": blocks}


def filled(view: Mapping[str, Any]) -> dict[str, str]:
    """What stands in the inputs of a view, by input name; what is empty is left out."""
    found: dict[str, str] = {}
    for block_id, elements in (view.get("state") or {}).get("values", {}).items():
        name = ids.input_of(block_id)
        for element in elements.values():
            option = element.get("selected_option")
            value = option.get("value") if isinstance(option, dict) else element.get("value")
            if name and isinstance(value, str) and value.strip():
                found[name] = value
    return found


def field_errors(errors: Iterable[InputError], view: Mapping[str, Any]) -> dict[str, str]:
    """The ack's ``errors`` by block id; what belongs to no field of this view stands at its first one."""
    inputs = [block["block_id"] for block in view.get("blocks", ()) if block.get("type") == "input"]
    found: dict[str, str] = {}
    for error in errors:
        block = ids.block_of(error.field)
        place = block if block in inputs else inputs[0]
        text = f"{error.message} {error.hint}".strip()
        found[place] = f"{found[place]} {text}" if place in found else text
    return {block: text[:_HINT] for block, text in found.items()}


def reason_view(origin: Origin) -> Json:
    """Asks why somebody rejects a request or breaks the glass for it."""
    rejects = origin.verdict == "reject"
    title = "Reject" if rejects else "Break glass"
    label = "Reason"
    hint = "The requester reads it." if rejects else "Everyone is told, and it is reviewed later."
    element = {"type": "plain_text_input", "action_id": ids.INPUT, "multiline": True, "max_length": 2000}
    block = {
        "type": "input",
        "block_id": ids.block_of("reason"),
        "label": _plain(label, _LABEL),
        "hint": _plain(hint, _HINT),
        "element": element,
        "optional": rejects,
    }
    intro = {"type": "context", "block_id": "summary", "elements": [_plain(f"R-{origin.request}", _LABEL)]}
    return {
        "type": "modal",
        "callback_id": ids.REASON_VIEW,
        "title": _plain(f"{title} R-{origin.request}", _TITLE),
        "submit": _plain(title, _TITLE),
        "close": _plain("Not now", _TITLE),
        "private_metadata": origin.pack(),
        "blocks": [intro, block],
    }


def line_view(origin: Origin, typed: str = "") -> Json:
    """One line, as after /platform: what the shortcuts open, because a command cannot be typed in a thread."""
    element: Json = {
        "type": "plain_text_input",
        "action_id": ids.INPUT,
        "placeholder": _plain("deploy checkout 1.4.2 production because …", 150),
    }
    block = {
        "type": "input",
        "block_id": ids.block_of("line"),
        "label": _plain("What do you need?", _LABEL),
        "hint": _plain("As after /platform. `help` tells what there is.", _HINT),
        "element": element | ({"initial_value": typed[:_TEXT]} if typed else {}),
    }
    return {
        "type": "modal",
        "callback_id": ids.LINE_VIEW,
        "title": _plain("Ask the platform", _TITLE),
        "submit": _plain("Ask", _TITLE),
        "close": _plain("Not now", _TITLE),
        "private_metadata": origin.pack(),
        "blocks": [block],
    }


def said_view(title: str, lines: Sequence[str]) -> Json:
    """Plain words in a modal."""
    text = "\n".join(lines) or " "
    section = {"type": "section", "block_id": "said", "text": _plain(text, _TEXT)}
    return {
        "type": "modal",
        "callback_id": ids.DIFF_VIEW,
        "title": _plain(title, _TITLE),
        "close": _plain("Close", _TITLE),
        "blocks": [section],
    }


def diff_view(title: str, diff: str) -> Json | None:
    """A diff as preformatted text, or None when it is too long for a modal."""
    parts = _parts(diff)
    if len(parts) > _DIFF_SECTIONS:
        return None
    view = said_view(title, [])
    view["blocks"] = [
        {
            "type": "rich_text",
            "block_id": f"diff{number}",
            "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": part}]}],
        }
        for number, part in enumerate(parts)
    ]
    return view


def _parts(text: str) -> list[str]:
    """The text in pieces a block holds, cut between lines where there are any."""
    parts: list[str] = []
    rest = text or " "
    while rest:
        cut = rest.rfind("\n", 0, _DIFF_PART) if len(rest) > _DIFF_PART else len(rest)
        cut = cut if cut > 0 else _DIFF_PART
        parts.append(rest[:cut] or " ")
        rest = rest[cut:].removeprefix("\n")
    return parts


def options(names: Iterable[str]) -> list[Json]:
    """At most 100 options."""
    return [_option(name) for name in list(names)[:_OPTIONS]]


def _input(one: Input, platform: Platform, actions: Iterable[str], value: str) -> Json:
    block: Json = {
        "type": "input",
        "block_id": ids.block_of(one.name),
        "label": _plain(one.title, _LABEL),
        "element": _element(one, platform, actions, value),
        "optional": not one.required,
    }
    if one.help:
        block["hint"] = _plain(one.help, _HINT)
    if one.kind in (InputKind.SERVICE, InputKind.ENVIRONMENT):
        block["dispatch_action"] = True
    return block


def _element(one: Input, platform: Platform, actions: Iterable[str], value: str) -> Json:
    if one.kind is InputKind.SERVICE:
        element: Json = {"type": "external_select", "action_id": ids.SERVICE_SELECT, "min_query_length": 0}
        return _selected(element, value if value in platform.services else "", "Type a part of its name")
    if one.kind is InputKind.ENVIRONMENT:
        return _choice(ids.ENVIRONMENT_SELECT, tuple(platform.environments), value)
    if one.kind is InputKind.ACTION:
        return _choice(ids.INPUT, tuple(actions), value)
    if one.kind is InputKind.CHOICE:
        return _choice(ids.INPUT, one.options, value or str(one.default or ""))
    if one.kind is InputKind.BOOLEAN:
        return _choice(ids.INPUT, ("yes", "no"), value or ("yes" if one.default else "no"))
    if one.kind is InputKind.INTEGER:
        return _number(one, value or ("" if one.default is None else str(one.default)))
    element = {"type": "plain_text_input", "action_id": ids.INPUT}
    if one.kind is InputKind.LONG_TEXT:
        element |= {"multiline": True, "max_length": min(one.max_length or _TEXT, _TEXT)}
    value = value or str(one.default or "")
    return element | ({"initial_value": value[: element.get("max_length", _TEXT)]} if value else {})


def _number(one: Input, value: str) -> Json:
    element: Json = {"type": "number_input", "action_id": ids.INPUT, "is_decimal_allowed": False}
    if one.minimum is not None:
        element["min_value"] = str(one.minimum)
    if one.maximum is not None:
        element["max_value"] = str(one.maximum)
    # Slack refuses the whole view when a number input starts with something that is no number.
    return element | ({"initial_value": value} if value.lstrip("+-").isdigit() and len(value) < 16 else {})


def _choice(action_id: str, names: Sequence[str], value: str) -> Json:
    """A select among a few names; asked for while typing when there are too many, or none, which Slack refuses."""
    kind = "static_select" if 0 < len(names) <= _OPTIONS else "external_select"
    element: Json = {"type": kind, "action_id": action_id}
    element |= {"options": options(names)} if kind == "static_select" else {"min_query_length": 0}
    return _selected(element, value if value in names else "", "Choose")


def _selected(element: Json, value: str, placeholder: str) -> Json:
    element["placeholder"] = _plain(placeholder, 150)
    return element | ({"initial_option": _option(value)} if value else {})


def _option(name: str) -> Json:
    return {"text": _plain(name, _OPTION), "value": name[:_OPTION]}


def _plain(text: str, limit: int) -> Json:
    shorter = text if len(text) <= limit else text[: limit - 1] + "…"
    return {"type": "plain_text", "text": shorter or " ", "emoji": False}
