"""The manifest, the code and the local Slack agree on commands, ids, scopes and events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from chatops.sandbox.slack.methods_chat import METHODS as CHAT
from chatops.sandbox.slack.methods_conversations import METHODS as CONVERSATIONS
from chatops.sandbox.slack.methods_people import METHODS as PEOPLE
from chatops.sandbox.slack.seed import DEFAULT_EVENTS, DEFAULT_SCOPES
from chatops.slack import ids
from commands import registry
from tests.support.people import ACME

ROOT = Path(__file__).parents[2]


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


MANIFEST = read(ROOT / "manifest.yml")


def test_scopes_are_those_the_local_slack_grants() -> None:
    scopes = MANIFEST["oauth_config"]["scopes"]["bot"]
    assert sorted(scopes) == scopes, "sorted, so that a change is easy to see"
    assert set(scopes) == set(DEFAULT_SCOPES)


def called() -> Iterator[str]:
    """Methods of Slack that the code calls."""
    pattern = re.compile(r"\.((?:chat|conversations|usergroups|users|views|files|pins|bookmarks|apps|auth)_\w+)\(")
    for path in (ROOT / "chatops" / "slack").rglob("*.py"):
        yield from (found.replace("_", ".", 1) for found in pattern.findall(path.read_text()))


def test_every_call_is_covered_by_a_scope_of_the_manifest() -> None:
    scopes = set(MANIFEST["oauth_config"]["scopes"]["bot"])
    methods = {**CHAT, **CONVERSATIONS, **PEOPLE}
    known = {name.replace(".", "").casefold(): spec for name, spec in methods.items()}
    found = sorted(set(called()))
    assert "views.open" in found
    for name in found:
        spec = known.get(name.replace(".", "").replace("_", "").casefold())
        wanted = getattr(spec, "scopes", None) or getattr(spec, "scope", None) or ()
        wanted = {wanted} if isinstance(wanted, str) else set(wanted)
        assert not wanted or wanted & scopes, f"{name} needs one of {wanted}"


def test_the_command_is_the_one_we_listen_to_and_its_hint_names_an_action() -> None:
    [command] = MANIFEST["features"]["slash_commands"]
    assert command["command"] == ids.COMMAND
    assert command["should_escape"] is True, "ids, not names: names can be changed by their owners"
    assert command["usage_hint"].split()[0] in registry.load()


def test_shortcuts_are_those_we_listen_to_and_those_of_the_demo() -> None:
    shortcuts = {(one["callback_id"], one["type"]) for one in MANIFEST["features"]["shortcuts"]}
    on_messages = {
        (one, "message")
        for one in (ids.MESSAGE_SHORTCUT, ids.TIMELINE_SHORTCUT, ids.INCIDENT_SHORTCUT, ids.QUESTION_SHORTCUT)
    }
    assert shortcuts == {(ids.SHORTCUT, "global"), *on_messages}
    demo = read(ACME)["app"]["shortcuts"]
    assert {(one["callback_id"], one.get("type", "global")) for one in demo} == shortcuts


def test_the_demo_installs_the_same_command() -> None:
    [command], [demo] = MANIFEST["features"]["slash_commands"], read(ACME)["app"]["commands"]
    assert {name: demo[name] for name in command} == command


def test_events_home_and_socket_mode_are_on() -> None:
    settings = MANIFEST["settings"]
    assert {"app_home_opened", "app_mention"} <= set(settings["event_subscriptions"]["bot_events"])
    sent = set(DEFAULT_EVENTS) - {"member_joined_channel"}  # for tests of the local Slack itself; nobody listens to it
    assert set(settings["event_subscriptions"]["bot_events"]) == sent, "what works here would not work there"
    assert settings["socket_mode_enabled"]
    assert settings["interactivity"]["is_enabled"]
    assert MANIFEST["features"]["app_home"]["home_tab_enabled"]


def test_people_can_type_to_the_app_and_the_app_hears_it() -> None:
    home, scopes = MANIFEST["features"]["app_home"], MANIFEST["oauth_config"]["scopes"]["bot"]
    assert home["messages_tab_enabled"]
    assert not home["messages_tab_read_only_enabled"]
    assert "message.im" in MANIFEST["settings"]["event_subscriptions"]["bot_events"]
    assert {"im:history", "im:write"} <= set(scopes)


def test_slacks_limits_on_manifests_are_kept() -> None:
    """https://docs.slack.dev/reference/app-manifest"""
    about = MANIFEST["display_information"]
    assert len(about["name"]) <= 35
    assert len(about["description"]) <= 140
    assert 174 <= len(about["long_description"]) <= 4000
    [command] = MANIFEST["features"]["slash_commands"]
    assert len(command["usage_hint"]) <= 1000
    for shortcut in MANIFEST["features"]["shortcuts"]:
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150
