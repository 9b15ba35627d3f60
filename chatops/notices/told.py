"""Which messages tell of a deploy."""

from __future__ import annotations

from approvals import store
from chatops.kernel.catalog import Platform
from chatops.kernel.ports import Post, Tx
from chatops.notices import ledger, outside
from chatops.notices.comparisons import Kind


def messages(tx: Tx, platform: Platform, kind: Kind, subject: int) -> list[Post]:
    """Each of them; none of what nobody has been told."""
    if kind == "outside":
        deploy = outside.find(tx, subject)
        return [outside.message(platform, subject, deploy.service, deploy.environment)] if deploy is not None else []
    request = store.load(tx, subject)
    return [ledger.notice(platform, request)] if ledger.is_told(request) else []
