"""Argo CD's notifications: an Application as it stands, in the template that docs/deploys.md gives.

https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/services/webhook/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatops.kernel.alert import Unreadable
from chatops.kernel.catalog import Platform
from chatops.kernel.deployed import Deployed, Stage
from chatops.kernel.received import address, moment, parsed, text
from chatops.notices.sources.places import environment_of, services_in

SOURCE, NAME = "argocd", "Argo CD"
MOST_IMAGES = 200
ENDED: Mapping[str, Stage] = {"Healthy": "succeeded", "Degraded": "failed", "Missing": "failed"}


def read(body: bytes, platform: Platform) -> tuple[Deployed, ...]:
    """What the newest operation did to each service of the Application; empty before one began."""
    found = parsed(body)
    app = _object(found, "app")
    meta, status = _object(app, "metadata"), _object(app, "status")
    operation = status.get("operationState")
    if not isinstance(operation, dict):
        return ()
    name = text(meta.get("name"), "app.metadata.name")[:200]
    destination = _object(_object(app, "spec"), "destination")
    namespace = text(destination.get("namespace"), "app.spec.destination.namespace")
    if not name or not namespace:
        raise Unreadable("The body needs app.metadata.name and app.spec.destination.namespace.")
    began = text(operation.get("startedAt"), "app.status.operationState.startedAt")
    ended = operation.get("finishedAt") or operation.get("startedAt")
    who = operation.get("operation", {}).get("initiatedBy") if isinstance(operation.get("operation"), dict) else None
    by = text(who.get("username"), "initiatedBy.username")[:200] if isinstance(who, dict) else ""
    stage, images = _stage(operation, status), _images(status)
    revision = text(_part(status, "sync").get("revision"), "app.status.sync.revision")
    concerned = tuple(services_in(platform, images)) or ((name, revision[:7] or "a new revision"),)
    return tuple(
        Deployed(
            source=NAME, key=f"{name}/{began}/{service}"[:200], service=service,
            environment=environment_of(platform, namespace)[:200], version=version[:200], stage=stage, by=by,
            text=text(operation.get("message"), "message")[:500] if stage == "failed" else "",
            link=address(found.get("url")), at=moment(ended, "app.status.operationState.finishedAt"),
        )
        for service, version in concerned
    )  # fmt: skip


def _stage(operation: Mapping[str, Any], status: Mapping[str, Any]) -> Stage:
    """A sync that succeeded has only written; what it wrote is deployed once it is healthy."""
    phase = text(operation.get("phase"), "app.status.operationState.phase")
    if phase in ("Failed", "Error"):
        return "failed"
    if phase != "Succeeded":
        return "running"
    return ENDED.get(text(_part(status, "health").get("status"), "app.status.health.status"), "running")


def _images(status: Mapping[str, Any]) -> list[str]:
    images = _part(status, "summary").get("images")
    return [text(one, "image") for one in images[:MOST_IMAGES]] if isinstance(images, list) else []


def _part(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def _object(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key)
    if not isinstance(value, dict):
        raise Unreadable(f"{key} is no object.")
    return value
