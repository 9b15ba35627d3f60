"""People at the local Slack: they type, see, click and fill in forms, and wait for what they expect to see.

    async with acme_slack() as acme:
        await acme.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
        card = await acme.lee.sees("platform-requests", "Deploy checkout", "WAITING")
        await card.click("Approve")

Nobody sleeps here: every wait ends with what the live socket brings, or fails at its deadline and says what was there.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from chatops.sandbox.slack import LocalSlack, Workspace, load_workspace
from tests.support.forms import Fields, blocks_of, labelled
from tests.support.modal import Home, Modal
from tests.support.page import PageClient, Sandbox, SlackSays
from tests.support.rendering import render_text

__all__ = ["Acme", "Home", "Modal", "Person", "Sandbox", "Seen", "SlackSays", "acme_slack", "render_text"]

Json = dict[str, Any]
T = TypeVar("T")
WITHIN = 10.0  # seconds; what is there sooner is seen at once
SCREEN = 12
ACME = Path(__file__).parents[2] / "examples" / "acme" / "slack.yml"


@dataclass(frozen=True)
class Seen:
    """A message as somebody sees it. `then` is what it was when it was found, `message` what it is now."""

    person: Person
    channel: str
    ts: str
    then: Json

    @property
    def message(self) -> Json:
        return self.person.messages[self.channel].get(self.ts, self.then)

    @property
    def text(self) -> str:
        return render_text(self.message, self.person.names)

    @property
    def ever(self) -> list[str]:
        """What it has shown so far, in order."""
        mine = [one for channel, one in self.person._ever if (channel, one["ts"]) == (self.channel, self.ts)]
        return [render_text(one, self.person.names) for one in mine]

    @property
    def gone(self) -> bool:
        return self.ts not in self.person.messages[self.channel]

    @property
    def buttons(self) -> list[str]:
        """Labels of the buttons and overflow items on it now."""
        return [label for label, _, _, _ in labelled(blocks_of(self.message))]

    async def click(self, label: str, *, stale: bool = False) -> None:
        """Click the button or overflow item with that label; `stale`: on the message as it was when found."""
        await self.person.click(self.then if stale else self.message, label, channel=self.channel, message_ts=self.ts)

    async def choose(self, **values: Any) -> None:
        """Pick in the message's own selects, by placeholder or action_id: `choose(Environment="staging")`."""
        fields = Fields(self.person, lambda: blocks_of(self.message), {"channel": self.channel, "message_ts": self.ts})
        await fields.fill(values)

    async def thread(self, *fragments: str, within: float = WITHIN) -> Seen:
        """Wait for a reply in this message's thread."""
        root = self.message.get("thread_ts", self.ts)
        return await self.person.sees(self.channel, *fragments, within=within, thread=root)

    async def becomes(self, *fragments: str, within: float = WITHIN) -> Seen:
        """Wait until this very message shows all fragments."""

        def found() -> Seen | None:
            return replace(self, then=self.message) if all(one in self.text for one in fragments) else None

        return await self.person.wait(found, within, lambda: f"{fragments} in\n{self.text}")


@functools.lru_cache(maxsize=32)
def _decoded(line: str) -> Any:
    """What a line says; everybody at a Slack gets the same lines, and only reads them."""
    return json.loads(line)


class _Beside:
    """A Slack in this process: what the page asks for first and reads from its socket, without either each time."""

    def __init__(self, slack: LocalSlack, name: str) -> None:
        found = slack.state.people.get(name) or slack.state.by_name(name)
        self._page_api, self._name = slack._page_api, name
        self._live = slack.live
        self._subscriber = self._live.subscribe(found.id if found else name, traffic=False)

    async def start(self) -> Json:
        start = self._page_api.bootstrap({"as": self._name})
        return {**start, "channels": _decoded(json.dumps(start["channels"]))}

    async def send_str(self, text: str) -> None:
        self._live.echo(self._subscriber, text)

    async def lines(self) -> AsyncIterator[str]:
        while True:
            yield await self._subscriber.queue.get()

    async def close(self) -> None:
        self._live.unsubscribe(self._subscriber)


class _Socket:
    """A Slack in another process."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, api: PageClient, name: str) -> None:
        self.send_str, self._socket = socket.send_str, socket
        self._api, self._name = api, name

    async def start(self) -> Json:
        return await self._api.get("bootstrap", **{"as": self._name})

    async def lines(self) -> AsyncIterator[str]:
        async for frame in self._socket:
            yield frame.data

    async def close(self) -> None:
        """It goes with the session."""


class Person:
    """Somebody with Slack open, as an async context manager; `name` is a handle such as dana, or an id.

    People may share a session, and its connections: that is quicker than one each.
    """

    def __init__(self, name: str, slack: LocalSlack | str, session: aiohttp.ClientSession | None = None) -> None:
        self.name = name
        self._session = session
        self._slack = slack
        self._url = slack if isinstance(slack, str) else slack.url
        self.id = ""
        self.api: PageClient
        self.names: dict[str, str] = {}
        self.channels: dict[str, Json] = {}
        self.messages: dict[str, dict[str, Json]] = {}
        self.views: list[Json] = []
        self.home_view: Json | None = None
        self._ever: list[tuple[str, Json]] = []
        self._loaded: dict[str, int] = {}
        self._started = 0
        self._changed = asyncio.Event()
        self._echoes: set[str] = set()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.api = PageClient(self._url, self._session)
        if isinstance(self._slack, LocalSlack):
            self._live: _Beside | _Socket = _Beside(self._slack, self.name)
        else:
            socket = await self.api.session.ws_connect(
                f"{self._url}/sandbox/api/live", params={"as": self.name, "traffic": "0"}, max_msg_size=0
            )
            await socket.receive_json()
            self._live = _Socket(socket, self.api, self.name)
        start = await self._live.start()
        self.id = start["me"]["id"]
        self._know(start["people"])
        self.names |= {group["id"]: group["handle"] for group in start["usergroups"]}
        for channel in start["channels"]:
            await self._load(channel)
        self._started = start["n"]
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await self._live.close()
        await self.api.close()

    # ---- doing

    async def act(self, what: str, **body: Any) -> Json:
        """Anything of the page API, as this person."""
        return await self.api.post(what, **{"as": self.id, **body})

    async def types(self, text: str, channel: str = "general", thread: Seen | None = None) -> Seen:
        """Write a message, or give a command when the text starts with a slash.

        Returns the message; for a command the app's immediate answer, if there was one. Raises SlackSays.
        """
        where = self.channel_id(channel if thread is None else thread.channel)
        if text.startswith("/"):
            if thread is not None:
                raise ValueError("Slack does not take commands in threads")
            answer = (await self.act("command", channel=where, text=text)).get("response") or {"ts": "", "text": ""}
            return Seen(self, where, answer["ts"], answer)
        thread_ts = thread.message.get("thread_ts", thread.ts) if thread else None
        message = (await self.act("say", channel=where, text=text, thread_ts=thread_ts))["message"]
        return Seen(self, where, message["ts"], message)

    async def click(self, thing: Json, label: str, **place: Any) -> None:
        """Click an element of a message or view by its label."""
        for known, block_id, action_id, extra in labelled(blocks_of(thing)):
            if known == label:
                await self.act("action", block_id=block_id, action_id=action_id, **extra, **place)
                return
        there = ", ".join(known for known, *_ in labelled(blocks_of(thing)))
        raise AssertionError(f"{self.name} finds no button {label!r}; there is: {there or 'none'}")

    async def uses_shortcut(self, callback_id: str, on: Seen | None = None) -> None:
        """A global shortcut, or one of a message's."""
        place = {"channel": on.channel, "message_ts": on.ts} if on else {}
        await self.act("shortcut", callback_id=callback_id, **place)

    async def reads(self, channel: str) -> None:
        """Mark everything in a channel as read."""
        where = self.channel_id(channel)
        await self.act("read", channel=where, ts=max(self.messages[where], default="0"))

    # ---- seeing

    async def sees(self, channel: str, *fragments: str, within: float = WITHIN, thread: str | None = None) -> Seen:
        """Wait for a message with all fragments, the newest that has them; ephemerals and thread replies count."""

        def found() -> Seen | None:
            where = self.channel_id(channel, missing_ok=True)
            for message in reversed(self._visible(where, thread)):
                shown = render_text(message, self.names)
                if all(fragment in shown for fragment in fragments):
                    return Seen(self, where, message["ts"], message)
            return None

        return await self.wait(
            found, within, lambda: f"{list(fragments)} in {channel}; there is:\n{self.screen(channel)}"
        )

    async def never_sees(self, channel: str, *fragments: str, within: float = 10.0) -> None:
        """Fail if any message, in any of its versions, ever showed all fragments; looks once all is quiet."""
        await self.api.post("settled", within=within)
        await self.catches_up()
        where = self.channel_id(channel, missing_ok=True)
        for channel_id, message in self._ever:
            shown = render_text(message, self.names)
            if channel_id == where and all(fragment in shown for fragment in fragments):
                raise AssertionError(f"{self.name} saw in {channel} what nobody should have shown them:\n{shown}")

    async def catches_up(self) -> None:
        """Return once everything that has happened so far is on the screen."""
        mark = f"{self.id}-{len(self._echoes)}-{id(object())}"
        await self._live.send_str(mark)
        await self.wait(lambda: True if mark in self._echoes else None, WITHIN, lambda: "the socket's echo")

    async def modal(self, *fragments: str, title: str | None = None, within: float = WITHIN) -> Modal:
        """Wait for a form with that title on top of the screen."""

        def found() -> Modal | None:
            if not self.views:
                return None
            view = self.views[-1]
            if title is not None and view["title"]["text"] != title:
                return None
            shown = render_text(view, self.names)
            return self._modal(view["id"]) if all(one in shown for one in fragments) else None

        def missing() -> str:
            return f"a form {title or ''} {fragments}; open: {[view['title']['text'] for view in self.views]}"

        return await self.wait(found, within, missing)

    def _modal(self, view_id: str) -> Modal:
        modal = Modal(self, view_id, Fields(self, list, {"view_id": view_id}))
        modal.fields.blocks = lambda: modal.view["blocks"]
        return modal

    async def home(self, *fragments: str, without: str = "", within: float = WITHIN) -> Home:
        """Open App Home and wait until it shows all fragments, and `without` no more."""
        self.home_view = (await self.api.get("home", **{"as": self.id}))["view"] or self.home_view
        return await self.watches_home(*fragments, without=without, within=within)

    @property
    def home_text(self) -> str:
        """What App Home shows now."""
        return Home(self).text

    async def watches_home(self, *fragments: str, without: str = "", within: float = WITHIN) -> Home:
        """Wait until App Home, which is open, shows all fragments, and `without` no more."""
        home = Home(self)

        def found() -> Home | None:
            shown = bool(self.home_view) and all(one in home.text for one in fragments)
            return home if shown and not (without and without in home.text) else None

        return await self.wait(found, within, lambda: f"{fragments} on App Home; it shows:\n{home.text}")

    def screen(self, channel: str) -> str:
        """The last messages this person sees of a channel, replies and ephemerals too, as text."""
        where = self.channel_id(channel, missing_ok=True)
        shown = self._visible(where, None)[-SCREEN:]
        return "\n---\n".join(render_text(one, self.names) for one in shown) or "(nothing)"

    async def wait(self, found: Callable[[], T | None], within: float, missing: Callable[[], str]) -> T:
        """The first result of `found` that is not None; AssertionError with `missing` after `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while (result := found()) is None:
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{self.name} did not see within {within:g} s: {missing()}") from None
        return result

    def channel_id(self, channel: str, *, missing_ok: bool = False) -> str:
        """The id of a channel by id, name, or `@name` for direct messages."""
        wanted = channel.removeprefix("#")
        for one in self.channels.values():
            handle = f"@{self.names.get(one['user'], '')}" if one["is_im"] else one["name"]
            if wanted in (one["id"], handle):
                return str(one["id"])
        if missing_ok:
            return wanted
        raise AssertionError(f"{self.name} is not in {channel}; in: {[one['name'] for one in self.channels.values()]}")

    # ---- keeping up with the live socket

    async def _load(self, channel: Json) -> None:
        self.channels[channel["id"]] = channel
        self.names[channel["id"]] = channel["name"]
        mine = self.messages.setdefault(channel["id"], {})
        if not channel["has_messages"]:
            return
        query = {"as": self.id, "channel": channel["id"]}
        loaded = await self.api.get("messages", **query)
        self._loaded[channel["id"]] = loaded["n"]
        for message in loaded["messages"]:
            mine.setdefault(message["ts"], message)
            if message.get("reply_count"):
                thread = await self.api.get("messages", **query, thread_ts=message["ts"])
                mine |= {one["ts"]: one for one in thread["messages"]}
        self._ever += [(channel["id"], message) for message in mine.values()]

    async def _read(self) -> None:
        async for line in self._live.lines():
            event = _decoded(line)
            if event["type"] == "channel" and event["channel"]["id"] not in self.channels:
                await self._load(event["channel"])
            elif event["n"] > self._loaded.get(str(event.get("channel")), self._started) or event["type"] == "echo":
                self._apply(event)
            self._wake()
            await asyncio.sleep(0)  # whoever waits looks at each thing as it comes, also where several came together

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _apply(self, event: Json) -> None:
        kind = event["type"]
        if kind in ("message", "message_changed", "ephemeral"):
            self.messages.setdefault(event["channel"], {})[event["message"]["ts"]] = event["message"]
            self._ever.append((event["channel"], event["message"]))
        elif kind == "message_deleted":
            self.messages.get(event["channel"], {}).pop(event["ts"], None)
        elif kind in ("view_opened", "view_pushed"):
            self.views.append(event["view"])
        elif kind == "view_updated":
            self.views = [event["view"] if one["id"] == event["view"]["id"] else one for one in self.views]
        elif kind == "view_closed":
            self.views = [one for one in self.views if one["id"] != event["view_id"]]
        elif kind == "home":
            self.home_view = event["view"]
        elif kind == "channel":
            self.channels[event["channel"]["id"]] = event["channel"]
        elif kind == "unread":
            counts = {"unread": event["unread"], "mentions": event["mentions"]}
            self.channels[event["channel"]] = self.channels[event["channel"]] | counts
        elif kind == "people":
            self._know(event["people"])
        elif kind == "echo":
            self._echoes.add(event["text"])

    def _know(self, people: list[Json]) -> None:
        self.names |= {person["id"]: person["name"] for person in people}

    def _visible(self, where: str, thread: str | None) -> list[Json]:
        messages = sorted(self.messages.get(where, {}).values(), key=lambda one: str(one["ts"]))
        if thread is None:
            return messages
        return [one for one in messages if one.get("thread_ts") == thread and one["ts"] != thread]


@dataclass
class Acme:
    """Acme's local Slack with everybody at their desks."""

    slack: LocalSlack
    sandbox: Sandbox
    dana: Person
    lee: Person
    olu: Person
    sam: Person
    gus: Person


@functools.cache
def acme_workspace() -> Workspace:
    """Acme as examples/acme/slack.yml describes it, read once."""
    return load_workspace(ACME)


@asynccontextmanager
async def acme_slack(**options: Any) -> AsyncIterator[Acme]:
    """Acme's workspace on a free port; `options` go to LocalSlack (rate_limits, ack_timeout, retry_scale, clock …).

    `app` changes fields of the SlackApp, e.g. `app={"request_url": "http://127.0.0.1:8080/slack/events"}`; `channels`
    are more channels; in those that are `joined`, by name, the app is from the start.
    """
    workspace, joined = acme_workspace(), options.pop("joined", ())
    channels = (*workspace.channels, *options.pop("channels", ()))
    workspace = replace(
        workspace,
        app=replace(workspace.app, **options.pop("app", {})),
        channels=tuple(replace(one, bot=one.bot or one.name in joined) for one in channels),
    )
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(LocalSlack(workspace, **options))
        sandbox = await stack.enter_async_context(Sandbox(slack.url))
        names, session = ("dana", "lee", "olu", "sam", "gus"), sandbox.session
        people = [await stack.enter_async_context(Person(name, slack, session)) for name in names]
        yield Acme(slack, sandbox, *people)
