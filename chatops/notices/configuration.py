"""What people are told when somebody changed the configuration into something invalid."""

from __future__ import annotations

from collections.abc import Sequence

from chatops.kernel import audit
from chatops.kernel.catalog import Platform
from chatops.kernel.ports import Lane, Outbox, Post, Tx

SHOWN = 20  # mistakes


def refused(
    tx: Tx, outbox: Outbox, platform: Platform, problems: Sequence[object], operators: Sequence[str], now: float
) -> None:
    """Tells the platform team in the requests channel, and the audit trail; ``platform`` is the one that stays."""
    shown = [str(problem) for problem in problems[:SHOWN]]
    audit.append(
        tx, chain="platform", who="assistant", what="configuration_refused", data={"problems": shown}, at=now,
        configuration=platform.digest,
    )  # fmt: skip
    lines = ["The configuration was changed into something invalid; the last good one stays.", *shown]
    post = Post(
        f"configuration/{int(now * 1000)}", Lane.APPROVAL, "note", channel=platform.channels.requests,
        content={"lines": lines, "mention": list(operators)},
    )  # fmt: skip
    outbox.show(tx, post)
