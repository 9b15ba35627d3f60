"""pods/log: tailLines, sinceSeconds, previous, timestamps, follow."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping

from aiohttp import web

from .api import Api
from .errors import bad_request, internal
from .logbook import Line, LogBook
from .values import Obj, dig, micro_stamp, now, parse_stamp

FOLLOW_EVERY = 0.1
BOOK: web.AppKey[LogBook] = web.AppKey("logbook", LogBook)


async def answer_log(api: Api, request: web.Request, namespace: str, name: str) -> web.StreamResponse:
    """Plain text; raises ApiError 400 in Kubernetes' words when there is nothing to read yet."""
    pod = api.get(api.registry.find("", "v1", "pods"), namespace, name)
    query = request.query
    container = _container(pod, query.get("container", ""))
    book = request.app[BOOK]
    lines = _read(book, pod, container, previous=_true(query, "previous"))
    shown = _limit(lines, query)
    stamps = _true(query, "timestamps")
    text = "".join(_format(line, stamps) for line in shown)
    if limit := int(query.get("limitBytes") or 0):
        text = text.encode()[:limit].decode("utf-8", errors="ignore")
    if not _true(query, "follow"):
        return web.Response(text=text, content_type="text/plain")
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(text.encode())
    await _follow(api, book, response, pod, container, lines[-1][0] if lines else None, stamps)
    return response


async def _follow(
    api: Api,
    book: LogBook,
    response: web.StreamResponse,
    pod: Obj,
    container: str,
    last: dt.datetime | None,
    stamps: bool,
) -> None:
    """Send what appears until the container ends or the pod is gone."""
    namespace, name, uid = (pod["metadata"][key] for key in ("namespace", "name", "uid"))
    run = book.current(uid, container)
    while run is not None:
        live = api.store.get(("", "pods"), namespace, name)
        over = run.ended is not None or live is None or live["metadata"]["uid"] != uid
        fresh = [line for line in run.all() if last is None or line[0] > last]
        if fresh:
            last = fresh[-1][0]
            await response.write("".join(_format(line, stamps) for line in fresh).encode())
        if over:
            return
        await asyncio.sleep(FOLLOW_EVERY)


def _container(pod: Obj, asked: str) -> str:
    name = pod["metadata"]["name"]
    names = [c["name"] for c in dig(pod, "spec", "containers", default=[])]
    inits = [c["name"] for c in dig(pod, "spec", "initContainers", default=[])]
    if not asked and len(names) == 1:
        return str(names[0])
    if not asked:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
    if asked not in names + inits:
        raise bad_request(f"container {asked} is not valid for pod {name}")
    return asked


def _read(book: LogBook, pod: Obj, container: str, *, previous: bool) -> list[Line]:
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    if previous:
        run = book.previous(uid, container)
        if run is None:
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return run.all()
    run = book.current(uid, container)
    if run is None:
        states = dig(pod, "status", "containerStatuses", default=[]) + dig(
            pod, "status", "initContainerStatuses", default=[]
        )
        state: Obj = next((s for s in states if s["name"] == container), {})
        reason = dig(state, "state", "waiting", "reason")
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            why = "trying and failing to pull image" if reason == "ImagePullBackOff" else "image can't be pulled"
            raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')
        if not dig(pod, "spec", "nodeName"):
            raise bad_request(f"pod {name} does not have a host assigned")
        raise bad_request(
            f'container "{container}" in pod "{name}" is waiting to start: {reason or "ContainerCreating"}'
        )
    return run.all()


def _limit(lines: list[Line], query: Mapping[str, str]) -> list[Line]:
    if seconds := query.get("sinceSeconds"):
        if int(seconds) < 1:
            raise bad_request("sinceSeconds must be greater than 0")
        since = now() - dt.timedelta(seconds=int(seconds))
        lines = [line for line in lines if line[0] >= since]
    if time := query.get("sinceTime"):
        try:
            moment = parse_stamp(time)
        except ValueError as error:
            raise internal(f"sinceTime: {error}") from error
        lines = [line for line in lines if line[0] >= moment]
    if (tail := query.get("tailLines")) is not None:
        lines = lines[-int(tail) :] if int(tail) else []
    return lines


def _format(line: Line, stamps: bool) -> str:
    return f"{micro_stamp(line[0])} {line[1]}\n" if stamps else f"{line[1]}\n"


def _true(query: Mapping[str, str], key: str) -> bool:
    return query.get(key, "") in ("true", "1", "True")
