"""Which secrets a service has: names and ages, never values.

/platform secret list SERVICE ENVIRONMENT
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from chatops.kernel.action import Action, Answer, Button, Context, EnvironmentName, Inputs, ServiceName
from chatops.kernel.plan import ObjectRef
from commands.secret_keys import age, keys_of, secret_name


class SecretList(Inputs):
    """Whose secrets, where."""

    service: ServiceName = Field(title="Service", description="Whose secrets.")
    environment: EnvironmentName = Field(title="Environment", description="Where.")


async def answer(inputs: SecretList, ctx: Context) -> Answer:
    """The Secrets that the service's pods use, and its own; only their metadata is asked for."""
    cluster, environment, service = ctx.needs()
    workload = ObjectRef(kind=service.workload.kind, namespace=environment.namespace, name=service.workload_name)
    live = await cluster.get(workload)
    names = dict.fromkeys([secret_name(service), *(used_by(live["spec"]["template"]["spec"]) if live else ())])
    rows: list[tuple[str, ...]] = [("secret", "key", "changed")]
    lines: list[str] = []
    for name in names:
        ref = ObjectRef(api_version="v1", kind="Secret", namespace=environment.namespace, name=name)
        found = await cluster.metadata(ref)
        if found is None:
            lines += [f"⚠ The pods of {service.name} want {ref}, which there is not."] if name in used(live) else []
            continue
        rows += [(name, key, f"{age(at, ctx.now)} ago") for key, at in sorted(keys_of(found["metadata"]).items())]
    if len(rows) == 1:
        lines.append(f"{service.name} has no secrets in {environment.name}.")
    line = f"secret.set {service.name} {environment.name}"
    return Answer(
        title=f"Secrets of {service.name} in {environment.name}",
        lines=tuple(lines),
        table=tuple(rows) if len(rows) > 1 else (),
        buttons=(Button("Set a secret", line, form=True),),
    )


def used(live: Mapping[str, Any] | None) -> frozenset[str]:
    """The names of the Secrets that a workload's pods cannot start without."""
    return frozenset(used_by(live["spec"]["template"]["spec"])) if live else frozenset()


def used_by(pod: Mapping[str, Any]) -> Iterator[str]:
    """The names of the Secrets in a pod's environment and volumes; image pull secrets are the platform's."""
    for container in [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]:
        for source in container.get("envFrom") or ():
            yield from _name(source.get("secretRef"))
        for variable in container.get("env") or ():
            yield from _name((variable.get("valueFrom") or {}).get("secretKeyRef"))
    for volume in pod.get("volumes") or ():
        if secret := (volume.get("secret") or {}).get("secretName"):
            yield str(secret)


def _name(reference: Mapping[str, Any] | None) -> Iterator[str]:
    if reference and reference.get("name") and not reference.get("optional"):
        yield str(reference["name"])


RECORD = Action(
    name="secret.list",
    title="Secrets",
    risk="read",
    inputs=SecretList,
    usage="secret list SERVICE ENVIRONMENT",
    summary="Which secrets a service has: names and ages, never values",
    positionals=("service", "environment"),
    answer=answer,
)
