"""Why a service is not healthy: the likely cause first, what to do next, and what was looked at to know it.

/platform diagnose SERVICE ENVIRONMENT
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pydantic import Field

from chatops.kernel import events
from chatops.kernel.action import Action, Answer, Button, Context, EnvironmentName, Inputs, ServiceName
from chatops.kernel.ownership import day, moment
from chatops.kernel.plan import ObjectRef
from chatops.kernel.rollout import pod_troubles
from commands.causes import Cause, causes, scaling
from commands.walk import Facts, Serving, Thing, is_ready, phase_of, walk
from commands.workload import pods as counted

MOST_ALSO, MOST_PODS, MOST_EVENTS = 2, 3, 3
RECENT = timedelta(hours=1)


class Diagnose(Inputs):
    """Which service, where."""

    service: ServiceName = Field(title="Service")
    environment: EnvironmentName = Field(title="Environment")


async def answer(inputs: Diagnose, ctx: Context) -> Answer:
    """Walks from the Deployment to the nodes and says what it found."""
    cluster, environment, service = ctx.needs()
    where = f"{service.name} in {environment.name}"
    ref = ObjectRef(kind=service.workload.kind, namespace=environment.namespace, name=service.workload_name)
    live = await cluster.get(ref)
    if live is None:
        absent = (
            f"*Likely cause:* there is no {ref} in the namespace {ref.namespace}.",
            f"*What to do:* install it, or check `workload` of {service.name} in platform.yml.",
        )
        return Answer(f"{where} is not there", absent, private=True)
    facts = await walk(cluster, service, live)
    found = causes(facts)
    looked = "\n".join(["What I looked at:", *await _looked_at(facts, inputs, ctx)])
    return Answer(
        f"{where} {_state(facts, found)}", tuple(_verdict(facts, found, ctx.now)), buttons=_buttons(inputs, facts),
        context=looked, code=facts.log, private=True,
    )  # fmt: skip


def _state(facts: Facts, found: list[Cause]) -> str:
    seen = facts.rollout
    if seen.state == "healthy":
        return "is healthy" if seen.wanted else "is scaled to 0"
    if not found and seen.state == "progressing":
        return "is coming up"
    return "is not healthy" if facts.serving else "is down"


def _verdict(facts: Facts, found: list[Cause], now: datetime) -> Iterator[str]:
    seen = facts.rollout
    if seen.state == "healthy" and not seen.wanted:
        yield "Nothing runs, because no pods are wanted. *What to do:* scale it up if that is a mistake."
    elif seen.state == "healthy":
        yield f"{facts.version}, {counted(seen.ready)} ready: Kubernetes knows of nothing that is wrong."
        yield from _restarts(facts, now)
        if said := scaling(facts):
            yield f"⚠ {said}"
        yield "If people still see errors, read its log, or diagnose what it depends on."
    elif found:
        yield f"*Likely cause:* {found[0].what}"
        yield f"*What to do:* {found[0].do}"
        yield _serving(facts)
        yield from (f"*Also:* {one.what}" for one in found[1 : 1 + MOST_ALSO])
    elif seen.state == "progressing":
        yield f"{facts.version} is on its way: {seen.progress}. *What to do:* wait a minute, then look again."
        yield _serving(facts)
    else:
        yield f"*Likely cause:* {seen.sentence}"
        yield _serving(facts)


def _serving(facts: Facts) -> str:
    if not facts.serving:
        return "No pod serves: people see errors."
    said = " and ".join(f"{_age(one, facts)} of {one.version}" for one in facts.serving)
    ages = {one.new for one in facts.serving}
    verb = "serves" if sum(one.ready for one in facts.serving) == 1 else "serve"
    return f"{said} {'still ' if len(ages) == 1 else ''}{verb}, of {facts.rollout.wanted} wanted."


def _age(one: Serving, facts: Facts) -> str:
    """``3 pods``; where there are old ones: ``1 new pod``, ``2 old pods``."""
    word = "" if not facts.old else "new " if one.new else "old "
    return f"{one.ready} {word}pod{'' if one.ready == 1 else 's'}"


def _restarts(facts: Facts, now: datetime) -> Iterator[str]:
    """Containers of a healthy service that were restarted lately: it may be about to fail."""
    for pod in facts.pods:
        for state in (pod.get("status") or {}).get("containerStatuses") or []:
            last = (state.get("lastState") or {}).get("terminated") or {}
            if last and now - moment(last.get("finishedAt")) < RECENT:
                why = last.get("reason") or f"exit code {last.get('exitCode')}"
                times = state.get("restartCount", 1)
                yield f"⚠ {pod['metadata']['name']} was restarted {times} times, lately because of {why}."


async def _looked_at(facts: Facts, inputs: Diagnose, ctx: Context) -> list[str]:
    name = facts.rollout.ref.name
    lines = [f"• Deployment {name}: {facts.version} ({await _since(facts, inputs, ctx)}), {facts.progress}"]
    if facts.newest is not None:
        made = (facts.newest.get("status") or {}).get("replicas", 0)
        wanted = facts.newest["spec"].get("replicas", 0)
        lines.append(f"• ReplicaSet {facts.newest['metadata']['name']}: {wanted} wanted, {made} made")
    lines += [f"• Pod {_pod(pod)}" for pod in facts.unready[:MOST_PODS]]
    more = len(facts.unready) - MOST_PODS
    lines += [f"• {more} more pods that are not ready"] if more > 0 else []
    lines += [f"• Event {said}" for said in events.told(facts.events, 160)[:MOST_EVENTS]]
    lines += [f"• Volume claim {name}: {phase_of(claim) if claim else 'not there'}" for name, claim, _ in facts.claims]
    lines += [f"• Autoscaler {_scaler(facts.scaler)}"] if facts.scaler else []
    lines += [f"• Quota {said}" for quota in facts.quotas if (said := _quota(quota))]
    if facts.nodes:
        taking = sum(_takes_pods(node) for node in facts.nodes)
        lines.append(f"• Nodes: {taking} of {len(facts.nodes)} are ready and take pods")
    return [*lines, *(f"• {one}" for one in facts.unseen)]


async def _since(facts: Facts, inputs: Diagnose, ctx: Context) -> str:
    """When the present template began, and who deployed it, where the ledger knows."""
    made = moment((facts.newest or facts.live)["metadata"].get("creationTimestamp"))
    lines = await ctx.ledger.last(inputs.service, inputs.environment)
    by = next((f", deployed by {line.by}" for line in lines if line.version == facts.version), "")
    when = day(made, ctx.now)
    time = f" {made.astimezone(UTC):%H:%M} UTC" if when in ("today", "yesterday") else ""
    return f"since {when.removeprefix('on ')}{time}{by}"


def _pod(pod: Thing) -> str:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    reasons = [one.reason for one in pod_troubles([pod])]
    states = status.get("containerStatuses") or []
    waits = [((one.get("state") or {}).get("waiting") or {}).get("reason", "") for one in states]
    restarts = sum(one.get("restartCount", 0) for one in states)
    why = next(filter(None, [*reasons, *waits]), "running, not ready" if not is_ready(pod) else "ready")
    again = f", {restarts} restart{'' if restarts == 1 else 's'}" if restarts else ""
    return f"{name}: {why}{again}{f' on {node}' if (node := pod['spec'].get('nodeName')) else ''}"


def _scaler(scaler: Thing) -> str:
    spec, status = scaler["spec"], scaler.get("status") or {}
    now = status.get("currentReplicas", "?")
    return (
        f"{scaler['metadata']['name']}: {now} replicas, between {spec.get('minReplicas', 1)} and {spec['maxReplicas']}"
    )


def _quota(quota: Thing) -> str:
    """How full a quota is, its fullest part alone told where it is not full."""
    status = quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    full = [f"{name} {used.get(name)} of {limit}" for name, limit in hard.items() if used.get(name) == limit]
    return (
        f"{quota['metadata']['name']}: {', '.join(full)} (full)" if full else f"{quota['metadata']['name']}: has room"
    )


def _takes_pods(node: Thing) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not node["spec"].get("unschedulable")


def _buttons(inputs: Diagnose, facts: Facts) -> tuple[Button, ...]:
    place = f"{inputs.service} {inputs.environment}"
    again = Button("Look again", f"diagnose {place}")
    if facts.rollout.state == "healthy":
        return (Button("Logs", f"logs {place}"), again)
    back = Button("Roll back", f"rollback {place}", form=True, style="danger")
    return (back, Button("Logs", f"logs {place}"), again)


RECORD = Action(
    name="diagnose",
    title="Diagnose",
    risk="read",
    inputs=Diagnose,
    usage="diagnose SERVICE ENVIRONMENT",
    summary="Why a service is not healthy, the likely cause first, and what to do next",
    positionals=("service", "environment"),
    answer=answer,
    button="Diagnose",
)
