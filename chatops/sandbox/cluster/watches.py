"""Watches: initial state, changes as JSON lines, bookmarks, 410 for versions that are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from aiohttp import web

from .errors import ApiError, invalid, required
from .lists import chooser
from .resources import Resource
from .selectors import Test
from .store import Change, Store
from .subresources import to_events_v1
from .values import Obj, dump

_LONGEST = 1800.0
BOOKMARK_EVERY = 30.0


class Watches:
    """All open watches; `close_all` ends them as a restarting API server does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._closing: set[asyncio.Event] = set()

    @property
    def open(self) -> int:
        return len(self._closing)

    def close_all(self) -> int:
        count = len(self._closing)
        for closing in self._closing:
            closing.set()
        return count

    async def answer(self, request: web.Request, resource: Resource, namespace: str) -> web.StreamResponse:
        query = request.query
        wanted = chooser(resource, query)
        asked = query.get("resourceVersion", "")
        bookmarks = query.get("allowWatchBookmarks") in ("true", "1", "True")
        initial = query.get("sendInitialEvents") in ("true", "1", "True")
        if initial and query.get("resourceVersionMatch") != "NotOlderThan":
            cause = required(
                "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
            raise invalid("ListOptions", "meta.k8s.io", "", [cause])
        seconds = float(query.get("timeoutSeconds") or _LONGEST)
        stream = _Stream(self._store, resource, namespace, wanted)
        first: list[Obj] = []
        try:
            if asked in ("", "0") or initial:
                first = stream.present()
                if initial and bookmarks:
                    first.append(stream.bookmark(ended=True))
            else:
                first = stream.since(int(asked))
        except ApiError as error:
            stream.close()
            first = [{"type": "ERROR", "object": error.body()}]
            seconds = 0
        except ValueError as error:
            stream.close()
            raise invalid("ListOptions", "meta.k8s.io", "", []) from error
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            await _send(response, first)
            await self._pump(response, stream, seconds, bookmarks)
        finally:
            stream.close()
        return response

    async def _pump(self, response: web.StreamResponse, stream: _Stream, seconds: float, bookmarks: bool) -> None:
        closing = asyncio.Event()
        self._closing.add(closing)
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        # The API server sends a last bookmark about 2 s before it ends the watch, so that the next one starts close by.
        due = min(loop.time() + BOOKMARK_EVERY, max(end - 2, loop.time() + seconds / 2)) if bookmarks else end
        closed = asyncio.ensure_future(closing.wait())
        pending = asyncio.ensure_future(stream.queue.get())
        try:
            while loop.time() < end and not closing.is_set():
                wait = min(end, due) - loop.time()
                await asyncio.wait({pending, closed}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if pending.done():
                    await _send(response, [pending.result(), *stream.waiting()])
                    pending = asyncio.ensure_future(stream.queue.get())
                if bookmarks and loop.time() >= due:
                    await _send(response, [*stream.waiting(), stream.bookmark()])
                    due = loop.time() + BOOKMARK_EVERY
        finally:
            pending.cancel()
            closed.cancel()
            self._closing.discard(closing)


class _Stream:
    """The events of one watch: what entered, changed in and left the selection."""

    def __init__(self, store: Store, resource: Resource, namespace: str, wanted: Test) -> None:
        self._store = store
        self._resource = resource
        self._namespace = namespace
        self._wanted = wanted
        self.queue: asyncio.Queue[Obj] = asyncio.Queue()
        self._stop = store.listen(self._on_change)
        self._open = True

    def close(self) -> None:
        if self._open:
            self._open = False
            self._stop()

    def present(self) -> list[Obj]:
        found = self._store.objects(self._resource.key, self._namespace or None)
        return [self._event("ADDED", obj) for obj in found if self._wanted(obj)]

    def since(self, version: int) -> list[Obj]:
        return [event for change in self._store.since(version, self._resource.key) for event in self._events(change)]

    def waiting(self) -> list[Obj]:
        found = []
        while not self.queue.empty():
            found.append(self.queue.get_nowait())
        return found

    def bookmark(self, *, ended: bool = False) -> Obj:
        metadata: Obj = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
        if ended:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        body = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}
        return {"type": "BOOKMARK", "object": body}

    def _on_change(self, change: Change) -> None:
        if change.key == self._resource.key:
            for event in self._events(change):
                self.queue.put_nowait(event)

    def _events(self, change: Change) -> Iterator[Obj]:
        if self._namespace and change.obj["metadata"].get("namespace") != self._namespace:
            return
        before = change.old is not None and change.type != "ADDED" and self._wanted(change.old)
        after = change.type != "DELETED" and self._wanted(change.obj)
        if after:
            yield self._event("MODIFIED" if before else "ADDED", change.obj)
        elif before and change.old is not None:
            # Whoever watches a selection gets the last state that was in it, with the version at which it left.
            metadata = {**change.old["metadata"], "resourceVersion": str(change.version)}
            yield self._event("DELETED", {**change.old, "metadata": metadata})

    def _event(self, kind: str, obj: Obj) -> Obj:
        return {"type": kind, "object": to_events_v1(obj) if self._resource.group == "events.k8s.io" else obj}


async def _send(response: web.StreamResponse, events: list[Obj]) -> None:
    if events:
        await response.write("".join(dump(event) + "\n" for event in events).encode())
