"""Which view shows which kind of post: loads what it is about, in the messenger's own transaction."""

from __future__ import annotations

from approvals import store
from approvals.request import Request
from chatops.kernel.ports import Clock, Post, Tx
from chatops.slack.delivery import Renderer
from chatops.slack.views.answer import answer_from
from chatops.slack.views.approvers import approvers_reply
from chatops.slack.views.blocks import Message
from chatops.slack.views.card import card
from chatops.slack.views.note import note
from chatops.slack.views.notice import end, notice


def renderers(clock: Clock) -> dict[str, Renderer]:
    """A renderer for each kind: request, approvers, notice, end, note, answer."""

    def about(tx: Tx, post: Post) -> Request:
        return store.load(tx, int(post.subject))

    def of_card(tx: Tx, post: Post) -> Message | None:
        return card(about(tx, post), clock.now())

    def of_approvers(tx: Tx, post: Post) -> Message | None:
        digest = str(post.content.get("digest") or post.id.rpartition("/")[2])
        return approvers_reply(about(tx, post), clock.now(), digest)

    def of_notice(tx: Tx, post: Post) -> Message | None:
        return notice(about(tx, post))

    def of_end(tx: Tx, post: Post) -> Message | None:
        return end(about(tx, post), clock.now())

    return {
        "request": of_card,
        "approvers": of_approvers,
        "notice": of_notice,
        "end": of_end,
        "note": lambda tx, post: note(post.content),
        "answer": lambda tx, post: answer_from(post.content),
    }
