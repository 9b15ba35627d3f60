"""Where an incident changes: its row, the audit trail and its messages, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatops.incidents import digests, store
from chatops.incidents.incident import AUTOMATION, Incident
from chatops.incidents.lifecycle import Event
from chatops.kernel import audit
from chatops.kernel.ports import Clock, Configuration, Lane, Outbox, Post, Tx


@dataclass(slots=True)
class Keeper:
    """Writes incidents; ``wake`` is told, after the commit, of each one of which something is due or new.

    ``heard`` is told of every line of the timeline (who, what, data), in the transaction that writes it.
    """

    outbox: Outbox
    configuration: Configuration
    clock: Clock
    wake: Callable[[int], None] = field(default=lambda number: None)
    heard: Callable[[Tx, Incident, str, str, Mapping[str, Any]], None] = field(default=lambda *_: None)

    def opened(self, tx: Tx, incident: Incident, *, who: str, data: Mapping[str, Any]) -> None:
        """Shows the card of an incident that was just stored."""
        self.note(tx, incident, who, Event.OPENED.value, {"severity": incident.severity, **data})
        self._show(tx, incident)

    def put(
        self, tx: Tx, before: Incident, after: Incident, event: Event, *, who: str = AUTOMATION,
        data: Mapping[str, Any] | None = None,
    ) -> Incident:  # fmt: skip
        """Stores ``after``, which came out of ``before``."""
        store.save(tx, after)
        self.note(tx, after, who, event.value, {"state": after.state.value, **(data or {})})
        if after.due_at == 0.0 or after.holder is not None:
            store.drop_pages(tx, after.id)
        self._show(tx, after, news=before.state is not after.state or event in (Event.REOPENED, Event.ESCALATED))
        return after

    def note(self, tx: Tx, incident: Incident, who: str, what: str, data: Mapping[str, Any]) -> None:
        """A line of the timeline, which is the audit trail of this incident."""
        audit.append(
            tx, chain=incident.name, who=who, what=what, data=data, at=self.clock.now(),
            configuration=self.configuration.platform.digest,
        )  # fmt: skip
        self.heard(tx, incident, who, what, data)

    def say(
        self, tx: Tx, incident: Incident, what: str, lines: Sequence[str], *, mention: Sequence[str] = (),
        code: str = "", buttons: Sequence[Mapping[str, Any]] = (), image: Mapping[str, str] | None = None,
        lane: Lane = Lane.ANSWER,
    ) -> None:  # fmt: skip
        """A reply under the card, once for each ``what``; said anew, the reply is edited."""
        content: dict[str, Any] = {
            "lines": list(lines),
            "mention": [one for one in mention if ":" not in one],
            "code": code,
        }
        content |= {"buttons": list(buttons)} | ({"image": dict(image)} if image else {})
        post = Post(
            f"{incident.name}/{what}", lane, "note", str(incident.id), channel=incident.channel,
            thread_of=incident.name, content=content,
        )  # fmt: skip
        self.outbox.show(tx, post)

    def in_room(
        self, tx: Tx, incident: Incident, what: str, lines: Sequence[str], *, mention: Sequence[str] = (),
        buttons: Sequence[Mapping[str, Any]] = (),
    ) -> None:  # fmt: skip
        """A message in the incident's room, once for each ``what``; under the card where there is no room."""
        if not incident.room:
            self.say(tx, incident, what, lines, mention=mention, buttons=buttons)
            return
        content = {"lines": list(lines), "mention": list(mention), "buttons": list(buttons)}
        name = f"{room_card(incident)}/{what}"
        post = Post(name, Lane.ANSWER, "note", str(incident.id), channel=incident.room, content=content)
        self.outbox.show(tx, post)

    def stands(self, tx: Tx, post: str, number: int) -> None:
        """A card stands in Slack: pages that came before it link it from now on; in a storm its digest does."""
        incident = store.find(tx, number)
        if incident is not None and post == incident.name and not incident.digest:
            self._show_pages(tx, number)

    def show(self, tx: Tx, incident: Incident) -> None:
        """Shows the card again, as it must read now; that is no news for anybody."""
        self._show(tx, incident, news=False)

    def _show(self, tx: Tx, incident: Incident, *, news: bool = True) -> None:
        if not incident.quiet or incident.holder is not None:
            # What a digest names already may wait: the pages and the digests themselves go before.
            lane = Lane.PAGE if news and not incident.ended and not incident.digest else Lane.ANSWER
            self.outbox.show(tx, Post(incident.name, lane, "incident", str(incident.id), channel=incident.channel))
            if news and incident.digest:
                self.outbox.show(tx, digests.post(incident.digest, incident.channel))
            if news:
                self._show_pages(tx, incident.id)
        for post, channel in incident.cards:
            lane = Lane.PAGE if news else Lane.ANSWER
            self.outbox.show(tx, Post(post, lane, "incident", str(incident.id), channel=channel))
        if incident.room:
            self.outbox.show(
                tx, Post(room_card(incident), Lane.ANSWER, "incident", str(incident.id), channel=incident.room)
            )
        tx.after_commit(lambda: self.wake(incident.id))

    def _show_pages(self, tx: Tx, number: int) -> None:
        for page, person in store.pages_of(tx, number):
            if "@" not in person:  # else reached by e-mail alone
                self.outbox.show(tx, Post(page, Lane.PAGE, "page", page, person=person))


def room_card(incident: Incident) -> str:
    """The id of the card that stands in its room."""
    return f"{incident.name}/room"
