"""The kubelet and the scheduler's hand: walks every pod from Pending to Ready, or to what its image does instead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from .admission import PODS
from .containers import ContainerLife, PodStatus
from .logbook import LogBook
from .machinery import Clockwork
from .references import missing_volume
from .scheduler import NODES, place
from .store import Change
from .values import Obj, controller_of, copy_parts, dig, meta, now, set_condition

log = logging.getLogger(__name__)
Work = Callable[[Obj], Awaitable[None]]


class Kubelet:
    """One task per pod; a pod that is deleted is stopped, given its grace, and removed."""

    def __init__(self, work: Clockwork, book: LogBook) -> None:
        self.work = work
        self.book = book
        self.pulled: set[tuple[str, str]] = set()
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Event()
        self._addresses = 10

    @property
    def idle(self) -> bool:
        return not self._ends

    def on_change(self, change: Change) -> None:
        if change.key == NODES or (change.key == PODS and change.type == "DELETED"):
            self._room.set()
            self._room = asyncio.Event()
        if change.key != PODS:
            return
        uid = change.obj["metadata"]["uid"]
        if change.type == "DELETED":
            self._finish(self._lives.pop(uid, None))
            self.book.forget(uid)
        elif meta(change.obj).get("deletionTimestamp"):
            if uid not in self._ends:
                self._ends[uid] = self._start(self._end, change.obj, self._ends)
        elif change.type == "ADDED":
            self._lives[uid] = self._start(self._live, change.obj, self._lives)

    def copy_from(self, other: Kubelet) -> None:
        """Take over the images and the pods of another kubelet; the pods are in the store already and go on."""
        self.pulled, self._addresses = set(other.pulled), other._addresses
        for pod in self.work.store.objects(PODS):
            uid = pod["metadata"]["uid"]
            self._lives[uid] = self._start(self._stay if _up(pod) else self._live, pod, self._lives)

    async def _stay(self, pod: Obj) -> None:
        """A pod that is up: its containers go on, which ended where they were copied from when that was stopped."""
        names = [container["name"] for container in dig(pod, "spec", "containers", default=[])]
        runs = [run for name in names if (run := self.book.current(pod["metadata"]["uid"], name)) is not None]
        for run in runs:
            run.ended = None
        try:
            await asyncio.Event().wait()
        finally:
            for run in runs:
                run.ended = run.ended or now()

    def _start(self, work: Work, pod: Obj, home: dict[str, asyncio.Task[None]]) -> asyncio.Task[None]:
        uid = pod["metadata"]["uid"]
        task = asyncio.ensure_future(self._guard(work, pod))
        task.add_done_callback(lambda done: home.pop(uid, None) if home.get(uid) is done else None)
        return task

    async def _guard(self, work: Work, pod: Obj) -> None:
        try:
            await work(pod)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("the practice kubelet lost a pod")

    def _finish(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            task.cancel()

    def stop(self) -> list[asyncio.Task[None]]:
        tasks = [*self._lives.values(), *self._ends.values()]
        for task in tasks:
            task.cancel()
        return tasks

    async def _live(self, pod: Obj) -> None:
        pod = await self._schedule(pod)
        status = PodStatus(self.work, pod, self._next_address())
        await self.work.pace.sleep(0.2)
        finishes = (controller_of(pod) or {}).get("kind") == "Job"
        status.begin()
        await self._mount(status)
        for container in dig(pod, "spec", "initContainers", default=[]):
            life = ContainerLife(self.work, self.book, status, container, finishes=True, init=True, pulled=self.pulled)
            if not await life.run():
                return
        status.initialized()
        lives = [
            ContainerLife(self.work, self.book, status, container, finishes=finishes, init=False, pulled=self.pulled)
            for container in dig(pod, "spec", "containers", default=[])
        ]
        try:
            ends = await asyncio.gather(*(life.run() for life in lives))
        finally:
            for life in lives:
                life.leave()
        status.finish(all(ends))

    async def _mount(self, status: PodStatus) -> None:
        """Waits for the ConfigMaps and Secrets that volumes are made of, looking ever more seldom."""
        wait = 0.5
        while why := missing_volume(self.work.store, status.pod):
            status.event("Warning", "FailedMount", why)
            await self.work.pace.sleep(wait)
            wait = min(wait * 2, 122)

    async def _schedule(self, pod: Obj) -> Obj:
        resource = self.work.resource(*PODS)
        name = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        wait = 1.0
        while not dig(pod, "spec", "nodeName"):
            await self.work.pace.sleep(0.1)
            found = self.work.find(PODS, name)
            if found is None or found["metadata"]["uid"] != pod["metadata"]["uid"]:
                raise asyncio.CancelledError
            pod = found
            node, why = place(self.work.store, pod)
            if node:
                bound = copy_parts(pod)
                bound["spec"]["nodeName"] = node
                pod = self.work.store.put(PODS, bound)
                _set(self.work, pod, {"type": "PodScheduled", "status": "True"})
                text = f"Successfully assigned {'/'.join(name)} to {node}"
                self.work.event(pod, "Normal", "Scheduled", text, "default-scheduler")
                break
            failed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            pod = _set(self.work, pod, failed)
            self.work.event(pod, "Warning", "FailedScheduling", why, "default-scheduler")
            try:
                async with asyncio.timeout(max(wait * self.work.pace.factor, 0.01)):
                    await self._room.wait()
            except TimeoutError:
                wait = min(wait * 2, 60)
        return self.work.find(resource.key, name) or pod

    async def _end(self, pod: Obj) -> None:
        """Stop the containers, wait what stopping takes, and remove the pod."""
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        self._finish(self._lives.get(uid))
        host = dig(pod, "spec", "nodeName", default="")
        for container in dig(pod, "spec", "containers", default=[]):
            run = self.book.current(uid, container["name"])
            if run is not None and run.ended is None:
                run.write(["INFO  got SIGTERM, finishing requests", "INFO  bye"])
                field = f"spec.containers{{{container['name']}}}"
                text = f"Stopping container {container['name']}"
                self.work.event(pod, "Normal", "Killing", text, "kubelet", field, host)
        grace = float(meta(pod).get("deletionGracePeriodSeconds") or 0)
        await self.work.pace.sleep(min(grace, 0.6))
        live = self.work.find(PODS, (pod["metadata"]["namespace"], name))
        if live is None or live["metadata"]["uid"] != uid:
            return
        if meta(live).get("finalizers"):
            self.work.store.put(PODS, {**live, "metadata": {**live["metadata"], "deletionGracePeriodSeconds": 0}})
            return
        self.work.store.delete(PODS, live["metadata"]["namespace"], name)

    def _next_address(self) -> str:
        self._addresses += 1
        return f"10.244.{self._addresses // 250 % 250}.{self._addresses % 250 + 2}"


def _up(pod: Obj) -> bool:
    states = dig(pod, "status", "containerStatuses", default=[])
    return dig(pod, "status", "phase") == "Running" and all(state["ready"] for state in states)


def _set(work: Clockwork, pod: Obj, wanted: Obj) -> Obj:
    def change(obj: Obj) -> None:
        status = obj.setdefault("status", {})
        status["conditions"] = set_condition(
            status.get("conditions", []), {**wanted, "lastProbeTime": None}, touch=False
        )

    return work.write(work.resource(*PODS), pod, change, "status", "kube-scheduler")
