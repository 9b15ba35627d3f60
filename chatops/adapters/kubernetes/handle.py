"""Reading and writing one cluster, in the words of ``kernel.ports``."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Literal, Self
from urllib.parse import quote

import aiohttp

from chatops.adapters.kubernetes.connection import Connection, Query
from chatops.adapters.kubernetes.paths import Paths
from chatops.kernel.diff import CHANGE_CAUSE, holds, same_template, template_of
from chatops.kernel.errors import ClusterError, Conflict, NotFound, Unavailable
from chatops.kernel.people import Identity
from chatops.kernel.plan import ObjectRef, Write

PAGE = 500
LOG_BYTES = 256 * 1024
MANY = 50  # lines; so few are not cut in half any more
# https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-metadata
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class Reader:
    """Implements ``kernel.ports.ClusterReader``."""

    def __init__(self, connection: Connection, paths: Paths) -> None:
        self._connection = connection
        self._paths = paths  # asks what kinds there are as ourselves: every account may, and the answer is everybody's

    def acting_for(self, identity: Identity) -> Self:
        """The same cluster, asked as this identity."""
        return type(self)(self._connection.acting_for(identity), self._paths)

    async def get(self, ref: ObjectRef) -> dict[str, Any] | None:
        """The live object, or None."""
        path = await self._path(ref)
        try:
            return await self._connection.json("get", str(ref), "GET", path)
        except NotFound:
            return None

    async def find(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """Live objects by label selector, all pages; each with its apiVersion and kind, which lists leave out."""
        query = [("labelSelector", selector)] if selector else []
        found = await self._list(api_version, kind, namespace, query)
        return [{"apiVersion": api_version, "kind": kind, **one} for one in found]

    async def resolve(self, kind: str, group: str = "") -> tuple[str, bool]:
        """The apiVersion that the cluster prefers for a kind, and whether its objects live in namespaces."""
        return await self._paths.resolve(kind, group)

    async def metadata(self, ref: ObjectRef) -> dict[str, Any] | None:
        """The live object's metadata alone, or None: what a Secret holds is not even transferred."""
        path = await self._path(ref)
        try:
            return await self._connection.json("get", str(ref), "GET", path, accept=_METADATA)
        except NotFound:
            return None

    async def events(self, namespace: str, kind: str, name: str) -> list[dict[str, Any]]:
        """Events about one object, oldest first."""
        about = f"involvedObject.kind={kind},involvedObject.name={name}"
        found = await self._list("v1", "Event", namespace, [("fieldSelector", about)])
        return sorted(found, key=_when)

    async def logs(
        self, namespace: str, pod: str, container: str = "", *, lines: int = 20, previous: bool = False,
        since: int = 0, stamped: bool = False,
    ) -> str:  # fmt: skip
        """The last lines of a container's log; empty when the pod is gone or its container has not run."""
        path = await self._path(ObjectRef(api_version="v1", kind="Pod", namespace=namespace, name=pod))
        query = [("limitBytes", str(LOG_BYTES))]
        query += [("container", container)] if container else []
        query += [("previous", "true")] if previous else []
        query += [("sinceSeconds", str(since))] if since else []
        query += [("timestamps", "true")] if stamped else []
        while True:
            tail = [*query, ("tailLines", str(lines))]
            try:
                found = await self._connection.text("logs", f"Pod/{pod}", f"{path}/log", tail)
            except ClusterError as error:
                if error.status in (400, 404):  # 400: "container … is waiting to start", "previous … not found"
                    return ""
                raise
            # limitBytes keeps the oldest of these lines and cuts off the newest, which people look for.
            if len(found.encode()) < LOG_BYTES - 4 or lines < MANY:
                return found
            lines //= 4

    async def dry_run(self, write: Write) -> dict[str, Any]:
        """The object as it would be after ``write``."""
        return await self._put("dry_run", write, [("dryRun", "All")])

    async def watch(self, ref: ObjectRef, *, timeout: float) -> AsyncIterator[dict[str, Any]]:
        """The object now and after each change, for ``timeout`` seconds.

        Survives 410, closed connections and an absent cluster by looking again. Raises ``NotFound`` when the object is
        or goes away, and other ``ClusterError`` at once.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        path = await self._paths.collection(ref.api_version, ref.kind, ref.namespace)
        only = [("fieldSelector", f"metadata.name={ref.name}")]
        given = ""  # the last resourceVersion handed out
        since = ""  # where the stream goes on; empty: look again
        while loop.time() < end:
            opened = loop.time()
            try:
                if not since:
                    listed = await self._connection.json("list", str(ref), "GET", path, only)
                    since = str(listed["metadata"]["resourceVersion"])
                    now = {"apiVersion": ref.api_version, "kind": ref.kind, **_only(listed, ref)}
                    if _version(now) != given:
                        given = _version(now)
                        yield now
                async with aclosing(self._stream(ref, path, only, since, end)) as events:
                    async for kind, item in events:
                        if kind == "ERROR":  # 410 Gone arrives as an event, too
                            since = ""
                            break
                        since = _version(item)
                        if kind == "DELETED":
                            raise NotFound(f"{ref} is gone", status=404)
                        if kind != "BOOKMARK" and since != given:
                            given = since
                            yield item
            except (Unavailable, aiohttp.ClientError, TimeoutError) as error:
                since = ""
                asked = error.retry_after if isinstance(error, Unavailable) else 0.0
                await self._rest(max(asked, 1.0), end)
            except ClusterError as error:
                if error.status != 410:
                    raise
                since = ""
            if loop.time() - opened < 0.5:  # a proxy that ends every watch at once must not make us spin
                await self._rest(0.5, end)

    async def _stream(
        self, ref: ObjectRef, path: str, only: Query, since: str, end: float
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        left = end - asyncio.get_running_loop().time()
        if left <= 0:
            return
        seconds = str(max(1, math.ceil(min(left, self._connection.patience.watch))))
        query = [*only, ("watch", "true"), ("resourceVersion", since)]
        query += [("allowWatchBookmarks", "true"), ("timeoutSeconds", seconds)]
        try:
            async with self._connection.stream(str(ref), path, query, seconds=left) as lines:
                async for line in lines:
                    event = json.loads(line)
                    yield event["type"], event["object"]
        except (TimeoutError, aiohttp.ClientError):
            if asyncio.get_running_loop().time() < end:
                raise
        except (ValueError, RecursionError) as error:  # a line cut off in the middle
            raise Unavailable(f"{self._connection.name} cut a watch short") from error

    async def _rest(self, seconds: float, end: float) -> None:
        left = end - asyncio.get_running_loop().time()
        wait = seconds * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing
        await self._connection.sleep(max(0.0, min(wait, left)))

    async def _list(self, api_version: str, kind: str, namespace: str, query: Query) -> list[dict[str, Any]]:
        path = await self._paths.collection(api_version, kind, namespace)
        found: list[dict[str, Any]] = []
        more = ""
        while True:
            page = [*query, ("limit", str(PAGE)), *([("continue", more)] if more else [])]
            try:
                answer = await self._connection.json("list", f"{kind}s of {namespace}", "GET", path, page)
            except ClusterError as error:
                if error.status != 410 or not more:
                    raise
                found, more = [], ""  # the list grew too old between two pages: from the start
                continue
            found += answer.get("items") or []
            more = (answer.get("metadata") or {}).get("continue") or ""
            if not more:
                return found

    async def _path(self, ref: ObjectRef) -> str:
        # A name with a slash in it would be the path of something else.
        name = quote(ref.name, safe="")
        return f"{await self._paths.collection(ref.api_version, ref.kind, ref.namespace)}/{name}"

    async def _put(
        self, verb: Literal["dry_run", "apply", "restore"], write: Write, query: Query = ()
    ) -> dict[str, Any]:
        path = await self._path(write.ref)
        query = [("fieldManager", write.manager), ("fieldValidation", "Strict"), *query]
        if write.restore:
            body = await self._restoring(write)
            return await self._connection.json(
                verb, str(write.ref), "PATCH", path, query, body, "application/json-patch+json"
            )
        return await self._connection.json(
            verb,
            str(write.ref),
            "PATCH",
            path,
            [*query, ("force", "true")],
            _applied(write),
            "application/apply-patch+yaml",
        )

    async def _restoring(self, write: Write) -> list[dict[str, Any]]:
        """The JSON patch that puts a ReplicaSet's pod template back.

        With a changed resourceVersion the API server answers 409, as for any update. The change cause goes back with
        the template, as in ``kubectl rollout undo``: the controller copies it onto the ReplicaSet.
        """
        live = await self.get(write.ref)
        kept = await self.get(write.ref.model_copy(update={"kind": "ReplicaSet", "name": write.restore}))
        if live is None:
            raise NotFound(f"{write.ref} is gone", status=404)
        if kept is None:
            raise NotFound(f"the pod template that ReplicaSet/{write.restore} kept is gone", status=404)
        patch: list[dict[str, Any]] = []
        if write.resource_version:
            patch.append({"op": "replace", "path": "/metadata/resourceVersion", "value": write.resource_version})
        patch.append({"op": "replace", "path": "/spec/template", "value": template_of(kept)})
        cause = (kept["metadata"].get("annotations") or {}).get(CHANGE_CAUSE)
        annotations = live["metadata"].get("annotations") or {}
        pointer = "/metadata/annotations/" + CHANGE_CAUSE.replace("~", "~0").replace("/", "~1")
        if cause is not None and not annotations:
            patch.append({"op": "add", "path": "/metadata/annotations", "value": {CHANGE_CAUSE: cause}})
        elif cause is not None:
            patch.append({"op": "add", "path": pointer, "value": cause})
        elif CHANGE_CAUSE in annotations:
            patch.append({"op": "remove", "path": pointer})
        return patch


class Writer(Reader):
    """Implements ``kernel.ports.ClusterWriter``."""

    async def write(self, write: Write) -> dict[str, Any]:
        """Carries out ``write``.

        A 409 may be our own doing: the first try arrived and only its answer was lost, or the process died before it
        could be noted. What already stands as wanted, under our name, is success.
        """
        try:
            return await self._put("restore" if write.restore else "apply", write)
        except Conflict:
            live = await self.get(write.ref)
            if live is not None and await self._stands(write, live):
                return live
            raise

    async def delete(self, ref: ObjectRef, uid: str) -> bool:
        """Deletes the object with this uid, and what it owns; False when it is gone or another one bears its name.

        https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-deletion
        """
        if not uid:
            raise ValueError(f"without its uid {ref} may be anybody's")
        path = await self._path(ref)
        # Jobs would leave their pods behind without being told.
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        body = {**options, "preconditions": {"uid": uid}}
        try:
            await self._connection.json("delete", str(ref), "DELETE", path, (), body)
        except NotFound:
            return False
        except Conflict:
            live = await self.metadata(ref)
            if live is None or live["metadata"]["uid"] != uid:
                return False
            if not live["metadata"].get("deletionTimestamp"):
                raise
        return True

    async def _stands(self, write: Write, live: dict[str, Any]) -> bool:
        if not write.restore:
            return holds(live, write)
        kept = await self.get(write.ref.model_copy(update={"kind": "ReplicaSet", "name": write.restore}))
        return kept is not None and same_template(live, kept)


def _applied(write: Write) -> dict[str, Any]:
    body = dict(write.body)
    metadata = {**body.get("metadata", {}), "name": write.ref.name}
    if write.ref.namespace:
        metadata["namespace"] = write.ref.namespace
    if write.resource_version:
        metadata["resourceVersion"] = write.resource_version
    return {**body, "apiVersion": write.ref.api_version, "kind": write.ref.kind, "metadata": metadata}


def _only(listed: dict[str, Any], ref: ObjectRef) -> dict[str, Any]:
    for item in listed.get("items") or []:
        if item["metadata"]["name"] == ref.name:
            found: dict[str, Any] = item
            return found
    raise NotFound(f"{ref} is gone", status=404)


def _version(item: dict[str, Any]) -> str:
    return str(item["metadata"]["resourceVersion"])


def _when(event: dict[str, Any]) -> str:
    series = event.get("series") or {}
    times = (event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime"))
    return next((str(one) for one in times if one), str(event["metadata"].get("creationTimestamp") or ""))
