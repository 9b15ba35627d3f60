"""Actions whose plan is a list of steps, as ``commands.declared`` makes them from a file; here made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import Field

from chatops.kernel.action import Action, ChangeInputs, Context, EnvironmentName, ServiceName
from chatops.kernel.diff import changes
from chatops.kernel.plan import Change, ObjectRef, Plan, Step, Write
from commands import registry


class Shelf(ChangeInputs):
    """What every action here asks for."""

    service: ServiceName = Field(title="Service")
    environment: EnvironmentName = Field(title="Environment")


def config_map(name: str, namespace: str = "shop-staging", **data: str) -> Write:
    """One ConfigMap to apply."""
    ref = ObjectRef(api_version="v1", kind="ConfigMap", namespace=namespace, name=name)
    return Write(ref=ref, manager="chatops-shelf-create", body={"data": data})


def job(name: str, image: str, **spec: Any) -> Write:
    """One Job to run."""
    ref = ObjectRef(api_version="batch/v1", kind="Job", namespace="shop-staging", name=name)
    container = {"name": "main", "image": image}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    body = {"spec": {"backoffLimit": 0, **spec, "template": template}}
    return Write(ref=ref, manager="chatops-shelf-create", body=body)


def apply(write: Write, **more: Any) -> Step:
    return Step(kind="apply", title=f"apply {write.ref}", writes=(write,), **more)


def run(write: Write, **more: Any) -> Step:
    return Step(kind="job", title=f"run {write.ref}", writes=(write,), **more)


def wait(ref: ObjectRef, until: str, **more: Any) -> Step:
    return Step(kind="wait", title=f"wait for {ref}", refs=(ref,), until=until, **more)


def remove(ref: ObjectRef, **more: Any) -> Step:
    return Step(kind="remove", title=f"remove {ref}", refs=(ref,), **more)


def stepping(*steps: Step, name: str = "shelf.create", **more: Any) -> Action:
    """An action with these steps; ``more`` goes into its plan. Every step's changes come from a dry run."""

    async def plan(inputs: Shelf, ctx: Context) -> Plan:
        found: list[Change] = []
        made = [await _planned(ctx, step, found) for step in steps]
        return Plan(summary=inputs.service, changes=tuple(found), steps=tuple(made), **more)

    return Action(
        name=name, title="Put up a shelf", risk="change", inputs=Shelf, summary="Put up a shelf",
        usage=f"{name} SERVICE ENVIRONMENT because REASON", positionals=("service", "environment"), plan=plan,
    )  # fmt: skip


async def _planned(ctx: Context, step: Step, found: list[Change]) -> Step:
    cluster, _, _ = ctx.needs()
    created, writes = [], []
    for write in step.writes:
        live = await cluster.get(write.ref)
        if live is None:
            created.append(str(write.ref))
        else:
            write = write.model_copy(update={"resource_version": live["metadata"]["resourceVersion"]})
        writes.append(write)
        if step.kind == "job":  # its dry run makes up another uid each time
            found.append(Change(object=str(write.ref), field="spec", after=write.body["spec"]))
        elif not step.deferred:
            found += changes(live or {}, await cluster.dry_run(write))
    uids = {}
    for ref in step.refs if step.kind == "remove" else ():
        live = await cluster.get(ref)
        if live is not None:
            uids[str(ref)] = live["metadata"]["uid"]
            found.append(Change(object=str(ref), field="", before="there"))
    return step.model_copy(update={"writes": tuple(writes), "created": tuple(created), "uids": uids})


def known(monkeypatch: pytest.MonkeyPatch, *actions: Action) -> None:
    """The assistant has these actions besides its own."""
    load: Callable[..., Any] = registry.load
    own = {one.name: one for one in actions}
    monkeypatch.setattr(registry, "load", lambda *given, **named: {**load(*given, **named), **own})
