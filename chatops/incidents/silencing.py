"""Silencing what an incident is about, at its monitor, and ending that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from chatops.incidents import lifecycle, store
from chatops.incidents.keeper import Keeper
from chatops.incidents.lifecycle import Event
from chatops.incidents.rights import check_has_or_may
from chatops.incidents.silences import SENDER, Silencer, matchers_of
from chatops.incidents.telling import about, who_is
from chatops.kernel.action import Answer
from chatops.kernel.alert import Alert
from chatops.kernel.errors import Refused, TooLate
from chatops.kernel.masking import mask
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Configuration, Database, Tx
from chatops.requests.clicks import only_once


@dataclass(slots=True)
class Silencing:
    """``kernel.action.Silences``; the monitor first, then what is kept of it: a repetition finds what was made."""

    database: Database
    keeper: Keeper
    configuration: Configuration
    silencer: Silencer
    clock: Clock

    async def silence(
        self, person: Person, number: int, until: float, text: str, key: str = "", again: bool = False
    ) -> Answer:
        """``kernel.action.Silences.silence``."""
        now, name = self.clock.now(), f"INC-{number}"
        if until <= now:
            raise TooLate(f"The time for which {name} was to be silent is over by now.")
        comment = f"{name}: {mask(text)[0] or 'silenced from its card'}"
        # What it made before it was cut off is kept, whatever became of the incident: else nobody would know of it.
        if again and (standing := await self.silencer.standing(comment, until)):
            link, matchers = standing
        else:
            matchers = matchers_of(await self.database.read(self._to_silence, person, number))
            link = await self.silencer.silence(matchers, now, until, person.name, comment)
        said = ", ".join(f"{one['name']}={one['value']}" for one in matchers)
        return await self.database.write(self._silenced, person, number, until, said, link, key)

    async def unsilence(self, person: Person, number: int, key: str = "", before: float = math.inf) -> Answer:
        """``kernel.action.Silences.unsilence``."""
        addresses = await self.database.read(self._to_unsilence, person, number, before)
        for address in addresses:
            await self.silencer.end(address)
        return await self.database.write(self._unsilenced, person, number, addresses, key)

    # inside --------------------------------------------------------------------------------------------------------

    def _to_silence(self, tx: Tx, person: Person, number: int) -> list[Alert]:
        incident = store.load(tx, number)
        check_has_or_may(self.configuration.platform, incident, person)
        if incident.ended:
            raise TooLate(lifecycle.stands(incident))
        firing = [one for one in store.alerts_of(tx, number) if one.status == "firing" and one.source == SENDER]
        if not firing:
            said = f"No alert of {incident.name} that fires comes from Alertmanager; only those can be silenced."
            raise Refused(said, hint="What it is about goes on; acknowledging stops the paging.")
        return firing

    def _silenced(self, tx: Tx, person: Person, number: int, until: float, text: str, link: str, key: str) -> Answer:
        only_once(tx, key, self.clock.now())
        incident = store.load(tx, number)
        end = f"{datetime.fromtimestamp(until, UTC):%d %b %H:%M}"
        said = f"{person.name} silenced {text} until {end} UTC."
        after = lifecycle.silenced(incident, link, until, self.clock.now())
        data = {"text": text, "until": end, "link": link}
        incident = self.keeper.put(tx, incident, after, Event.SILENCED, who=who_is(person), data=data)
        ends = f"`/platform unsilence {incident.name}` ends it: {link}"
        self.keeper.say(tx, incident, f"silenced/{incident.version}", [said, ends])
        return about(incident, f"It is silenced until {end} UTC: {text}.")

    def _to_unsilence(self, tx: Tx, person: Person, number: int, before: float) -> tuple[str, ...]:
        incident = store.load(tx, number)
        check_has_or_may(self.configuration.platform, incident, person)
        if not incident.silences:
            raise TooLate(f"No silence of {incident.name} goes on that was made here.")
        later = {one["link"] for one in store.since(tx, incident, Event.SILENCED, before)}
        if not (ended := tuple(one for one in incident.silences if one not in later)):
            raise TooLate(f"{incident.name} was silenced anew after you asked, and that goes on.")
        return ended

    def _unsilenced(self, tx: Tx, person: Person, number: int, ended: tuple[str, ...], key: str) -> Answer:
        only_once(tx, key, self.clock.now())
        incident = store.load(tx, number)
        left = tuple(one for one in incident.silences if one not in ended)
        if left != incident.silences:  # else somebody was as quick
            after = lifecycle.silence_ended(incident, left, self.clock.now())
            incident = self.keeper.put(tx, incident, after, Event.SILENCE_ENDED, who=who_is(person))
            more = " It was silenced anew meanwhile, and that goes on." if left else ""
            self.keeper.say(tx, incident, f"silenced/{incident.version}", [f"{person.name} ended the silence.{more}"])
        if left:
            return about(incident, "That silence is over; somebody has silenced it anew meanwhile, and that goes on.")
        return about(incident, "The silence is over: its alerts make noise again.")
