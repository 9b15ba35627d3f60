"""An action's inputs as a modal, and what was filled in as texts by input name. Pure: values in, views out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from chatops.kernel.action import Action, Input, InputKind, inputs_of
from chatops.kernel.catalog import Platform
from chatops.kernel.durations import short
from chatops.kernel.errors import InputError
from chatops.kernel.several import NONE
from chatops.requests.sheets import Sheet, depended_on
from chatops.slack import elements, ids
from chatops.slack.elements import Around
from chatops.slack.elements import plain as _plain
from chatops.slack.steps import steps_of

Json = dict[str, Any]

# Limits: https://docs.slack.dev/reference/block-kit, https://docs.slack.dev/reference/views
_TITLE, _LABEL, _HINT, _TEXT = 24, 2000, 2000, 3000
_META = 3000
_HEAVIEST, _LEFT = 240_000, 300  # bytes of blocks, from which on so many characters of each text are shown
LOOKING = "…looking"
PICK = "Choose a service and an environment to see what runs there now and what policy will ask for."
PICK_PLACE = "Choose {} to see what would be done and what policy will ask for."
SILENT = (
    "What runs there can't be asked just now. You can ask for the change all the same: it is planned when it can be."
)
UNASKED = "What there is can't be asked just now: type it."
SHORTENED = "⚠ All these texts are more than Slack holds in one form: long ones are shortened here. Put them in anew."
CHANGED = "What is asked for has changed with what you chose. Look at it once more, then send it."
# Left empty they would be their default again: better that they can't be left empty
_PRESET = (InputKind.CHOICE, InputKind.BOOLEAN, InputKind.INTEGER, InputKind.NUMBER, InputKind.DURATION)
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
    step: int = 0  # of a form in several steps, from 0
    draft: str = ""  # where what was filled in on the other steps is kept

    def pack(self) -> str:
        """JSON without what is empty."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})[:_META]

    @classmethod
    def read(cls, packed: str) -> Origin:
        """What `pack` wrote; empty for anything else, for a view may be of an older version."""
        try:
            origin = cls(**json.loads(packed))
        except (TypeError, ValueError, RecursionError):
            return cls()
        ours = all(type(getattr(origin, one.name)) is type(one.default) for one in fields(cls))
        return origin if ours else cls()


def previews(action: Action) -> bool:
    """Whether choosing the place tells something under the form: what runs there, what a declared action would do."""
    names = {one.name for one in inputs_of(action.inputs)}
    return action.risk != "read" and "environment" in names and ("service" in names or bool(action.pinned))


@dataclass(frozen=True, slots=True)
class Shown:
    """What a form shows besides the action: looked up, said about what was filled in, and asked for before."""

    sheet: Sheet = field(default_factory=Sheet)
    info: Sequence[str] = ()  # under the environment
    notes: Sequence[str] = ()  # at the top
    before: Mapping[str, Any] | None = None  # the view that stands there now


def form(
    action: Action,
    platform: Platform,
    actions: Iterable[str],
    values: Mapping[str, Any],
    origin: Origin,
    shown: Shown | None = None,
) -> Json:
    """The modal of an action (or one step of it), filled in as far as ``values`` go."""
    shown = shown or Shown()
    steps = steps_of(action)
    at = min(origin.step, len(steps) - 1)
    around = Around(platform, tuple(actions), depended_on(action), shown.sheet)
    blocks = [_context(name, text) for name, text in _above(action, origin, shown, at, len(steps)) if text]
    marks = _marks(shown.before)
    for one in steps[at]:
        if one.name not in shown.sheet.hidden:
            value = str(values.get(one.name) or "")
            blocks.append(_input(one, around, value, marks.get(one.name, "")))
        if one.name == "environment" and previews(action):
            blocks.append(info_block(shown.info or (_pick(action),)))
    if at:
        back = {"type": "button", "action_id": ids.BACK, "text": _plain("Back", 75)}
        blocks.append({"type": "actions", "block_id": ids.BACK, "elements": [back]})
    if len(json.dumps(blocks)) > _HEAVIEST:
        blocks = [_context("cut", SHORTENED), *(_shortened(block) for block in blocks)]
    return {
        "type": "modal",
        "callback_id": ids.FORM_VIEW,
        "title": _titled(action.title, f"{at + 1} of {len(steps)}" if len(steps) > 1 else ""),
        "submit": _plain(action.title if at == len(steps) - 1 else "Next", _TITLE),
        "close": _plain("Not now", _TITLE),
        "private_metadata": origin.pack(),
        "blocks": blocks,
    }


def _shortened(block: Json) -> Json:
    element = block.get("element", {})
    if len(element.get("initial_value", "")) <= _LEFT:
        return block
    return {**block, "element": {**element, "initial_value": element["initial_value"][:_LEFT]}}


def _pick(action: Action) -> str:
    if not action.pinned:
        return PICK
    both = any(one.name == "service" for one in inputs_of(action.inputs))
    return PICK_PLACE.format("a service and an environment" if both else "an environment")


def _above(action: Action, origin: Origin, shown: Shown, at: int, steps: int) -> list[tuple[str, str]]:
    """What stands above the inputs, by block id."""
    return [
        ("summary", action.summary if not at else ""),
        ("step", f"Step {at + 1} of {steps}. Nothing is asked for before the last one." if steps > 1 else ""),
        ("glass", "Breaking the glass: say why." if origin.break_glass else ""),
        ("notes", "\n".join(f"⚠ {note}" for note in shown.notes)),
    ]


def _titled(title: str, step: str) -> Json:
    if not step:
        return _plain(title, _TITLE)
    room = _TITLE - len(step) - 1
    return _plain(f"{title if len(title) <= room else title[: room - 1] + '…'} {step}", _TITLE)


def asked_in(view: Mapping[str, Any]) -> frozenset[str]:
    """The inputs that a view asks for."""
    names = {ids.input_of(str(block.get("block_id"))) for block in view.get("blocks", ()) if block["type"] == "input"}
    return frozenset(names - {""})


def same_shape(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two views show the same fields and say the same, whatever stands in the fields."""
    return _shape(one) == _shape(other)


def _shape(view: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for block in view.get("blocks", ()):
        element = block.get("element") or {}
        texts = [one.get("text") for one in block.get("elements", ()) if isinstance(one.get("text"), str)]
        found.append((block.get("block_id"), element.get("action_id"), element.get("type"), *texts))
    return found


def _marks(view: Mapping[str, Any] | None) -> dict[str, str]:
    """The marks of preset values in a view, by input name."""
    blocks = [block for block in (view or {}).get("blocks", ()) if block.get("type") == "input"]
    return {ids.input_of(block["block_id"]): ids.mark_of(block["element"]["action_id"]) for block in blocks}


def info_block(lines: Sequence[str]) -> Json:
    """The block that is filled in after the form stands."""
    text = "\n".join(line for line in lines if line) or PICK
    return _context(ids.INFO, text)


def _context(block_id: str, text: str) -> Json:
    return {"type": "context", "block_id": block_id, "elements": [_plain(text, _LABEL)]}


def info_of(view: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What stands under the environment of a view, or None where nothing can."""
    blocks = [block for block in view.get("blocks", ()) if block.get("block_id") == ids.INFO]
    return tuple(str(blocks[0]["elements"][0]["text"]).split("\n")) if blocks else None


def filled(view: Mapping[str, Any]) -> dict[str, str]:
    """What stands in the inputs of a view, by input name, as typed on the line; what is empty is left out.

    Several choices of which every one was taken away are «none», for left out they would be the preset ones again.
    """
    preset = {
        block["block_id"] for block in view.get("blocks", ()) if (block.get("element") or {}).get("initial_options")
    }
    found: dict[str, str] = {}
    for block_id, standing in (view.get("state") or {}).get("values", {}).items():
        name = ids.input_of(block_id)
        for element in standing.values():
            value = elements.read(element)
            if not value and block_id in preset and element.get("selected_options") == []:
                value = NONE
            if name and value:
                found[name] = value
    return found


def touched(view: Mapping[str, Any], action: Action) -> dict[str, str]:
    """The same without what was worked out and stands there as it was preset: that may be worked out anew."""
    values = filled(view)
    presets = {one.name for one in inputs_of(action.inputs) if one.asked.default_from}
    for block in view.get("blocks", ()):
        name = ids.input_of(str(block.get("block_id")))
        preset = name in presets and ids.mark_of(block["element"]["action_id"]).startswith("d")
        if preset and values.get(name) == elements.initial(block["element"]):
            del values[name]
    return values


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


def _limits(one: Input) -> str:
    """From 1 to 9; Slack itself says it of a number, but only once somebody got it wrong."""
    shown = short if one.kind is InputKind.DURATION else elements.number
    if one.minimum is not None and one.maximum is not None:
        return f"From {shown(one.minimum)} to {shown(one.maximum)}."
    if one.maximum is not None:
        return f"At most {shown(one.maximum)}."
    return f"At least {shown(one.minimum)}." if one.minimum is not None and one.minimum > 0 else ""


def _input(one: Input, around: Around, value: str, mark: str) -> Json:
    block: Json = {
        "type": "input",
        "block_id": ids.block_of(one.name),
        "label": _plain(one.title, _LABEL),
        "element": elements.element(one, around, value, mark),
        "optional": not (one.required or one.asked.needed or (one.kind in _PRESET and one.default not in (None, ""))),
    }
    if hint := " ".join(text for text in (one.help or _limits(one), around.sheet.silent.get(one.name, "")) if text):
        block["hint"] = _plain(hint, _HINT)
    if one.kind in (InputKind.SERVICE, InputKind.ENVIRONMENT) or one.name in around.listened:
        block["dispatch_action"] = True
    return block
