"""The sections of ``platform.yml`` that say what exists: environments, groups, teams, services."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from chatops.adapters.configuration.fields import (
    HANDLE,
    LABEL,
    REPOSITORY,
    SUBDOMAIN,
    URL,
    WORD,
    Fields,
    is_person,
    suggestion,
)
from chatops.adapters.configuration.kinds import kind_problem
from chatops.adapters.configuration.zones import zone
from chatops.kernel.catalog import (
    Allowed,
    Anchoring,
    Channels,
    Environment,
    Group,
    Platform,
    Retention,
    Service,
    Team,
    Workload,
)

FOR_EVER = "forever"
LEAST_KEPT = 30 * 86400.0  # seconds
T = TypeVar("T")

_LABEL_LIKE = "a name is lower case letters, digits and dashes, at most 63 (RFC 1123)"
_WORD_LIKE = "a name is lower case letters, digits, dots, dashes and underscores, at most 63"
_IMAGE = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_TAG = re.compile(r"[\w./@+-]*\{version\}[\w./@+-]*", re.ASCII)
_LABEL_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def each(root: Fields, key: str, what: str, make: Callable[[str, Fields], T], *, strict: bool = False) -> dict[str, T]:
    """Every entry of a section; ``strict`` names fit for Kubernetes and the command line."""
    found = {}
    pattern, like = (LABEL, _LABEL_LIKE) if strict else (WORD, _WORD_LIKE)
    for name, node, line in root.entries(key, f"{what}s"):
        if not pattern.fullmatch(name):
            root.problems.add(line, f"{what} {name!r}: {like}")
        found[name] = make(name, Fields(node, f"{what} {name}", root.problems, line))
    return found


def channels(fields: Fields, default: Channels | None = None) -> Channels:
    """``channels:`` of the platform, an environment, a team or a service."""
    node = fields.get("channels")
    default = default or Channels()
    if node is None:
        return default
    inner = Fields(node, f"{fields.where} channels".strip(), fields.problems)
    inner.only("requests", "deploys", "incidents")
    return Channels(
        requests=inner.channel("requests") or default.requests,
        deploys=inner.channel("deploys") or default.deploys,
        incidents=inner.channel("incidents") or default.incidents,
    )


def anchoring(root: Fields) -> Anchoring:
    """``audit:``, where the audit trail's anchors are posted."""
    node = root.get("audit")
    if node is None:
        return Anchoring()
    fields = Fields(node, "audit", root.problems)
    fields.only("channel")
    return Anchoring(channel=fields.channel("channel") or "")


def retention(root: Fields) -> Retention:
    """``retention:``; the audit trail is kept for ever, which may be said and not changed."""
    node = root.get("retention")
    if node is None:
        return Retention()
    fields = Fields(node, "retention", root.problems)
    fields.only("requests", "audit")
    if fields.text("audit") not in ("", FOR_EVER):
        fields.wrong(fields.line("audit"), "has an audit other than forever: a trail with a hole does not verify")
    asked = fields.text("requests")
    keep = 0.0 if asked in ("", FOR_EVER) else fields.duration("requests", 0.0, years=20)
    if 0 < keep < LEAST_KEPT:
        fields.wrong(fields.line("requests"), "has less than 30d: people look back at what they asked for")
    return Retention(requests=keep)


def environment(name: str, fields: Fields) -> Environment:
    """One environment."""
    fields.only("tier", "namespace", "cluster", "promote_from", "rollback", "max_replicas", "channels", "impersonate")
    rollback = fields.choice("rollback", ("automatic", "manual"))
    return Environment(
        name=name,
        tier=fields.text("tier", required=True, pattern=WORD, like="like production, staging, development"),
        namespace=fields.text(
            "namespace", required=True, pattern=LABEL, like=f"the Kubernetes namespace; {_LABEL_LIKE}"
        ),
        cluster=fields.text("cluster"),
        promote_from=fields.text("promote_from"),
        rollback=rollback,  # type: ignore[arg-type]  # choice() gives one of the words or ""
        max_replicas=fields.number("max_replicas", 100, least=1, most=100_000),
        channels=channels(fields),
        impersonate=fields.flag("impersonate", False),
    )


def group(name: str, fields: Fields) -> Group:
    """One group."""
    fields.only("members", "usergroup")
    handle = fields.text("usergroup")
    if handle.startswith("@"):
        fields.wrong(fields.line("usergroup"), f"has usergroup {handle!r}: write it without @, {handle[1:]}")
    elif handle and not HANDLE.fullmatch(handle):
        fields.wrong(fields.line("usergroup"), f"has usergroup {handle!r}: it is a handle like platform-leads")
    members = fields.people("members")
    if not members and not handle:
        fields.wrong(fields.line("members"), "has nobody in it: give it members and/or a Slack usergroup")
    return Group(name=name, members=members, usergroup=handle)


def team(name: str, fields: Fields) -> Team:
    """One team."""
    fields.only("channel", "members", "leads", "oncall", "timezone", "channels")
    return Team(
        name=name,
        channel=fields.channel("channel"),
        members=fields.people("members"),
        leads=fields.people("leads"),
        oncall=fields.text("oncall"),
        timezone=zone(fields, ""),
        channels=channels(fields),
    )


def service(name: str, fields: Fields) -> Service:
    """One service."""
    fields.only("team", "description", "workload", "image", "runbook", "labels", "repository", "tag", "channels")
    return Service(
        name=name,
        team=fields.text("team", required=True, like="the team that owns it"),
        description=fields.text("description"),
        workload=_workload(fields),
        image=_image(fields),
        runbook=fields.text("runbook", pattern=URL, like="an address that starts with https://"),
        labels=_labels(fields),
        repository=fields.text("repository", pattern=REPOSITORY, like="written as owner/name"),
        tag=_tag(fields),
        channels=channels(fields),
    )


def _tag(fields: Fields) -> str:
    tag = fields.text("tag", pattern=_TAG, like="what a version is called in the repository, like v{version}")
    if tag and not fields.has("repository"):
        fields.wrong(fields.line("tag"), "has a tag and no repository: give repository as well, written as owner/name")
    return tag or "{version}"


def _workload(fields: Fields) -> Workload:
    node = fields.get("workload")
    if node is None:
        return Workload()
    inner = Fields(node, f"{fields.where} workload", fields.problems)
    inner.only("kind", "name", "container")
    kind = inner.text("kind")
    if kind and kind != "Deployment":
        inner.wrong(inner.line("kind"), f"has kind {kind!r}: this version knows Deployment")
    return Workload(
        name=inner.text("name", pattern=SUBDOMAIN, like="a Kubernetes object's name (RFC 1123 subdomain)"),
        container=inner.text("container", pattern=LABEL, like=f"a container's name; {_LABEL_LIKE}"),
    )


def _image(fields: Fields) -> str:
    image = fields.text("image")
    if not image or _IMAGE.fullmatch(image):
        return image
    bare = image.partition("@")[0]
    bare = bare[: -len(bare.rpartition("/")[2])] + bare.rpartition("/")[2].partition(":")[0]
    if bare != image and _IMAGE.fullmatch(bare):
        fields.wrong(fields.line("image"), f"has the image {image!r}: write it without the version, {bare}")
    else:
        fields.wrong(fields.line("image"), f"has the image {image!r}: write it like registry.acme.test/shop/checkout")
    return ""


def _labels(fields: Fields) -> dict[str, str]:
    node = fields.get("labels")
    if node is None:
        return {}
    inner = Fields(node, f"{fields.where} labels", fields.problems)
    found = {}
    for key in node.value if isinstance(node.value, dict) else ():
        if not _LABEL_KEY.fullmatch(key):
            like = "letters, digits and underscores, so that policies can say service.labels.NAME"
            inner.wrong(inner.line(key), f"has the label {key!r}: {like}")
        found[key] = inner.as_text(value, key, empty=True) if (value := inner.given(key)) is not None else ""
    return found


def allowed(root: Fields) -> Allowed:
    """``actions:``: which kinds and namespaces declared actions may touch; None: the default."""
    node = root.get("actions")
    if node is None:
        return Allowed()
    inner = Fields(node, "actions", root.problems)
    inner.only("kinds", "namespaces")
    return Allowed(
        kinds=_listed(inner, "kinds", "Kind.group", kind_problem),
        namespaces=_listed(inner, "namespaces", "namespace", _namespace_problem),
    )


def entries_in(root: Fields, platform: Platform) -> str:
    """``catalog:``: the namespace in which the clusters name more services; empty when they don't."""
    node = root.get("catalog")
    if node is None:
        return ""
    inner = Fields(node, "catalog", root.problems)
    inner.only("namespace")
    namespace = inner.text("namespace", required=True, pattern=LABEL, like=f"the Kubernetes namespace; {_LABEL_LIKE}")
    # Or whoever may write ConfigMaps beside a service would say whose the services are.
    taken = next((one.name for one in platform.environments.values() if one.namespace == namespace), "")
    if taken:
        inner.wrong(inner.line("namespace"), f"has the namespace of {taken}: give it one that only this is kept in")
    return namespace


def _listed(fields: Fields, key: str, what: str, problem_of: Callable[[str], str]) -> tuple[str, ...] | None:
    if fields.given(key) is None:
        return None
    found = []
    for node in fields.items(key, what):
        text = fields.as_text(node, key)
        if text and (problem := problem_of(text)):
            fields.wrong(node.line, f"has {text!r} in {key}: {problem}")
        elif text in found:
            fields.wrong(node.line, f"has {text} twice in {key}: keep one")
        elif text:
            found.append(text)
    return tuple(found)


def _namespace_problem(text: str) -> str:
    begun = text.removesuffix("*")
    if not begun:
        return "* is every namespace, kube-system too: name them, or how they begin, like preview-*"
    fits = LABEL.fullmatch(begun.rstrip("-") if begun != text else begun)
    return "" if fits else f"{_LABEL_LIKE}; it may end with *, like preview-*"


def sources(fields: Fields, key: str, known: Mapping[str, Any], kinds: tuple[str, ...]) -> tuple[str, ...]:
    """``group:NAME``, ``user:NAME``, ``rota:NAME``, ``team-leads``: whichever of these ``kinds`` are allowed here.

    ``known``: the names of each kind.
    """
    found = []
    for node in fields.items(key, kinds[0], one_is_enough=True):
        text = fields.as_text(node, key)
        if text and (problem := source_problem(text, known, kinds)):
            fields.wrong(node.line, f"has {text!r} in {key}: {problem}")
        elif text:
            found.append(text)
    return tuple(found)


def source_problem(text: str, known: Mapping[str, Any], kinds: tuple[str, ...]) -> str:
    """What is wrong with a source, or ``""``."""
    kind, colon, name = text.partition(":")
    allowed = "it is " + ", ".join(kinds)
    plain = "team-leads" in kinds
    if text == "team-leads" and plain:
        return ""
    if not colon:
        for guess in ("group", "rota"):
            if f"{guess}:NAME" in kinds and text in known.get(guess, ()):
                return f"did you mean {guess}:{text}?"
        if plain and text.replace("_", "-").rstrip("s") == "team-lead":
            return "did you mean team-leads?"
        return allowed
    if f"{kind}:NAME" not in kinds:
        return allowed
    if kind == "user":
        return "" if is_person(name) else "people are named by e-mail (dana@acme.test) or Slack user id (U…)"
    if name in known[kind]:
        return ""
    return f"there is no {kind} {name}{suggestion(name, known[kind])}"
