"""What was filled in on the earlier steps of a form, kept until its last step is sent: Slack keeps one step's alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from chatops.kernel.ports import Tx

KEEP = """
INSERT INTO drafts (id, person_id, action, body, masked, updated_at)
VALUES (:id, :person, :action, :body, :masked, :now)
ON CONFLICT (id) DO UPDATE SET body = excluded.body, masked = excluded.masked, updated_at = excluded.updated_at
WHERE drafts.person_id = excluded.person_id
"""
READ = "SELECT action, body, masked FROM drafts WHERE id = :id AND person_id = :person"
PRUNE = """
DELETE FROM drafts WHERE id IN (SELECT id FROM drafts WHERE updated_at < :before ORDER BY updated_at LIMIT :limit)
"""

KEPT = 86400.0  # seconds that a form may lie open
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """The values of a form so far, by input name; ``masked``: something in them looked like a secret."""

    action: str
    values: Mapping[str, str]
    masked: bool = False


def keep(tx: Tx, draft_id: str, person: str, draft: Draft, now: float) -> None:
    """Keeps or replaces a draft."""
    body = json.dumps(dict(draft.values), ensure_ascii=False)
    tx.run(KEEP, id=draft_id, person=person, action=draft.action, body=body, masked=int(draft.masked), now=now)


def read(tx: Tx, draft_id: str, person: str) -> Draft | None:
    """The draft, for who made it."""
    row = tx.one(READ, id=draft_id, person=person)
    return Draft(row["action"], json.loads(row["body"]), bool(row["masked"])) if row is not None else None


def prune(tx: Tx, now: float) -> int:
    """Forgets forms that nobody sent for a day; returns how many."""
    return tx.run(PRUNE, before=now - KEPT, limit=AT_ONCE)
