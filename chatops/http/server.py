"""The HTTP side: Slack's request URL, health, metrics."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chatops.adapters.metrics import Metrics
from chatops.http.hooks import Hooks
from chatops.http.pages import PATH, PageHandlers
from chatops.http.refusals import refused
from chatops.http.slack import App, SlackEvents, not_here
from chatops.kernel.errors import PlatformError

log = logging.getLogger(__name__)

LARGEST = 16 * 1024 * 1024  # bytes; one large alert group is 6 MB
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Missing = Callable[[], Awaitable[Sequence[str]]]


async def _nothing() -> None:
    return


class HttpServer:
    """Serves while entered; ``address`` is where, with the port that was given when 0 was asked for.

    ``listen`` is HOST:PORT. ``missing`` names the parts that are not ready (see ``chatops.http.health``). ``count``
    brings the gauges up to date before /metrics is read. Without ``signing_secret`` Slack is not listened to here.
    """

    def __init__(
        self,
        listen: str,
        app: App,
        signing_secret: str,
        metrics: Metrics,
        missing: Missing,
        *,
        pages: PageHandlers | None = None,
        hooks: Hooks | None = None,
        count: Callable[[], Awaitable[None]] = _nothing,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._host, self._port = parsed(listen)
        self._missing = missing
        self._metrics = metrics
        self._count = count
        slack = SlackEvents(app, signing_secret, now).handle if signing_secret else not_here
        self.web = web.Application(middlewares=[_logged], client_max_size=LARGEST)
        self.web.add_routes(
            [
                web.post("/slack/events", slack),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._show_metrics),
            ]
        )
        if pages is not None:
            self.web.add_routes(pages.routes())
        if hooks is not None:
            self.web.add_routes(hooks.routes())
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self.web, access_log=None, shutdown_timeout=3.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            why = os.strerror(error.errno) if error.errno else str(error)
            raise PlatformError(
                f"Can't listen on {self._host}:{self._port}: {why}.",
                hint="CHATOPS_LISTEN names another address, like 127.0.0.1:8081.",
            ) from error
        port = self._runner.addresses[0][1]
        self.address = f"http://[{self._host}]:{port}" if ":" in self._host else f"http://{self._host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.StreamResponse:
        """Alive: the event loop answers."""
        return web.json_response({"alive": True})

    async def _readyz(self, _: web.Request) -> web.StreamResponse:
        missing = list(await self._missing())
        return web.json_response({"ready": not missing, "missing": missing}, status=503 if missing else 200)

    async def _show_metrics(self, _: web.Request) -> web.StreamResponse:
        try:
            await self._count()
        except Exception as error:  # the counters are worth reading all the more when the database is away
            log.warning("gauges can't be counted: %s", error)
        return web.Response(body=generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def parsed(listen: str) -> tuple[str, int]:
    """Host and port of HOST:PORT or [IPV6]:PORT; raises ``PlatformError``."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise PlatformError(f"CHATOPS_LISTEN is {listen!r}; it should be like 127.0.0.1:8080 or [::1]:8080.")
    return host.strip("[]") or "127.0.0.1", int(port)


@web.middleware
async def _logged(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A line for each request, without its query, headers or body, which may hold secrets; errors as JSON."""
    started, status = time.perf_counter(), 500
    try:
        answer = await handler(request)
        status = answer.status
        return answer
    except web.HTTPException as error:
        status = error.status
        return refused(status, error.reason)
    except web.RequestPayloadError:  # not packed as its Content-Encoding says, or cut off
        status = 400
        return refused(status, "The body can't be unpacked, or is not whole.")
    except Exception:
        log.exception("%s %s failed", request.method, _shown(request))
        return refused(500, "Something went wrong on our side; the log says what.")
    finally:
        level = logging.DEBUG if status < 400 else logging.INFO
        if log.isEnabledFor(level):
            spent = (time.perf_counter() - started) * 1000
            log.log(level, "%s %s %d %.0f ms", request.method, _shown(request), status, spent)


def _shown(request: web.Request) -> str:
    """The path as the log may have it; a one-time page's ends in its token."""
    return f"{PATH}…" if request.path.startswith(PATH) else request.path[:200]
