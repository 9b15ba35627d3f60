"""GitHub's webhook events about deploys: ``deployment_status``, ``workflow_run`` and ``release``.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from chatops.kernel.alert import Unreadable
from chatops.kernel.catalog import Platform, Service, Workflow
from chatops.kernel.deployed import Deployed, Released, Stage
from chatops.kernel.received import address, moment, parsed, text

SOURCE, NAME = "github", "GitHub"
ACTIONS = "GitHub Actions"  # a sender of its own, so that a run and the deployment it makes are one deploy
STATES: Mapping[str, Stage] = {
    "queued": "queued", "pending": "queued", "waiting": "queued", "in_progress": "running", "success": "succeeded",
    "failure": "failed", "error": "failed",
}  # fmt: skip
# Of a run that was skipped or waits for somebody nothing was deployed; so nothing is told before it runs
CONCLUSIONS: Mapping[str, Stage] = {
    "success": "succeeded", "failure": "failed", "timed_out": "failed", "startup_failure": "failed",
    "cancelled": "failed",
}  # fmt: skip
GONE = ("unpublished", "deleted")
Told = Deployed | Released
_COMMIT = re.compile(r"[0-9a-f]{40}")


def read(event: str, body: bytes, platform: Platform) -> tuple[Told, ...]:
    """What an event says of deploys; empty of all other events and states. Raises ``Unreadable``."""
    known = _READERS.get(event)
    return known(parsed(body), platform) if known is not None else ()


def _deployment(found: Mapping[str, Any], platform: Platform) -> tuple[Told, ...]:
    status, deployment = _object(found, "deployment_status"), _object(found, "deployment")
    repository = _object(found, "repository")
    state = text(status.get("state"), "deployment_status.state")
    if state not in STATES:  # inactive: another deploy took its place
        return ()
    ref, commit = text(deployment.get("ref"), "deployment.ref"), text(deployment.get("sha"), "deployment.sha")
    environment = text(deployment.get("environment"), "deployment.environment")
    if not environment or not (ref or commit):
        raise Unreadable("The event needs deployment.environment and deployment.ref.")
    service, version = _deployed(repository, ref, commit, platform)
    by = _login(deployment.get("creator"))
    told = Deployed(
        source=NAME, key=text(deployment.get("id"), "deployment.id")[:100], service=service,
        environment=environment[:200], version=version, stage=STATES[state], by=by, login=by,
        text=text(status.get("description") or deployment.get("description"), "description")[:500],
        link=address(status.get("log_url") or status.get("target_url")),
        at=moment(status.get("updated_at") or status.get("created_at"), "deployment_status.created_at"),
    )  # fmt: skip
    return (told,)


def _run(found: Mapping[str, Any], platform: Platform) -> tuple[Told, ...]:
    run, repository = _object(found, "workflow_run"), _object(found, "repository")
    full = text(repository.get("full_name"), "repository.full_name")
    workflow = _workflow(text(run.get("name"), "workflow_run.name"), full, platform)
    conclusion = text(run.get("conclusion"), "workflow_run.conclusion")
    status = text(run.get("status"), "workflow_run.status")
    stage = CONCLUSIONS.get(conclusion) if status == "completed" else "running" if status == "in_progress" else None
    # Whoever sends a pull request from a fork names its workflows as they like
    if workflow is None or stage is None or _full_name(run.get("head_repository")) != full:
        return ()
    ref, commit = text(run.get("head_branch"), "workflow_run.head_branch"), text(run.get("head_sha"), "head_sha")
    number, attempt = text(run.get("id"), "workflow_run.id"), text(run.get("run_attempt"), "workflow_run.run_attempt")
    if not number or not (ref or commit):
        raise Unreadable("The event needs workflow_run.id and workflow_run.head_sha.")
    service, version = _deployed(repository, ref, commit, platform, workflow.service)
    at = run.get("run_started_at") if stage == "running" else run.get("updated_at")
    failed = f"{workflow.name}: {conclusion.replace('_', ' ')}" if stage == "failed" else ""
    by = _login(run.get("triggering_actor") or run.get("actor"))
    told = Deployed(
        source=ACTIONS, key=f"{number}/{attempt or '1'}"[:100], service=service, environment=workflow.environment,
        version=version, stage=stage, by=by, login=by, text=failed[:500], link=address(run.get("html_url")),
        at=moment(at, "workflow_run.updated_at"),
    )  # fmt: skip
    return (told,)


def _release(found: Mapping[str, Any], platform: Platform) -> tuple[Told, ...]:
    release, repository = _object(found, "release"), _object(found, "repository")
    action = text(found.get("action"), "action")
    if action not in ("published", "edited", *GONE):  # created: perhaps a draft
        return ()
    tag = text(release.get("tag_name"), "release.tag_name")
    if not tag:
        raise Unreadable("The event needs release.tag_name.")
    is_there = action not in GONE and release.get("draft") is not True
    link = address(release.get("html_url")) if is_there else ""
    versions = [(one, one.version_tagged(tag)) for one in _services(repository, platform)]
    at = moment(release.get("published_at"), "release.published_at")
    return tuple(Released(one.name, version[:200], link, at) for one, version in versions if version)


def _workflow(name: str, repository: str, platform: Platform) -> Workflow | None:
    """The workflow that deploys; one that names the repository before one that names none."""
    named = [one for one in platform.github.workflows if one.name == name]
    here = [one for one in named if one.repository.casefold() == repository.casefold()]
    return next(iter([*here, *(one for one in named if not one.repository)]), None)


def _deployed(
    repository: Mapping[str, Any], ref: str, commit: str, platform: Platform, service: str = ""
) -> tuple[str, str]:
    """Which service, and which version: the one its tag names, else the branch, of the main one the commit."""
    ref = ref.removeprefix("refs/tags/").removeprefix("refs/heads/")
    is_commit = not ref or bool(_COMMIT.fullmatch(ref)) or (bool(commit) and ref == repository.get("default_branch"))
    short = (commit or ref)[:7]
    found = [platform.services[service]] if service in platform.services else list(_services(repository, platform))
    tagged = [(one, one.version_tagged(ref)) for one in found]
    telling = [pair for pair in tagged if pair[1]] if not is_commit else []
    name = telling[0][0].name if len(telling) == 1 else found[0].name if len(found) == 1 else ""
    version = short if is_commit else telling[0][1] if len(telling) == 1 else ref
    called = text(repository.get("name"), "repository.name")
    if called in platform.services and not found:  # that service's source is elsewhere
        called = _full_name(repository)
    name = name or service or called
    if not name:
        raise Unreadable("The event needs repository.name.")
    return name[:200], version[:200]


def _services(repository: Mapping[str, Any], platform: Platform) -> tuple[Service, ...]:
    """The services that are in the repository; when the catalog names none, the one that is called like it."""
    full = text(repository.get("full_name"), "repository.full_name").casefold()
    found = tuple(one for one in platform.services.values() if full and one.repository.casefold() == full)
    alike = platform.services.get(text(repository.get("name"), "repository.name"))
    return found or ((alike,) if alike is not None and not alike.repository else ())


def _full_name(repository: Any) -> str:
    return text(repository.get("full_name"), "full_name") if isinstance(repository, dict) else ""


def _login(user: Any) -> str:
    return text(user.get("login"), "login")[:200] if isinstance(user, dict) else ""


def _object(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key)
    if not isinstance(value, dict):
        raise Unreadable(f"{key} is no object.")
    return value


_READERS: Mapping[str, Callable[[Mapping[str, Any], Platform], tuple[Told, ...]]] = {
    "deployment_status": _deployment, "workflow_run": _run, "release": _release,
}  # fmt: skip
