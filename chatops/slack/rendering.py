"""Which kind of post is rendered by which view, from the state at the moment of sending."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from approvals import store
from approvals.request import Request
from chatops.incidents import store as incidents
from chatops.kernel.commits import comparison
from chatops.kernel.ports import Clock, Configuration, Post, Tx
from chatops.notices import outside as outside_deploys
from chatops.notices import telling
from chatops.notices.between import between, of_request
from chatops.slack.answers import render_asked
from chatops.slack.permalinks import Permalinks
from chatops.slack.standing import Renderer
from chatops.slack.views.answer import answer_from
from chatops.slack.views.approvers import approvers_reply
from chatops.slack.views.blocks import Message
from chatops.slack.views.card import card
from chatops.slack.views.gathered import gathered
from chatops.slack.views.incident import MOST_ON_A_PAGE, digest, incident_card, page
from chatops.slack.views.note import note
from chatops.slack.views.notice import automated, end, notice
from chatops.slack.views.outside import outside


def renderers(clock: Clock, permalinks: Permalinks, configuration: Configuration) -> Mapping[str, Renderer]:
    """By kind of post; a request that is gone renders as nothing."""

    def of_notice(tx: Tx, post: Post) -> Message | None:
        request = store.find(tx, int(post.subject))
        if request is None:
            return None
        at = permalinks.of(tx, [request.name]).get(request.name, "")
        line = str(post.content.get("line") or "")  # what an automation asked for, in its incident
        return (
            automated(request, line, at, clock.now())
            if line
            else notice(request, at, of_request(tx, configuration.platform, request))
        )

    def of_card(tx: Tx, post: Post) -> Message | None:
        request = store.find(tx, int(post.subject))
        if request is None:
            return None
        return card(request, clock.now(), of_request(tx, configuration.platform, request))

    def of_stored(view: Callable[[Request, Post], Message | None]) -> Renderer:
        def render(tx: Tx, post: Post) -> Message | None:
            request = store.find(tx, int(post.subject))
            return view(request, post) if request is not None else None

        return render

    def of_page(tx: Tx, post: Post) -> Message | None:
        named = incidents.on_page(tx, post.subject)
        links = permalinks.of(tx, [one.name for one in named[:MOST_ON_A_PAGE]])
        return page(named, clock.now(), post.person, links)

    def of_end(tx: Tx, post: Post) -> Message | None:
        request = store.find(tx, int(post.subject))
        if request is None:
            return None
        return end(
            request, clock.now(), permalinks.of(tx, [request.name]).get(request.name, "") if post.person else None
        )

    def of_digest(tx: Tx, post: Post) -> Message | None:
        named = incidents.in_digest(tx, post.subject)
        return digest(named, permalinks.of(tx, [one.name for one in named])) if named else None

    def of_incident(tx: Tx, post: Post) -> Message | None:
        incident = incidents.find(tx, int(post.subject))
        if incident is None:
            return None
        if post.id == incident.name:
            return incident_card(incident, clock.now())
        return incident_card(incident, clock.now(), permalinks.of(tx, [incident.name]).get(incident.name, ""))

    def of_gathered(tx: Tx, post: Post) -> Message | None:
        found = telling.digest(tx, int(post.subject))
        if found is None:
            return None
        return gathered(found, permalinks.of(tx, [one.request for one in found.places if one.request]), clock.now())

    def of_outside(tx: Tx, post: Post) -> Message | None:
        deploy = outside_deploys.find(tx, int(post.subject))
        if deploy is None:
            return None
        platform = configuration.platform
        asked = comparison(platform, deploy.service, deploy.before, deploy.version)
        commits = between(tx, platform, asked, deploy.service, deploy.version)
        return outside(deploy, deploy.service in platform.services, commits, clock.now())

    return {
        "outside": of_outside,
        "gathered": of_gathered,
        "request": of_card,
        "approvers": of_stored(
            lambda request, post: approvers_reply(request, clock.now(), str(post.content.get("digest", "")))
        ),
        "notice": of_notice,
        "end": of_end,
        "note": lambda tx, post: note(post.content),
        "answer": lambda tx, post: answer_from(post.content, clock.now()),
        "asked": render_asked,
        "incident": of_incident,
        "digest": of_digest,
        "page": of_page,
    }
