"""What the contract tests speak with: `kubernetes.aio`, with plain objects in and out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from kubernetes.aio import client

Obj = dict[str, Any]
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OURS = {"chatops-contract": "definition"}  # label of the definitions that the tests make, and remove at their end


@dataclass(frozen=True)
class Images:
    """Two images that run, and one that cannot be pulled."""

    first: str
    second: str
    missing: str


@dataclass
class Answer:
    status: int
    body: Obj
    warnings: list[str]

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def causes(self) -> list[Obj]:
        found: list[Obj] = (self.body.get("details") or {}).get("causes") or []
        return found

    def ok(self) -> Obj:
        assert 200 <= self.status < 300, self.body
        return self.body


class Kube:
    """One API server and one namespace in it; `deadline` is how long a workload may take, in seconds."""

    def __init__(self, api: client.ApiClient, namespace: str, images: Images, deadline: float) -> None:
        self.api = api
        self.namespace = namespace
        self.images = images
        self.deadline = deadline

    def path(self, plural: str, name: str = "", sub: str = "") -> str:
        group = {
            "deployments": "apps",
            "replicasets": "apps",
            "statefulsets": "apps",
            "daemonsets": "apps",
            "jobs": "batch",
        }.get(plural)
        prefix = f"/apis/{group}/v1" if group else "/api/v1"
        return "/".join(part for part in (f"{prefix}/namespaces/{self.namespace}/{plural}", name, sub) if part)

    async def call(
        self, method: str, path: str, body: Any = None, media: str = "application/json", **query: Any
    ) -> Answer:
        response = await self._send(method, path, body, media, query)
        raw = await response.read()
        found = json.loads(raw) if raw[:1] == b"{" else {"text": raw.decode()}
        return Answer(response.status, found, response.response.headers.getall("Warning", []))

    async def _send(self, method: str, path: str, body: Any, media: str, query: Obj) -> Any:
        shown = [(key, str(value).lower() if isinstance(value, bool) else value) for key, value in query.items()]
        headers = {"Content-Type": media, "Accept": "application/json"}
        request = await self.api.param_serialize(
            method, path, query_params=shown, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        return await self.api.call_api(*request, _request_timeout=self.deadline + 30)

    async def get(self, path: str, **query: Any) -> Obj:
        return (await self.call("GET", path, **query)).ok()

    async def create(self, plural: str, obj: Obj, **query: Any) -> Obj:
        return (await self.call("POST", self.path(plural), obj, **query)).ok()

    async def patch(self, path: str, body: Any, media: str, **query: Any) -> Answer:
        return await self.call("PATCH", path, body, media, **query)

    async def apply(self, plural: str, obj: Obj, manager: str, **query: Any) -> Answer:
        name = obj["metadata"]["name"]
        return await self.patch(self.path(plural, name), obj, APPLY, fieldManager=manager, **query)

    async def watch(self, path: str, **query: Any) -> AsyncIterator[Obj]:
        """The events of a watch as they come, until the server ends it."""
        response = await self._send("GET", path, None, "application/json", {"watch": True, **query})
        try:
            if response.status != 200:
                body = json.loads(await response.read())
                yield {"type": "ERROR", "object": body}
                return
            async for line in response.response.content:
                yield json.loads(line)
        finally:
            response.response.close()

    async def lines(self, path: str, **query: Any) -> AsyncIterator[str]:
        """The lines of a streamed answer as they come."""
        response = await self._send("GET", path, None, "application/json", query)
        async for line in response.response.content:
            yield line.decode()

    async def until(self, path: str, fits: Callable[[list[Obj]], bool], why: str) -> list[Obj]:
        """List and watch a collection until `fits`; fails after the deadline, saying what was waited for."""
        seen: list[list[Obj]] = [[]]

        async def look() -> list[Obj]:
            while True:
                listed = await self.get(path)
                objects = {item["metadata"]["uid"]: item for item in listed["items"]}
                seen[0] = list(objects.values())
                if fits(seen[0]):
                    return seen[0]
                version = listed["metadata"]["resourceVersion"]
                async for event in self.watch(path, resourceVersion=version, timeoutSeconds=60):
                    if event["type"] == "ERROR":
                        break
                    uid = event["object"]["metadata"]["uid"]
                    if event["type"] == "DELETED":
                        objects.pop(uid, None)
                    else:
                        objects[uid] = event["object"]
                    seen[0] = list(objects.values())
                    if fits(seen[0]):
                        return seen[0]

        try:
            return await asyncio.wait_for(look(), self.deadline)
        except TimeoutError:
            raise AssertionError(
                f"waited {self.deadline} s for {why}; last seen: {json.dumps(seen[0])[:3000]}"
            ) from None

    async def eventually(self, ask: Callable[[], Awaitable[Answer]], fits: Callable[[Answer], bool]) -> Answer:
        """Ask again until the answer fits, for what cannot be watched; returns the last answer after the deadline."""
        end = asyncio.get_running_loop().time() + self.deadline
        while True:
            answer = await ask()
            if fits(answer) or asyncio.get_running_loop().time() > end:
                return answer
            await asyncio.sleep(0.05)

    async def until_one(self, plural: str, name: str, fits: Callable[[Obj], bool], why: str) -> Obj:
        found = await self.until(
            self.path(plural), lambda all_: any(o["metadata"]["name"] == name and fits(o) for o in all_), why
        )
        return next(o for o in found if o["metadata"]["name"] == name)


def config_map(name: str, **data: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str, image: str, replicas: int | None = 3, **container: Any) -> Obj:
    """A Deployment of one container named app; `replicas` None leaves the field out."""
    spec: Obj = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "app", "image": image, **container}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def containers(workload: Obj) -> list[Obj]:
    found: list[Obj] = workload["spec"]["template"]["spec"]["containers"]
    return found


def owners(obj: Obj) -> dict[str, Obj]:
    """fieldsV1 by "manager/operation[/subresource]"."""
    return {
        "/".join(filter(None, (e["manager"], e["operation"], e.get("subresource")))): e["fieldsV1"]
        for e in obj["metadata"].get("managedFields", [])
    }


def condition(obj: Obj, kind: str) -> Obj:
    found = [c for c in (obj.get("status") or {}).get("conditions", []) if c["type"] == kind]
    return found[0] if found else {}


def rolled_out(obj: Obj) -> bool:
    """As `kubectl rollout status` decides: observed, all updated, none old, all available."""
    status, wanted = obj.get("status") or {}, obj["spec"]["replicas"]
    return status.get("observedGeneration", 0) >= obj["metadata"]["generation"] and all(
        status.get(key, 0) == wanted for key in ("updatedReplicas", "replicas", "availableReplicas")
    )
