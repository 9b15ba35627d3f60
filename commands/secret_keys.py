"""What the actions on secrets share: which keys a Secret has, and since when, without reading what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from chatops.kernel.action import ChangeInputs, Context, EnvironmentName, InputKind, ServiceName
from chatops.kernel.catalog import Service
from chatops.kernel.errors import Refused
from chatops.kernel.ownership import foreign_owner
from chatops.kernel.plan import Change, ObjectRef, Plan, Write

RENEWED_BY = "chatops/renewed-by"
# Kubernetes' own rule for keys: https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data
Key = Annotated[str, InputKind.TEXT, StringConstraints(pattern=r"^[-._a-zA-Z0-9]{1,253}$")]
SecretName = Annotated[str, InputKind.TEXT, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$")]


class SecretInputs(ChangeInputs):
    """Which key of which Secret."""

    service: ServiceName = Field(title="Service", description="Whose secret it is.")
    environment: EnvironmentName = Field(title="Environment", description="Where.")
    key: Key = Field(title="Key", description="Letters, digits, - _ and . as in DB_PASSWORD. Never the value.")
    secret: SecretName = Field(default="", title="Secret", description="Its name; left out: SERVICE-secrets.")


def secret_name(service: Service, given: str = "") -> str:
    """The Secret that is meant."""
    return given or f"{service.name}-secrets"


def keys_of(metadata: Mapping[str, Any]) -> dict[str, datetime]:
    """The keys that a Secret's managers say they set, each with the time of its last change."""
    found: dict[str, datetime] = {}
    for entry in metadata.get("managedFields") or ():
        at = _time(str(entry.get("time") or metadata.get("creationTimestamp") or ""))
        for field in (entry.get("fieldsV1") or {}).get("f:data") or {}:
            name = field.removeprefix("f:")
            if name != "." and (name not in found or found[name] < at):
                found[name] = at
    return found


def age(at: datetime, now: datetime) -> str:
    """``12 days``, ``3 hours``, ``just now``."""
    seconds = (now - at).total_seconds()
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "a moment"


async def planned(inputs: SecretInputs, ctx: Context, *, after: str, must_exist: bool) -> Plan:
    """The plan of giving one key another value; who did it last stands on the Secret, so that a repeated run sees it.

    Raises ``Refused`` for a Secret that another tool owns or, with ``must_exist``, for a key that is not there.
    """
    cluster, environment, service = ctx.needs()
    name = secret_name(service, inputs.secret)
    ref = ObjectRef(api_version="v1", kind="Secret", namespace=environment.namespace, name=name)
    live = await cluster.metadata(ref)
    metadata = live["metadata"] if live else {}
    if live is not None and (owner := foreign_owner(live)):
        raise Refused(f"{ref} in {environment.name} belongs to {owner}.", rule="foreign owner", hint="Change it there.")
    known = keys_of(metadata)
    if must_exist and inputs.key not in known:
        raise Refused(f"{ref} in {environment.name} has no key {inputs.key}.", hint=_others(known))
    summary = f"{inputs.key} of {name}"
    mine = f"{RENEWED_BY}-{_short(inputs.key)}"
    if ctx.request and (metadata.get("annotations") or {}).get(mine) == f"R-{ctx.request}":
        return Plan(summary=summary, now=f"{inputs.key} has its new value.", watch=())
    before = f"set {age(known[inputs.key], ctx.now)} ago" if inputs.key in known else None
    warnings = () if live else (f"{ref} does not exist yet; it is created",)
    body = {"metadata": {"annotations": {mine: f"R-{ctx.request}"}}, "data": {inputs.key: ""}}
    version = str(metadata.get("resourceVersion") or "")
    write = Write(ref=ref, manager=_manager(inputs.key), body=body, resource_version=version)
    return Plan(
        summary=summary,
        # No age in what an approval is bound to: it would be another one tomorrow.
        changes=(Change(object=str(ref), field=f"data[{inputs.key}]", before="set" if before else None, after=after),),
        warnings=warnings,
        now=before or "not set",
        impact="one key; pods read it at their next start",
        on_failure="the old value stays",
        before="set" if before else "",
        after=after,
        writes=(write,),
        risk="danger",
    )


def with_value(plan: Plan, key: str, encoded: str) -> Write:
    """The plan's write with the value in it; it is made for the call and kept nowhere."""
    write = plan.writes[0]
    return write.model_copy(update={"body": {**write.body, "data": {key: encoded}}})


def key_in(plan: Plan) -> str:
    """The key that a plan is about."""
    return str(next(iter(plan.writes[0].body["data"])))


def _manager(key: str) -> str:
    """A field manager for each key, so that applying one never drops another; at most 128 characters."""
    return f"chatops-secret-{_short(key)}"


def _short(key: str) -> str:
    """A key as part of an annotation's name, which ends after 63 characters."""
    return key if len(key) <= 40 and key[-1].isalnum() else hashlib.sha256(key.encode()).hexdigest()[:20]


def _others(known: Mapping[str, Any]) -> str:
    return f"It has {', '.join(sorted(known)[:8])}." if known else "`secret set` makes one."


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
