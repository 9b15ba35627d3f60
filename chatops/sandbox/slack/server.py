"""Puts the local Slack together and serves it on loopback."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web

from chatops.sandbox.slack.answers import Answers
from chatops.sandbox.slack.calls import Workspace as On
from chatops.sandbox.slack.clicks import Clicks
from chatops.sandbox.slack.clock import Clock
from chatops.sandbox.slack.control import Control
from chatops.sandbox.slack.delivery import Delivery, Settings
from chatops.sandbox.slack.doors import ResponseUrls, Triggers
from chatops.sandbox.slack.faults import Faults
from chatops.sandbox.slack.limits import Limits
from chatops.sandbox.slack.live import Live
from chatops.sandbox.slack.model import State
from chatops.sandbox.slack.pageapi import Offers, PageApi
from chatops.sandbox.slack.people import People
from chatops.sandbox.slack.posting import Posting
from chatops.sandbox.slack.seed import Workspace
from chatops.sandbox.slack.traffic import Traffic
from chatops.sandbox.slack.transport import HttpTransport, SocketTransport
from chatops.sandbox.slack.views import Views
from chatops.sandbox.slack.webapi import WebApi

PAGE = Path(__file__).parent / "page"
# As in the page's own <meta>, and what only a header can say: no other page may put this one into a frame.
POLICY = (
    "default-src 'self'; img-src 'self' data:; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
LARGEST_BODY = 64 * 1024 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LocalSlack:
    """The server as an async context manager: `.url` is the page, `.api_url` the SDK's base_url.

    `rate_limits` is the one post a second and channel, `tier_limits` the methods' tiers; `ack_timeout` is in seconds;
    `retry_scale` shortens the minutes between repetitions of events; `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        rate_limits: bool = True,
        tier_limits: bool = False,
        ack_timeout: float = 3.0,
        retry_scale: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not ip_address(host).is_loopback:
            raise ValueError(f"the local Slack has no passwords and listens on loopback only, not on {host}")
        app = workspace.app
        self._host, self._port = host, port
        self.clock = Clock(clock)
        self.live = Live()
        self.faults = Faults(self.clock)
        self.settings = Settings(ack_timeout, retry_scale)
        self.traffic = Traffic(self.clock, self.live, (app.bot_token, app.app_token, app.signing_secret))
        self.state = State(workspace, self.clock)
        self.socket = SocketTransport(app, self.clock)
        self._http = HttpTransport(app.request_url, app.signing_secret) if app.request_url else None
        self._delivery = Delivery(self._http or self.socket, self.clock, self.faults, self.traffic, self.settings)
        self._urls = ResponseUrls(self.clock)
        self.posting = posting = Posting(self.state, self.live, self._delivery)
        triggers = Triggers(self.clock)
        views = Views(self.state, self.live, posting, triggers)
        answers = Answers(self.state, posting, self._urls)
        limits = Limits(self.clock, posts=rate_limits, tiers=tier_limits)
        on = On(self.state, posting, views, triggers, self.socket, limits, self.faults)
        self._web_api = WebApi(on, answers, self.traffic)
        people = People(self.state, posting, self._delivery, views, triggers, self._urls, answers)
        clicks = Clicks(self.state, posting, self._delivery, views, triggers, self._urls)
        control = Control(
            clock=self.clock,
            faults=self.faults,
            limits=limits,
            settings=self.settings,
            socket=self.socket,
            delivery=self._delivery,
            web_api=self._web_api,
            live=self.live,
            traffic=self.traffic,
        )
        self._page_api = PageApi(self.state, posting, people, clicks, self.live, control)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The page's address, without a slash at the end."""
        return self.state.url

    @property
    def api_url(self) -> str:
        """What slack-sdk takes as base_url; ends with /api/."""
        return f"{self.state.url}/api/"

    def known_as(self, url: str) -> None:
        """Tells the app and everybody else this address from now on, such as a proxy's; ours goes on to work."""
        self.state.url = self._urls.base = url

    def lever(self, label: str, pull: Callable[[], Awaitable[str]]) -> None:
        """Gives the page a button that does something outside of Slack; ``pull`` gives a sentence about it."""
        self._page_api.levers[label] = pull

    def offer(self, offers: Offers) -> None:
        """What the page suggests to each person from now on, instead of what the workspace says for everybody."""
        self._page_api.offers = offers

    async def connected(self, times: int = 0) -> None:
        """Return once the app has a Socket Mode connection, and has opened `times` of them since the server started."""
        await self.socket.opened.reach(times)
        await self.socket.ready()

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        port = self._runner.addresses[0][1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.state.url = self._urls.base = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._web_api.close()
        self.socket.cut()
        await self._delivery.close()
        if self._http is not None:
            await self._http.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[_loopback_only], client_max_size=LARGEST_BODY)
        application.add_routes(
            [
                web.post("/api/{method}", self._web_api.call),
                web.get("/api/{method}", self._web_api.call),
                web.post("/sandbox/respond/{name}", self._web_api.respond),
                web.post("/sandbox/upload/{name}", self._web_api.upload),
                web.get("/sandbox/socket/{ticket}", self._serve_socket),
                web.get("/sandbox/files/{id}/{name}", self._file),
                web.get("/archives/{channel}/{ts}", self._archive),
                web.get("/", _page),
                web.get("/static/{path:.+}", _static),
                *self._page_api.routes(),
            ]
        )
        return application

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        if self.faults.away:
            return web.Response(status=503, text="Slack is away")
        return await self.socket.serve(request)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file = self.state.files.get(request.match_info["id"])
        if file is None or file["id"] not in self.state.contents:
            return web.Response(status=404, text="There is no such file.")
        # Shown as what it is, and never run as a page of this server.
        kind = file["mimetype"] if not file["mimetype"].endswith(("html", "svg+xml")) else "text/plain"
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
        return web.Response(body=self.state.contents[file["id"]], content_type=kind, headers=headers)

    async def _archive(self, request: web.Request) -> web.StreamResponse:
        """A permalink leads to its message on the page."""
        ts = request.match_info["ts"].removeprefix("p")
        place = f"{request.match_info['channel']}/{ts[:-6]}.{ts[-6:]}"
        return web.Response(status=302, headers={"Location": f"/#{place}"})


@web.middleware
async def _loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other Host headers and origins: any page could otherwise reach this server under a name of its own."""
    if not _is_loopback(request.host.rsplit(":", 1)[0].strip("[]")):
        return web.json_response({"ok": False, "error": "bad_host", "detail": "Loopback only."}, status=403)
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        # A form on any page of the internet could otherwise act as Dana here.
        return web.json_response({"ok": False, "error": "bad_origin", "detail": "Not your page."}, status=403)
    return await handler(request)


@lru_cache(maxsize=64)
def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


async def _page(request: web.Request) -> web.StreamResponse:
    return _served(PAGE / "index.html")


async def _static(request: web.Request) -> web.StreamResponse:
    wanted = (PAGE / request.match_info["path"]).resolve()
    if not wanted.is_relative_to(PAGE.resolve()):
        return web.Response(status=404, text="There is no such file.")
    return _served(wanted)


def _served(path: Path) -> web.StreamResponse:
    if not path.is_file():
        return web.Response(status=404, text="The page is not installed; the API under /sandbox/api/ is.")
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(path, headers=headers)
