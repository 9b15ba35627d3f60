"""`/api/{method}`: token, scope, faults, limits and arguments in the order Slack looks at them, then the method."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any

from aiohttp import web

from chatops.sandbox.slack import methods_chat, methods_conversations, methods_people
from chatops.sandbox.slack.answers import Answers
from chatops.sandbox.slack.calls import Call, Method, Workspace, arguments
from chatops.sandbox.slack.errors import RateLimited, SlackError
from chatops.sandbox.slack.faults import AFTER, BEFORE, Fault
from chatops.sandbox.slack.traffic import Traffic

Json = dict[str, Any]
METHODS: dict[str, Method] = {
    **methods_chat.METHODS,
    **methods_conversations.METHODS,
    **methods_people.METHODS,
}
_NAMES = ("channel", "channel_id", "user", "user_id", "users", "email", "filename", "ts")


class WebApi:
    """Answers the app's calls."""

    def __init__(self, on: Workspace, answers: Answers, traffic: Traffic) -> None:
        self._on = on
        self._answers = answers
        self._traffic = traffic
        self.busy = 0
        self._hanging: set[asyncio.Future[None]] = set()

    def close(self) -> None:
        """Let go of calls that a fault keeps waiting for ever."""
        for waiting in self._hanging:
            if not waiting.done():
                waiting.set_result(None)

    async def call(self, request: web.Request) -> web.StreamResponse:
        """One call of the Web API."""
        method = request.match_info["method"]
        return await self._exchange(request, method, self._run)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """A POST to a response_url. Slack answers `ok`, never a ts; refusals are 404."""
        return await self._exchange(request, "response_url", self._respond)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """The bytes of a file, at the address files.getUploadURLExternal gave."""
        return await self._exchange(request, "upload", self._upload)

    # ---- the three kinds of call

    async def _run(self, request: web.Request, method: str, args: Json) -> tuple[Json, web.Response]:
        try:
            answer = {"ok": True, **await self._called(request, method, args)}
        except SlackError as error:
            answer = error.answer()
        # Bolt and doctors of all kinds read from this header what the token may do.
        return answer, web.json_response(answer, headers={"x-oauth-scopes": ",".join(self._on.state.app.scopes)})

    async def _called(self, request: web.Request, method: str, args: Json) -> Json:
        spec = METHODS.get(method)
        token = self._token(request, args)
        if spec is None:
            raise SlackError("unknown_method", req_method=method)
        self._authorized(spec, token)
        self._on.limits.call(method, spec.tier)
        missing = [name for name in spec.needs if args.get(name) in (None, "")]
        if missing:
            raise SlackError("invalid_arguments", [f"[ERROR] missing required field: {name}" for name in missing])
        args.pop("token", None)
        result = spec.run(Call(method, args, self._on, frozenset(self._on.state.app.scopes)))
        return await result if inspect.isawaitable(result) else result

    async def _respond(self, request: web.Request, method: str, args: Json) -> tuple[Json, web.Response]:
        try:
            self._answers.to_url(request.match_info["name"], args)
        except SlackError as error:
            status = 404 if error.code in ("not_found", "used_url", "expired_url", "message_not_found") else 400
            return error.answer(), web.json_response(error.answer(), status=status)
        return {"ok": True}, web.Response(text="ok")

    async def _upload(self, request: web.Request, method: str, args: Json) -> tuple[Json, web.Response]:
        state = self._on.state
        name = request.match_info["name"]
        file = next((one for one in state.files.values() if one["upload"] == name), None)
        content = args["bytes"]
        if file is None or file["id"] in state.contents:
            return {"ok": False}, web.Response(status=404, text="not found")
        if len(content) != file["size"]:
            return {"ok": False}, web.Response(status=400, text="size does not match")
        state.contents[file["id"]] = content
        return {"ok": True}, web.Response(text=f"OK - {len(content)}")

    # ---- what they share: faults, limits, traffic

    async def _exchange(self, request: web.Request, method: str, run: Any) -> web.StreamResponse:
        started = time.perf_counter()
        args: Json = {}
        answer: Json = {}
        status: int | str = "cut off"
        self.busy += 1
        try:
            args, problem = await self._arguments(request, method)
            if self._on.faults.away:
                return self._cut(request)
            fault = self._strike(BEFORE, method, args)
            if fault is not None:
                cut_short = await self._misfortune(request, fault)
                if cut_short is not None:
                    status, answer = cut_short.status, {"fault": fault.kind}
                    return cut_short
            if problem is not None:
                answer = problem.answer()
                response = web.json_response(answer)
            else:
                answer, response = await run(request, method, args)
            status = response.status
            lost = self._strike(AFTER, method, args) if answer["ok"] else None
            if lost is None:
                return response
            status = "done, answer lost"
            return await self._never(request) if lost.kind == "timeout_after_store" else self._cut(request)
        except RateLimited as limited:
            status, answer = 429, {"ok": False, "error": "ratelimited"}
            return _ratelimited(limited.retry_after)
        finally:
            self.busy -= 1
            taken = (time.perf_counter() - started) * 1000
            shown = {name: value for name, value in args.items() if name not in ("bytes", "token")}
            self._traffic.add("from_app", method, shown, answer, status, taken, self._summary(args, answer))

    async def _arguments(self, request: web.Request, method: str) -> tuple[Json, SlackError | None]:
        if method == "upload":
            return {"bytes": await _content(request)}, None
        try:
            return await arguments(request), None
        except SlackError as error:
            return {}, error

    def _strike(self, kinds: tuple[str, ...], method: str, args: Json) -> Fault | None:
        named = str(args.get("channel") or args.get("channel_id") or "")
        by_name = self._on.state.channel_named(named.removeprefix("#"))
        by_id = self._on.state.conversations.get(named)
        ids = {one.id for one in (by_name, by_id) if one} | {one.name for one in (by_name, by_id) if one} | {named}
        return self._on.faults.strike(kinds, method, ids)

    async def _misfortune(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """What the app gets instead of an answer; None when the call goes on, late."""
        if fault.kind == "ratelimit":
            return _ratelimited(fault.retry_after)
        if fault.kind == "error" and fault.error:
            return web.json_response({"ok": False, "error": fault.error})
        if fault.kind == "error":
            return web.Response(status=fault.status, text="Internal Server Error")
        if fault.kind == "timeout":
            return await self._never(request)
        if fault.kind == "drop":
            return self._cut(request)
        await self._on.state.clock.sleep(fault.delay)
        return None

    async def _never(self, request: web.Request) -> web.StreamResponse:
        """Leave the app without an answer until the server closes."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hanging.add(waiting)
        self.busy -= 1  # whoever waits for quiet does not wait for this one
        try:
            await waiting
        finally:
            self.busy += 1
            self._hanging.discard(waiting)
        return self._cut(request)

    @staticmethod
    def _cut(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)

    # ---- tokens and scopes

    @staticmethod
    def _token(request: web.Request, args: Json) -> str:
        header = request.headers.get("Authorization", "")
        token = header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else str(args.get("token") or "")
        if not token:
            raise SlackError("not_authed")
        return token

    def _authorized(self, spec: Method, token: str) -> None:
        app = self._on.state.app
        kinds = {app.bot_token: "bot", app.app_token: "app"}
        if token not in kinds:
            raise SlackError("invalid_auth")
        if kinds[token] != spec.token:
            raise SlackError("not_allowed_token_type")
        if spec.scopes and not set(spec.scopes) & set(app.scopes):
            raise SlackError("missing_scope", needed=spec.scopes[0], provided=",".join(app.scopes))

    def _summary(self, args: Json, answer: Json) -> str:
        state = self._on.state
        names = []
        for name in _NAMES:
            value = str(args.get(name) or "")
            if value in state.conversations:
                value = f"#{state.conversations[value].name}" if state.conversations[value].name else value
            elif value in state.people:
                value = f"@{state.people[value].name}"
            if value:
                names.append(value)
        text = str(args.get("text") or "")
        return " ".join([*names, text, str(answer.get("error") or "")]).strip()[:160]


def _ratelimited(retry_after: int) -> web.Response:
    headers = {"Retry-After": str(retry_after)}
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)


async def _content(request: web.Request) -> bytes:
    if request.content_type != "multipart/form-data":
        return await request.read()
    for value in (await request.post()).values():
        if isinstance(value, web.FileField):
            return value.file.read()
        if isinstance(value, str):
            return value.encode()
    return b""
