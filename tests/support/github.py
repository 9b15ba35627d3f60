"""GitHub's webhooks in the shape that it documents, signed.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from tests.support.house import HOOK_TOKEN, House

SHA = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"


def user(login: str) -> dict[str, Any]:
    """A user, as payloads have it."""
    return {
        "login": login, "id": 21031067, "node_id": "MDQ6VXNlcjIxMDMxMDY3", "type": "User", "site_admin": False,
        "url": f"https://api.github.test/users/{login}", "html_url": f"https://github.test/{login}",
    }  # fmt: skip


def repository(full_name: str = "acme/cart") -> dict[str, Any]:
    """A repository, as payloads have it."""
    owner, name = full_name.split("/")
    return {
        "id": 186853002, "node_id": "MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=", "name": name, "full_name": full_name,
        "private": True, "owner": user(owner), "html_url": f"https://github.test/{full_name}", "fork": False,
        "url": f"https://api.github.test/repos/{full_name}", "default_branch": "main",
    }  # fmt: skip


def workflow_run(action: str = "in_progress", conclusion: str | None = None, **run: Any) -> dict[str, Any]:
    """A run of the workflow `Deploy to staging`, of the tag v2.4.0."""
    return {
        "action": action,
        "workflow_run": {
            "id": 289782451, "name": "Deploy to staging", "node_id": "MDExOldvcmtmbG93UnVuMjg5NzgyNDUx",
            "head_branch": "v2.4.0", "head_sha": SHA, "path": ".github/workflows/deploy.yml", "run_number": 142,
            "display_title": "Keep the cart for a week", "event": "push",
            "status": "queued" if action == "requested" else action,
            "conclusion": conclusion, "workflow_id": 12312312, "run_attempt": 1,
            "html_url": "https://github.test/acme/cart/actions/runs/289782451", "pull_requests": [],
            "created_at": "2026-11-23T08:58:00Z", "updated_at": "2026-11-23T08:59:00Z",
            "run_started_at": "2026-11-23T08:58:00Z", "actor": user("dana-acme"),
            "triggering_actor": user("dana-acme"),
            "head_commit": {
                "id": SHA, "tree_id": "31b122c26a97cf9af023e9ddab94a82c6e77b0ea", "message": "Keep the cart for a week",
                "timestamp": "2026-11-23T08:50:00Z", "author": {"name": "Dana", "email": "dana@acme.test"},
                "committer": {"name": "GitHub", "email": "noreply@github.test"},
            },
            "repository": repository(), "head_repository": repository(), **run,
        },
        "workflow": {
            "id": 12312312, "name": "Deploy to staging", "path": ".github/workflows/deploy.yml", "state": "active",
        },
        "repository": repository(), "sender": user("dana-acme"),
    }  # fmt: skip


def release(action: str = "published", tag: str = "v2.4.0", **changes: Any) -> dict[str, Any]:
    """A release of the cart."""
    return {
        "action": action,
        "release": {
            "id": 17372790, "node_id": "MDc6UmVsZWFzZTE3MzcyNzkw", "tag_name": tag, "target_commitish": "main",
            "name": tag, "draft": False, "prerelease": False, "author": user("dana-acme"), "assets": [],
            "html_url": f"https://github.test/acme/cart/releases/tag/{tag}", "body": "Carts are kept for a week.",
            "created_at": "2026-11-23T08:40:00Z", "published_at": "2026-11-23T08:45:00Z", **changes,
        },
        "repository": repository(), "sender": user("dana-acme"),
    }  # fmt: skip


async def sends(house: House, event: str, payload: dict[str, Any], secret: str = HOOK_TOKEN) -> dict[str, Any]:
    """What GitHub is answered, with its status."""
    body = json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": event, "X-Hub-Signature-256": signature}
    async with house.sandbox.session.post(
        f"{house.assistant.http.address}/hooks/github", data=body, headers=headers
    ) as answer:
        return {"status": answer.status, **await answer.json()}
