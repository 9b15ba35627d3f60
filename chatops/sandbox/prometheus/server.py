"""The HTTP side: `query` and `query_range` of Prometheus' API v1, and the clockwork that looks at the cluster.

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Self

from aiohttp import web

from ..cluster import PracticeCluster
from ..cluster.behaviour import tag_of
from ..cluster.values import Obj, dig
from .samples import Labels, Samples, Selector

EVERY = 5.0  # seconds between two looks
MOST_POINTS = 11_000  # of a line in one answer, as of Prometheus


class PracticePrometheus:
    """`async with PracticePrometheus(cluster) as one:` listens on loopback at `one.url` and looks every few seconds."""

    def __init__(self, cluster: PracticeCluster, *, every: float = 0.0, now: Callable[[], float] = time.time) -> None:
        self.samples = Samples()
        self._cluster = cluster
        self._every = every or EVERY
        self._now = now
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._looking: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        for path, answer in (("/api/v1/query", self._query), ("/api/v1/query_range", self._query_range)):
            app.router.add_get(path, answer)
            app.router.add_post(path, answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        self.look()
        self._looking = asyncio.create_task(self._look_again(), name="practice Prometheus")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        if self._runner is not None:
            await self._runner.cleanup()

    def look(self) -> None:
        """Measures everything once."""
        now = self._now()
        self.samples.add(now, measured(self._cluster.store.objects, now))

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            self.look()

    async def _query(self, request: web.Request) -> web.Response:
        return await _answered(request, lambda given: self._at(given, _number(given, "time", self._now())))

    async def _query_range(self, request: web.Request) -> web.Response:
        return await _answered(request, self._between)

    def _at(self, given: dict[str, str], at: float) -> Obj:
        found = self.samples.find(Selector.of(given.get("query", "")), [at])
        result = [{"metric": labels, "value": _shown(points[0])} for labels, points in found]
        return {"resultType": "vector", "result": result}

    def _between(self, given: dict[str, str]) -> Obj:
        start, end, step = (_number(given, name) for name in ("start", "end", "step"))
        if step <= 0:
            raise ValueError("zero or negative query resolution step widths are not accepted")
        if end < start:
            raise ValueError("end timestamp must not be before start time")
        steps = int((end - start) / step)
        if steps > MOST_POINTS:
            raise ValueError(f"exceeded maximum resolution of {MOST_POINTS:,} points per timeseries")
        moments = [start + number * step for number in range(steps + 1)]
        found = self.samples.find(Selector.of(given.get("query", "")), moments)
        result = [{"metric": labels, "values": [_shown(one) for one in points]} for labels, points in found]
        return {"resultType": "matrix", "result": result}


async def _answered(request: web.Request, answer: Callable[[dict[str, str]], Obj]) -> web.Response:
    posted = await request.post() if request.method == "POST" else {}
    given = {name: str(value) for name, value in (*request.query.items(), *posted.items())}
    try:
        return web.json_response({"status": "success", "data": answer(given)})
    except ValueError as no:
        return web.json_response({"status": "error", "errorType": "bad_data", "error": str(no)}, status=400)


def _number(given: dict[str, str], name: str, default: float | None = None) -> float:
    """Epoch seconds, or seconds."""
    if name not in given and default is not None:
        return default
    try:
        value = float(given.get(name, ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"invalid parameter {name!r}: the practice Prometheus reads a number of seconds")
    return value


def _shown(point: tuple[float, float]) -> list[Any]:
    return [round(point[0], 3), f"{point[1]:g}"]


def measured(objects: Callable[[tuple[str, str]], Iterable[Obj]], at: float = 0.0) -> dict[Labels, float]:
    """What kube-state-metrics tells of Deployments and containers, under its names; and what its users notice.

    https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/workload/deployment-metrics.md
    """
    found = (*_deployments(objects), *_containers(objects), *_traffic(objects, at))
    return {tuple(sorted(labels.items())): value for labels, value in found}


def _deployments(objects: Callable[[tuple[str, str]], Iterable[Obj]]) -> Iterator[tuple[dict[str, str], float]]:
    for one in objects(("apps", "deployments")):
        place = {"namespace": one["metadata"]["namespace"], "deployment": one["metadata"]["name"]}
        for name, path in (
            ("kube_deployment_spec_replicas", ("spec", "replicas")),
            ("kube_deployment_status_replicas_ready", ("status", "readyReplicas")),
            ("kube_deployment_status_replicas_available", ("status", "availableReplicas")),
        ):
            yield {"__name__": name, **place}, float(dig(one, *path, default=0))


def _containers(objects: Callable[[tuple[str, str]], Iterable[Obj]]) -> Iterator[tuple[dict[str, str], float]]:
    for pod in objects(("", "pods")):
        place = {"namespace": pod["metadata"]["namespace"], "pod": pod["metadata"]["name"]}
        for one in dig(pod, "status", "containerStatuses", default=[]):
            labels = {**place, "container": one["name"]}
            yield {"__name__": "kube_pod_container_status_restarts_total", **labels}, float(one.get("restartCount", 0))
            yield {"__name__": "kube_pod_container_status_ready", **labels}, float(bool(one.get("ready")))


def _traffic(objects: Callable[[tuple[str, str]], Iterable[Obj]], at: float) -> Iterator[tuple[dict[str, str], float]]:
    """As if people used it: requests fail where pods are missing or their tag says `flaky`, and take long if `slow`."""
    for one in objects(("apps", "deployments")):
        place = {"namespace": one["metadata"]["namespace"], "deployment": one["metadata"]["name"]}
        wanted = dig(one, "spec", "replicas", default=1)
        if not wanted:
            continue
        ready = min(1.0, dig(one, "status", "readyReplicas", default=0) / wanted)
        images = [str(each.get("image", "")) for each in dig(one, "spec", "template", "spec", "containers", default=[])]
        words = {word for image in images for word in tag_of(image).split("-")[1:]}
        wave = math.sin(at / 37 + len(place["deployment"])) + math.sin(at / 11) / 2
        errors = 0.3 + 0.1 * wave + 25 * (1 - ready) + 4 * ready * ("flaky" in words)
        taken = (90 + 8 * len(place["deployment"])) * (1 + 0.04 * wave) * (2.6 if "slow" in words else 1)
        yield {"__name__": "acme_http_errors_percent", **place}, errors if ready else 100.0
        if ready:
            yield {"__name__": "acme_http_p95_milliseconds", **place}, taken
