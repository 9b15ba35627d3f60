"""Puts the sections together and checks what spans them: names of each other, cycles, rules nobody can satisfy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatops.adapters.configuration import alerts, catalog, oncall
from chatops.adapters.configuration.automations import Known, automations
from chatops.adapters.configuration.document import Node
from chatops.adapters.configuration.endpoints import endpoint, measures
from chatops.adapters.configuration.fields import Fields, Problems, suggestion
from chatops.adapters.configuration.freezes import freezes
from chatops.adapters.configuration.github import github
from chatops.adapters.configuration.pagerduty import pagerduty
from chatops.adapters.configuration.people import people
from chatops.adapters.configuration.policies import lifting, policies
from chatops.adapters.configuration.routes import routes
from chatops.kernel.action import Action
from chatops.kernel.catalog import Channels, Environment, Platform
from chatops.kernel.cel import of_alerts, of_automations, vocabulary
from chatops.kernel.declaration import Declaration
from chatops.kernel.quorum import unsatisfiable

KEYS = (
    "version",
    "channels",
    "environments",
    "groups",
    "teams",
    "services",
    "catalog",
    "policies",
    "operators",
    "people",
    "rotas",
    "escalations",
    "freezes",
    "routes",
    "locks",
    "promotion",
    "watcher",
    "weekly",
    "alertmanager",
    "alerts",
    "maintenance",
    "automations",
    "severities",
    "prometheus",
    "pagerduty",
    "github",
    "audit",
    "retention",
    "actions",
)
LATER = (
    "smtp",
    "docs",
)
OPERATORS = "platform"  # the group that is the platform team unless `operators` says otherwise


Declare = Callable[[Platform], tuple[Declaration, ...]]


def read_platform(document: Node, actions: Mapping[str, Action], problems: Problems, declare: Declare) -> Platform:
    """The platform of one document; every mistake is added to ``problems``, what is wrong is left out.

    ``declare`` reads the declared actions once it is known what exists, and before the rules that speak of them.
    """
    if document.value is None:
        problems.add(1, "the file is empty: start from examples/acme/platform.yml")
        return Platform()
    if not isinstance(document.value, dict):
        problems.add(document.line, f"the file is {document.kind}: it needs keys with values, like environments")
        return Platform()
    root = Fields(document, "", problems)
    _top(root)
    platform, broken = _catalog(root)
    known: dict[str, Any] = {"group": platform.groups, "rota": platform.rotas}
    operators = catalog.sources(root, "operators", known, ("group:NAME", "user:NAME"))
    if not root.has("operators") and OPERATORS in platform.groups:
        operators = (f"group:{OPERATORS}",)
    monitors = {name: endpoint(root, name, port) for name, port in (("alertmanager", 9093), ("prometheus", 9090))}
    outside: dict[str, Any] = {"allowed": catalog.allowed(root), "watcher": oncall.watching(root), **monitors}
    outside["weekly"] = oncall.weekly(root)
    outside["after_deploys"] = measures(root)
    outside["catalog_namespace"] = catalog.entries_in(root, platform)
    outside["locks"] = lifting(root, "locks", known)
    outside["promotion"] = lifting(root, "promotion", known)
    outside["freezes"] = freezes(root, platform, known)
    outside["routes"] = routes(root, platform)
    outside["severities"] = alerts.severities(root)
    outside |= {"pagerduty": pagerduty(root, platform), "github": github(root, platform), "people": people(root)}
    outside |= {"audit": catalog.anchoring(root), "retention": catalog.retention(root)}
    platform = platform.model_copy(update=outside)
    # Names of a section that has mistakes are not held against the rules: one mistake would be told many times
    named = platform.model_copy(update={section: {} for section in broken})
    declared = declare(named)
    found = policies(root, known, vocabulary(actions, named, declared))
    rules = tuple(rule for rule, _ in found.values())
    words = of_alerts(named)
    about = {
        "alerts": alerts.rules(root, platform, words), "maintenance": alerts.maintenance(root, words),
        "automations": automations(root, of_automations(named), Known(actions, declared, named)),
    }  # fmt: skip
    platform = platform.model_copy(update={"operators": operators, "policies": rules, **about})
    _environments(root, platform.environments)
    _owners(root, platform)
    _workloads(root, platform)
    _pages(root, platform, known)
    for rule, sentence in () if broken & {"groups", "teams"} else unsatisfiable(platform):
        node = found[rule.name][1]
        Fields(node, f"policy {rule.name!r}", problems).wrong(node.key_lines.get("require", node.line), sentence)
    return platform


def _catalog(root: Fields) -> tuple[Platform, set[str]]:
    """What exists, and which of its sections have mistakes."""
    sections: dict[str, Any] = {}
    broken = set()
    for key, make, strict in (
        ("environments", catalog.environment, True),
        ("groups", catalog.group, False),
        ("teams", catalog.team, False),
        ("services", catalog.service, True),
        ("rotas", oncall.rota, False),
        ("escalations", oncall.escalation, False),
    ):
        before = len(root.problems.found)
        sections[key] = catalog.each(root, key, key[:-1], make, strict=strict)
        if len(root.problems.found) > before:
            broken.add(key)
    default = Channels(requests="platform-requests", deploys="deploys", incidents="incidents")
    return Platform(channels=catalog.channels(root, default), **sections), broken


def _top(root: Fields) -> None:
    root.only(*KEYS, later=LATER)
    version = root.get("version")
    if version is not None and (version.value != 1 or version.value is True):
        root.wrong(version.line, f"version is {version.value!r}: this version of chatops reads version: 1")
    for key in ("environments", "services", "teams"):
        node = root.get(key)
        if key not in root.names() or (node is not None and node.value == {}):
            root.problems.add(root.line(key), f"{key} is missing: there has to be at least one")


def _inside(root: Fields, section: str, name: str) -> Fields:
    node = root.get(section)
    if node is None or not isinstance(node.value, dict):
        raise KeyError(section)
    return Fields(node.value[name], f"{section[:-1]} {name}", root.problems, node.key_lines[name])


def _environments(root: Fields, environments: Mapping[str, Environment]) -> None:
    places: dict[tuple[str, str], str] = {}
    for name, environment in environments.items():
        fields = _inside(root, "environments", name)
        source = environment.promote_from
        if source and source not in environments:
            there = suggestion(source, environments)
            fields.wrong(fields.line("promote_from"), f"promotes from {source}, which there is not{there}")
        elif cycle := _cycle(name, environments):
            message = f"promotes from itself in a circle ({' ← '.join(cycle)}): break it"
            fields.wrong(fields.line("promote_from"), message)
        place = (environment.cluster, environment.namespace)
        if environment.namespace and (other := places.setdefault(place, name)) != name:
            message = f"is the namespace {environment.namespace} of the same cluster as environment {other}"
            fields.wrong(fields.line("namespace"), f"{message}: what is allowed in one would change the other")


def _cycle(name: str, environments: Mapping[str, Environment]) -> list[str]:
    """The circle that leads from an environment back to itself, or an empty list."""
    walked = [name]
    while (source := environments[walked[-1]].promote_from) in environments:
        if source == name:
            return [*walked, name]
        if source in walked:
            return []
        walked.append(source)
    return []


def _owners(root: Fields, platform: Platform) -> None:
    for name, service in platform.services.items():
        if service.team and service.team not in platform.teams:
            fields = _inside(root, "services", name)
            there = suggestion(service.team, platform.teams)
            fields.wrong(fields.line("team"), f"belongs to team {service.team}, which there is not{there}")
    for name, team in platform.teams.items():
        if team.oncall and team.oncall not in platform.rotas:
            fields = _inside(root, "teams", name)
            there = suggestion(team.oncall, platform.rotas)
            fields.wrong(fields.line("oncall"), f"has oncall {team.oncall}, a rota that there is not{there}")


def _workloads(root: Fields, platform: Platform) -> None:
    containers: dict[tuple[str, str], str] = {}
    for name, service in platform.services.items():
        where = (service.workload_name, service.container)
        if (other := containers.setdefault(where, name)) != name:
            fields = _inside(root, "services", name)
            message = f"is the container {where[1]} of Deployment {where[0]}, as service {other} is: keep one"
            fields.wrong(fields.line("workload"), message)


def _pages(root: Fields, platform: Platform, known: Mapping[str, Any]) -> None:
    for name, escalation in platform.escalations.items():
        oncall.check_targets(_inside(root, "escalations", name), escalation, known)
