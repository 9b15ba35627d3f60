"""An incident's room in Slack: the channel, the people, the pinned card, reminders, and the postmortem's draft.

What is wanted is a row, written with the transition that wants it; here it is done, a step at a time, each recorded
when Slack has answered. Every step may be repeated: a channel is found again by its name, a file by its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatops.incidents import lifecycle, room, store
from chatops.incidents.charts import CHART
from chatops.incidents.incident import Incident
from chatops.incidents.keeper import Keeper, room_card
from chatops.incidents.leading import OVER
from chatops.incidents.lifecycle import Event
from chatops.incidents.postmortem import draft
from chatops.incidents.room import Room
from chatops.incidents.telling import headline
from chatops.kernel.chart import Kept
from chatops.kernel.errors import PlatformError, Refused, Unavailable
from chatops.kernel.ports import Clock, Configuration, Database, Directory, Tx
from chatops.kernel.rooms import RoomHost

log = logging.getLogger(__name__)

PAUSES = (5.0, 15.0, 60.0, 300.0)  # seconds before what was away is asked again; the last for ever
PIN_AGAIN = 5.0  # seconds before a card that does not stand yet is looked for again
AT_ONCE = 4  # incidents worked on at the same time
ROWS = 5000  # of the audit trail in a draft


@dataclass(slots=True)
class Rooms:
    """Does for rooms what is due."""

    database: Database
    keeper: Keeper
    configuration: Configuration
    directory: Directory
    host: RoomHost
    clock: Clock
    charts: Callable[[int], Awaitable[Sequence[Kept]]]  # of a whole incident, for the draft
    _woken: set[int] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def wake(self, number: int) -> None:
        """Something of an incident changed, perhaps who belongs into its room."""
        self._woken.add(number)
        self._wake.set()

    async def start(self) -> None:
        """Looks after open incidents, of which a change may have been missed; what is due is found by itself."""
        for incident in await self.database.read(store.open_ones, limit=200):
            if incident.room:
                self.wake(incident.id)

    async def run(self) -> None:
        """Looks when woken, until cancelled; the scheduler looks as well."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.look()
            except Exception:  # the next look finds the same again
                log.exception("looking after incident rooms failed")

    async def look(self) -> None:
        """Does what is due now."""
        async with self._looking:
            woken, self._woken = self._woken, set()
            due = await self.database.read(room.to_work_on, self.clock.now())
            await asyncio.gather(*(self._tried(number) for number in sorted({*woken, *due})))
            for number in await self.database.read(room.to_remind, self.clock.now()):
                await self.database.write(self._remind, number)

    # the steps -----------------------------------------------------------------------------------------------------

    async def _tried(self, number: int) -> None:
        """One incident's room; what goes wrong with it does not hold up the others."""
        async with self._places:
            try:
                incident, found = await self.database.read(_load, number)
                if not found.name and not found.draft:
                    return
                if found.work_at > self.clock.now() or (not found.work_at and not found.channel):
                    return  # it waits for Slack, or Slack refused it
                await self._work(incident, found)
            except Unavailable as away:
                await self.database.write(self._put_off, number, away)
            except Refused as no:
                await self.database.write(self._give_up, number, no)
            except Exception:
                log.exception("the room of INC-%d failed; it is tried again", number)
                ours = Unavailable("Something of ours went wrong with its room; the log tells what.")
                await self.database.write(self._put_off, number, ours)

    async def _work(self, incident: Incident, found: Room) -> None:
        if found.name and not found.channel and not found.draft:  # closed before it had a room: it needs none
            channel, name = await self.host.create(found.name)
            found = await self.database.write(self._made, incident.id, channel, name)
            incident = await self.database.read(store.load, incident.id)
        later = False
        if found.channel:
            await self._furnish(incident, found)
            later = not found.pinned and not await self._pinned(incident)
        if found.draft and found.work_at:
            await self._upload(incident, found)
        await self.database.write(self._done, incident.id, found, later)

    async def _furnish(self, incident: Incident, found: Room) -> None:
        if not found.described:
            await self._attempt(incident, self.host.describe(found.channel, f"{incident.name}: {headline(incident)}"))
            await self.database.write(room.put, incident.id, {"described": True})
        wanted = [one for one in await self._people(incident, found) if one not in found.people]
        if wanted:
            refused = await self._attempt(incident, self.host.invite(found.channel, wanted)) or ()
            await self.database.write(self._invited, incident.id, wanted, refused)

    async def _attempt(self, incident: Incident, step: Any) -> Any:
        """A step without which the room still is one: a refusal is told, and the rest goes on."""
        try:
            return await step
        except Refused as no:
            await self.database.write(self._tell, incident.id, no)
            return None

    async def _pinned(self, incident: Incident) -> bool:
        """Whether the card is pinned, or never will be; not while it is on its way."""
        pinned = await self._attempt(incident, self.host.pin(room_card(incident)))
        if pinned is False:
            return False
        await self.database.write(room.put, incident.id, {"pinned": True})
        return True

    async def _people(self, incident: Incident, found: Room) -> list[str]:
        """Who has it, who leads, who was paged, who asked for the room, and the team's leads."""
        here = [one.id for one in (incident.holder, incident.lead, *incident.paged) if one is not None]
        leads = await self.directory.members("team-leads", incident.team) if incident.team else ()
        people = [found.asked_by, *found.guests, *here, *(one.id for one in leads if one.is_member)]
        return [one for one in dict.fromkeys(people) if one and "@" not in one]  # by e-mail alone: no account is known

    async def _upload(self, incident: Incident, found: Room) -> None:
        if not (found.began and await self.host.has_file(found.channel, incident.name, found.draft)):
            chart = await self.host.address(f"{incident.name}/{CHART}") if incident.charted_round else ""
            charts = await self.charts(incident.id)
            content = await self.database.read(_drafted, incident.id, chart, charts)
            await self.database.write(room.put, incident.id, {"began": True})
            title = f"{incident.name}: draft of the postmortem"
            files = {found.draft: content.encode(), **{one.name: one.picture for one in charts if one.picture}}
            await self.host.upload(found.channel, incident.name, title, files)
        await self.database.write(self._uploaded, incident.id, found.draft)

    # what is recorded ----------------------------------------------------------------------------------------------

    def _made(self, tx: Tx, number: int, channel: str, name: str) -> Room:
        after = room.put(tx, number, {"channel": channel, "name": name})
        incident = store.load(tx, number)
        if not incident.room:
            opened = lifecycle.move(incident, Event.ROOM_OPENED, self.clock.now(), room=channel)
            self.keeper.put(tx, incident, opened, Event.ROOM_OPENED, data={"room": name})
            self.keeper.say(tx, opened, "room/opened", [f"The room of {incident.name} is #{name}."])
        return after

    def _invited(self, tx: Tx, number: int, people: list[str], refused: tuple[tuple[str, str], ...]) -> None:
        room.put(tx, number, {"people": (*room.find(tx, number).people, *people)})
        incident = store.load(tx, number)
        for person, why in refused:
            lines = [f"Slack does not let this person into the room ({why})."]
            self.keeper.in_room(tx, incident, f"refused/{person}", lines, mention=[person])

    def _uploaded(self, tx: Tx, number: int, file: str) -> None:
        found = room.find(tx, number)
        if found.draft == file:
            room.put(tx, number, {"draft": "", "began": False, "drafts": found.closings})
            incident = store.load(tx, number)
            self.keeper.note(tx, incident, "assistant", "postmortem", {"file": file})

    def _done(self, tx: Tx, number: int, worked: Room, later: bool) -> None:
        """Nothing more is due, unless something was wanted meanwhile."""
        found = room.find(tx, number)
        asked = found.name and not found.channel and found.name != worked.name
        if asked or found.asks != worked.asks or (found.draft and found.draft != worked.draft):
            return
        room.put(tx, number, {"work_at": self.clock.now() + PIN_AGAIN if later else 0.0, "tries": 0})

    def _put_off(self, tx: Tx, number: int, away: Unavailable) -> None:
        found, incident = room.find(tx, number), store.load(tx, number)
        pause = max(away.retry_after, PAUSES[min(found.tries, len(PAUSES) - 1)])
        room.put(tx, number, {"work_at": self.clock.now() + pause, "tries": found.tries + 1})
        log.warning("the room of %s waits: %s", incident.name, away.message)
        if not found.tries:
            self._say(tx, incident, found, [f"{away.message} It is tried again."])

    def _give_up(self, tx: Tx, number: int, no: Refused) -> None:
        room.put(tx, number, {"work_at": 0.0, "tries": 0})
        self._tell(tx, number, no)

    def _tell(self, tx: Tx, number: int, no: PlatformError) -> None:
        found, incident = room.find(tx, number), store.load(tx, number)
        self.keeper.note(tx, incident, "assistant", "room_refused", {"text": no.message})
        log.error("the room of %s: %s", incident.name, no.message)
        self._say(tx, incident, found, [one for one in (no.message, no.hint) if one], [found.asked_by])

    def _say(self, tx: Tx, incident: Incident, found: Room, lines: list[str], mention: list[str] | None = None) -> None:
        """Under the card, where also those see it who are in no room yet."""
        rung = [one for one in mention or () if one]
        self.keeper.say(tx, incident, f"room/trouble/{self.clock.now():.3f}", lines, mention=rung)

    def _remind(self, tx: Tx, number: int) -> None:
        found, incident = room.find(tx, number), store.load(tx, number)
        severity = self.configuration.platform.severities.get(incident.severity)
        every = severity.updates if severity else 0.0
        if incident.ended or incident.status in OVER or not every:
            room.put(tx, number, {"remind_at": 0.0})
            return
        room.put(tx, number, {"remind_at": self.clock.now() + every, "reminded": found.reminded + 1})
        self.keeper.note(tx, incident, "assistant", "update_due", {})
        asked = incident.lead.id if incident.lead else incident.holder.id if incident.holder else found.asked_by
        lines = ["People wait for an update: where does it stand?"]
        button: Mapping[str, Any] = {
            "label": "Tell the status",
            "line": f"incident status {incident.name}",
            "form": True,
        }
        what = f"update/{found.reminded + 1}"
        self.keeper.in_room(tx, incident, what, lines, mention=[asked] if asked else [], buttons=[button])


def _load(tx: Tx, number: int) -> tuple[Incident, Room]:
    return store.load(tx, number), room.find(tx, number)


def _drafted(tx: Tx, number: int, chart: str, charts: Sequence[Kept]) -> str:
    incident = store.load(tx, number)
    return draft(incident, store.alerts_of(tx, number), store.timeline(tx, incident, ROWS), chart, charts)
