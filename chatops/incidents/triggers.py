"""What may make an automation ask for something, and what came of it: plain functions of a transaction.

A trigger is an alert that came up in an incident; each is there once for each time that the incident was opened. A
run is what one rule made of one trigger, once as well, so a process that died in between is followed by one that goes
on with the same run. When a request was withdrawn because its alert had ended, and the alert comes up again, the
trigger takes its next turn, with runs of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chatops.incidents import store
from chatops.incidents.incident import Incident
from chatops.kernel.alert import Alert
from chatops.kernel.ports import Row, Tx

QUEUE = """
INSERT INTO triggers (incident_id, round, source, fingerprint, made_at, due_at)
VALUES (:incident, :round, :source, :fingerprint, :now, :now)
ON CONFLICT (incident_id, round, source, fingerprint)
DO UPDATE SET turn = triggers.turn + 1, made_at = :now, due_at = :now
WHERE triggers.due_at = 0 AND EXISTS (
    SELECT 1 FROM automation_runs AS run
    WHERE run.incident_id = :incident AND run.round = :round AND run.source = :source
          AND run.fingerprint = :fingerprint AND run.turn = triggers.turn AND run.outcome IN ('withdrawn', 'over')
)
"""
DUE = """
SELECT incident_id, round, source, fingerprint, turn, made_at FROM triggers WHERE due_at > 0 AND due_at <= :now
ORDER BY due_at, incident_id, source, fingerprint LIMIT :limit
"""
PUT_OFF = """
UPDATE triggers SET due_at = :due_at
WHERE incident_id = :incident AND round = :round AND source = :source AND fingerprint = :fingerprint
"""
RUN = """
SELECT outcome, turn FROM automation_runs
WHERE rule = :rule AND incident_id = :incident AND round = :round AND source = :source AND fingerprint = :fingerprint
      AND turn <= :turn ORDER BY turn DESC LIMIT 1
"""
BEGIN = """
INSERT INTO automation_runs (rule, incident_id, round, source, fingerprint, turn, at, outcome, request_id)
VALUES (:rule, :incident, :round, :source, :fingerprint, :turn, :now, :outcome, :request)
"""
END = """
UPDATE automation_runs SET outcome = :outcome, request_id = :request
WHERE rule = :rule AND incident_id = :incident AND round = :round AND source = :source AND fingerprint = :fingerprint
      AND turn = :turn
"""
SERVED = """
SELECT incident_id, round, source, fingerprint, turn, at AS made_at FROM automation_runs
WHERE request_id > 0 AND request_id = :request
"""
WITHDRAW = """
UPDATE automation_runs SET outcome = CASE outcome WHEN 'asked' THEN 'withdrawn' ELSE 'over' END
WHERE request_id > 0 AND request_id = :request
"""
LATELY = """
SELECT count(*) AS n FROM automation_runs
WHERE rule = :rule AND at > :since AND outcome IN ('', 'asked', 'dry_run', 'withdrawn')
"""
TOLD = """
SELECT 1 FROM automation_runs
WHERE rule = :rule AND incident_id = :incident AND round = :round AND outcome = :outcome LIMIT 1
"""
LAST = """
SELECT round, source, fingerprint, turn FROM automation_runs
WHERE rule = :rule AND incident_id = :incident AND outcome = 'asked' ORDER BY at DESC LIMIT 1
"""
PRUNE = """
DELETE FROM triggers WHERE (incident_id, round, source, fingerprint) IN (
    SELECT incident_id, round, source, fingerprint FROM triggers WHERE due_at = 0 AND made_at < :before LIMIT :limit)
"""
PRUNE_RUNS = """
DELETE FROM automation_runs WHERE (rule, incident_id, round, source, fingerprint, turn) IN (
    SELECT rule, incident_id, round, source, fingerprint, turn FROM automation_runs
    WHERE outcome <> '' AND at < :before LIMIT :limit)
"""
AGAIN = frozenset({"withdrawn", "over"})  # what came of a run that stands for nothing once its alert is back
KEPT = 90 * 86400.0  # seconds
AT_ONCE = 500  # rows pruned in one transaction


@dataclass(frozen=True, slots=True)
class Trigger:
    """An alert that came up in an incident, and when it did."""

    incident: Incident
    round: int
    alert: Alert
    made_at: float
    turn: int = 0  # how often before this something was withdrawn because the alert had ended

    @property
    def live(self) -> bool:
        """Whether it still fires, in the same incident as when it came up."""
        return self.alert.status == "firing" and not self.incident.ended and self.incident.reopened == self.round

    @property
    def where(self) -> dict[str, Any]:
        """What it is found by."""
        return {
            "incident": self.incident.id, "round": self.round, "source": self.alert.source,
            "fingerprint": self.alert.fingerprint, "turn": self.turn,
        }  # fmt: skip

    @property
    def key(self) -> str:
        """The same as one text."""
        return f"{self.incident.name}/{_when(self.round, self.turn)}/{self.alert.source}/{self.alert.fingerprint}"


def _when(round_: int, turn: int) -> str:
    return f"{round_}.{turn}" if turn else str(round_)


def key_of(rule: str, trigger: Trigger) -> str:
    """The key of the request that a rule makes of a trigger."""
    return f"automation/{rule}/{trigger.key}"


def by_key(tx: Tx, key: str) -> Trigger | None:
    """What the request with that key was made of; None when nothing is known of it any more."""
    _, _, name, when, source, fingerprint = key.split("/", 5)
    number, _, turn = when.partition(".")
    incident, alert = store.find(tx, int(name.removeprefix("INC-"))), store.known_by(tx, source, fingerprint)
    if incident is None or alert is None:
        return None
    return Trigger(incident, int(number), alert, 0.0, int(turn or 0))


def queue(tx: Tx, incident: Incident, alert: Alert, now: float) -> None:
    """An alert came up in an incident, or is back after what was asked for was withdrawn because it had ended."""
    tx.run(
        QUEUE, incident=incident.id, round=incident.reopened, source=alert.source, fingerprint=alert.fingerprint,
        now=now,
    )  # fmt: skip


def due(tx: Tx, now: float, limit: int) -> list[Trigger]:
    """What is to be looked at now, in the order in which it came; an alert that is not known any more is over."""
    found = []
    for row in tx.all(DUE, now=now, limit=limit):
        trigger = _read(tx, row)
        if trigger is None:
            where = {"incident": row["incident_id"], "round": row["round"]}
            where |= {"source": row["source"], "fingerprint": row["fingerprint"]}
            tx.run(PUT_OFF, due_at=0.0, **where)
        else:
            found.append(trigger)
    return found


def served(tx: Tx, request: int) -> list[Trigger]:
    """The alerts that a request serves; those that are not known any more are over and left out."""
    return [one for row in tx.all(SERVED, request=request) if (one := _read(tx, row)) is not None]


def _read(tx: Tx, row: Row) -> Trigger | None:
    alert = store.known_by(tx, row["source"], row["fingerprint"])
    if alert is None:
        return None
    incident = store.load(tx, row["incident_id"])
    return Trigger(incident, int(row["round"]), alert, float(row["made_at"]), int(row["turn"]))


def put_off(tx: Tx, trigger: Trigger, due_at: float) -> None:
    """Looks at it again then; 0: it is done."""
    tx.run(PUT_OFF, due_at=due_at, **trigger.where)


def run_of(tx: Tx, rule: str, trigger: Trigger) -> str | None:
    """What came of a rule's run; empty: it has begun; None: there is none, or it is to be made again."""
    row = tx.one(RUN, rule=rule, **trigger.where)
    if row is None or (row["turn"] < trigger.turn and row["outcome"] in AGAIN):
        return None
    return str(row["outcome"])


def begin(tx: Tx, rule: str, trigger: Trigger, now: float, outcome: str = "", request: int = 0) -> None:
    """A rule holds for a trigger; ``request`` serves it already."""
    tx.run(BEGIN, rule=rule, now=now, outcome=outcome, request=request, **trigger.where)


def end(tx: Tx, rule: str, trigger: Trigger, outcome: str, request: int = 0) -> None:
    """What came of it; the request that serves it, if any does."""
    tx.run(END, rule=rule, outcome=outcome, request=request, **trigger.where)


def withdraw(tx: Tx, request: int) -> None:
    """What a request served is over."""
    tx.run(WITHDRAW, request=request)


def lately(tx: Tx, rule: str, since: float) -> int:
    """How often a rule asked for something, or would have, after ``since``."""
    row = tx.one(LATELY, rule=rule, since=since)
    return int(row["n"]) if row else 0


def told(tx: Tx, rule: str, trigger: Trigger, outcome: str) -> bool:
    """Whether that came of a rule in this incident before, since it was opened or came back."""
    incident = trigger.incident.id
    return tx.one(TOLD, rule=rule, incident=incident, round=trigger.round, outcome=outcome) is not None


def last_key(tx: Tx, rule: str, incident: Incident) -> str:
    """The key of the request that a rule asked for last in an incident; empty when there is none."""
    row = tx.one(LAST, rule=rule, incident=incident.id)
    if row is None:
        return ""
    when = _when(row["round"], row["turn"])
    return f"automation/{rule}/{incident.name}/{when}/{row['source']}/{row['fingerprint']}"


def prune(tx: Tx, now: float) -> int:
    """Deletes some of what is long over; returns how many rows."""
    return sum(tx.run(one, before=now - KEPT, limit=AT_ONCE) for one in (PRUNE, PRUNE_RUNS))
