"""Entries of the catalog that stand in the clusters: a ConfigMap each, read like a service of ``platform.yml``. Pure.

The keys are flat, so that what a person types into an action can fill in a value and never add a key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from pydantic import Field

from chatops.adapters.configuration.catalog import service
from chatops.adapters.configuration.document import read_yaml
from chatops.adapters.configuration.fields import LABEL, Fields, Problems, suggestion
from chatops.adapters.configuration.problems import ConfigurationError, Problem
from chatops.kernel.catalog import Platform, Service
from chatops.kernel.labels import CATALOG, REQUEST
from chatops.kernel.record import Record

SELECTOR = f"{CATALOG}=service"
KEYS = ("name", "team", "description", "image", "container", "runbook", "repository", "tag")
LARGEST = 20_000  # characters of one entry
_ABSENT = ("", None)


class Entry(Record):
    """What one ConfigMap says, and where it stands."""

    where: str  # ConfigMap platform-catalog/gift-cards.staging
    made_at: str = ""  # RFC 3339: of two entries of one service the older counts
    request: str = ""  # R-1042, which made it; empty: somebody else did
    data: dict[str, str] = Field(default_factory=dict)


def entry_of(live: Mapping[str, Any], cluster: str) -> Entry:
    """The entry of a ConfigMap as the API gives it."""
    metadata = live["metadata"]
    place = f"ConfigMap {metadata.get('namespace', '')}/{metadata['name']}" + (f" of {cluster}" if cluster else "")
    return Entry(
        where=place, made_at=str(metadata.get("creationTimestamp") or ""),
        request=(metadata.get("labels") or {}).get(REQUEST, ""), data=dict(live.get("data") or {}),
    )  # fmt: skip


def services_of(entries: Iterable[Entry], platform: Platform) -> tuple[dict[str, Service], list[Problem]]:
    """The services that entries add to those of the file, by name, and what is wrong with those that add none.

    ``platform`` is the file's. What stands there counts, also whose a Deployment is: an entry must not make somebody
    the owner of what is somebody else's.
    """
    found: dict[str, Service] = {}
    problems: list[Problem] = []
    teams = frozenset(platform.teams)
    workloads = {one.workload_name: one.name for one in platform.services.values()}
    for entry in sorted(entries, key=lambda one: (one.made_at, one.where)):
        name = entry.data.get("name", "")
        if name in platform.services:  # it has come to be written there
            continue
        try:
            made = _service(entry.where, entry.request, tuple(sorted(entry.data.items())), teams)
        except ConfigurationError as error:
            problems += error.problems
            continue
        known = found.get(name)
        if name in workloads:
            said = f"service {name} has the Deployment of {workloads[name]}, which is in platform.yml"
            problems.append(Problem(entry.where, 1, said))
        elif known is not None and (known.team, known.image, known.workload) != (made.team, made.image, made.workload):
            said = f"service {name} is another one in {known.entry}, which is older and counts"
            problems.append(Problem(entry.where, 1, said))
        else:
            found.setdefault(name, made)
    return found, problems


@lru_cache(maxsize=20_000)  # of thousands one changes at a time
def _service(where: str, request: str, data: tuple[tuple[str, str], ...], teams: frozenset[str]) -> Service:
    """Raises ``ConfigurationError`` with what is wrong with it."""
    problems, name = Problems(where), dict(data).get("name", "")
    given: dict[str, Any] = {key: value for key, value in data if key != "name" and value not in _ABSENT}
    if sum(len(value) for _, value in data) > LARGEST:
        raise ConfigurationError([Problem(where, 1, f"it is longer than {LARGEST} characters")])
    if not LABEL.fullmatch(name):
        problems.add(1, f"has the name {name[:80]!r}: it is lower case letters, digits and dashes, at most 63")
    strange = [key for key in given if key not in KEYS]
    for key in strange:
        problems.add(1, f"service {name[:80]} has an unknown key {key}{suggestion(key, KEYS)}")
    known = {key: value for key, value in given.items() if key not in strange}
    if container := known.pop("container", ""):
        known["workload"] = {"container": container}
    node = read_yaml(json.dumps(known, ensure_ascii=False).encode(), where)
    fields = Fields(node, f"service {name[:80]}", problems)
    made = service(name, fields)
    if made.team and made.team not in teams:
        fields.wrong(1, f"names the team {made.team}, which there is not{suggestion(made.team, sorted(teams))}")
    if problems.found:
        raise ConfigurationError(problems.found)
    return made.model_copy(update={"entry": f"{where} ({request})" if request else where})
