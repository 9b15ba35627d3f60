"""ReplicaSet and StatefulSet controllers: as many pods as wanted, and a status that counts them."""

from __future__ import annotations

from chatops.sandbox.copies import copied

from .errors import ApiError
from .machinery import Clockwork, Controller, Name
from .names import template_hash
from .rollouts import replicas
from .store import Change
from .values import Obj, dig, meta, owner_reference, set_condition

SETS = ("apps", "replicasets")
STATEFUL = ("apps", "statefulsets")
PODS = ("", "pods")


def is_active(pod: Obj) -> bool:
    return not meta(pod).get("deletionTimestamp") and dig(pod, "status", "phase") not in ("Succeeded", "Failed")


def condition(pod: Obj, kind: str) -> Obj | None:
    found: list[Obj] = dig(pod, "status", "conditions", default=[])
    return next((item for item in found if item["type"] == kind), None)


def is_ready(pod: Obj) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True" and not meta(pod).get("deletionTimestamp")


def pod_from(template: Obj, owner: Obj, name: str = "") -> Obj:
    metadata = {**meta(template), "namespace": owner["metadata"]["namespace"],
                "ownerReferences": [owner_reference(owner)]}  # fmt: skip
    if name:
        metadata["name"] = name
    else:
        metadata["generateName"] = owner["metadata"]["name"] + "-"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


class PodKeeper(Controller):
    """What both kinds of sets share: making pods, saying so, and giving a refusal its event."""

    component = ""

    def __init__(self, work: Clockwork) -> None:
        super().__init__(work)
        self._since: dict[str, float] = {}

    @property
    def settled(self) -> bool:
        return super().settled and not self._since  # since when pods are ready is known to this controller alone

    def make_pod(self, owner: Obj, name: str = "", template: Obj | None = None) -> Obj:
        """Create a pod; a refusal (quota) becomes a FailedCreate event and is raised again."""
        body = pod_from(template or owner["spec"]["template"], owner, name)
        try:
            pod = self.work.create(self.work.resource(*PODS), body)
        except ApiError as error:
            self.work.event(owner, "Warning", "FailedCreate", f"Error creating: {error.message}", self.component)
            raise
        self.work.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}", self.component)
        return pod

    def drop_pod(self, owner: Obj, pod: Obj) -> None:
        self.work.delete(self.work.resource(*PODS), pod)
        self.work.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}", self.component)

    def available(self, owner: Obj, pods: list[Obj], name: Name) -> int:
        """How many pods are ready for minReadySeconds; looks again when the next one will be."""
        wanted = owner["spec"].get("minReadySeconds", 0)
        ready = [pod for pod in pods if is_ready(pod)]
        if not wanted:
            return len(ready)
        count, soonest = 0, None
        for pod in ready:
            since = self._ready_since(pod)
            left = self.work.pace.left(since, wanted)
            if left <= 0:
                count += 1
            else:
                soonest = min(left, soonest) if soonest is not None else left
        if soonest is not None:
            self.look_again(name, soonest + 0.01)
        return count

    def _ready_since(self, pod: Obj) -> float:
        return self._since.setdefault(pod["metadata"]["uid"], self.work.pace.clock())

    def on_change(self, change: Change) -> None:
        if self._since and change.key == PODS and (change.type == "DELETED" or not is_ready(change.obj)):
            self._since.pop(change.obj["metadata"]["uid"], None)
        super().on_change(change)


class ReplicaSets(PodKeeper):
    key = SETS
    component = "replicaset-controller"

    def reconcile(self, name: Name) -> None:
        rs = self.work.find(SETS, name)
        if rs is None:
            return
        pods = self.work.owned(PODS, rs)
        active = [pod for pod in pods if is_active(pod)]
        failure: ApiError | None = None
        if not meta(rs).get("deletionTimestamp"):
            try:
                self._resize(rs, active)
            except ApiError as error:
                failure = error
        active = [pod for pod in self.work.owned(PODS, rs) if is_active(pod)]
        self._write_status(name, active, failure)
        if failure is not None:
            raise failure

    def _resize(self, rs: Obj, active: list[Obj]) -> None:
        missing = replicas(rs) - len(active)
        for _ in range(missing):
            self.make_pod(rs)
        if missing < 0:
            order = sorted(active, key=self._worth)
            for pod in order[:-missing]:
                self.drop_pod(rs, pod)

    def _worth(self, pod: Obj) -> tuple[bool, bool, bool, int, int]:
        """Which pods go first: unscheduled, not running, not ready, restarted often, young."""
        restarts = sum(c.get("restartCount", 0) for c in dig(pod, "status", "containerStatuses", default=[]))
        return (
            bool(dig(pod, "spec", "nodeName")), dig(pod, "status", "phase") == "Running", is_ready(pod), -restarts,
            -self.work.store.born(pod),
        )  # fmt: skip

    def _write_status(self, name: Name, active: list[Obj], failure: ApiError | None) -> None:
        rs = self.work.find(SETS, name)
        if rs is None:
            return
        labels = dig(rs, "spec", "template", "metadata", "labels", default={})
        full = sum(1 for pod in active if labels.items() <= (meta(pod).get("labels") or {}).items())
        numbers = {
            "replicas": len(active), "fullyLabeledReplicas": full, "readyReplicas": sum(map(is_ready, active)),
            "availableReplicas": self.available(rs, active, name),
        }  # fmt: skip
        wanted: Obj = {key: value for key, value in numbers.items() if value or key == "replicas"}
        wanted["observedGeneration"] = meta(rs).get("generation", 0)
        conditions = [c for c in dig(rs, "status", "conditions", default=[]) if c["type"] != "ReplicaFailure"]
        if failure is not None:
            had = dig(rs, "status", "conditions", default=[])
            failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure.message}
            conditions = set_condition(had, failed, touch=False)
        if conditions:
            wanted["conditions"] = conditions
        if wanted != rs.get("status"):
            self.work.write(self.work.resource(*SETS), rs, lambda obj: obj.update(status=wanted), "status")


class StatefulSets(PodKeeper):
    """One pod after the other, by ordinal; an update replaces from the highest ordinal down."""

    key = STATEFUL
    component = "statefulset-controller"

    def reconcile(self, name: Name) -> None:
        owner = self.work.find(STATEFUL, name)
        if owner is None or meta(owner).get("deletionTimestamp"):
            return
        revision = f"{name[1]}-{template_hash(owner['spec']['template'])}"
        pods = {pod["metadata"]["name"]: pod for pod in self.work.owned(PODS, owner)}
        wanted = [f"{name[1]}-{i}" for i in range(replicas(owner))]
        self._step(owner, pods, wanted, revision)
        self._write_status(name, revision)

    def _step(self, owner: Obj, pods: dict[str, Obj], wanted: list[str], revision: str) -> None:
        parallel = owner["spec"].get("podManagementPolicy") == "Parallel"
        for title in wanted:
            pod = pods.get(title)
            if pod is None:
                template = copied(owner["spec"]["template"])
                labels = template["metadata"].setdefault("labels", {})
                labels.update({"controller-revision-hash": revision, "statefulset.kubernetes.io/pod-name": title,
                               "apps.kubernetes.io/pod-index": title.rsplit("-", 1)[1]})  # fmt: skip
                self.make_pod(owner, title, template)
            if (pod is None or not is_ready(pod)) and not parallel:
                if pod is not None and self._label(pod) != revision and is_active(pod):
                    self.drop_pod(owner, pod)
                return
        extra = sorted((pod for title, pod in pods.items() if title not in wanted), key=_ordinal)
        if extra:
            if is_active(extra[-1]):
                self.drop_pod(owner, extra[-1])
            return
        if owner["spec"]["updateStrategy"]["type"] != "RollingUpdate":
            return
        partition = dig(owner, "spec", "updateStrategy", "rollingUpdate", "partition", default=0)
        for title in reversed(wanted[partition:]):
            pod = pods.get(title)
            if pod is not None and self._label(pod) != revision and is_active(pod):
                self.drop_pod(owner, pod)
                return

    def _label(self, pod: Obj) -> str:
        found: str = (meta(pod).get("labels") or {}).get("controller-revision-hash", "")
        return found

    def _write_status(self, name: Name, revision: str) -> None:
        owner = self.work.find(STATEFUL, name)
        if owner is None:
            return
        active = [pod for pod in self.work.owned(PODS, owner) if is_active(pod)]
        updated = sum(1 for pod in active if self._label(pod) == revision)
        before = dig(owner, "status", "currentRevision", default=revision)
        done = updated == len(active) == replicas(owner) and all(map(is_ready, active))
        current = revision if done else before
        numbers = {"readyReplicas": sum(map(is_ready, active)), "updatedReplicas": updated,
                   "currentReplicas": sum(1 for pod in active if self._label(pod) == current)}  # fmt: skip
        status: Obj = {key: value for key, value in numbers.items() if value}
        status.update(observedGeneration=meta(owner).get("generation", 0), replicas=len(active),
                      updateRevision=revision, currentRevision=current, collisionCount=0,
                      availableReplicas=self.available(owner, active, name))  # fmt: skip
        if status != owner.get("status"):
            self.work.write(self.work.resource(*STATEFUL), owner, lambda obj: obj.update(status=status), "status")


def _ordinal(pod: Obj) -> int:
    return int(pod["metadata"]["name"].rsplit("-", 1)[1])
