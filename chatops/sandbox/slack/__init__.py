"""A Slack on loopback: Web API, Socket Mode, signed HTTP requests and a page, strict where Slack is strict.

The assistant talks to it through slack-bolt and slack-sdk with `base_url` set to `LocalSlack.api_url`, and through
nothing else. People act through the page or the test driver, both of which use `/sandbox/api/`.
"""

from chatops.sandbox.slack.seed import (
    Channel,
    Command,
    Person,
    Shortcut,
    SlackApp,
    Suggestion,
    Usergroup,
    Workspace,
    load_workspace,
)
from chatops.sandbox.slack.server import LocalSlack

__all__ = [
    "Channel",
    "Command",
    "LocalSlack",
    "Person",
    "Shortcut",
    "SlackApp",
    "Suggestion",
    "Usergroup",
    "Workspace",
    "load_workspace",
]
