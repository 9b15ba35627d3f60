"""The Deployment controller: ReplicaSets per template, rollouts, conditions, history."""

from __future__ import annotations

from . import rollouts
from .machinery import Clockwork, Controller, Name
from .names import template_hash
from .rollouts import HASH, HISTORY, REVISION, replicas, revision, status
from .store import Change
from .values import Obj, dig, meta, owner_reference, set_condition

DEPLOYMENTS = ("apps", "deployments")
SETS = ("apps", "replicasets")
PODS = ("", "pods")
WHO = "deployment-controller"


class Deployments(Controller):
    key = DEPLOYMENTS

    def __init__(self, work: Clockwork) -> None:
        super().__init__(work)
        self._progress: dict[str, float] = {}

    def on_change(self, change: Change) -> None:
        if change.key in (DEPLOYMENTS, SETS):
            super().on_change(change)
            if change.key == DEPLOYMENTS and change.type == "DELETED":
                self._progress.pop(change.obj["metadata"]["uid"], None)
        elif change.key == PODS and change.type == "DELETED":
            self._on_pod_gone(change.obj)

    def _on_pod_gone(self, pod: Obj) -> None:
        """A Recreate rollout goes on when the last old pod is gone."""
        for rs in self.work.store.objects(SETS, meta(pod).get("namespace")):
            if any(ref.get("uid") == rs["metadata"]["uid"] for ref in meta(pod).get("ownerReferences") or []):
                for ref in meta(rs).get("ownerReferences") or []:
                    self.enqueue((meta(rs)["namespace"], ref["name"]))

    def reconcile(self, name: Name) -> None:
        deployment = self.work.find(DEPLOYMENTS, name)
        if deployment is None:
            return
        if meta(deployment).get("deletionTimestamp"):
            self._sync_status(deployment, None, self._sets(deployment))
            return
        sets = self._sets(deployment)
        if deployment["spec"].get("paused"):
            self._pause(deployment, sets)
            return
        self._clear_pause(deployment)
        deployment = self._fresh(deployment)
        if self._is_scaling(deployment, sets):
            self._scale_all(deployment, sets)
        elif deployment["spec"]["strategy"]["type"] == "Recreate":
            self._recreate(deployment, sets)
        else:
            self._roll(deployment, sets)

    # Finding

    def _sets(self, deployment: Obj) -> list[Obj]:
        return self.work.owned(SETS, deployment)

    def _fresh(self, obj: Obj) -> Obj:
        key = DEPLOYMENTS if obj["kind"] == "Deployment" else SETS
        found = self.work.find(key, (obj["metadata"]["namespace"], obj["metadata"]["name"]))
        return found if found is not None else obj

    def _new_of(self, deployment: Obj, sets: list[Obj]) -> Obj | None:
        wanted = rollouts.plain_template(deployment["spec"]["template"])
        return next((rs for rs in sets if rollouts.plain_template(rs["spec"]["template"]) == wanted), None)

    def _ensure_new(self, deployment: Obj, sets: list[Obj]) -> tuple[Obj, list[Obj]]:
        """The ReplicaSet of the present template, created when there is none, with revision and annotations right."""
        new = self._new_of(deployment, sets)
        old = [rs for rs in sets if new is None or rs["metadata"]["uid"] != new["metadata"]["uid"]]
        number = max([revision(rs) for rs in old], default=0) + 1
        if new is None:
            new = self._create_set(deployment, sets, number)
            self._condition(deployment, "True", "NewReplicaSetCreated", f'Created new replica set "{_n(new)}"', number)
        else:
            new = self._annotate(deployment, new, number)
            number = max(number, revision(new))
            if _find(deployment, "Progressing") is None:
                self._condition(deployment, "True", "FoundNewReplicaSet", f'Found new replica set "{_n(new)}"', number)
            elif revision(deployment) != number:
                self._condition(deployment, None, "", "", number)
        return new, old

    def _create_set(self, deployment: Obj, sets: list[Obj], number: int) -> Obj:
        template, selector = deployment["spec"]["template"], deployment["spec"]["selector"]
        digest = template_hash(template)
        labels = {**(meta(template).get("labels") or {}), HASH: digest}
        template = {**template, "metadata": {**meta(template), "labels": labels}}
        selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: digest}}
        annotations = {**rollouts.set_annotations(deployment, {}), REVISION: str(number)}
        spec: Obj = {
            "replicas": rollouts.wanted_size(deployment, None, sets),
            "selector": selector,
            "template": template,
        }
        if deployment["spec"].get("minReadySeconds"):
            spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
        body = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": spec,
            "metadata": {
                "name": f"{_n(deployment)}-{digest}", "namespace": deployment["metadata"]["namespace"],
                "labels": labels, "annotations": annotations,
                "ownerReferences": [owner_reference(deployment)],
            },
        }  # fmt: skip
        created = self.work.create(self.work.resource(*SETS), body)
        if spec["replicas"]:
            self._say_scaled(deployment, created, 0, spec["replicas"])
        return created

    def _annotate(self, deployment: Obj, new: Obj, number: int) -> Obj:
        have = meta(new).get("annotations") or {}
        wanted = rollouts.set_annotations(deployment, have)
        if revision(new) < number:
            if revision(new):
                past = [part for part in have.get(HISTORY, "").split(",") if part]
                wanted[HISTORY] = ",".join([*past, str(revision(new))])
            wanted[REVISION] = str(number)
        ready = deployment["spec"].get("minReadySeconds", 0)
        if wanted == have and new["spec"].get("minReadySeconds", 0) == ready:
            return new

        def change(rs: Obj) -> None:
            rs["metadata"]["annotations"] = wanted
            rs["spec"]["minReadySeconds"] = ready

        return self.work.write(self.work.resource(*SETS), new, change)

    # Rolling

    def _roll(self, deployment: Obj, sets: list[Obj]) -> None:
        new, old = self._ensure_new(deployment, sets)
        deployment = self._fresh(deployment)
        if replicas(new) > replicas(deployment):
            self._scale(deployment, new, replicas(deployment))
        elif replicas(new) < replicas(deployment):
            self._scale(deployment, new, rollouts.wanted_size(deployment, new, [*old, new]))
        new = self._fresh(new)
        for name, size in rollouts.shrink_old(deployment, new, old).items():
            self._scale(deployment, next(rs for rs in old if _n(rs) == name), size)
        self._finish(deployment, new, old)

    def _recreate(self, deployment: Obj, sets: list[Obj]) -> None:
        new = self._new_of(deployment, sets)
        old = [rs for rs in sets if new is None or rs["metadata"]["uid"] != new["metadata"]["uid"]]
        active = [rs for rs in old if replicas(rs)]
        for rs in active:
            self._scale(deployment, rs, 0)
        if active or any(self.work.owned(PODS, rs) for rs in old):
            self._sync_status(self._fresh(deployment), new, self._sets(deployment))
            return
        new, old = self._ensure_new(deployment, sets)
        deployment = self._fresh(deployment)
        if replicas(new) != replicas(deployment):
            self._scale(deployment, new, replicas(deployment))
        self._finish(deployment, new, old)

    def _finish(self, deployment: Obj, new: Obj, old: list[Obj]) -> None:
        new = self._fresh(new)
        everyone = self._sets(deployment)
        numbers = rollouts.counted(deployment, new, everyone)
        if rollouts.is_complete(deployment, numbers):
            self._clean_up(deployment, [self._fresh(rs) for rs in old])
        self._sync_status(self._fresh(deployment), new, self._sets(deployment))

    def _clean_up(self, deployment: Obj, old: list[Obj]) -> None:
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        idle = [
            rs
            for rs in old
            if not replicas(rs) and not status(rs, "replicas") and not meta(rs).get("deletionTimestamp")
        ]
        idle.sort(key=revision)
        for rs in idle[: max(0, len(idle) - limit)]:
            self.work.delete(self.work.resource(*SETS), rs)

    # Scaling

    def _is_scaling(self, deployment: Obj, sets: list[Obj]) -> bool:
        wanted = str(replicas(deployment))
        active = [rs for rs in sets if replicas(rs)]
        return any((meta(rs).get("annotations") or {}).get(rollouts.DESIRED, wanted) != wanted for rs in active)

    def _scale_all(self, deployment: Obj, sets: list[Obj]) -> None:
        new = self._new_of(deployment, sets)
        active = [rs for rs in sets if replicas(rs)]
        if len(active) <= 1:
            target = active[0] if active else new
            if target is not None:
                self._scale(deployment, target, replicas(deployment))
        elif deployment["spec"]["strategy"]["type"] == "RollingUpdate":
            wanted = replicas(deployment)
            allowed = wanted + rollouts.bounds(deployment).surge if wanted else 0
            for name, size in rollouts.proportional(deployment, sets, allowed).items():
                self._scale(deployment, next(rs for rs in sets if _n(rs) == name), size)
        self._sync_status(self._fresh(deployment), new and self._fresh(new), self._sets(deployment))
        self.enqueue((deployment["metadata"]["namespace"], _n(deployment)))

    def _scale(self, deployment: Obj, rs: Obj, size: int) -> None:
        rs = self._fresh(rs)
        before = replicas(rs)
        sizes = rollouts.size_annotations(deployment)

        def change(obj: Obj) -> None:
            obj["spec"]["replicas"] = size
            obj["metadata"]["annotations"] = {**(meta(obj).get("annotations") or {}), **sizes}

        self.work.write(self.work.resource(*SETS), rs, change)
        if size != before:
            self._say_scaled(deployment, rs, before, size)

    def _say_scaled(self, deployment: Obj, rs: Obj, before: int, after: int) -> None:
        way = "up" if after > before else "down"
        text = f"Scaled {way} replica set {_n(rs)} from {before} to {after}"
        self.work.event(deployment, "Normal", "ScalingReplicaSet", text, WHO)

    # Pausing

    def _pause(self, deployment: Obj, sets: list[Obj]) -> None:
        current = _find(deployment, "Progressing")
        if current is None or current.get("reason") not in ("DeploymentPaused", "ProgressDeadlineExceeded"):
            self._condition(deployment, "Unknown", "DeploymentPaused", "Deployment is paused")
        if self._is_scaling(deployment, sets):
            self._scale_all(self._fresh(deployment), sets)
            return
        self._sync_status(self._fresh(deployment), self._new_of(deployment, sets), sets)

    def _clear_pause(self, deployment: Obj) -> None:
        current = _find(deployment, "Progressing")
        if current is not None and current.get("reason") == "DeploymentPaused":
            self._progressed(deployment)
            self._condition(deployment, "Unknown", "DeploymentResumed", "Deployment is resumed")

    # Status

    def _condition(self, deployment: Obj, verdict: str | None, reason: str, message: str, number: int = 0) -> None:
        """Write the Progressing condition and the revision (0: as it is) in one status update."""
        if verdict is not None:
            self._progressed(deployment)

        def change(obj: Obj) -> None:
            if number:
                obj["metadata"]["annotations"] = {**(meta(obj).get("annotations") or {}), REVISION: str(number)}
            if verdict is not None and obj["spec"].get("progressDeadlineSeconds") is not None:
                wanted = {"type": "Progressing", "status": verdict, "reason": reason, "message": message}
                current = obj.setdefault("status", {})
                current["conditions"] = set_condition(current.get("conditions", []), wanted)

        self.work.write(self.work.resource(*DEPLOYMENTS), self._fresh(deployment), change, "status")

    def _progressed(self, deployment: Obj) -> None:
        self._progress[deployment["metadata"]["uid"]] = self.work.pace.clock()

    def _sync_status(self, deployment: Obj, new: Obj | None, sets: list[Obj]) -> None:
        old = deployment.get("status") or {}
        numbers = rollouts.counted(deployment, new, sets)
        conditions = list(old.get("conditions", []))
        least = replicas(deployment) - rollouts.bounds(deployment).unavailable
        if numbers.get("availableReplicas", 0) >= least:
            available = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        else:
            available = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        conditions = set_condition(conditions, _as_condition("Available", available))
        progress = self._progress_of(deployment, new, numbers)
        if progress:
            conditions = set_condition(conditions, _as_condition("Progressing", progress))
        failures = [c for rs in ([new] if new else []) + sets for c in dig(rs, "status", "conditions", default=[])
                    if c["type"] == "ReplicaFailure"]  # fmt: skip
        if failures:
            found = {key: failures[0][key] for key in ("type", "status", "reason", "message")}
            conditions = set_condition(conditions, found)
        else:
            conditions = [c for c in conditions if c["type"] != "ReplicaFailure"]
        wanted = {**numbers, "conditions": conditions}
        if wanted != old:
            self.work.write(
                self.work.resource(*DEPLOYMENTS), deployment, lambda obj: obj.update(status=wanted), "status"
            )

    def _progress_of(self, deployment: Obj, new: Obj | None, numbers: Obj) -> tuple[str, str, str] | None:
        """What the Progressing condition becomes, or None to leave it; sets the timer of the progress deadline."""
        deadline = deployment["spec"].get("progressDeadlineSeconds")
        current = _find(deployment, "Progressing")
        title = f'ReplicaSet "{_n(new)}"' if new else f'Deployment "{_n(deployment)}"'
        if deadline is None or deployment["spec"].get("paused"):
            return None
        settled = current is not None and current.get("reason") == "NewReplicaSetAvailable"
        if settled and numbers.get("replicas", 0) == numbers.get("updatedReplicas", 0):
            return None
        if new is not None and rollouts.is_complete(deployment, numbers):
            return ("True", "NewReplicaSetAvailable", f"{title} has successfully progressed.")
        if rollouts.made_progress(deployment.get("status") or {}, numbers):
            self._progressed(deployment)
            self._await_deadline(deployment, deadline)
            return ("True", "ReplicaSetUpdated", f"{title} is progressing.")
        if current is None or settled:
            return None
        since = self._progress.get(deployment["metadata"]["uid"], self.work.pace.clock())
        left = self.work.pace.left(since, deadline)
        if current.get("reason") == "ProgressDeadlineExceeded" or left <= 0:
            return ("False", "ProgressDeadlineExceeded", f"{title} has timed out progressing.")
        self._await_deadline(deployment, left)
        return None

    def _await_deadline(self, deployment: Obj, seconds: float) -> None:
        self.look_again((deployment["metadata"]["namespace"], _n(deployment)), seconds + 0.05)


def _as_condition(kind: str, verdict: tuple[str, str, str]) -> Obj:
    return {"type": kind, "status": verdict[0], "reason": verdict[1], "message": verdict[2]}


def _find(deployment: Obj, kind: str) -> Obj | None:
    found: list[Obj] = dig(deployment, "status", "conditions", default=[])
    return next((c for c in found if c["type"] == kind), None)


def _n(obj: Obj) -> str:
    name: str = obj["metadata"]["name"]
    return name
