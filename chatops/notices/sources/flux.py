"""Flux's events, as notification-controller sends them to a provider of type ``generic-hmac``.

https://fluxcd.io/flux/components/notification/providers/#generic-webhook-with-hmac
"""

from __future__ import annotations

from collections.abc import Mapping

from chatops.kernel.alert import Unreadable
from chatops.kernel.catalog import Platform
from chatops.kernel.deployed import Deployed, Stage
from chatops.kernel.received import moment, parsed, text, texts
from chatops.notices.sources.places import environment_of

SOURCE, NAME = "flux", "Flux"
KINDS = ("HelmRelease", "Kustomization")


def read(body: bytes, platform: Platform) -> Deployed | None:
    """What an event says of a deploy; None for other objects, other reasons, and what is no service of the catalog."""
    found = parsed(body)
    concerned = texts(found.get("involvedObject"), "involvedObject")
    if not concerned.get("kind") or not concerned.get("name"):
        raise Unreadable("The event needs involvedObject.kind and involvedObject.name.")
    metadata = {key.rpartition("/")[2]: value for key, value in texts(found.get("metadata"), "metadata").items()}
    service = metadata.get("service") or concerned["name"]
    stage = _stage(text(found.get("reason"), "reason"), text(found.get("severity"), "severity"))
    version = _version(metadata)
    if concerned["kind"] not in KINDS or stage is None or service not in platform.services or not version:
        return None
    where = metadata.get("environment") or environment_of(platform, concerned.get("namespace", ""))
    return Deployed(
        source=NAME, key="", service=service, environment=where[:200], version=version[:200], stage=stage,
        text=text(found.get("message"), "message")[:500] if stage == "failed" else "",
        at=moment(found.get("timestamp"), "timestamp"),
    )  # fmt: skip


def _stage(reason: str, severity: str) -> Stage | None:
    if reason == "RollbackSucceeded":
        return "rolled_back"
    if reason.endswith("Succeeded"):
        return "succeeded"
    if reason.endswith("Failed") or severity == "error":
        return "failed"
    return "running" if reason.startswith("Progressing") else None


def _version(metadata: Mapping[str, str]) -> str:
    """What is noted as the version, else the chart's app version, else the revision (of a commit seven digits)."""
    if known := metadata.get("version") or metadata.get("app-version"):
        return known
    revision = metadata.get("revision", "")
    _, _, commit = revision.rpartition("sha1:")
    return commit[:7] if "sha1:" in revision else revision
