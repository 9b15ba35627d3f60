"""One container from pulling its image to readiness or to its end, and the pod status made of all of them."""

from __future__ import annotations

import asyncio
import zlib

from .admission import PODS
from .behaviour import Behaviour, behaviour_of, first_lines, last_lines
from .logbook import LogBook, Run
from .machinery import Clockwork
from .references import missing_setting
from .values import Obj, dig, now, set_condition, stamp

_BACKOFF = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
_SYNC = 12.0  # seconds until the kubelet looks at a pod again


class PodStatus:
    """The status of one pod as its kubelet reports it; every change is one status update."""

    def __init__(self, work: Clockwork, pod: Obj, address: str) -> None:
        self._work = work
        self.pod = pod
        self.name = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.host = dig(pod, "spec", "nodeName", default="")
        self._address = address
        self._states: dict[tuple[bool, str], Obj] = {}
        self._initialized = not dig(pod, "spec", "initContainers")
        self._phase = "Pending"
        self._start = stamp()

    def begin(self) -> None:
        for init, group in ((True, "initContainers"), (False, "containers")):
            for container in dig(self.pod, "spec", group, default=[]):
                reason = "ContainerCreating" if self._initialized else "PodInitializing"
                self._states[(init, container["name"])] = {
                    "name": container["name"], "image": container["image"], "imageID": "", "ready": False,
                    "restartCount": 0, "started": False, "state": {"waiting": {"reason": reason}}, "lastState": {},
                }  # fmt: skip
        self._write()

    def initialized(self) -> None:
        if not self._initialized:
            self._initialized = True
            self._write()

    def of(self, init: bool, name: str) -> Obj:
        return self._states[(init, name)]

    def note(self, init: bool, name: str, **fields: object) -> None:
        """Change what the next status update says, without one of its own."""
        self._states[(init, name)] = {**self._states[(init, name)], **fields}

    def change(self, init: bool, name: str, **fields: object) -> None:
        self.note(init, name, **fields)
        if not init and "running" in self._states[(init, name)]["state"]:
            self._phase = "Running"
        self._write()

    def finish(self, well: bool) -> None:
        """The phase of a pod whose containers have all ended for good."""
        self._phase = "Succeeded" if well else "Failed"
        self._write()

    def event(self, kind: str, reason: str, message: str, container: str = "") -> None:
        field = f"spec.containers{{{container}}}" if container else ""
        self._work.event(self.pod, kind, reason, message, "kubelet", field, self.host)

    def _write(self) -> None:
        live = self._work.find(PODS, self.name)
        if live is None or live["metadata"]["uid"] != self.pod["metadata"]["uid"]:
            raise asyncio.CancelledError
        status = self._made(dig(live, "status", "conditions", default=[]))
        self._work.write(
            self._work.resource(*PODS), live, lambda obj: obj["status"].update(status), "status", "kubelet"
        )

    def _made(self, conditions: list[Obj]) -> Obj:
        unready = [name for (init, name), state in self._states.items() if not init and not state["ready"]]
        unfinished = [name for (init, name), state in self._states.items() if init and not state["ready"]]
        for kind, bad, text in (("PodReadyToStartContainers", [], ""), ("Initialized", unfinished, "incomplete"),
                                ("Ready", unready, "unready"), ("ContainersReady", unready, "unready")):  # fmt: skip
            wanted: Obj = {"type": kind, "status": "False" if bad else "True", "lastProbeTime": None}
            if self._phase == "Succeeded" and text == "unready":
                wanted["reason"] = "PodCompleted"
            elif bad:
                wanted["reason"] = "ContainersNotReady" if text == "unready" else "ContainersNotInitialized"
                wanted["message"] = f"containers with {text} status: [{' '.join(bad)}]"
            conditions = set_condition(conditions, wanted, touch=False)
        status: Obj = {
            "phase": self._phase, "conditions": conditions, "hostIP": "192.0.2.10", "hostIPs": [{"ip": "192.0.2.10"}],
            "startTime": self._start, "podIP": self._address, "podIPs": [{"ip": self._address}],
            "containerStatuses": [state for (init, _), state in self._states.items() if not init],
        }  # fmt: skip
        inits = [state for (init, _), state in self._states.items() if init]
        return {**status, "initContainerStatuses": inits} if inits else status


class ContainerLife:
    """`run` ends only when the container has ended for good; true when it ended well."""

    def __init__(
        self, work: Clockwork, book: LogBook, status: PodStatus, container: Obj, *, finishes: bool, init: bool,
        pulled: set[tuple[str, str]],
    ) -> None:  # fmt: skip
        self._work = work
        self._book = book
        self._status = status
        self._container = container
        self._name: str = container["name"]
        self._image: str = container["image"]
        self._init = init
        self._pulled = pulled
        self._restarts = dig(status.pod, "spec", "restartPolicy", default="Always")
        self._behaviour = behaviour_of(container, finishes=finishes)
        self._uid: str = status.pod["metadata"]["uid"]
        self._run: Run | None = None

    def _change(self, **fields: object) -> None:
        self._status.change(self._init, self._name, **fields)

    def _say(self, kind: str, reason: str, message: str) -> None:
        self._status.event(kind, reason, message, self._name)

    def leave(self) -> None:
        if self._run is not None and self._run.ended is None:
            self._run.ended = now()

    async def run(self) -> bool:
        await self._pull()
        crashes = 0
        while True:
            await self._configure()
            started = await self._begin()
            if self._behaviour.exit_code is None:
                await self._become_ready()
                await asyncio.Event().wait()
            await self._work.pace.sleep(self._behaviour.exit_after)
            ended_well = self._die(started)
            if ended_well and (self._init or self._restarts != "Always"):
                return True
            if self._restarts == "Never":
                return False
            await self._back_off(crashes)
            crashes += 1

    async def _pull(self) -> None:
        key = (self._status.host, self._image)
        if key in self._pulled and self._container.get("imagePullPolicy") != "Always":
            self._say("Normal", "Pulled", f'Container image "{self._image}" already present on machine')
            return
        tries = 0
        self._say("Normal", "Pulling", f'Pulling image "{self._image}"')
        await self._work.pace.sleep(0.8)
        while self._behaviour.missing:
            await self._fail_pull(tries)
            tries += 1
        self._pulled.add(key)
        took = 400 + zlib.crc32(self._image.encode()) % 900
        size = 20_000_000 + zlib.crc32(self._image.encode()) % 9_000_000
        text = f'Successfully pulled image "{self._image}" in {took}ms ({took}ms including waiting).'
        self._say("Normal", "Pulled", f"{text} Image size: {size} bytes.")

    async def _fail_pull(self, tries: int) -> None:
        image = self._image
        full = image if "/" in image else f"library/{image}"
        why = f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": {full}: not found'
        text = f"rpc error: code = NotFound desc = {why}"
        self._say("Warning", "Failed", f'Failed to pull image "{image}": {text}')
        self._say("Warning", "Failed", "Error: ErrImagePull")
        self._change(state={"waiting": {"reason": "ErrImagePull", "message": text}})
        await self._work.pace.sleep(1.2)
        self._say("Normal", "BackOff", f'Back-off pulling image "{image}"')
        self._say("Warning", "Failed", "Error: ImagePullBackOff")
        message = f'Back-off pulling image "{image}": ErrImagePull: {text}'
        self._change(state={"waiting": {"reason": "ImagePullBackOff", "message": message}})
        await self._work.pace.sleep(_BACKOFF[min(tries, len(_BACKOFF) - 1)])
        self._say("Normal", "Pulling", f'Pulling image "{image}"')

    async def _configure(self) -> None:
        """Waits for the ConfigMaps and Secrets of the environment; the kubelet looks again every few seconds."""
        while why := missing_setting(self._work.store, self._status.pod, self._container):
            self._say("Warning", "Failed", f"Error: {why}")
            self._change(state={"waiting": {"reason": "CreateContainerConfigError", "message": why}})
            await self._work.pace.sleep(_SYNC)
            self._say("Normal", "Pulled", f'Container image "{self._image}" already present on machine')

    async def _begin(self) -> str:
        await self._work.pace.sleep(0.2)
        self._say("Normal", "Created", f"Created container: {self._name}")
        started = stamp()
        self._run = self._book.begin(self._uid, self._name)
        identity = self._identity()
        if self._behaviour.start_error:
            return started
        self._say("Normal", "Started", f"Started container {self._name}")
        self._run.write(first_lines(self._container))
        self._change(state={"running": {"startedAt": started}}, started=True, containerID=identity,
                     imageID=self._image_id())  # fmt: skip
        return started

    def _identity(self) -> str:
        count = self._status.of(self._init, self._name)["restartCount"]
        return "containerd://" + f"{zlib.crc32(f'{self._uid}{self._name}{count}'.encode()):08x}" * 8

    def _image_id(self) -> str:
        return self._image.rsplit(":", 1)[0] + "@sha256:" + f"{zlib.crc32(self._image.encode()):08x}" * 8

    async def _become_ready(self) -> None:
        run = self._run
        if run is not None:
            run.chatty = True
        after = self._behaviour.ready_after
        if after is not None:
            await self._work.pace.sleep(after)
            self._change(ready=True)
            return
        if run is not None:
            run.ready = False
        while True:
            await self._work.pace.sleep(2.0)
            self._say("Warning", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")

    def _die(self, started: str) -> bool:
        behaviour: Behaviour = self._behaviour
        if self._run is not None:
            self._run.write(last_lines(self._container, behaviour))
        self.leave()
        ended: Obj = {"exitCode": behaviour.exit_code, "reason": behaviour.exit_reason, "startedAt": started,
                      "finishedAt": stamp(), "containerID": self._identity()}  # fmt: skip
        if behaviour.start_error:
            ended["message"] = behaviour.start_error
            ended["startedAt"] = "1970-01-01T00:00:00Z"
            self._say("Warning", "Failed", f"Error: {behaviour.start_error}")
        well = behaviour.exit_code == 0
        self._change(
            state={"terminated": ended}, ready=well and self._init, started=False, containerID=self._identity()
        )
        return well

    async def _back_off(self, crashes: int) -> None:
        """The first restart comes at once, later ones after 10 s, 20 s, … (Pod Lifecycle: container restart policy)."""
        now_ = self._status.of(self._init, self._name)
        last = {"terminated": now_["state"]["terminated"]}
        pod = self._status.pod["metadata"]
        await self._work.pace.sleep(0.4)
        if crashes:
            wait = _BACKOFF[min(crashes - 1, len(_BACKOFF) - 1)]
            shown = f"{int(wait)}s" if wait < 60 else f"{int(wait // 60)}m{int(wait % 60)}s"
            full = f"{pod['name']}_{pod['namespace']}({pod['uid']})"
            self._say("Warning", "BackOff", f"Back-off restarting failed container {self._name} in pod {full}")
            text = f"back-off {shown} restarting failed container={self._name} pod={full}"
            self._change(state={"waiting": {"reason": "CrashLoopBackOff", "message": text}}, lastState=last)
            await self._work.pace.sleep(wait)
        self._restarted(last)

    def _restarted(self, last: Obj) -> None:
        state = self._status.of(self._init, self._name)
        self._status.note(self._init, self._name, restartCount=state["restartCount"] + 1, lastState=last)
        self._say("Normal", "Pulled", f'Container image "{self._image}" already present on machine')
