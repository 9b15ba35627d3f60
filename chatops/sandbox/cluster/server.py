"""The practice cluster as one object: start it, load manifests, make it fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from aiohttp import web

from chatops.sandbox.copies import copied

from .access import MASTERS, Access, User, default_roles
from .api import Api, Ask
from .claims import Claims
from .control import Control
from .deployments import Deployments
from .faults import Fault, Faults, RequestLog
from .http import Front
from .jobs import Jobs
from .kubelet import Kubelet
from .logbook import LogBook
from .logs import BOOK
from .machinery import Clockwork, Controller
from .pace import Pace
from .replicasets import ReplicaSets, StatefulSets
from .resources import Registry
from .rules import APPLY, STRATEGIC
from .store import Change, Store
from .upkeep import Definitions, Garbage, Namespaces, Quotas
from .values import Obj, dig, dump, meta
from .watches import Watches

log = logging.getLogger(__name__)
ADMIN_TOKEN = "practice-admin"  # noqa: S105 - a word that opens a toy on loopback
DEFAULT_TOKENS: Mapping[str, User] = {ADMIN_TOKEN: User("practice-admin", (MASTERS,))}
APPLIED_BY = "practice.chatops/applied-by"
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class PracticeCluster:
    """A Kubernetes API on loopback, `async with PracticeCluster(objects) as cluster: cluster.url`.

    `objects` are loaded before the first request is answered, and their workloads are up at once. `like` is another
    cluster to start as a copy of, in a tenth of the time: the same objects, versions, pods and logs. `pace` is how long
    the clockwork takes: 1 natural (a pod in 2.5 s), 0.05 twenty times as fast. `tokens` maps bearer
    tokens to users; RBAC objects say what these may, the group system:masters may everything. `history` bounds the
    events that watches can start from. Without `controllers` it is an API server alone: no pod ever runs. `patience` is
    how many real seconds the start waits for workloads that do not come up.
    """

    def __init__(
        self,
        objects: Iterable[Obj] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        pace: float = 1.0,
        tokens: Mapping[str, User] | None = None,
        history: int = 4096,
        nodes: int = 3,
        like: PracticeCluster | None = None,
        controllers: bool = True,
        patience: float = 1.0,
    ) -> None:
        self._objects = list(objects)
        self._like = like
        self._patience = patience
        self._host, self._port, self._node_count = host, port, nodes
        self.pace = Pace(pace)
        self.registry = Registry()
        self.store = Store(history)
        self.api = Api(self.registry, self.store)
        self.access = Access(self.store, DEFAULT_TOKENS if tokens is None else tokens)
        self.faults = Faults()
        self.log = RequestLog()
        self.watches = Watches(self.store)
        work = Clockwork(self.api, self.pace)
        self.book = LogBook()
        self._kubelet = Kubelet(work, self.book)
        kinds: list[type[Controller]] = [
            Definitions,
            Namespaces,
            Deployments,
            ReplicaSets,
            StatefulSets,
            Jobs,
            Quotas,
            Garbage,
        ]
        self.claims = Claims(work)
        self._controllers = [*(kind(work) for kind in kinds), self.claims] if controllers else [Definitions(work)]
        self._runs_pods = controllers
        self.store.listen(self._on_change)
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None

    def _on_change(self, change: Change) -> None:
        for controller in self._controllers:
            controller.on_change(change)
        if self._runs_pods:
            self._kubelet.on_change(change)

    # Running

    async def __aenter__(self) -> Self:
        factor = self.pace.factor
        self.pace.set(0)
        try:
            self._tasks = [asyncio.ensure_future(controller.run()) for controller in self._controllers]
            self._seed() if self._like is None else self._copy_from(self._like)
            self.load(self._objects)
            await self._settle()
        finally:
            self.pace.set(factor)
        await self._listen()
        return self

    async def _listen(self) -> None:
        app = web.Application(client_max_size=8 * 2**20)
        app[BOOK] = self.book
        app.router.add_route("*", "/sandbox/{what}", Control(self).handle)
        front = Front(self.api, self.access, self.faults, self.log, self.watches)
        app.router.add_route("*", "/{path:.*}", front.handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.clear()
        self.watches.close_all()
        if self._runner is not None:
            await self._runner.cleanup()
        for controller in self._controllers:
            controller.stop()
        tasks = [*self._tasks, *self._kubelet.stop()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self) -> None:
        """Let the loaded workloads come up without waiting, but not for ever for those that never do."""
        end = asyncio.get_running_loop().time() + self._patience
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.002)
            if all(controller.idle for controller in self._controllers) and all(
                dig(obj, "status", "availableReplicas", default=0) >= dig(obj, "spec", "replicas", default=0)
                for plural in ("deployments", "statefulsets")
                for obj in self.store.objects(("apps", plural))
            ):
                return

    # Content

    def _copy_from(self, other: PracticeCluster) -> None:
        self.store.copy_from(other.store)
        self.book.copy_from(other.book)
        self._kubelet.copy_from(other._kubelet)
        settled = {type(one) for one in other._controllers if one.settled} - {Definitions}  # whose kinds are not copied
        waking = [controller for controller in self._controllers if type(controller) not in settled]
        for key in self.store.kinds():  # as controllers do that were started again: they look at everything
            for obj in self.store.objects(key):
                change = Change(self.store.version, "ADDED", key, obj, None)
                for controller in waking:
                    controller.on_change(change)

    def _seed(self) -> None:
        for name in _NAMESPACES:
            self._ensure_namespace(name)
        for role in default_roles():
            self._load_one(role)
        for i in range(1, self._node_count + 1):
            self._load_one(_node(i))

    def load(self, what: str | Iterable[Obj], field_manager: str = "kubectl-create") -> list[Obj]:
        """Create objects, from YAML text or dicts; namespaces are made as needed.

        An object with the annotation `practice.chatops/applied-by: NAME` is applied server-side by that field manager
        (force), again when it exists; several documents for one object give it several owners. Raises ApiError.
        """
        documents = list(yaml.safe_load_all(what)) if isinstance(what, str) else list(what)
        stored = []
        for document in documents:
            if document:
                listed = document.get("items", []) if str(document.get("kind", "")).endswith("List") else [document]
                stored += [self._load_one(item, field_manager) for item in listed]
        return stored

    def edit(
        self, version: str, kind: str, namespace: str, name: str, change: Obj, field_manager: str = "kubectl-edit"
    ) -> Obj:
        """Changes an object as `kubectl edit` does (strategic merge patch). Raises ApiError, KeyError for a kind."""
        resource = self.registry.of(version, kind)
        if resource is None:
            raise KeyError(kind)
        return self.api.patch(resource, namespace, name, STRATEGIC, dump(change).encode(), Ask(field_manager))[0]

    def _load_one(self, obj: Obj, manager: str = "kubectl-create") -> Obj:
        resource = self.registry.of(obj["apiVersion"], obj["kind"])
        if resource is None:
            raise ValueError(f"the practice cluster has no {obj['kind']} in {obj['apiVersion']}")
        obj = {**obj, "metadata": dict(obj["metadata"])}
        namespace = obj["metadata"].setdefault("namespace", "default") if resource.namespaced else ""
        if namespace:
            self._ensure_namespace(namespace)
        annotations = dict(meta(obj).get("annotations") or {})
        applier = annotations.pop(APPLIED_BY, None)
        if applier is None:
            if resource.plural == "namespaces" and self.store.get(resource.key, "", obj["metadata"]["name"]):
                return self.api.get(resource, "", obj["metadata"]["name"])
            stored = self.api.create(resource, namespace, obj, Ask(manager))
            if obj.get("status") and "status" in resource.subresources and resource.group not in ("apps", "batch"):
                stored = self.api.store_update(
                    resource, stored, {**stored, "status": copied(obj["status"])}, Ask(manager), "status"
                )
            return stored
        obj["metadata"]["annotations"] = annotations
        if not annotations:
            del obj["metadata"]["annotations"]
        ask = Ask(str(applier), force=True)
        return self.api.patch(resource, namespace, obj["metadata"]["name"], APPLY, dump(obj).encode(), ask)[0]

    def _ensure_namespace(self, name: str) -> None:
        resource = self.registry.find("", "v1", "namespaces")
        if self.store.get(resource.key, "", name) is None:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self.api.create(resource, "", body, Ask("kubectl-create"))

    # Addresses

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    def kubeconfig(self, token: str = "", namespace: str = "default", name: str = "practice") -> Obj:
        """A kubeconfig as a dict, for `new_client_from_config_dict`; the token defaults to the first one known."""
        token = token or next(word for word in self.access.tokens if word)
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        }

    def write_kubeconfig(self, path: str | Path, **options: Any) -> Path:
        target = Path(path)
        target.write_text(yaml.safe_dump(self.kubeconfig(**options)))
        return target

    # Faults

    def fault(self, answer: int | str, **match: Any) -> Fault:
        """Let requests that match fail: see `Fault` for `answer` and the filters; `times=None` until cleared."""
        return self.faults.add(Fault(answer, **match))

    def close_watches(self) -> int:
        """End all open watches, as an API server does that restarts; returns how many there were."""
        return self.watches.close_all()

    def compact(self) -> int:
        """Forget the history: a watch or a page from before gets 410. Returns the oldest version that still works."""
        return self.store.compact()

    def go_away(self) -> None:
        """Cut every connection, also open watches, until `come_back`; `/sandbox` still answers."""
        self.faults.away = True
        self.watches.close_all()

    def come_back(self) -> None:
        self.faults.away = False


def _node(number: int) -> Obj:
    name = f"practice-{number}"
    room = {"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
                                              "kubernetes.io/arch": "amd64"}},
        "spec": {"podCIDR": f"10.244.{number}.0/24"},
        "status": {"capacity": room, "allocatable": room, "addresses": [{"type": "Hostname", "address": name}],
                   "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady",
                                   "message": "kubelet is posting ready status"}]},
    }  # fmt: skip
