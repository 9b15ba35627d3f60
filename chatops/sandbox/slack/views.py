"""Modals and App Home: opened by a trigger, stacked three high, updated under a hash, closed by person or app."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from chatops.sandbox.copies import copied
from chatops.sandbox.slack.blockkit import check_view, view_too_large
from chatops.sandbox.slack.doors import Triggers
from chatops.sandbox.slack.errors import SlackError
from chatops.sandbox.slack.inputs import values_of
from chatops.sandbox.slack.live import Live
from chatops.sandbox.slack.model import State
from chatops.sandbox.slack.posting import Posting

Json = dict[str, Any]
STACK = 3  # the first view and two pushed on top of it


@dataclass
class View:
    """One view as the person has it in front of them; `typed` is what Slack last heard of their input."""

    id: str
    user: str
    content: Json
    root_id: str
    previous_id: str | None = None
    hash: str = ""
    typed: Json = field(default_factory=dict)

    @property
    def external_id(self) -> str:
        return str(self.content.get("external_id") or "")


class Views:
    """The open modals of each person, as a stack, and everyone's App Home."""

    def __init__(self, state: State, live: Live, posting: Posting, triggers: Triggers) -> None:
        self._state = state
        self._live = live
        self._posting = posting
        self._triggers = triggers
        self.stacks: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}

    # ---- what the app does

    def open(self, trigger_id: str, content: Json) -> Json:
        """views.open: a new modal, which takes the place of those that are open."""
        trigger = self._triggers.check(trigger_id)
        self._checked(content, "modal")
        self._fresh_external_id(content)
        trigger.used = True
        for old in reversed(self.stacks.get(trigger.user, [])):
            self._live.publish("view_closed", {trigger.user}, view_id=old.id)
        view = self._made(trigger.user, content)
        self.stacks[trigger.user] = [view]
        self._live.publish("view_opened", {trigger.user}, view=self.shown(view))
        return self.shown(view)

    def push(self, trigger_id: str, content: Json) -> Json:
        """views.push: another view on top of the one whose element gave the trigger."""
        trigger = self._triggers.check(trigger_id)
        stack = self.stacks.get(trigger.user, [])
        if trigger.view_id is None or trigger.view_id not in [view.id for view in stack]:
            raise SlackError("invalid_trigger_id")
        self._checked(content, "modal")
        view = self.pushed(trigger.user, content)
        trigger.used = True
        return self.shown(view)

    def pushed(self, user: str, content: Json) -> View:
        """Put a checked view on top of a person's stack. Raises SlackError push_limit_reached."""
        stack = self.stacks[user]
        if len(stack) >= STACK:
            raise SlackError("push_limit_reached")
        self._fresh_external_id(content)
        view = self._made(user, content, root_id=stack[0].id, previous_id=stack[-1].id)
        stack.append(view)
        self._live.publish("view_pushed", {user}, view=self.shown(view))
        return view

    def update(self, view_id: str | None, external_id: str | None, expected: str | None, content: Json) -> Json:
        """views.update. Raises SlackError not_found, hash_conflict or invalid_arguments."""
        view = self._found(view_id, external_id)
        if expected is not None and expected != view.hash:
            raise SlackError("hash_conflict")
        self._checked(content, view.content["type"])
        return self.shown(self.replaced(view, content))

    def replaced(self, view: View, content: Json) -> View:
        """Put checked content in a view; input with the same ids keeps what was typed."""
        if content.get("external_id") and content["external_id"] != view.external_id:
            self._fresh_external_id(content)
        view.content = self._prepared(content)
        view.hash = self._hash()
        kind = "home" if view.content["type"] == "home" else "view_updated"
        self._live.publish(kind, {view.user}, view=self.shown(view))
        return view

    def publish(self, user: str, content: Json, expected: str | None) -> Json:
        """views.publish: the App Home of one person."""
        old = self.homes.get(user)
        if expected is not None and (old is None or expected != old.hash):
            raise SlackError("hash_conflict")
        self._checked(content, "home")
        if old is not None:
            return self.shown(self.replaced(old, content))
        view = self.homes[user] = self._made(user, content)
        self._live.publish("home", {user}, view=self.shown(view))
        return self.shown(view)

    # ---- what people do

    def of(self, user: str, view_id: str) -> View | None:
        """The open view of this person with that id, App Home too."""
        home = self.homes.get(user)
        if home is not None and home.id == view_id:
            return home
        return next((view for view in self.stacks.get(user, []) if view.id == view_id), None)

    def close(self, view: View) -> None:
        """Take one view off its stack."""
        self.stacks[view.user].remove(view)
        self._live.publish("view_closed", {view.user}, view_id=view.id)

    def clear(self, user: str) -> list[View]:
        """Close everything a person has open; the views, topmost first."""
        closed = list(reversed(self.stacks.pop(user, [])))
        for view in closed:
            self._live.publish("view_closed", {user}, view_id=view.id)
        return closed

    def shown(self, view: View) -> Json:
        """The view object of answers and payloads."""
        content = view.content
        shown: Json = copied(
            {
                "id": view.id,
                "team_id": self._state.team_id,
                "type": content["type"],
                "blocks": content["blocks"],
                "private_metadata": content.get("private_metadata") or "",
                "callback_id": content.get("callback_id") or "",
                "state": {"values": values_of(content["blocks"], view.typed)},
                "hash": view.hash,
                "title": content.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
                "clear_on_close": bool(content.get("clear_on_close")),
                "notify_on_close": bool(content.get("notify_on_close")),
                "close": content.get("close"),
                "submit": content.get("submit"),
                "previous_view_id": view.previous_id,
                "root_view_id": view.root_id,
                "app_id": self._state.app.id,
                "external_id": view.external_id,
                "app_installed_team_id": self._state.team_id,
                "bot_id": self._state.app.bot_id,
            }
        )
        return shown

    # ---- inside

    def check(self, content: Any, kind: str) -> None:
        """Raises SlackError invalid_arguments or view_too_large."""
        self._checked(content, kind)

    def _checked(self, content: Any, kind: str) -> None:
        found = check_view(content)
        if not found and content["type"] != kind:
            found = ["must be a valid enum value [json-pointer:/view/type]"]
        if found:
            raise SlackError("invalid_arguments", [f"[ERROR] {one}" for one in found])
        if view_too_large(content):
            raise SlackError("view_too_large")

    def _fresh_external_id(self, content: Json) -> None:
        wanted = content.get("external_id")
        if wanted and any(view.external_id == wanted for view in self._all()):
            raise SlackError("duplicate_external_id")

    def _all(self) -> list[View]:
        return [*self.homes.values(), *(view for stack in self.stacks.values() for view in stack)]

    def _found(self, view_id: str | None, external_id: str | None) -> View:
        if not view_id and not external_id:
            raise SlackError("invalid_arguments", ["[ERROR] missing required field: view_id"])
        for view in self._all():
            if view.id == view_id or (not view_id and view.external_id == external_id):
                return view
        raise SlackError("not_found")

    def _made(self, user: str, content: Json, root_id: str | None = None, previous_id: str | None = None) -> View:
        view_id = self._state.mint("V")
        return View(view_id, user, self._prepared(content), root_id or view_id, previous_id, self._hash())

    def _prepared(self, content: Json) -> Json:
        return self._posting.prepared(content)

    def _hash(self) -> str:
        return f"{int(self._state.clock.now())}.{secrets.token_hex(4)}"
