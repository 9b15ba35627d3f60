"""What expressions may speak of: policies (the table in docs/configuration.md) and the parts of a declared action."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from chatops.kernel.action import Action, InputKind
from chatops.kernel.catalog import Platform
from chatops.kernel.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    Vocabulary,
    list_of,
    map_of,
    one_of,
    record,
)
from chatops.kernel.declaration import Declaration, DeclaredInput


@dataclass(frozen=True, slots=True)
class _Names:
    """What the catalog's names are compared with; any text while there is no catalog."""

    envs: Type
    tiers: Type
    services: Type
    teams: Type
    groups: Type
    labels: Type
    severities: Type

    @classmethod
    def of(cls, platform: Platform | None) -> _Names:
        p = platform or Platform()
        return cls(
            labels=_labels(platform),
            severities=one_of("severity", p.severities),
            envs=one_of("environment", p.environments),
            tiers=one_of("tier", (e.tier for e in p.environments.values())),
            services=one_of("service", p.services),
            teams=one_of("team", p.teams),
            groups=one_of("group", p.groups),
        )

    def around(self) -> dict[str, Type]:
        """What every expression about a request may speak of."""
        groups, teams = list_of(self.groups), list_of(self.teams)
        return {
            "env": record(name=self.envs, tier=self.tiers, namespace=STRING, cluster=STRING),
            "service": record(name=self.services, team=self.teams, image=STRING, labels=self.labels),
            "requester": record(email=STRING, name=STRING, groups=groups, teams=teams, automation=STRING),
            "now": TIMESTAMP,
        }

    def catalog(self) -> Type:
        """What ``catalog_variables`` gives."""
        return record(
            services=list_of(record(name=self.services, team=self.teams, labels=self.labels)),
            environments=list_of(record(name=self.envs, tier=self.tiers, namespace=STRING, cluster=STRING)),
            teams=list_of(record(name=self.teams)),
            groups=list_of(record(name=self.groups)),
        )


def vocabulary(
    actions: Mapping[str, Action], platform: Platform | None = None, declared: Iterable[Declaration] = ()
) -> Vocabulary:
    """The vocabulary of a policy: the table in docs/configuration.md.

    With ``platform``, names that are compared with must exist: environments, tiers, services, teams, groups.
    """
    names = _Names.of(platform)
    change = record(object=STRING, field=STRING, before=DYN, after=DYN)
    kinds = {InputKind.SERVICE: names.services, InputKind.ENVIRONMENT: names.envs}
    every: dict[str, tuple[str, Mapping[str, Type]]] = {
        name: (action.risk, _inputs(action.inputs, kinds)) for name, action in actions.items()
    }
    every |= {one.name: (one.risk, _declared(one.inputs, names)) for one in declared}
    return Vocabulary(
        variables={
            **names.around(),
            "action": record(name=one_of("action", every), risk=one_of("risk", ("read", "change", "danger"))),
            "inputs": Type("inputs"),
            "plan": record(changes=list_of(change), warnings=list_of(STRING)),
            "incident": record(id=STRING, name=STRING, severity=names.severities, acknowledged_by=STRING, mine=BOOL),
        },
        actions=every,
    )


def of_alerts(platform: Platform | None = None) -> Vocabulary:
    """The vocabulary of rules about alerts, and of windows of maintenance."""
    names = _Names.of(platform)
    around = names.around()
    texts = map_of(STRING, always=())
    # Of an alert about no service the labels are empty, whatever all services have
    labels = replace(names.labels, always=frozenset[str]())
    return Vocabulary(
        {
            "alert": record(
                source=STRING,
                name=STRING,
                status=one_of("status", ("firing", "resolved")),
                severity=STRING,
                summary=STRING,
                labels=texts,
                annotations=texts,
            ),
            "severity": names.severities,
            "env": around["env"],
            "service": replace(around["service"], fields={**around["service"].fields, "labels": labels}),
            "team": names.teams,
            "now": TIMESTAMP,
        }
    )


def of_automations(platform: Platform | None = None) -> Vocabulary:
    """The vocabulary of what is asked for by itself: of the alert, and of the incident it came up in."""
    incident = record(id=STRING, name=STRING, severity=_Names.of(platform).severities)
    return of_alerts(platform).with_variables(incident=incident)


class Speech:
    """What declared actions on one platform may speak of; made once for all of them, for a catalog may be large."""

    def __init__(self, platform: Platform | None = None) -> None:
        self._names = _Names.of(platform)
        self._same = {
            **self._names.around(),
            "request": record(id=STRING, name=STRING),
            "catalog": self._names.catalog(),
        }

    def of(self, inputs: Iterable[DeclaredInput]) -> Vocabulary:
        """The vocabulary of an action with these inputs; ``object`` and ``steps`` come with the step."""
        return Vocabulary({**self._same, "inputs": record(**_declared(inputs, self._names))})


def catalog_variables(platform: Platform) -> dict[str, Any]:
    """What ``catalog`` is to CEL, where options and defaults are looked up; small, for there may be 5,000 services."""
    return {
        "services": [{"name": s.name, "team": s.team, "labels": s.labels} for s in platform.services.values()],
        "environments": [
            {"name": e.name, "tier": e.tier, "namespace": e.namespace, "cluster": e.cluster}
            for e in platform.environments.values()
        ],
        "teams": [{"name": team.name} for team in platform.teams.values()],
        "groups": [{"name": group.name} for group in platform.groups.values()],
    }


def _declared(inputs: Iterable[DeclaredInput], names: _Names) -> dict[str, Type]:
    """How CEL sees the inputs of a declared action, and the reason that every change has."""
    return {**{one.name: _declared_type(one, names) for one in inputs}, "reason": STRING}


def _declared_type(one: DeclaredInput, names: _Names) -> Type:
    named = {"service": names.services, "environment": names.envs, "team": names.teams}
    empty = {"text": STRING, "person": STRING, "version": STRING, "boolean": BOOL, **named}
    if one.type in empty:
        return empty[one.type]  # absent, it is "" or false
    if one.type == "choice":
        chosen = _chosen(one)
        return list_of(chosen) if one.several else chosen
    may_be_null = (not one.required or one.show_when) and one.default is None and not one.default_from
    kinds = {"integer": INT, "number": DOUBLE, "duration": INT, "datetime": TIMESTAMP}  # a duration is in seconds
    return DYN if may_be_null else kinds[one.type]


def _chosen(one: DeclaredInput) -> Type:
    """What CEL sees of a choice: the value on the right of its option."""
    if one.options_from is not None:
        return DYN if not one.options_from.kind else STRING
    values = list(one.options.values())
    if all(isinstance(value, str) for value in values):
        return one_of(f"value of {one.name}", values)
    kinds = {bool: BOOL, int: INT, float: DOUBLE}
    types = {kinds.get(type(value), DYN) for value in values}
    return types.pop() if len(types) == 1 else DYN


def _labels(platform: Platform | None) -> Type:
    if platform is None:
        return map_of(STRING)
    each = {frozenset(service.labels) for service in platform.services.values()}
    return map_of(STRING, known=frozenset[str]().union(*each), always=frozenset.intersection(*each) if each else None)


def _inputs(model: type[BaseModel], names: Mapping[InputKind, Type]) -> dict[str, Type]:
    found = {}
    for name, info in model.model_fields.items():
        named = next((names[m] for m in info.metadata if isinstance(m, InputKind) and m in names), None)
        found[name] = named or _of_annotation(info.annotation)
    return found


def _of_annotation(annotation: Any) -> Type:
    plain = {bool: BOOL, int: INT, float: DOUBLE, str: STRING, bytes: BYTES, datetime: TIMESTAMP, timedelta: DURATION}
    if annotation in plain:
        return plain[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal and all(isinstance(value, str) for value in args):
        return one_of("choice", args)
    if origin in (Union, types.UnionType) and {*args} == {str, type(None)}:
        return STRING  # an absent text is ""
    if origin in (list, tuple, set, frozenset) and args:
        return list_of(_of_annotation(args[0]))
    if origin is dict and len(args) == 2:
        return map_of(_of_annotation(args[1]))
    return DYN
