"""The configuration that holds now, replaced when its folder changes into something valid."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, ItemsView, Iterator, Mapping, Sequence, ValuesView
from pathlib import Path

from chatops.adapters.configuration import folder as disk
from chatops.adapters.configuration.entries import Entry, services_of
from chatops.adapters.configuration.problems import ConfigurationError, Problem
from chatops.kernel.action import Action
from chatops.kernel.catalog import Platform
from chatops.kernel.plan import canonical
from chatops.kernel.ports import Clock

log = logging.getLogger(__name__)

Signature = tuple[tuple[str, int, int, int], ...]


class LiveConfiguration:
    """Implements ``kernel.ports.Configuration``; loads at once. Raises ``ConfigurationError``."""

    def __init__(
        self, folder: Path, actions: Mapping[str, Action], clock: Clock, build: disk.Build | None = None, *,
        load: disk.Load = disk.load, every: float = 2.0,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._built_in = actions
        self._build = build
        self._clock = clock
        self._every = every  # seconds between looks
        self._seen = signature(folder)  # before reading: a change in between is seen at the next look
        self._loaded = load(folder, actions, build)
        self._entries: Sequence[Entry] = ()
        self._platform = self._loaded.platform
        self.left_out: Sequence[Problem] = ()  # entries of the clusters that can't be used, and why
        self._refused: object = None  # the state that was refused last: its digest, or why it cannot be read

    @property
    def platform(self) -> Platform:
        """The last good configuration, with the services that clusters name."""
        return self._platform

    @property
    def actions(self) -> Mapping[str, Action]:
        """Every action that there is now; whoever keeps this sees the newest at each look."""
        return _Newest(lambda: self._loaded.actions)

    async def discovered(self, entries: Sequence[Entry]) -> None:
        """Adds the services of these entries, in the place of those before."""
        self._entries = entries
        await self._put_together()

    async def _put_together(self) -> None:
        loaded, entries = None, None
        while loaded is not self._loaded or entries is not self._entries:  # replaced while the thread worked
            loaded, entries = self._loaded, self._entries
            platform, left_out = await asyncio.to_thread(_joined, loaded.platform, entries)
            self._platform, self.left_out = platform, left_out

    @property
    def refused(self) -> bool:
        """Whether the folder holds something invalid, so that what was valid last goes on."""
        return self._refused is not None

    async def watch(
        self,
        on_change: Callable[[Platform], Awaitable[None]],
        on_refused: Callable[[Sequence[Problem]], Awaitable[None]],
        on_repaired: Callable[[], Awaitable[None]],
    ) -> None:
        """Looks at the folder every few seconds, for ever.

        A change counts once two looks saw the same, so that half-written files don't. An invalid configuration changes
        nothing but that ``on_refused`` hears of it, once for each content; ``on_repaired`` when a valid one follows.
        """
        before = self._seen
        while True:
            await self._clock.sleep(self._every)
            now = await asyncio.to_thread(signature, self._folder)
            if now == before and now != self._seen:
                self._seen = now
                await self._reload(on_change, on_refused, on_repaired)
            before = now

    async def _reload(
        self,
        on_change: Callable[[Platform], Awaitable[None]],
        on_refused: Callable[[Sequence[Problem]], Awaitable[None]],
        on_repaired: Callable[[], Awaitable[None]],
    ) -> None:
        loaded, problems, state = await asyncio.to_thread(self._look)
        if loaded is not None:
            repaired, self._refused = self._refused is not None, None
            if loaded.platform.digest != self._loaded.platform.digest:
                self._loaded = loaded
                await self._put_together()
                await _told(on_change(self._platform))
            if repaired:
                await _told(on_repaired())
        elif state != self._refused:
            self._refused = state
            await _told(on_refused(problems))

    def _look(self) -> tuple[disk.Loaded | None, Sequence[Problem], object]:
        state: object = None
        try:
            contents = disk.read(self._folder)
            state = disk.digest(contents)
            return disk.parse(self._folder, contents, self._built_in, self._build), (), state
        except ConfigurationError as error:
            return None, error.problems, state or tuple(error.problems)


def _joined(platform: Platform, entries: Sequence[Entry]) -> tuple[Platform, Sequence[Problem]]:
    """What the file says with what the clusters add; the digest is of both."""
    found, problems = services_of(entries, platform) if platform.catalog_namespace else ({}, [])
    if not found:
        return platform, problems
    added = canonical({name: one.model_dump(mode="json") for name, one in found.items()})
    digest = hashlib.sha256(f"{platform.digest}{added}".encode()).hexdigest()
    return platform.model_copy(update={"services": {**platform.services, **found}, "digest": digest}), problems


class _Newest(Mapping[str, Action]):
    """A mapping that is looked up anew each time; going through it sees one state to its end."""

    def __init__(self, now: Callable[[], Mapping[str, Action]]) -> None:
        self._now = now

    def __getitem__(self, name: str) -> Action:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def items(self) -> ItemsView[str, Action]:
        return self._now().items()

    def values(self) -> ValuesView[Action]:
        return self._now().values()


async def _told(telling: Awaitable[None]) -> None:
    """Telling people may fail (Slack is away); watching goes on, or the next change would be missed."""
    try:
        await telling
    except Exception:
        log.exception("the configuration changed, and telling about it failed")


def signature(folder: Path) -> Signature:
    """What shows that something changed without reading it: names, times (ns), sizes and inodes."""
    found = []
    try:
        for path in disk.files(folder):
            stat = path.stat()
            found.append((str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino))
    except OSError as error:  # gone or locked between listing and looking: a state of its own
        found.append((str(error.filename), -1, error.errno or 0, 0))
    return tuple(found)
