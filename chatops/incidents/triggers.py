"""What may make an automation ask for something, and what came of it: plain functions of a transaction.

A trigger is an alert that came up in an incident; each is there once for each time that the incident was opened. A
run is what one rule made of one trigger, once as well, so a process that died in between is followed by one that goes
on with the same run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chatops.incidents import store
from chatops.incidents.incident import Incident
from chatops.kernel.alert import Alert
from chatops.kernel.ports import Tx

QUEUE = """
INSERT INTO triggers (incident_id, round, source, fingerprint, made_at, due_at)
VALUES (:incident, :round, :source, :fingerprint, :now, :now) ON CONFLICT DO NOTHING
"""
DUE = """
SELECT incident_id, round, source, fingerprint, made_at FROM triggers WHERE due_at > 0 AND due_at <= :now
ORDER BY due_at, incident_id, source, fingerprint LIMIT :limit
"""
PUT_OFF = """
UPDATE triggers SET due_at = :due_at
WHERE incident_id = :incident AND round = :round AND source = :source AND fingerprint = :fingerprint
"""
RUN = """
SELECT outcome FROM automation_runs
WHERE rule = :rule AND incident_id = :incident AND round = :round AND source = :source AND fingerprint = :fingerprint
"""
BEGIN = """
INSERT INTO automation_runs (rule, incident_id, round, source, fingerprint, at, outcome)
VALUES (:rule, :incident, :round, :source, :fingerprint, :now, :outcome)
"""
END = """
UPDATE automation_runs SET outcome = :outcome
WHERE rule = :rule AND incident_id = :incident AND round = :round AND source = :source AND fingerprint = :fingerprint
"""
LATELY = """
SELECT count(*) AS n FROM automation_runs
WHERE rule = :rule AND at > :since AND outcome IN ('', 'asked', 'dry_run')
"""
TOLD = """
SELECT count(*) AS n FROM automation_runs
WHERE rule = :rule AND incident_id = :incident AND round = :round AND outcome = :outcome
"""
LAST = """
SELECT round, source, fingerprint FROM automation_runs
WHERE rule = :rule AND incident_id = :incident AND outcome = 'asked' ORDER BY at DESC LIMIT 1
"""
PRUNE = """
DELETE FROM triggers WHERE rowid IN (SELECT rowid FROM triggers WHERE due_at = 0 AND made_at < :before LIMIT :limit)
"""
PRUNE_RUNS = """
DELETE FROM automation_runs
WHERE rowid IN (SELECT rowid FROM automation_runs WHERE outcome <> '' AND at < :before LIMIT :limit)
"""
KEPT = 90 * 86400.0  # seconds
AT_ONCE = 500  # rows pruned in one transaction


@dataclass(frozen=True, slots=True)
class Trigger:
    """An alert that came up in an incident, and when it did."""

    incident: Incident
    round: int
    alert: Alert
    made_at: float

    @property
    def where(self) -> dict[str, Any]:
        """What it is found by."""
        return {
            "incident": self.incident.id, "round": self.round, "source": self.alert.source,
            "fingerprint": self.alert.fingerprint,
        }  # fmt: skip

    @property
    def key(self) -> str:
        """The same as one text."""
        return f"{self.incident.name}/{self.round}/{self.alert.source}/{self.alert.fingerprint}"


def key_of(rule: str, trigger: Trigger) -> str:
    """The key of the request that a rule makes of a trigger."""
    return f"automation/{rule}/{trigger.key}"


def by_key(tx: Tx, key: str) -> Trigger | None:
    """What the request with that key was made of; None when nothing is known of it any more."""
    _, _, name, number, source, fingerprint = key.split("/", 5)
    incident, alert = store.find(tx, int(name.removeprefix("INC-"))), store.known_by(tx, source, fingerprint)
    if incident is None or alert is None:
        return None
    return Trigger(incident, int(number), alert, 0.0)


def queue(tx: Tx, incident: Incident, alert: Alert, now: float) -> None:
    """An alert came up in an incident."""
    tx.run(
        QUEUE, incident=incident.id, round=incident.reopened, source=alert.source, fingerprint=alert.fingerprint,
        now=now,
    )  # fmt: skip


def due(tx: Tx, now: float, limit: int) -> list[Trigger]:
    """What is to be looked at now, in the order in which it came; an alert that is not known any more is over."""
    found = []
    for row in tx.all(DUE, now=now, limit=limit):
        where = {"incident": row["incident_id"], "round": row["round"]}
        where |= {"source": row["source"], "fingerprint": row["fingerprint"]}
        alert = store.known_by(tx, row["source"], row["fingerprint"])
        if alert is None:
            tx.run(PUT_OFF, due_at=0.0, **where)
        else:
            incident = store.load(tx, row["incident_id"])
            found.append(Trigger(incident, int(row["round"]), alert, float(row["made_at"])))
    return found


def put_off(tx: Tx, trigger: Trigger, due_at: float) -> None:
    """Looks at it again then; 0: it is done."""
    tx.run(PUT_OFF, due_at=due_at, **trigger.where)


def run_of(tx: Tx, rule: str, trigger: Trigger) -> str | None:
    """What came of a rule's run; empty: it has begun; None: there is none."""
    row = tx.one(RUN, rule=rule, **trigger.where)
    return str(row["outcome"]) if row else None


def begin(tx: Tx, rule: str, trigger: Trigger, now: float, outcome: str = "") -> None:
    """A rule holds for a trigger."""
    tx.run(BEGIN, rule=rule, now=now, outcome=outcome, **trigger.where)


def end(tx: Tx, rule: str, trigger: Trigger, outcome: str) -> None:
    """What came of it."""
    tx.run(END, rule=rule, outcome=outcome, **trigger.where)


def lately(tx: Tx, rule: str, since: float) -> int:
    """How often a rule asked for something, or would have, after ``since``."""
    row = tx.one(LATELY, rule=rule, since=since)
    return int(row["n"]) if row else 0


def told(tx: Tx, rule: str, trigger: Trigger, outcome: str) -> bool:
    """Whether that came of a rule in this incident before, since it was opened or came back."""
    row = tx.one(TOLD, rule=rule, incident=trigger.incident.id, round=trigger.round, outcome=outcome)
    return bool(row and row["n"])


def last_key(tx: Tx, rule: str, incident: Incident) -> str:
    """The key of the request that a rule asked for last in an incident; empty when there is none."""
    row = tx.one(LAST, rule=rule, incident=incident.id)
    return f"automation/{rule}/{incident.name}/{row['round']}/{row['source']}/{row['fingerprint']}" if row else ""


def prune(tx: Tx, now: float) -> int:
    """Deletes some of what is long over; returns how many rows."""
    return sum(tx.run(one, before=now - KEPT, limit=AT_ONCE) for one in (PRUNE, PRUNE_RUNS))
