"""A database as years of use leave it behind: requests that are over, with all rows that each of them left.

The rows are made by SQL, not by playing the requests: a million rows take seconds.
"""

from __future__ import annotations

from typing import Any

from approvals.request import State
from bench.assistant import DANA, LEE, store_waiting, waiting_request
from chatops.kernel.people import Person, Standing
from chatops.kernel.ports import Database, Tx

AUDITED = 5  # rows of the audit trail that a request leaves: asked, planned, approved, begun, ended
PART = 20_000  # requests of one transaction
WAITING = 20  # the first of all
BEFORE = 1000 + WAITING  # the numbers that they and an installation's beginning have taken
REQUESTS = ":first AS i UNION ALL SELECT i + 1 FROM n WHERE i < :last"

# Everybody's requests, one a minute: one in forty is Dana's, of whose every fifth failed.
FILL = f"""
WITH RECURSIVE n AS (SELECT {REQUESTS})
INSERT INTO requests (id, key, action, service, environment, requester_id, state, version, created_at, updated_at,
                      ended_at, body)
SELECT {BEFORE} + i, 'filled-' || i, 'deploy', 'cart-cart-' || (i % 50), iif(i % 2, 'production', 'staging'),
       iif(i % 40, 'U' || (i % 500), :dana), iif(i % 200, 'succeeded', 'failed'), 5,
       :now - (:last_of_all - i) * 60, :now - (:last_of_all - i) * 60, :now - (:last_of_all - i) * 60, :body
FROM n
"""
LEDGER = f"""
WITH RECURSIVE n AS (SELECT {REQUESTS})
INSERT INTO ledger (request_id, action, service, environment, before, after, requested_by, started_at, ended_at,
                    outcome)
SELECT {BEFORE} + i, 'deploy', 'cart-cart-' || (i % 50), iif(i % 2, 'production', 'staging'), '1.0.' || (i / 200),
       '1.0.' || (i / 100), 'Dana', :now - (:last_of_all - i) * 60 - 30, :now - (:last_of_all - i) * 60, 'succeeded'
FROM n
"""
VOTES = f"""
WITH RECURSIVE n AS (SELECT {REQUESTS})
INSERT INTO votes (request_id, digest, person_id, verdict, body, at)
SELECT {BEFORE} + i, 'c0ffee', 'U0LEE', 'approve', '{{}}', :now - (:last_of_all - i) * 60 FROM n
"""
CARDS = f"""
WITH RECURSIVE n AS (SELECT {REQUESTS})
INSERT INTO posts (id, lane, kind, subject, channel, channel_id, ts, sent, created_at, updated_at)
SELECT 'R-' || ({BEFORE} + i), 1, 'card', {BEFORE} + i, 'platform-requests', 'C0FILLED', (1700000000 + i) || '.000100',
       1,
       :now - (:last_of_all - i) * 60, :now - (:last_of_all - i) * 60 FROM n
"""
INBOX = f"""
WITH RECURSIVE n AS (SELECT {REQUESTS})
INSERT INTO inbox (key, kind, body, received_at, done_at, tries)
SELECT 'filled-' || i, 'line', '{{}}', :now - i % 600000, :now - i % 600000, 1 FROM n
"""
AUDIT = f"""
WITH RECURSIVE n AS (SELECT {REQUESTS}), s AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM s WHERE seq < {AUDITED})
INSERT INTO audit (chain, seq, at, who, what, data, configuration, previous, hash)
SELECT 'R-' || ({BEFORE} + i), seq, :now - (:last_of_all - i) * 60, 'dana@acme.test', 'step', '{{"digest":"c0ffee"}}',
       'c0ffee', CASE seq WHEN 1 THEN '' ELSE printf('%064x', i * 10 + seq - 1) END, printf('%064x', i * 10 + seq)
FROM n, s
"""
HEADS = f"""
WITH RECURSIVE n AS (SELECT {REQUESTS})
INSERT INTO audit_heads (chain, seq, hash, sealed)
SELECT 'R-' || ({BEFORE} + i), {AUDITED}, printf('%064x', i * 10 + {AUDITED}), 1 FROM n
"""
# The cards of what waits, as if Slack had them.
PENDING_CARDS = """
INSERT INTO posts (id, lane, kind, subject, channel, channel_id, ts, sent, created_at, updated_at)
SELECT 'R-' || id, 1, 'card', id, 'platform-requests', 'C0FILLED', (1700000000 + id) || '.000100', 1, :now, :now
FROM requests WHERE ended_at = 0
"""
LEFT = (LEDGER, VOTES, CARDS, INBOX, AUDIT, HEADS)

PEOPLE = {
    name: Person(id=number, name=name, email=f"{name}@acme.test", standing=Standing.MEMBER, teams=("shop",))
    for name, number in (("dana", DANA), ("lee", LEE))
}


async def fill(database: Database, size: int, now: float, begin: int = 1) -> None:
    """So many requests that are over, with all that they leave; at first also a few that wait for approval."""
    over = waiting_request(0, now).model_copy(update={"state": State.SUCCEEDED, "ended_at": now})
    body = over.model_dump_json(exclude={"id", "votes"})

    def write(tx: Tx, first: int, last: int) -> None:
        common: dict[str, Any] = {"first": first, "last": last, "now": now, "last_of_all": size}
        tx.run(FILL, dana=DANA, body=body, **common)
        for sql in LEFT:
            tx.run(sql, **common)

    if begin == 1:
        await database.write(store_waiting, range(WAITING), now)
    for first in range(begin, size + 1, PART):
        await database.write(write, first, min(first + PART - 1, size))
