"""What the environment tells the assistant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from chatops.adapters.databases import is_postgres
from chatops.adapters.mail import Mail
from chatops.adapters.page_hook import PageHook
from chatops.adapters.signing import SigningKey
from chatops.http.hooks import Tokens
from chatops.kernel.anchor import Signer
from chatops.kernel.catalog import Endpoint
from chatops.kernel.errors import PlatformError
from chatops.kernel.pages import PagePath
from chatops.kernel.ports import Clock
from chatops.slack.client import SLACK

LISTEN = "127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; secrets are never shown."""

    config: Path
    database: str = field(default="chatops.db", repr=False)  # a URL may hold a password
    bot_token: str = field(default="", repr=False)
    app_token: str = field(default="", repr=False)  # given: Socket Mode
    signing_secret: str = field(default="", repr=False)  # given: HTTP at POST /slack/events
    slack_api_url: str = SLACK
    listen: str = LISTEN
    kubeconfig: str | Mapping[str, Any] = ""
    hook_tokens: Tokens = field(default_factory=Tokens)
    pagerduty_token: str = field(default="", repr=False)  # of PagerDuty's REST API; empty: it is told nothing
    mail: Mail | None = None  # pages by e-mail
    page_hook_url: str = field(default="", repr=False)  # pages by a webhook; empty: none
    page_hook_secret: str = field(default="", repr=False)
    prometheus: Endpoint | None = None  # what charts ask where the configuration names none, as in the demo
    heartbeat_url: str = field(default="", repr=False)  # a monitor outside that expects to be called; empty: none
    signer: Signer | None = field(default=None, repr=False)  # signs the audit trail's anchors
    anchors: str = ""  # the file that they are added to; empty: none
    public_url: str = ""  # where people's browsers reach us; empty: where we listen

    @classmethod
    def from_environment(cls, config: Path, environ: Mapping[str, str]) -> Settings:
        """Reads the environment; raises ``PlatformError`` with all that is missing."""
        missing = [] if environ.get("SLACK_BOT_TOKEN") else ["SLACK_BOT_TOKEN is not set (the bot token, xoxb-…)"]
        if not environ.get("SLACK_APP_TOKEN") and not environ.get("SLACK_SIGNING_SECRET"):
            missing.append("SLACK_APP_TOKEN (for Socket Mode) or SLACK_SIGNING_SECRET (for HTTP) is needed")
        database = environ.get("CHATOPS_DATABASE", "chatops.db")
        try:
            is_postgres(database)
        except PlatformError as error:
            missing.append(f"CHATOPS_DATABASE: {error.message}")
        if bool(environ.get("CHATOPS_PAGE_HOOK_URL")) != bool(environ.get("CHATOPS_PAGE_HOOK_SECRET")):
            missing.append("CHATOPS_PAGE_HOOK_URL and CHATOPS_PAGE_HOOK_SECRET go together: set both or neither")
        if missing:
            raise PlatformError("\n".join(missing))
        return cls(
            config=config,
            database=database,
            bot_token=environ["SLACK_BOT_TOKEN"],
            app_token=environ.get("SLACK_APP_TOKEN", ""),
            signing_secret=environ.get("SLACK_SIGNING_SECRET", ""),
            slack_api_url=environ.get("SLACK_API_URL", SLACK).rstrip("/") + "/",
            listen=environ.get("CHATOPS_LISTEN", LISTEN),
            kubeconfig=environ.get("KUBECONFIG", ""),
            hook_tokens=Tokens.from_environment(environ),
            pagerduty_token=environ.get("CHATOPS_PAGERDUTY_TOKEN", "").strip(),
            mail=Mail.from_url(environ["CHATOPS_SMTP_URL"]) if environ.get("CHATOPS_SMTP_URL") else None,
            page_hook_url=environ.get("CHATOPS_PAGE_HOOK_URL", "").strip(),
            page_hook_secret=environ.get("CHATOPS_PAGE_HOOK_SECRET", "").strip(),
            heartbeat_url=environ.get("CHATOPS_HEARTBEAT_URL", ""),
            signer=SigningKey.from_file(environ["CHATOPS_AUDIT_KEY"]) if environ.get("CHATOPS_AUDIT_KEY") else None,
            anchors=environ.get("CHATOPS_AUDIT_ANCHORS", ""),
            public_url=environ.get("CHATOPS_PUBLIC_URL", "").rstrip("/"),
        )

    def page_paths(self, session: Callable[[], aiohttp.ClientSession | None], clock: Clock) -> dict[str, PagePath]:
        """By which ways pages go out beside Slack, by name."""
        paths: dict[str, PagePath] = {"mail": self.mail} if self.mail is not None else {}
        if self.page_hook_url:
            paths["webhook"] = PageHook(self.page_hook_url, self.page_hook_secret, session, clock)
        return paths
