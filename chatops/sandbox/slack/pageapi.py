"""`/sandbox/api/`: what the page and the test driver use, and the assistant never does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from aiohttp import WSMsgType, web

from chatops.sandbox.slack.clicks import Clicks
from chatops.sandbox.slack.control import Control
from chatops.sandbox.slack.errors import PageError, SlackError
from chatops.sandbox.slack.live import Live, Subscriber
from chatops.sandbox.slack.model import Conversation, State
from chatops.sandbox.slack.people import People
from chatops.sandbox.slack.posting import Posting
from chatops.sandbox.slack.seed import Person, Suggestion

Json = dict[str, Any]
Handler = Callable[[Json], Awaitable[Json] | Json]
Offers = Callable[[str], Awaitable[Sequence[Suggestion]]]  # what one person may type, by their id


class PageApi:
    """JSON in, JSON out; everything a person does names them in `as`, errors are `{ok: false, error, detail}`."""

    def __init__(
        self, state: State, posting: Posting, people: People, clicks: Clicks, live: Live, control: Control
    ) -> None:
        self._state = state
        self._posting = posting
        self._people = people
        self._clicks = clicks
        self._live = live
        self._control = control
        self.offers: Offers | None = None
        self.levers: dict[str, Callable[[], Awaitable[str]]] = {}

    def routes(self) -> list[web.RouteDef]:
        read: dict[str, Handler] = {
            "bootstrap": self.bootstrap,
            "messages": self.messages,
            "commands": self.commands,
            "home": self.home,
            "traffic": lambda given: {"entries": self._control.traffic.after(int(given.get("after", 0)))},
            "faults": lambda _: self._control.list_faults(),
        }
        write: dict[str, Handler] = {
            "read": self.mark_read,
            "say": self.say,
            "command": self.command,
            "action": self.action,
            "suggest": lambda given: self._clicks.suggest(self._who(given), given),
            "submit": self.submit,
            "close": self.close,
            "shortcut": self.shortcut,
            "people": self.change_person,
            "faults": self._control.add_fault,
            "settings": self._control.change_settings,
            "clock": self._control.advance,
            "settled": self._control.settled,
            "lever": self.pull,
        }
        return [
            *(web.get(f"/sandbox/api/{name}", self._answering(run)) for name, run in read.items()),
            *(web.post(f"/sandbox/api/{name}", self._answering(run)) for name, run in write.items()),
            web.delete("/sandbox/api/faults", self._answering(lambda _: self._control.clear_faults())),
            web.get("/sandbox/api/live", self.live),
        ]

    # ---- reading

    def bootstrap(self, given: Json) -> Json:
        me = self._who(given)
        state, app = self._state, self._state.app
        state.app_im(me.id)
        return {
            "team": {"id": state.team_id, "name": state.workspace.name, "domain": state.workspace.domain},
            "me": shown_person(me),
            "people": [shown_person(person) for person in state.people.values()],
            "usergroups": [asdict(group) for group in state.usergroups.values()],
            "channels": [self._posting.channel_for(one, me.id) for one in state.conversations_of(me.id)],
            "app": {
                "id": app.id,
                "name": app.name,
                "bot_user_id": app.bot_user_id,
                "description": app.description,
            },
            "commands": [asdict(command) for command in app.commands],
            "shortcuts": [asdict(shortcut) for shortcut in app.shortcuts],
            "tour": list(state.workspace.tour),
            "levers": list(self.levers),
            "n": self._live.n,
        }

    def messages(self, given: Json) -> Json:
        me, where = self._who(given), self._where(given)
        thread = given.get("thread_ts")
        if thread:
            found = [where.messages[ts] for ts in (thread, *where.threads.get(thread, ())) if ts in where.messages]
        else:
            found = [
                one
                for one in where.messages.values()
                if one.get("thread_ts", one["ts"]) == one["ts"] or one.get("subtype") == "thread_broadcast"
            ]
        mine = [one for one in where.ephemerals.get(me.id, {}).values() if one.get("thread_ts") == (thread or None)]
        return {"messages": sorted([*found, *mine], key=lambda one: str(one["ts"])), "n": self._live.n}

    async def commands(self, given: Json) -> Json:
        """The commands with what this very person may type; asked for once the page stands, for it takes a while."""
        me = self._who(given)
        commands = [asdict(command) for command in self._state.app.commands]
        if self.offers is not None:
            offered = [asdict(one) for one in await self.offers(me.id)]
            commands = [{**command, "suggestions": offered} for command in commands]
        return {"commands": commands}

    async def pull(self, given: Json) -> Json:
        """A lever of the page: something outside of Slack happens."""
        lever = self.levers.get(str(given.get("label", "")))
        if lever is None:
            raise PageError("unknown_lever", "There is no such button here.")
        return {"said": await lever()}

    def home(self, given: Json) -> Json:
        return {"view": self._people.home(self._who(given))}

    # ---- what people do

    def mark_read(self, given: Json) -> Json:
        self._posting.read(self._where(given), self._who(given).id, str(given.get("ts")))
        return {}

    def say(self, given: Json) -> Json:
        me, where = self._who(given), self._where(given)
        self._reachable()
        return {"message": self._people.say(me, where, str(given.get("text", "")), given.get("thread_ts") or None)}

    async def command(self, given: Json) -> Json:
        me, where = self._who(given), self._where(given)
        self._reachable()
        return await self._people.command(me, where, str(given.get("text", "")))

    async def action(self, given: Json) -> Json:
        me = self._who(given)
        self._reachable()
        await self._clicks.action(me, given)
        return {}

    async def submit(self, given: Json) -> Json:
        me = self._who(given)
        self._reachable()
        return await self._clicks.submit(me, str(given.get("view_id")), given.get("values") or {})

    async def close(self, given: Json) -> Json:
        await self._clicks.close(self._who(given), str(given.get("view_id")))
        return {}

    async def shortcut(self, given: Json) -> Json:
        me = self._who(given)
        self._reachable()
        where = self._where(given) if given.get("channel") else None
        await self._people.shortcut(me, str(given.get("callback_id")), where, given.get("message_ts"))
        return {}

    def change_person(self, given: Json) -> Json:
        """Add or change a person; `channels` are ids or names to be a member of."""
        channels = [self._channel(str(name)) for name in given.pop("channels", ())]
        known = {item.name for item in fields(Person)}
        given = {name: value for name, value in given.items() if name in known}
        old = self._state.people.get(str(given.get("id")))
        try:
            person = replace(old, **given) if old else Person(**given)
        except TypeError as error:
            raise PageError("invalid_person", str(error), 400) from error
        self._state.set_person(person)
        for where in channels:
            if person.id not in where.members:
                self._posting.joined(where, person.id, None)
        self._live.publish("people", people=[shown_person(one) for one in self._state.people.values()])
        return {"person": shown_person(self._state.people[person.id])}

    # ---- live

    async def live(self, request: web.Request) -> web.StreamResponse:
        """The websocket; a text sent to it comes back as an echo behind everything that happened before."""
        try:
            me = self._who(dict(request.query))
        except PageError as error:
            return _refused(error)
        socket = web.WebSocketResponse(heartbeat=30)
        # Subscribed before the handshake ends: what happens from now on reaches the page.
        subscriber = self._live.subscribe(me.id, traffic=request.query.get("traffic") != "0")
        try:
            await socket.prepare(request)
            await socket.send_json({"type": "hello", "n": self._live.n})
            writer = asyncio.create_task(_write(socket, subscriber))
            try:
                async for message in socket:
                    if message.type is WSMsgType.TEXT:
                        self._live.echo(subscriber, str(message.data))
            finally:
                writer.cancel()
        finally:
            self._live.unsubscribe(subscriber)
        return socket

    # ---- inside

    def _who(self, given: Json) -> Person:
        given_as = str(given.get("as") or "")
        if not given_as:
            raise PageError("no_such_person", "Say as whom: as=dana, a handle or an id.", 400)
        person = self._state.people.get(given_as) or self._state.by_name(given_as)
        if person is None:
            raise PageError("no_such_person", f"Nobody here goes by {given_as!r}.", 400)
        if person.deleted:
            raise PageError("account_inactive", f"The account of {person.real_name} is deactivated.", 403)
        return person

    def _channel(self, name: str) -> Conversation:
        found = self._state.conversations.get(name) or self._state.channel_named(name.removeprefix("#"))
        if found is None:
            raise PageError("channel_not_found", f"There is no channel {name!r}.", 404)
        return found

    def _where(self, given: Json) -> Conversation:
        found = self._channel(str(given.get("channel")))
        if self._who(given).id not in found.members:
            raise PageError("not_in_channel", f"You are not in #{found.name}.", 403)
        return found

    def _reachable(self) -> None:
        if self._control.faults.away:
            raise PageError("slack_is_away", "Slack cannot be reached at the moment.", 503)

    @staticmethod
    def _answering(run: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                given: Any = dict(request.query)
                if request.method == "POST":
                    given = json.loads(await request.read() or b"{}")
                if not isinstance(given, dict):
                    raise PageError("invalid_json", "The body has to be a JSON object.", 400)
                result = run(given)
                answer = result if isinstance(result, dict) else await result
                return web.json_response({"ok": True, **answer})
            except PageError as error:
                return _refused(error)
            except SlackError as error:
                return web.json_response({**error.answer(), "detail": str(error)})
            except ValueError as error:
                return web.json_response({"ok": False, "error": "invalid_json", "detail": str(error)}, status=400)

        return handler


def _refused(error: PageError) -> web.Response:
    return web.json_response({"ok": False, "error": error.error, "detail": error.detail}, status=error.status)


async def _write(socket: web.WebSocketResponse, subscriber: Subscriber) -> None:
    while not subscriber.overflown:
        await socket.send_str(await subscriber.queue.get())
    await socket.send_json({"type": "reset", "n": 0})
    await socket.close()


def shown_person(person: Person) -> Json:
    """A person as the page shows them."""
    return {**vars(person), "initials": person.initials}
