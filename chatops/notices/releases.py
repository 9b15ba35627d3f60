"""Versions that were published, each with the page about it: the later deploys of them link it."""

from __future__ import annotations

from chatops.kernel.deployed import Released
from chatops.kernel.ports import Tx

KEPT = 365 * 86400.0  # seconds
AT_ONCE = 500
KEEP = """
INSERT INTO releases (service, version, link, at) VALUES (:service, :version, :link, :at)
ON CONFLICT (service, version) DO UPDATE SET link = excluded.link, at = excluded.at
"""
REMOVE = "DELETE FROM releases WHERE service = :service AND version = :version"
FIND = "SELECT link FROM releases WHERE service = :service AND version = :version"
PRUNE = """
DELETE FROM releases WHERE (service, version) IN (
    SELECT service, version FROM releases WHERE at < :before LIMIT :limit)
"""


def keep(tx: Tx, told: Released, now: float) -> str:
    """Notes it down, or that it was taken back; ``kept`` or ``removed``."""
    if not told.link:
        tx.run(REMOVE, service=told.service, version=told.version)
        return "removed"
    tx.run(KEEP, service=told.service, version=told.version, link=told.link, at=min(told.at or now, now))
    return "kept"


def page_of(tx: Tx, service: str, version: str) -> str:
    """The address of the page about a version; empty when there is none."""
    row = tx.one(FIND, service=service, version=version)
    return str(row["link"]) if row is not None else ""


def prune(tx: Tx, now: float) -> int:
    """Forgets what was published long ago; how many."""
    return tx.run(PRUNE, before=now - KEPT, limit=AT_ONCE)
