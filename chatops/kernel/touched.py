"""Which services of the catalog a plan changes, whatever its inputs name: those whose workload it writes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chatops.kernel.catalog import Environment, Platform, Service
from chatops.kernel.ownership import tag_of
from chatops.kernel.plan import ObjectRef, Plan, Write

UNKNOWN_YET = "a version that is known only during the run"


def services(platform: Platform, environment: Environment | None, plan: Plan) -> tuple[Service, ...]:
    """The services whose workload in this environment the plan writes to or removes, by name."""
    touched = {ref.name for ref in _refs(plan) if environment and _may_be_workload(ref, environment)}
    if not touched:
        return ()
    found = [one for name in touched for one in platform.indexed.with_workload(name)]
    return tuple(sorted(found, key=lambda one: one.name))


def concerned(platform: Platform, environment: Environment | None, named: str, plan: Plan | None) -> Service | None:
    """The service that a change is about: the one that its inputs name, else the only one that its plan touches."""
    if named:
        return platform.services.get(named)
    found = services(platform, environment, plan) if plan is not None else ()
    return found[0] if len(found) == 1 else None


def writes_in(plan: Plan | None, namespace: str) -> bool:
    """Whether the plan writes or removes anything in a namespace; no namespace: it does not."""
    return bool(namespace) and plan is not None and any(ref.namespace == namespace for ref in _refs(plan))


def version(service: Service, environment: Environment, plan: Plan) -> str:
    """The version that the plan gives a service there; empty when it leaves the version as it is."""
    for write in _writes(plan):
        if _may_be_workload(write.ref, environment) and write.ref.name == service.workload_name:
            if "${" in _image(write.body, service.container):
                return UNKNOWN_YET
            field = f"spec.template.spec.containers[{service.container}].image"
            changed = (one for one in plan.changes if one.object == str(write.ref) and one.field == field)
            if (found := next(changed, None)) is not None:
                image = str(found.after or "")
                return service.version_of(image) if service.image else tag_of(image)
    return ""


def _refs(plan: Plan) -> Iterator[ObjectRef]:
    yield from (write.ref for write in _writes(plan))
    yield from (ref for step in plan.steps if step.kind == "remove" for ref in step.refs)


def _writes(plan: Plan) -> Iterator[Write]:
    yield from plan.writes
    yield from (write for step in plan.steps if step.kind == "apply" for write in step.writes)


def _may_be_workload(ref: ObjectRef, environment: Environment) -> bool:
    deployment = ref.kind == "Deployment" and ref.api_version.partition("/")[0] == "apps"
    return deployment and ref.namespace == environment.namespace


def _image(body: Mapping[str, Any], container: str) -> str:
    here: Any = body
    for key in ("spec", "template", "spec", "containers"):
        here = here.get(key) if isinstance(here, Mapping) else None
    named = (one for one in here or () if isinstance(one, Mapping) and one.get("name") == container)
    return str(next(named, {}).get("image", ""))
