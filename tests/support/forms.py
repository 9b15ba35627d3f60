"""How a person fills in the fields of a form or message, by the labels they read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tests.support.rendering import plain

if TYPE_CHECKING:
    from tests.support.people import Person

Json = dict[str, Any]
WRITTEN = ("plain_text_input", "email_text_input", "url_text_input", "number_input")
# Element type: the key its value goes by.
KEYS = {
    **dict.fromkeys(WRITTEN, "value"),
    **dict.fromkeys(("static_select", "external_select", "radio_buttons"), "selected_option"),
    **dict.fromkeys(("multi_static_select", "multi_external_select", "checkboxes"), "selected_options"),
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "channels_select": "selected_channel",
    "conversations_select": "selected_conversation",
    "multi_channels_select": "selected_channels",
    "multi_conversations_select": "selected_conversations",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
INITIAL = {"value": "initial_value", "selected_option": "initial_option", "selected_options": "initial_options"}


def blocks_of(thing: Json) -> list[Json]:
    """The blocks of a message or view, those of attachments too."""
    attached = [block for one in thing.get("attachments") or () for block in one.get("blocks") or ()]
    return [*(thing.get("blocks") or ()), *attached]


def elements(block: Json) -> list[Json]:
    if block["type"] == "actions":
        return list(block["elements"])
    return [one for one in (block.get("element"), block.get("accessory")) if one and "action_id" in one]


def labelled(blocks: list[Json]) -> Iterator[tuple[str, str, str, Json]]:
    """Everything one can click, as (label, block_id, action_id, what goes along)."""
    for block in blocks:
        for element in elements(block):
            ids = (block["block_id"], element["action_id"])
            if element["type"] == "button":
                yield (plain(element["text"]), *ids, {})
            elif element["type"] == "overflow":
                for option in element["options"]:
                    yield (plain(option["text"]), *ids, {"selected_option": option})


class Fields:
    """The fields of one form or message and what was typed into them so far."""

    def __init__(self, person: Person, blocks: Callable[[], list[Json]], place: Json) -> None:
        self._person = person
        self.blocks = blocks
        self._place = place
        self.typed: Json = {}

    def labels(self) -> dict[str, str]:
        """Labels by block_id."""
        return {block["block_id"]: label for label, block, _ in self._all()}

    def shown(self) -> dict[str, Any]:
        """What stands in each field, by label: texts as they are, options by their text."""
        return {label: self._readable(block, element) for label, block, element in self._all()}

    async def fill(self, values: dict[str, Any]) -> None:
        for label, value in values.items():
            block, element = await self._person.wait(
                lambda label=label: self._find(label),  # type: ignore[misc]
                5.0,
                lambda label=label: f"a field {label!r}; there is: {[name for name, _, _ in self._all()]}",  # type: ignore[misc]
            )
            await self._fill(block, element, value)

    async def suggestions(self, label: str, typed: str) -> list[str]:
        """What a typeahead offers for what was typed."""
        found = self._find(label)
        assert found is not None, f"no field {label!r}"
        return [plain(option["text"]) for option in await self._ask(*found, typed)]

    def _all(self) -> Iterator[tuple[str, Json, Json]]:
        for block in self.blocks():
            for element in elements(block):
                if element["type"] in KEYS:
                    beside = plain(block.get("label")) or plain(element.get("placeholder")) or element["action_id"]
                    yield beside, block, element

    def _find(self, label: str) -> tuple[Json, Json] | None:
        for known, block, element in self._all():
            if label in (known, element["action_id"]):
                return block, element
        return None

    async def _fill(self, block: Json, element: Json, value: Any) -> None:
        key = KEYS[element["type"]]
        chosen = await self._value(block, element, value)
        entry = {"type": element["type"], key: chosen}
        self.typed.setdefault(block["block_id"], {})[element["action_id"]] = entry
        if block["type"] != "input" or block.get("dispatch_action"):
            ids = {"block_id": block["block_id"], "action_id": element["action_id"]}
            await self._person.act("action", **ids, **{key: chosen}, state_values=self.typed, **self._place)

    async def _value(self, block: Json, element: Json, value: Any) -> Any:
        kind = element["type"]
        if value is None:
            return None
        if isinstance(value, list | tuple):
            return [await self._one(block, element, one) for one in value]
        if kind in WRITTEN:
            return str(value)
        return await self._one(block, element, value)

    async def _one(self, block: Json, element: Json, value: Any) -> Any:
        kind = element["type"]
        if "users" in kind:
            return next((id for id, name in self._person.names.items() if name == str(value).lstrip("@")), value)
        if "conversations" in kind or "channels" in kind:
            return self._person.channel_id(str(value))
        if KEYS[kind].startswith("selected_option"):
            offered = await self._ask(block, element, str(value)) if "external" in kind else options_of(element)
            return _matching(offered, str(value))
        return value

    async def _ask(self, block: Json, element: Json, typed: str) -> list[Json]:
        ids = {"block_id": block["block_id"], "action_id": element["action_id"]}
        answer = await self._person.act("suggest", **ids, value=typed, state_values=self.typed, **self._place)
        return options_of(answer)

    def _readable(self, block: Json, element: Json) -> Any:
        key = KEYS[element["type"]]
        entry = self.typed.get(block["block_id"], {}).get(element["action_id"], {})
        value = entry[key] if key in entry else element.get(INITIAL.get(key, key.replace("selected", "initial")))
        if isinstance(value, list):
            return [plain(one["text"]) if isinstance(one, dict) else one for one in value]
        return plain(value["text"]) if isinstance(value, dict) else value


def options_of(element: Json) -> list[Json]:
    grouped = [option for group in element.get("option_groups") or () for option in group["options"]]
    return [*(element.get("options") or ()), *grouped]


def _matching(options: list[Json], wanted: str) -> Json:
    """The option a person means: the same text, the same value, or the only one that contains the words."""
    for same in (lambda one: plain(one["text"]) == wanted, lambda one: one["value"] == wanted):
        for option in options:
            if same(option):
                return option
    close = [option for option in options if wanted in plain(option["text"])]
    if len(close) == 1:
        return close[0]
    raise AssertionError(f"no option {wanted!r} among {[plain(option['text']) for option in options]}")
