"""Set a key of a ConfigMap; the card shows what it was and what it becomes.

/platform config set SERVICE ENVIRONMENT KEY VALUE because REASON
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from pydantic import Field, StringConstraints

from chatops.kernel.action import Action, ChangeInputs, Context, EnvironmentName, InputKind, ServiceName
from chatops.kernel.diff import changes
from chatops.kernel.errors import ClusterError, Conflict, Refused, Unavailable
from chatops.kernel.ownership import drift, foreign_owner
from chatops.kernel.plan import ObjectRef, Plan, Write
from chatops.kernel.ports import ClusterReader
from commands.workload import TRIES, apply

# Kubernetes' own rule for keys: https://kubernetes.io/docs/concepts/configuration/configmap/#configmap-object
Key = Annotated[str, InputKind.TEXT, StringConstraints(pattern=r"^[-._a-zA-Z0-9]{1,253}$")]
Name = Annotated[str, InputKind.TEXT, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$")]
MANAGER = "chatops-config"
IN_EVERY_NAMESPACE = "kube-root-ca.crt"  # Kubernetes puts it there; nobody's configuration
MOST_NAMED = 8


class ConfigSet(ChangeInputs):
    """Which key of which ConfigMap, and what it becomes."""

    service: ServiceName = Field(title="Service", description="Whose configuration it is.")
    environment: EnvironmentName = Field(title="Environment", description="Where.")
    key: Key = Field(title="Key", description="Letters, digits, - _ and . as in LOG_LEVEL.")
    value: Annotated[str, InputKind.LONG_TEXT, StringConstraints(max_length=3000)] = Field(
        title="Value", description="No passwords or tokens: secret set is for those."
    )
    configmap: Name = Field(default="", title="ConfigMap", description="Its name; left out: SERVICE-config.")


async def plan(inputs: ConfigSet, ctx: Context) -> Plan:
    """One key of a ConfigMap that is there; raises ``Refused`` when it is not, or when another tool owns it."""
    cluster, environment, service = ctx.needs()
    name = inputs.configmap or f"{service.name}-config"
    ref = ObjectRef(api_version="v1", kind="ConfigMap", namespace=environment.namespace, name=name)
    for _ in range(TRIES):
        live = await cluster.get(ref)
        if live is None:
            raise Refused(
                f"There is no {ref} in {environment.name}.", hint=await _others(cluster, environment.namespace)
            )
        if owner := foreign_owner(live):
            raise Refused(
                f"{ref} in {environment.name} belongs to {owner}.", rule="foreign owner", hint="Change it there."
            )
        if live.get("immutable"):
            raise Refused(f"{ref} is immutable.", hint="A new one with another name has to be rolled out.")
        body = {"data": {inputs.key: inputs.value}}
        version = str(live["metadata"]["resourceVersion"])
        write = Write(ref=ref, manager=_manager(inputs.key), body=body, resource_version=version)
        try:
            would = await cluster.dry_run(write)
        except Conflict:
            continue
        before = str((live.get("data") or {}).get(inputs.key, ""))
        found = changes(live, would)
        shown = Plan(summary=f"{inputs.key} of {name}", before=before[:60], after=inputs.value[:60])
        if not found:
            return shown.model_copy(update={"now": f"{inputs.key} is that already."})
        return shown.model_copy(
            update={
                "changes": found,
                "warnings": drift(live, ctx.now, would),
                "now": f"{inputs.key} is {before[:60]!r}" if before else f"{inputs.key} is not set",
                "impact": "one key; pods read it at their next start, or within a minute where it is a file",
                "on_failure": "stays as it is",
                "writes": (write,),
            }
        )
    raise Unavailable(f"{ref} keeps changing while we look at it.", retry_after=2.0)


async def _others(cluster: ClusterReader, namespace: str) -> str:
    """Which ConfigMaps there are instead, as far as the cluster tells."""
    try:
        found = await cluster.find("v1", "ConfigMap", namespace)
    except (ClusterError, Unavailable):
        return "Name one that there is with configmap=NAME."
    names = sorted(str(one["metadata"]["name"]) for one in found)
    names = [name for name in names if name != IN_EVERY_NAMESPACE]
    if not names:
        return "There is none at all there: the first one is rolled out together with its service."
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"Name one that there is with configmap=NAME: {', '.join(names[:MOST_NAMED])}{more}."


def _manager(key: str) -> str:
    """A field manager for each key, so that setting one never drops another; Kubernetes allows 128 characters."""
    return f"{MANAGER}-{key if len(key) <= 100 else hashlib.sha256(key.encode()).hexdigest()[:20]}"


RECORD = Action(
    name="config.set",
    title="Set a config key",
    risk="change",
    inputs=ConfigSet,
    usage="config set SERVICE ENVIRONMENT KEY VALUE because REASON",
    summary="Set a key of a ConfigMap; the card shows what it was and what it becomes",
    positionals=("service", "environment", "key", "value"),
    plan=plan,
    apply=apply,
)
