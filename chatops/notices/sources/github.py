"""GitHub's webhook events about deploys: ``deployment_status``.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chatops.kernel.alert import Unreadable
from chatops.kernel.deployed import Deployed, Stage
from chatops.kernel.received import address, moment, parsed, text

SOURCE, NAME = "github", "GitHub"
EVENT = "deployment_status"
STATES: Mapping[str, Stage] = {
    "queued": "queued", "pending": "queued", "waiting": "queued", "in_progress": "running", "success": "succeeded",
    "failure": "failed", "error": "failed",
}  # fmt: skip
_COMMIT = re.compile(r"[0-9a-f]{40}")


def read(event: str, body: bytes) -> Deployed | None:
    """What an event says of a deploy, None of all other events and states. Raises ``Unreadable``."""
    if event != EVENT:
        return None
    found = parsed(body)
    status, deployment = _object(found, "deployment_status"), _object(found, "deployment")
    repository = _object(found, "repository")
    state = text(status.get("state"), "deployment_status.state")
    if state not in STATES:  # inactive: another deploy took its place
        return None
    ref, commit = text(deployment.get("ref"), "deployment.ref"), text(deployment.get("sha"), "deployment.sha")
    creator = deployment.get("creator")
    service = text(repository.get("name"), "repository.name")
    environment = text(deployment.get("environment"), "deployment.environment")
    if not service or not environment or not (ref or commit):
        raise Unreadable("The event needs repository.name, deployment.environment and deployment.ref.")
    return Deployed(
        source=NAME, key=text(deployment.get("id"), "deployment.id")[:100], service=service[:200],
        environment=environment[:200], version=_version(ref, commit)[:200], stage=STATES[state],
        by=text(creator.get("login"), "deployment.creator.login")[:200] if isinstance(creator, dict) else "",
        text=text(status.get("description") or deployment.get("description"), "description")[:500],
        link=address(status.get("log_url") or status.get("target_url")),
        at=moment(status.get("updated_at") or status.get("created_at"), "deployment_status.created_at"),
    )  # fmt: skip


def _version(ref: str, commit: str) -> str:
    """The tag or branch that was deployed; of a commit, its first seven digits."""
    ref = ref.removeprefix("refs/tags/").removeprefix("refs/heads/")
    return commit[:7] if not ref or _COMMIT.fullmatch(ref) else ref


def _object(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key)
    if not isinstance(value, dict):
        raise Unreadable(f"{key} is no object.")
    return value
