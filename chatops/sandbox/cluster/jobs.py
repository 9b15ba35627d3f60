"""The Job controller: pods until enough have succeeded or too many failed."""

from __future__ import annotations

from .machinery import Clockwork, Name
from .replicasets import PODS, PodKeeper, is_active, is_ready
from .values import Obj, dig, meta, set_condition, stamp

JOBS = ("batch", "jobs")


class Jobs(PodKeeper):
    key = JOBS
    component = "job-controller"

    def __init__(self, work: Clockwork) -> None:
        super().__init__(work)
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    def reconcile(self, name: Name) -> None:
        job = self.work.find(JOBS, name)
        if job is None or meta(job).get("deletionTimestamp"):
            return
        pods = self.work.owned(PODS, job)
        if _verdict(job):
            for pod in pods:
                if is_active(pod):
                    self.drop_pod(job, pod)
            self._expire(job, name)
            return
        active = [pod for pod in pods if is_active(pod)]
        succeeded = sum(1 for pod in pods if dig(pod, "status", "phase") == "Succeeded")
        failed = sum(1 for pod in pods if dig(pod, "status", "phase") == "Failed")
        spec = job["spec"]
        restarts = sum(
            c.get("restartCount", 0) for pod in active for c in dig(pod, "status", "containerStatuses", default=[])
        )
        if spec.get("suspend"):
            for pod in active:
                self.drop_pod(job, pod)
            self._write(job, 0, succeeded, failed, [], {"type": "Suspended", "status": "True", "reason": "JobSuspended",
                                                        "message": "Job suspended"})  # fmt: skip
            return
        end: Obj | None = None
        if failed + restarts > spec["backoffLimit"]:
            end = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
                   "message": "Job has reached the specified backoff limit"}  # fmt: skip
        elif succeeded >= spec.get("completions", 1):
            end = {"type": "Complete", "status": "True", "reason": "CompletionsReached",
                   "message": "Reached expected number of succeeded pods"}  # fmt: skip
        elif self._overdue(job, name):
            end = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded",
                   "message": "Job was active longer than specified deadline"}  # fmt: skip
        else:
            wanted = min(spec["parallelism"], spec.get("completions", 1) - succeeded)
            for _ in range(wanted - len(active)):
                active.append(self.make_pod(job))
        self._write(job, len(active), succeeded, failed, active, end)
        if end is not None:
            kind = "Normal" if end["type"] == "Complete" else "Warning"
            reason = "Completed" if end["type"] == "Complete" else end["reason"]
            text = "Job completed" if end["type"] == "Complete" else end["message"]
            self.work.event(job, kind, reason, text, self.component)

    def _overdue(self, job: Obj, name: Name) -> bool:
        seconds = job["spec"].get("activeDeadlineSeconds")
        if seconds is None:
            return False
        since = self._began.setdefault(job["metadata"]["uid"], self.work.pace.clock())
        left = self.work.pace.left(since, seconds)
        if left > 0:
            self.look_again(name, left + 0.01)
        return left <= 0

    def _expire(self, job: Obj, name: Name) -> None:
        """Delete a finished job after ttlSecondsAfterFinished."""
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return
        since = self._ended.setdefault(job["metadata"]["uid"], self.work.pace.clock())
        left = self.work.pace.left(since, seconds)
        if left <= 0:
            self.work.delete(self.work.resource(*JOBS), job)
        else:
            self.look_again(name, left + 0.01)

    def _write(self, job: Obj, active: int, succeeded: int, failed: int, pods: list[Obj], end: Obj | None) -> None:
        old = dig(job, "status", default={})
        status: Obj = {"startTime": old.get("startTime", stamp()), "uncountedTerminatedPods": {},
                       "ready": sum(map(is_ready, pods)), "terminating": 0}  # fmt: skip
        for key, value in (("active", active), ("succeeded", succeeded), ("failed", failed)):
            if value:
                status[key] = value
        conditions = list(old.get("conditions", []))
        if end is not None:
            if end["type"] in ("Complete", "Failed"):
                status.pop("active", None)
                first = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[end["type"]]
                conditions = set_condition(conditions, {**end, "type": first, "lastProbeTime": stamp()}, touch=False)
            if end["type"] == "Complete":
                status["completionTime"] = stamp()
            conditions = set_condition(conditions, {**end, "lastProbeTime": stamp()}, touch=False)
        if conditions:
            status["conditions"] = conditions
        if status != old:
            self.work.write(self.work.resource(*JOBS), job, lambda obj: obj.update(status=status), "status")


def _verdict(job: Obj) -> str:
    found = [c["type"] for c in dig(job, "status", "conditions", default=[])
             if c["type"] in ("Complete", "Failed") and c["status"] == "True"]  # fmt: skip
    return found[0] if found else ""
