"""What senders tell becomes incidents: many alerts, one incident; told twice, counted once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chatops.incidents import digests, lifecycle, store, triggers, unreadable
from chatops.incidents.grouping import stranger
from chatops.incidents.incident import Incident, Summary
from chatops.incidents.judging import Judge, Judged, quiet_of
from chatops.incidents.keeper import Keeper
from chatops.incidents.lifecycle import Event
from chatops.kernel import audit
from chatops.kernel.alert import Alert, Delivery
from chatops.kernel.ports import Clock, Database, Lane, Tx

REOPENS_WITHIN = 15 * 60.0  # seconds after it was resolved in which an alert that comes back opens the same incident
AT_ONCE = 500  # alerts in one transaction: clicks wait behind it
MOST_NAMED = 20  # alerts in one line of the timeline
MOST_FAILED = 3  # rules in one line of the timeline
MOST_IGNORED = 10_000  # ignored alerts that are remembered, so that each is in the audit trail once


@dataclass(slots=True)
class Intake:
    """Takes deliveries in; returns once they are committed, so that the sender may be told so."""

    database: Database
    keeper: Keeper
    judge: Judge
    clock: Clock
    count_ignored: Callable[[int], None] = field(default=lambda number: None)
    _ignored: dict[tuple[str, str], str] = field(default_factory=dict)  # by source and fingerprint: the status

    async def take(self, delivery: Delivery) -> None:
        """Puts every alert of a delivery into its incident. The same delivery again changes nothing."""
        groups: dict[str, list[Judged]] = {}
        ignored: list[Judged] = []
        for one in await self.judge.all(delivery.alerts):
            if one.ignored:
                ignored.append(one)
            else:
                groups.setdefault(one.key, []).append(one)
        for start in range(0, len(ignored), AT_ONCE):
            await self.database.write(self._ignore, delivery.source, ignored[start : start + AT_ONCE])
        for some in _batches(groups):
            await self.database.write(self._take, some)

    def put(self, tx: Tx, judged: Sequence[Judged]) -> None:
        """Puts alerts that were judged into their incidents, in the caller's transaction."""
        for one in judged:
            if one.ignored:
                self._ignore(tx, one.alert.source, [one])
            else:
                self._group(tx, one.key, [one])

    async def unread(self, source: str, raw: str, why: str) -> None:
        """Makes an incident of what could not be read: it may be a page, and the sender will not send it again."""
        [judged] = await self.judge.all([unreadable.alert_of(source, raw, why)])
        await self.database.write(self._unread, judged, raw)

    # inside --------------------------------------------------------------------------------------------------------

    def _take(self, tx: Tx, groups: Sequence[tuple[str, list[Judged]]]) -> None:
        for key, judged in groups:
            self._group(tx, key, judged)

    def _ignore(self, tx: Tx, source: str, judged: Sequence[Judged]) -> None:
        """What a rule ignores makes no incident; counted in one that is open, it is told to that one until it ends."""
        now = self.clock.now()
        judged = [replace(one, alert=_in_time(tx, one.alert, now)) for one in judged]
        counted = self._elsewhere(tx, None, judged)
        for number, some in counted.items():
            self._update(tx, store.load(tx, number), some, now)
        inside = {one.alert.fingerprint for some in counted.values() for one in some}
        alerts = [one.alert for one in judged if one.alert.fingerprint not in inside]
        news = {(one.source, one.fingerprint): one for one in alerts}
        news = {at: one for at, one in news.items() if self._ignored.get(at) != one.status}
        if news:
            names = [f"{one.name} {one.status}" for one in news.values()]
            data = {"text": _listed(names), "alerts": len(news)}
            digest = self.keeper.configuration.platform.digest
            audit.append(tx, chain="alerts", who=source, what="ignored", data=data, at=now, configuration=digest)
        tx.after_commit(lambda: self._remember(news, len(alerts)))

    def _remember(self, news: Mapping[tuple[str, str], Alert], count: int) -> None:
        if len(self._ignored) + len(news) > MOST_IGNORED:
            self._ignored.clear()
        self._ignored |= {at: one.status for at, one in news.items()}
        self.count_ignored(count)

    def _group(self, tx: Tx, key: str, judged: Sequence[Judged]) -> None:
        """One incident's share of a delivery."""
        now = self.clock.now()
        judged = [replace(one, alert=_in_time(tx, one.alert, now)) for one in judged]
        for number, moved in self._elsewhere(tx, key, judged).items():
            self._update(tx, store.load(tx, number), moved, now)
            judged = [one for one in judged if one not in moved]
        known = store.newest_of(tx, key)
        firing = [one for one in judged if one.alert.status == "firing"]
        if known is not None and (not known.ended or _goes_on(known, judged, now)):
            self._update(tx, known, judged, now)
        elif firing:
            fresh = known is None or any(store.is_news(tx, one.alert, known.id) for one in firing)
            if fresh:
                self._open(tx, key, judged, now)

    def _elsewhere(self, tx: Tx, key: str | None, judged: Sequence[Judged]) -> dict[int, list[Judged]]:
        """Alerts that are counted in another incident that is still open: they stay there, whatever the key says."""
        found: dict[int, list[Judged]] = {}
        for one in judged:
            number = store.incident_of(tx, one.alert)
            home = store.find(tx, number) if number else None
            if home is not None and not home.ended and home.key != key:
                found.setdefault(number, []).append(one)
        return found

    def _open(self, tx: Tx, key: str, judged: Sequence[Judged], now: float) -> None:
        worst = min((one for one in judged if one.alert.status == "firing"), key=lambda one: one.rank)
        quiet, until = quiet_of(judged)
        incident = Incident(
            id=0, key=key, title=worst.alert.name, severity=worst.severity, environment=worst.place.environment,
            service=worst.place.service, team=worst.place.team, stranger=stranger(worst.alert, worst.place),
            source=worst.alert.source, opened_at=now,
            updated_at=now, opened_by=worst.alert.source, quiet=quiet, quiet_until=until, escalation=worst.escalation,
            pages=worst.pages, unresolved=worst.unresolved, channel=worst.channel,
            resolves=all(one.resolves for one in judged if one.alert.status == "firing"),
        )  # fmt: skip
        incident = incident.model_copy(update=lifecycle.paging_anew(incident, now))
        if not incident.quiet:
            incident = incident.model_copy(update={"digest": digests.assigned(tx, incident.channel, now)})
        # The card is rendered when it is sent, so the alerts may come after the row that they refer to.
        stored = store.insert(tx, incident)
        for one in judged:
            store.put_alert(tx, one.alert, stored.id, one.rank, now)
        after = stored.model_copy(update={"summary": store.summarise(tx, stored.id), "version": stored.version + 1})
        store.save(tx, after)
        self._queue(tx, after, judged, now)
        self.keeper.opened(tx, after, who=incident.source, data=_told(judged, after.summary))

    def _queue(self, tx: Tx, incident: Incident, news: Sequence[Judged], now: float) -> None:
        """What fires and is not quiet may make automations ask for something."""
        if not self.keeper.configuration.platform.automations:
            return
        for one in news:
            if one.alert.status == "firing" and not one.quiet:
                triggers.queue(tx, incident, one.alert, now)

    def _update(self, tx: Tx, incident: Incident, judged: Sequence[Judged], now: float) -> None:
        news = [one for one in judged if store.is_news(tx, one.alert, incident.id) or _ends_quiet(incident, one)]
        if incident.ended:  # a resolved alert that nobody counted is about what is over as well
            news = [one for one in news if one.alert.status == "firing" or store.incident_of(tx, one.alert)]
        if not news:
            return
        for one in news:
            store.put_alert(tx, one.alert, incident.id, one.rank, now)
        summary = store.summarise(tx, incident.id)
        changes: dict[str, Any] = {"summary": summary, **self._judged(incident, news, now)}
        data = _told(news, summary)
        if incident.ended:
            if any(one.alert.status == "firing" for one in news):  # not what still fires when another one is resolved
                after = lifecycle.reopen(incident.model_copy(update=changes), now)
                self._queue(tx, after, news, now)
                self.keeper.put(tx, incident, after, Event.REOPENED, who=news[0].alert.source, data=data)
                said = f"It is back: {summary.text}" if summary.text else "It is back."
                if not after.quiet:
                    self.keeper.say(tx, after, f"back/{after.reopened}", [said], lane=Lane.PAGE)
            return
        noisy = incident.model_copy(update=changes)
        if incident.quiet and not noisy.quiet:  # it was silenced, and is not any more
            changes |= lifecycle.paging_anew(noisy, now) if noisy.holder is None else {}
        if summary.firing:
            after = lifecycle.move(incident, Event.ALERTED, now, **changes, calm=False)
            self._queue(tx, after, news, now)
            self.keeper.put(tx, incident, after, Event.ALERTED, who=news[0].alert.source, data=data)
            return
        after = lifecycle.move(incident, Event.CALMED, now, **changes, calm=True)
        self.keeper.put(tx, incident, after, Event.CALMED, who=news[0].alert.source, data=data)
        if after.resolves or after.quiet:
            over = lifecycle.resolve(after, "its alerts", now)
            self.keeper.put(tx, after, over, Event.RESOLVED, data={"text": "all alerts are resolved"})

    @staticmethod
    def _judged(incident: Incident, news: Sequence[Judged], now: float) -> dict[str, Any]:
        """A worse alert makes the incident worse; nothing but a person makes it better."""
        firing = [one for one in news if one.alert.status == "firing"]
        changes: dict[str, Any] = {"resolves": incident.resolves and all(one.resolves for one in firing)}
        if any(not one.quiet for one in firing):
            changes |= {"quiet": "", "quiet_until": 0.0}
        elif incident.quiet and firing:
            quiet, until = quiet_of(news)
            still = 0.0 if incident.ended else incident.quiet_until
            until = min(filter(None, (until, still)), default=0.0)
            changes |= {"quiet": quiet, "quiet_until": until} | ({} if incident.holder else {"due_at": until})
        worst = min(firing, key=lambda one: one.rank, default=None)
        if worst is None or incident.judged or worst.severity >= incident.severity:
            return changes
        changes |= {"severity": worst.severity, "unresolved": worst.unresolved}
        if worst.pages and not incident.pages:
            changes |= {"pages": True, "escalation": incident.escalation or worst.escalation}
            if incident.holder is None:
                changes |= lifecycle.paging_anew(incident.model_copy(update=changes), now)
        return changes | lifecycle.worse(incident.model_copy(update=changes), now)

    def _unread(self, tx: Tx, judged: Judged, raw: str) -> None:
        """One incident for each sender; what it sent is in the thread."""
        told = store.known(tx, judged.alert)
        home = store.find(tx, store.incident_of(tx, judged.alert))
        times = unreadable.times(told) + 1 if home is not None and not home.ended else 1
        alert = unreadable.counted(judged.alert, times)
        self.put(tx, [replace(judged, alert=alert)])
        incident = store.find(tx, store.incident_of(tx, alert))
        if incident is not None and not incident.quiet:
            what, lines, code = unreadable.reply(incident, alert, times, raw)
            self.keeper.say(tx, incident, what, lines, code=code, lane=Lane.PAGE)


def _batches(groups: Mapping[str, list[Judged]]) -> Iterator[list[tuple[str, list[Judged]]]]:
    """Groups in batches of about ``AT_ONCE`` alerts; a group stays whole."""
    batch: list[tuple[str, list[Judged]]] = []
    size = 0
    for key, judged in groups.items():
        batch.append((key, judged))
        size += len(judged)
        if size >= AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _in_time(tx: Tx, alert: Alert, now: float) -> Alert:
    """A sender's clock may be off, or it sends no times: nothing began in the future, or anew with each telling.

    What comes without a time after its incident was resolved has begun anew, though it says the same as before: a
    script that only ever says "firing" would otherwise be heard once and never again.
    """
    if 0 < alert.starts_at <= now:
        return alert
    known = store.known(tx, alert)
    goes_on = known is not None and known.starts_at > 0 and (known.status == "firing" or alert.status == "resolved")
    if goes_on and not alert.starts_at and alert.status == "firing":
        home = store.find(tx, store.incident_of(tx, alert))
        goes_on = home is not None and not home.ended
    return replace(alert, starts_at=known.starts_at if known is not None and goes_on else now)


def _goes_on(known: Incident, judged: Sequence[Judged], now: float) -> bool:
    """Whether alerts that come back open what is over again; quietly, only what was quiet: its card says it is over."""
    return now - known.resolved_at <= REOPENS_WITHIN and (bool(known.quiet) or not quiet_of(judged)[0])


def _ends_quiet(incident: Incident, one: Judged) -> bool:
    """A window of maintenance may be gone while the alert says the same as before."""
    return bool(incident.quiet) and not incident.ended and not one.quiet and one.alert.status == "firing"


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return ", ".join([*dict.fromkeys(names[:MOST_NAMED]), *more])


def _told(judged: Sequence[Judged], summary: Summary) -> dict[str, Any]:
    """What the timeline keeps of a delivery."""
    text = _listed([f"{one.alert.name} {one.alert.status}" for one in judged])
    text += f" (quiet, {quiet})" if (quiet := quiet_of(judged)[0]) else ""
    failed = list(dict.fromkeys(sentence for one in judged for sentence in one.failed))
    more = [f"and {len(failed) - MOST_FAILED} more"] if len(failed) > MOST_FAILED else []
    text = "; ".join([text, *failed[:MOST_FAILED], *more])
    return {"text": text, "firing": summary.firing, "total": summary.total}
