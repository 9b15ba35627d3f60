"""Payloads as Slack sends them, form-encoded."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import urlencode

TEAM = "T01"


def click(action: str, value: Any, *, user: str, team: str = TEAM, channel: str = "C01") -> str:
    """A press on a button of a card; https://docs.slack.dev/reference/interaction-payloads/block_actions-payload"""
    ts = "1781510400.000100"
    return _form(
        {
            "type": "block_actions",
            "user": {"id": user, "username": user.lower(), "name": user.lower(), "team_id": team},
            "api_app_id": "A01",
            "token": "unused",
            "container": {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": False},
            "trigger_id": f"1.1.{uuid.uuid4().hex}",
            "team": {"id": team, "domain": "acme"},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": channel, "name": "platform-requests"},
            "message": {"type": "message", "ts": ts, "user": "U0BOT", "text": "Deploy", "blocks": []},
            "state": {"values": {}},
            "response_url": "http://127.0.0.1:9/response",
            "actions": [
                {
                    "action_id": action,
                    "block_id": "buttons",
                    "text": {"type": "plain_text", "text": "Approve"},
                    "value": json.dumps(value),
                    "type": "button",
                    "action_ts": f"1781510400.{uuid.uuid4().int % 10**6:06}",
                }
            ],
        }
    )


def suggestion(action: str, typed: str, *, user: str, team: str = TEAM) -> str:
    """A key press in a searching select; https://docs.slack.dev/reference/interaction-payloads"""
    return _form(
        {
            "type": "block_suggestion",
            "user": {"id": user, "name": user.lower(), "team_id": team},
            "team": {"id": team, "domain": "acme"},
            "api_app_id": "A01",
            "token": "unused",
            "container": {"type": "view", "view_id": "V01"},
            "action_id": action,
            "block_id": action,
            "value": typed,
            "view": {
                "id": "V01",
                "type": "modal",
                "callback_id": "form",
                "private_metadata": "{}",
                "state": {"values": {}},
            },
        }
    )


def _form(payload: dict[str, Any]) -> str:
    return urlencode({"payload": json.dumps(payload)})
