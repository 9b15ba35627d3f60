"""What the actions on a service's workload share: looking at it, and making a plan out of one wanted write."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chatops.kernel.action import Context, Outcome
from chatops.kernel.catalog import Service
from chatops.kernel.diff import changes, removed
from chatops.kernel.errors import Conflict, Refused, Unavailable
from chatops.kernel.ownership import drift, foreign_owner
from chatops.kernel.plan import Change, ObjectRef, Plan, Write
from chatops.kernel.ports import ClusterWriter
from chatops.kernel.rollout import Rollout, newest_replicaset, owned_by, revision_of, rollout
from commands.watching import Diagnosis, diagnose, selector_of, watch_rollout

__all__ = ["Diagnosis", "Draft", "Seen", "apply", "diagnose", "look", "planned", "pods", "watch_rollout"]

UNDO = "chatops-rollback"
TRIES = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """A service's workload as it stands."""

    service: Service
    ref: ObjectRef
    live: Mapping[str, Any]
    replicasets: tuple[Mapping[str, Any], ...]  # its own, newest revision first
    present: Mapping[str, Any] | None  # the one that holds the present template
    rollout: Rollout

    @property
    def image(self) -> str:
        """The image that carries the version; empty when the container is not there."""
        return image_in(self.live, self.service.container)

    @property
    def version(self) -> str:
        """The version that is asked for now."""
        return self.version_in(self.live)

    @property
    def replicas(self) -> int:
        """How many pods are wanted."""
        return self.rollout.wanted

    def version_in(self, owner: Mapping[str, Any]) -> str:
        """The version in a pod template."""
        return self.service.version_of(image_in(owner, self.service.container))

    def standing(self) -> str:
        """``1.4.1 healthy``; how it is going otherwise."""
        seen = self.rollout
        if seen.state == "healthy":
            return f"{self.version} healthy"
        why = f" ({seen.reason})" if seen.reason else ""
        return f"{self.version} {'failing, ' if seen.state == 'failing' else ''}{seen.progress}{why}"


@dataclass(frozen=True, slots=True)
class Draft:
    """One action's wish: an apply of ``body``, or the template of ReplicaSet ``restore``; and how it reads."""

    summary: str
    manager: str
    before: str
    after: str
    unchanged: str  # the sentence when nothing would change
    body: Mapping[str, Any] | None = None
    restore: str = ""
    undo: Write | None = None  # instead of the present template
    undone: str = ""  # what a failure goes back to; default: the version that runs now
    impact: str = ""  # instead of what is computed from the changes
    frozen: Mapping[str, str] | None = None
    warnings: tuple[str, ...] = ()


async def look(ctx: Context) -> Seen:
    """The workload that the inputs name.

    Raises ``Refused`` when there is none, when its container is another, or when another tool owns it.
    """
    cluster, environment, service = ctx.needs()
    name = service.workload_name
    ref = ObjectRef(kind=service.workload.kind, namespace=environment.namespace, name=name)
    live = await cluster.get(ref)
    if live is None:
        hint = f"Is `workload` of {service.name} right in platform.yml, and was it ever installed there?"
        raise Refused(f"There is no {ref} in {environment.name} (namespace {ref.namespace}).", hint=hint)
    owner = foreign_owner(live)
    if owner:
        hint = "Change it there; a change here would be undone by it."
        raise Refused(f"{service.name} in {environment.name} belongs to {owner}.", rule="foreign owner", hint=hint)
    service = with_image(service, live)
    if not image_in(live, service.container):
        known = ", ".join(one["name"] for one in containers_in(live))
        hint = f"Its containers: {known}. Set `workload.container` of {service.name} in platform.yml."
        raise Refused(f"{ref} in {environment.name} has no container called {service.container}.", hint=hint)
    found = await cluster.find("apps/v1", "ReplicaSet", ref.namespace, selector_of(dict(live)))
    own = sorted(owned_by(live, found), key=revision_of, reverse=True)
    seen = rollout(live, own)
    if seen.state != "healthy":
        pods = await cluster.find("v1", "Pod", ref.namespace, selector_of(dict(live)))
        seen = rollout(live, own, pods)
    return Seen(service, ref, live, tuple(own), newest_replicaset(live, own), seen)


async def planned(ctx: Context, wish: Callable[[Seen], Awaitable[Draft]]) -> Plan:
    """The plan for a wish, made from the live object and a dry run; asks again when somebody writes in between.

    Raises ``Refused`` when the dry run takes away what nobody asked to take away.
    """
    cluster = ctx.needs()[0]
    for _ in range(TRIES):
        seen = await look(ctx)
        draft = await wish(seen)
        version = str(seen.live["metadata"]["resourceVersion"])
        body = dict(draft.body or {})
        write = Write(ref=seen.ref, manager=draft.manager, body=body, restore=draft.restore, resource_version=version)
        try:
            would = await cluster.dry_run(write)
        except Conflict:
            continue
        return _plan(ctx, seen, draft, write, would)
    raise Unavailable(f"{seen.ref} keeps changing while we look at it.", retry_after=2.0)


async def apply(plan: Plan, cluster: ClusterWriter) -> Outcome:
    """Carries out the plan's writes in order; raises ``Conflict`` when the object is no longer what was planned on."""
    generations: dict[str, int] = {}
    for write in plan.writes:
        written = await cluster.write(write)
        generations[str(write.ref)] = int(written["metadata"].get("generation", 0))
    return Outcome(generations)


def pods(count: int) -> str:
    """``1 pod``, ``3 pods``."""
    return f"{count} pod{'' if count == 1 else 's'}"


def containers_in(owner: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The containers of a pod template."""
    return list(owner["spec"]["template"]["spec"].get("containers") or [])


def image_in(owner: Mapping[str, Any], container: str) -> str:
    """A container's image; empty when there is no such container."""
    return next((str(one.get("image", "")) for one in containers_in(owner) if one["name"] == container), "")


def pace(live: Mapping[str, Any], replicas: int) -> str:
    """How pods are replaced, by the Deployment's strategy: ``3 pods, one at a time``."""
    if replicas == 0:
        return "no pods now (scaled to 0)"
    strategy = live["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return f"{pods(replicas)}, all stopped before the new start"
    rolling = strategy.get("rollingUpdate") or {}
    extra = _share(rolling.get("maxSurge", "25%"), replicas, math.ceil)
    missing = _share(rolling.get("maxUnavailable", "25%"), replicas, math.floor)
    at_once = max(1, extra + missing)
    if replicas == 1:
        return "1 pod"
    if at_once >= replicas:
        return f"{pods(replicas)}, all at once"
    return f"{pods(replicas)}, {'one' if at_once == 1 else at_once} at a time"


def _plan(ctx: Context, seen: Seen, draft: Draft, write: Write, would: Mapping[str, Any]) -> Plan:
    _, environment, service = ctx.needs()
    found = changes(seen.live, would)
    plan = Plan(summary=draft.summary, before=draft.before, after=draft.after, frozen=dict(draft.frozen or {}))
    if not found:
        return plan.model_copy(update={"now": draft.unchanged})
    gone = removed(found)
    if gone and not draft.restore:
        fields = ", ".join(change.field for change in gone[:3])
        said = f"The dry run would also take away {fields} from {service.name}, which nobody asked for."
        raise Refused(
            said, hint=f"Somebody applied more under the name {draft.manager}; the platform team can hand it over."
        )
    undo = _undo(seen, draft) if environment.rolls_back else None
    back = draft.undone or seen.version
    return plan.model_copy(
        update={
            "changes": found,
            "warnings": (*draft.warnings, *_cautions(seen), *drift(seen.live, ctx.now, would)),
            "now": seen.standing(),
            "impact": draft.impact or f"{_extent(found, service)} · {pace(would, seen.replicas)}",
            "on_failure": f"back to {back} automatically" if undo else "stays as it is; roll back by hand",
            "writes": (write,),
            "watch": (seen.ref,),
            "undo": (undo,) if undo else (),
        }
    )


def _undo(seen: Seen, draft: Draft) -> Write | None:
    if draft.undo is not None:
        return draft.undo
    if seen.present is None:  # its ReplicaSet has not been made yet: nothing keeps the template
        return None
    return Write(ref=seen.ref, manager=UNDO, restore=str(seen.present["metadata"]["name"]))


def _cautions(seen: Seen) -> tuple[str, ...]:
    name, said = seen.service.name, []
    if seen.live["spec"].get("paused"):
        said.append(f"{name} is paused: nothing rolls out until somebody resumes it")
    elif seen.rollout.state == "failing":
        said.append(f"{name} is not healthy now: {seen.rollout.sentence.rstrip('.')}")
    elif seen.rollout.state == "progressing":
        said.append(f"a rollout is in progress already: {seen.rollout.progress}")
    return tuple(said)


def _extent(found: tuple[Change, ...], service: Service) -> str:
    """How much changes, in two words."""
    image = f"spec.template.spec.containers[{service.container}].image"
    others = [change for change in found if change.field != image]
    if not others:
        return "image only"
    fields = f"{len(others)} field{'' if len(others) == 1 else 's'}"
    return fields if len(others) == len(found) else f"image and {fields}"


def _share(value: Any, replicas: int, rounding: Callable[[float], int]) -> int:
    """A number or a percentage of the replicas; maxSurge is rounded up, maxUnavailable down."""
    if isinstance(value, str) and value.endswith("%"):
        return rounding(replicas * int(value[:-1]) / 100)
    return int(value)


def with_image(service: Service, live: Mapping[str, Any]) -> Service:
    """The service with the repository that runs now, when the configuration names none."""
    if service.image:
        return service
    image = image_in(live, service.container).partition("@")[0]
    head, slash, last = image.rpartition("/")
    return service.model_copy(update={"image": f"{head}{slash}{last.partition(':')[0]}"})
