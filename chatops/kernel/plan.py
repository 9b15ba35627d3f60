"""A plan: what a request would change, computed without changing it, and what policy says about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from chatops.kernel.catalog import Record


class ObjectRef(Record):
    """One Kubernetes object, named as people name it.

    ``Deployment/checkout``, ``Cluster.postgresql.cnpg.io/orders``.
    """

    api_version: str = "apps/v1"
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        group = self.api_version.partition("/")[0] if "/" in self.api_version else ""
        kind = self.kind if group in ("", "apps", "batch") else f"{self.kind}.{group}"
        return f"{kind}/{self.name}"

    @property
    def gives_access(self) -> bool:
        """Whether it is RBAC: approved for a time, it ends at that time."""
        return self.api_version.startswith("rbac.authorization.k8s.io/")


class Change(Record):
    """One field of one object, before and after; ``None`` stands for absent."""

    object: str
    field: str  # spec.template.spec.containers[app].image
    before: Any = None
    after: Any = None


class Write(Record):
    """One write.

    A server-side apply of ``body``, or putting back the pod template that ReplicaSet ``restore`` keeps.
    """

    ref: ObjectRef
    manager: str  # the field manager: chatops-deploy, chatops-scale, …
    body: dict[str, Any] = Field(default_factory=dict)
    restore: str = ""
    resource_version: str = ""  # as read; a precondition of the write, not part of the digest


class Step(Record):
    """One step of a declared action with everything filled in that is known before it runs.

    A leaf that only an earlier step's outputs can fill in keeps its ``${CEL}``; ``deferred`` says that there are some.
    """

    kind: Literal["apply", "wait", "job", "remove"]
    title: str  # apply Cluster.postgresql.cnpg.io/checkout-db
    name: str = ""
    writes: tuple[Write, ...] = ()  # apply: the objects; job: the Job
    refs: tuple[ObjectRef, ...] = ()  # wait, remove: the object
    until: str = ""  # wait: CEL over ``object`` and the rest
    fail_when: str = ""  # wait: CEL that ends it early, as failed
    outputs: dict[str, str] = Field(default_factory=dict)  # CEL over ``object``
    timeout: float = 600.0  # seconds
    retries: int = 3
    deferred: bool = False
    created: tuple[str, ...] = ()  # apply: which of its objects (as str(ref)) are not there yet; only these are ours
    uids: dict[str, str] = Field(default_factory=dict)  # remove: str(ref) → uid as planned; another object stays
    undo: tuple[Step, ...] = ()


class Plan(Record):
    """What would change (``changes``), how it is written, what is watched afterwards, and how it reads on the card."""

    summary: str  # checkout 1.4.1 → 1.4.2
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()  # LOG_LEVEL was edited by hand yesterday; it stays
    now: str = ""  # 1.4.1 healthy
    impact: str = ""  # image only · 3 pods, one at a time
    on_failure: str = ""  # back to 1.4.1 automatically
    before: str = ""  # version, revision or number that runs now
    after: str = ""
    writes: tuple[Write, ...] = ()
    watch: tuple[ObjectRef, ...] = ()  # workloads that must be healthy at the end
    frozen: dict[str, str] = Field(
        default_factory=dict
    )  # what this plan made up (a restart's time), kept when planning again
    undo: tuple[Write, ...] = ()  # what is written when the rollout fails; empty: nothing by itself
    steps: tuple[Step, ...] = ()  # a declared action's; then writes, watch and undo are empty
    outputs: dict[str, str] = Field(default_factory=dict)  # templates, filled in when the steps are done
    expires: float = 0.0  # seconds after which what the steps made is removed; 0: never
    only_waits: bool = False  # the action does nothing but wait: it is run though nothing changes
    proven_in: str = ""  # the environment before, in which the version runs well; said beside the plan, binds nobody
    proven_since: float = 0.0  # epoch seconds
    risk: Literal["", "danger"] = ""  # what the changes imply, when that is more than the action's own risk


class Ask(Record):
    """What one rule asks for: ``approvals`` different people out of ``sources``, within ``expires`` seconds."""

    rule: str
    approvals: int
    sources: tuple[str, ...]
    expires: float
    named: bool = False  # dangerous: of a group only those count whom the configuration itself names


class Decision(Record):
    """What policy says to one plan, and why; ``lifted`` when a denial was lifted by breaking the glass."""

    outcome: Literal["allow", "ask", "deny"]
    asks: tuple[Ask, ...] = ()
    rules: tuple[str, ...] = ()  # names of the rules that matched
    why: tuple[str, ...] = ()  # a sentence a rule
    denial: str = ""
    denied_by: str = ""
    break_glass: str = ""  # the group that may lift the denial; empty: nobody
    lifted: bool = False
    reviewers: tuple[str, ...] = ()  # sources of those who look at it afterwards; empty: nobody has to
    locked: bool = False  # what refuses is somebody's lock
    locked_service: str = ""  # of what the plan touches, that which is locked; empty: no service
    no_freeze: bool = False  # there are rules that deny at certain times, and none of them does now

    @property
    def expires(self) -> float:
        """Seconds the approvers have: the shortest of what the rules say."""
        return min((ask.expires for ask in self.asks), default=86400.0)


# Made once: json.dumps with options makes an encoder at each call.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode


def canonical(value: Any) -> str:
    """JSON with one spelling for each value: sorted keys, no spaces, UTF-8 kept."""
    return _canonical(value)


def digest(action: str, inputs: Mapping[str, Any], plan: Plan, decision: Decision) -> str:
    """The sha256 (hex) that an approval is bound to: every change, from what, to what, and what policy asks for.

    Object versions and times are left out; so are warnings and wording, which may differ while the change is the same.
    What happens on failure is in it, because it is approved along with the change; so is the pod template that a
    rollback puts back, because its secrets are masked in the changes.
    """
    bound: dict[str, Any] = {
        "action": action,
        "inputs": {name: value for name, value in inputs.items() if name != "reason"},
        "changes": [change.model_dump(mode="json") for change in plan.changes],
        "restores": [[str(write.ref), write.restore] for write in plan.writes if write.restore],
        "undo": [[str(write.ref), write.manager, write.restore, write.body] for write in plan.undo],
        "on_failure": plan.on_failure,
        "asks": [ask.model_dump(mode="json", exclude=None if ask.named else {"named"}) for ask in decision.asks],
    }
    if plan.steps:
        steps = [_bound(step) for step in plan.steps]
        bound |= {"steps": steps, "outputs": plan.outputs, "expires": plan.expires}
    return hashlib.sha256(canonical(bound).encode()).hexdigest()


def _bound(step: Step) -> dict[str, Any]:
    """What an approval of a step binds: everything but object versions and wording."""
    # A fail_when that is not there is left out: what was approved before there was one keeps its digest.
    absent = set() if step.fail_when else {"fail_when"}
    found = step.model_dump(mode="json", exclude={"title", "undo", "writes", *absent})
    writes = [write.model_dump(mode="json", exclude={"resource_version"}) for write in step.writes]
    return {**found, "writes": writes, "undo": [_bound(one) for one in step.undo]}
