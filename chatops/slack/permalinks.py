"""Where messages are on the web, from what is known already: chat.getPermalink would be a call for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatops.kernel.ports import Row, Tx
from chatops.slack.directory import Home

AT = "SELECT id FROM posts WHERE channel_id = :channel AND ts = :ts AND ts <> ''"
POSTING = "SELECT count(*) AS n FROM posts WHERE wanted > sent AND posting_since IS NOT NULL AND channel_id = :channel"
STANDS = "SELECT channel_id, ts FROM posts WHERE id = :id AND ts <> ''"


@dataclass(frozen=True, slots=True)
class Permalinks:
    """Permalinks of posts by their ids; none while Slack has not yet said where the home workspace is."""

    home: Home

    def of(self, tx: Tx, posts: Sequence[str]) -> Mapping[str, str]:
        """The addresses of those that stand in Slack."""
        found = {post: place(tx, post) for post in posts} if self.home.url else {}
        return {post: permalink(self.home.url, row["channel_id"], row["ts"]) for post, row in found.items() if row}


def place(tx: Tx, post: str) -> Row | None:
    """``channel_id`` and ``ts`` of a post, None while it does not stand."""
    return tx.one(STANDS, id=post)


def post_at(tx: Tx, channel: str, ts: str) -> str:
    """The id of the post that stands there, empty when it is none of ours."""
    row = tx.one(AT, channel=channel, ts=ts)
    return str(row["id"]) if row else ""


def is_posting(tx: Tx, channel: str) -> bool:
    """Whether a message of ours may stand in the channel that is not known to stand: Slack has not answered yet."""
    row = tx.one(POSTING, channel=channel)
    return bool(row and row["n"])


def permalink(team_url: str, channel: str, ts: str) -> str:
    """Where a message is on the web, as chat.getPermalink would say; ``team_url`` as auth.test says it.

    https://docs.slack.dev/reference/methods/chat.getPermalink
    """
    return f"{team_url.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}" if team_url else ""
