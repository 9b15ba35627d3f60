"""The end of what requests made: two warnings with a button to extend, then it is removed, and nothing else is.

Each object's next moment is a column (``look_at``), so a restart forgets nothing; what was begun is taken up again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from approvals import store
from approvals.request import Request
from chatops.kernel import audit
from chatops.kernel.accidents import recorded
from chatops.kernel.durations import short
from chatops.kernel.errors import PlatformError, Refused, TooLate, Unavailable
from chatops.kernel.labels import EXPIRES_AT
from chatops.kernel.people import Person
from chatops.kernel.plan import Write
from chatops.kernel.ports import Clock, Clusters, ClusterWriter, Configuration, Database, Lane, Post, Tx
from chatops.requests import objects
from chatops.requests.clicks import only_once
from chatops.requests.effects import uid_of
from chatops.requests.objects import WARNINGS, Owned
from chatops.requests.pause import paused
from chatops.requests.register import Register

log = logging.getLogger(__name__)

MANAGER = "chatops-expiry"
RETRY_FIRST, RETRY_MOST = 60.0, 3600.0  # seconds between tries to remove something
TELL_LINGERING = 3  # tries after which people are told that an object does not go away
AGAIN = "Access ends when it was said to end, and is not extended: ask for it again."
SOON = 60.0  # seconds until the next look while a run goes on or writes are paused
GONE = {"removed": "removed", "gone": "was gone already", "replaced": "is another one by now and stays"}


@dataclass(slots=True)
class Expiry:
    """Warns, extends, removes; ``look`` may be called late, early or twice."""

    database: Database
    register: Register
    clusters: Clusters
    configuration: Configuration
    clock: Clock

    async def look(self) -> int:
        """Does what is due now, of one request after the other, and returns for how many requests."""
        due = sorted(await self.database.read(objects.due, self.clock.now()), key=lambda one: one.request_id)
        requests = [list(group) for _, group in groupby(due, key=lambda one: one.request_id)]
        await asyncio.gather(*(self._attend(each) for each in requests))
        return len(requests)

    async def extend(self, number: int, person: Person, key: str) -> str:
        """Gives what a request made its whole time once more, from now; a sentence for who asked.

        Raises ``Refused`` for everybody but the requester and the owning team, ``TooLate`` when nothing is left.
        """
        return await self.database.write(self._extend, number, person, key)

    # one request's objects -----------------------------------------------------------------------------------------

    async def _attend(self, due: Sequence[Owned]) -> None:
        """A failure with one request must not keep the others waiting."""
        try:
            request = await self.database.read(store.load, due[0].request_id)
            stop = await self.database.read(paused)
            if stop or not request.ended:
                await self.database.write(self._later, due, self.clock.now() + SOON)
                return
            over = [one for one in due if self._is_over(one)]
            stays = [one for one in due if one not in over]
            await self.database.write(self._warn, request, stays)
            await self._annotate(stays)
            await self._remove(request, over)
        except Exception as error:  # a defect of ours is found by its reference; the next look tries again
            said = error.message if isinstance(error, PlatformError) else recorded(log, error, "what is over")
            await self.database.write(self._failed, due, said)

    def _is_over(self, one: Owned) -> bool:
        # Access ends on the minute, warned or not; data is never removed without a warning.
        ends = 0 < one.expires_at <= self.clock.now() and (one.warned > 0 or one.ref.gives_access)
        return one.removing_at > 0 or ends

    def _later(self, tx: Tx, due: Iterable[Owned], at: float) -> None:
        for one in due:
            objects.look_again(tx, one, at)

    def _failed(self, tx: Tx, due: Iterable[Owned], said: str) -> None:
        for one in due:
            wait = min(RETRY_FIRST * 2.0 ** min(one.tries, 10), RETRY_MOST)
            objects.look_again(tx, one, self.clock.now() + wait, said)

    # warning -------------------------------------------------------------------------------------------------------

    def _warn(self, tx: Tx, request: Request, due: Iterable[Owned]) -> None:
        """Each warning at most once; whoever was not warned in time is given the time of the last warning."""
        now, told = self.clock.now(), dict[float, list[Owned]]()
        for one in due:
            moment = objects.next_look(one.expires_at, one.period, one.warned)
            if not moment or moment > now:  # it was looked at for another reason
                objects.look_again(tx, one, moment)
                continue
            grace = now + objects.shortly(one.period)
            end = one.expires_at if one.warned or one.ref.gives_access else max(one.expires_at, grace)
            if objects.warned(tx, one, WARNINGS if end <= grace else 1, end):
                told.setdefault(end, []).append(one)
        for end, each in told.items():
            self._tell_warning(tx, request, each, end, now)

    def _tell_warning(self, tx: Tx, request: Request, due: Sequence[Owned], end: float, now: float) -> None:
        left, period = short(round((end - now) / 60) * 60.0 or 60.0), short(due[0].period)
        what = f"{_names(due)} in {request.environment or due[0].namespace}"
        lines = [f"In {left}, at {_time(end)}, what {request.name} made is removed: {what}."]
        buttons = [{"label": "Extend", "line": f"extend {request.name}", "style": "primary"}]
        if all(one.ref.gives_access for one in due):
            lines, buttons = [*lines, AGAIN], []
        else:
            lines.append(f"Extend keeps it for another {period}; without it nobody has to do anything.")
        key = f"expires-{int(end)}-{'soon' if end - now <= objects.shortly(due[0].period) else 'ahead'}"
        self.register.say(tx, request, key, lines, mention=[request.requester_id], buttons=buttons)
        team = self.configuration.platform.teams.get(due[0].team)
        if team is not None and team.channel:
            content = {"lines": [f"{request.title} ({request.name}, {request.requester_name}): {lines[0]}", lines[1]]}
            post = Post(
                f"{request.name}/team/{key}", Lane.NOTICE, "note", str(request.id), channel=team.channel,
                content={**content, "buttons": buttons},
            )  # fmt: skip
            self.register.outbox.show(tx, post)

    # extending -----------------------------------------------------------------------------------------------------

    def _extend(self, tx: Tx, number: int, person: Person, key: str) -> str:
        only_once(tx, key, self.clock.now())
        request = store.load(tx, number)
        made = objects.of_request(tx, number)
        owns = request.requester_id == person.id or any(one.team in person.teams for one in made)
        if not (person.is_member and owns):
            raise Refused(
                f"Only {request.requester_name}, who asked for {request.name}, and the owning team extend it."
            )
        now = self.clock.now()
        # Or access that people approved for an hour would last for as long as one person clicks.
        longer = [one for one in made if one.period and not one.ref.gives_access]
        if made and not longer and any(one.period for one in made):
            raise Refused(AGAIN)
        moved = [one for one in longer if objects.extend(tx, one, now + one.period, now)]
        if not moved:
            raise TooLate(f"There is nothing left of {request.name} that could be extended.")
        end = now + moved[0].period
        audit.append(
            tx, chain=request.name, who=person.email or person.id, what="extended",
            data={"until": end, "objects": [str(one.ref) for one in moved]}, at=now,
            configuration=self.configuration.platform.digest,
        )  # fmt: skip
        said = f"{_names(moved)} stays until {_time(end)}."
        self.register.say(tx, request, f"extended-{int(end)}", [f"{person.name} extended {request.name}: {said}"])
        return said

    async def _annotate(self, stays: Iterable[Owned]) -> None:
        """The object itself says until when it stays, also after that has changed."""
        for one in stays:
            if one.annotated_at == one.expires_at:
                continue
            try:
                cluster = self._cluster(one)
                if await uid_of(cluster, one.ref) == one.uid:
                    body = with_end({"metadata": {"uid": one.uid}}, one.expires_at)
                    await cluster.write(Write(ref=one.ref, manager=MANAGER, body=body))
            except PlatformError as away:
                await self.database.write(self._failed, [one], away.message)
            else:
                await self.database.write(objects.annotated, one)

    # removing ------------------------------------------------------------------------------------------------------

    async def _remove(self, request: Request, over: Sequence[Owned]) -> None:
        fates: dict[str, list[Owned]] = {}
        for one in sorted(over, key=lambda one: -one.made_at):  # what was made last goes first
            try:
                fate = await self._remove_one(request, one)
            except Unavailable as away:
                await self.database.write(self._failed, [one], away.message)
            except PlatformError as no:
                await self.database.write(self._not_removed, request, one, no)
            else:
                if fate:
                    fates.setdefault(fate, []).append(one)
        if fates:
            await self.database.write(self._tell_removed, request, fates)

    async def _remove_one(self, request: Request, one: Owned) -> str:
        """Removes the object that the request made, by its uid; what became of it."""
        cluster = self._cluster(one)
        live = await cluster.get(one.ref)
        there = live is not None and live["metadata"]["uid"] == one.uid
        if not await self.database.write(objects.removing, one, self.clock.now()):
            return ""  # extended in between
        if there:
            await cluster.delete(one.ref, one.uid)
            if await uid_of(cluster, one.ref) == one.uid:
                raise _Lingers(f"{one.ref} is still being removed; something holds it with a finalizer.")
        fate = "removed" if there or (one.removing_at and live is None) else "gone" if live is None else "replaced"
        return fate if await self.database.write(self._removed, request, one, fate) else ""

    def _removed(self, tx: Tx, request: Request, one: Owned, fate: str) -> bool:
        first = objects.removed(tx, one.uid, fate, self.clock.now())
        if first:
            self.register.record(tx, request, "expired", {"object": str(one.ref), "uid": one.uid, "fate": fate})
        return first

    def _tell_removed(self, tx: Tx, request: Request, fates: Mapping[str, Sequence[Owned]]) -> None:
        said = "; ".join(f"{_names(each)} {GONE[fate]}" for fate, each in fates.items())
        first = min(one.uid for each in fates.values() for one in each)
        lines = [f"The time of what {request.name} made is over: {said}."]
        self.register.say(tx, request, f"over-{first}", lines, mention=[request.requester_id])

    def _not_removed(self, tx: Tx, request: Request, one: Owned, no: PlatformError) -> None:
        self._failed(tx, [one], no.message)
        if not isinstance(no, _Lingers) or one.tries >= TELL_LINGERING:  # one note, edited when the reason changes
            lines = [f"{one.ref} could not be removed: {no.message}", "I go on trying; a person had better look."]
            self.register.say(tx, request, f"not-removed-{one.uid}", lines, mention=[request.requester_id])

    def _cluster(self, one: Owned) -> ClusterWriter:
        environment = self.configuration.platform.environments.get(one.environment)
        if environment is None:
            raise Refused(f"the environment {one.environment} is no longer in the configuration")
        return self.clusters.writer(environment)


class _Lingers(PlatformError):
    """It was told to go and has not gone yet."""


def with_end(body: Mapping[str, Any], at: float) -> dict[str, Any]:
    """The body of an object that says until when (epoch seconds) it stays."""
    metadata = dict(body.get("metadata") or {})
    end = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else "never"
    metadata["annotations"] = {**(metadata.get("annotations") or {}), EXPIRES_AT: end}
    return {**body, "metadata": metadata}


def _names(these: Sequence[Owned]) -> str:
    shown = ", ".join(str(one.ref) for one in these[:5])
    return f"{shown} and {len(these) - 5} more" if len(these) > 5 else shown


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d %B %Y, %H:%M UTC")
