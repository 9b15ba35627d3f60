"""The card of an incident, its page and a digest, as they read."""

import pytest

from chatops.incidents.digests import ROOM
from chatops.incidents.incident import Holder, Incident, Paged, State, Summary
from chatops.slack.views.blocks import CHARACTERS, SECTION
from chatops.slack.views.incident import MOST_ON_A_PAGE, digest, incident_card, page
from tests.support.rendering import render_text

NOW = 1_781_510_400.0
PLAN = {"steps": [{"page": ["rota:shop"], "after": 0.0}, {"page": ["group:leads"], "after": 600.0}], "repeat": 1}
OPEN = Incident(
    id=318, key="production/checkout", title="ErrorRate", severity="sev1", environment="production", service="checkout",
    team="shop", opened_at=NOW - 240, pages=True, escalation=PLAN, paging_since=NOW - 240, step=1, due_at=NOW + 360,
    paged=(Paged(id="U0OLU", name="Olu", step=0, at=NOW - 240),), pods="1 of 3 ready · CrashLoopBackOff",
    deployed="1.4.2 by Dana", deployed_at=NOW - 480,
    summary=Summary(firing=3, total=3, names=("ErrorRate", "Latency", "CrashLoop"), text="5xx",
                    numbers="12.4 % (limit 1 %)", since=NOW - 240, runbook="https://runbooks.acme.test/checkout"),
)  # fmt: skip


def shown(incident: Incident) -> str:
    message = incident_card(incident, NOW)
    return render_text({"text": message.text, "blocks": message.blocks}, {"U0OLU": "olu"})


def mrkdwn(blocks: object) -> list[str]:
    """Every text in which Slack looks for mentions and links."""
    if isinstance(blocks, list):
        return [text for one in blocks for text in mrkdwn(one)]
    if not isinstance(blocks, dict):
        return []
    own = [blocks["text"]] if blocks.get("type") == "mrkdwn" else []
    return own + [text for one in blocks.values() for text in mrkdwn(one)]


def test_what_nobody_has_reads_in_seconds() -> None:
    assert shown(OPEN).splitlines() == [
        "SEV1 · checkout · PRODUCTION · NOBODY HAS IT",
        "5xx 12.4 % (limit 1 %) · since 07:56 UTC, 4 min",
        "Deployed 4 min before: 1.4.2 by Dana",
        "Pods: 1 of 3 ready · CrashLoopBackOff",
        "3 alerts: ErrorRate, Latency and CrashLoop",
        "Owner: shop · Paged: @olu 07:56 UTC · Next: leads 08:06 UTC",
        "[Acknowledge] [Escalate] [Runbook]",
        "INC-318 · evidence in thread",
    ]


def test_what_somebody_has_offers_the_way_back() -> None:
    held = OPEN.model_copy(
        update={
            "state": State.ACKNOWLEDGED, "holder": Holder(id="U0OLU", name="Olu"), "acknowledged_at": NOW,
            "due_at": NOW + 1800,
        }
    )  # fmt: skip
    said = shown(held)
    assert said.startswith("SEV1 · checkout · PRODUCTION · OLU HAS IT")
    assert "@olu has it since 08:00 UTC · pages again 08:30 UTC" in said
    assert "[Roll back] [Resolve] [Still on it] [More]" in said


def test_what_is_over_has_no_buttons() -> None:
    over = OPEN.model_copy(update={"state": State.RESOLVED, "resolved_at": NOW, "resolved_by": "Olu"})
    assert "RESOLVED" in shown(over)
    assert "[" not in shown(over)


def test_a_status_that_was_told_before_the_end_is_not_shown_beside_it() -> None:
    told = OPEN.model_copy(update={"status": "identified", "status_text": "it times out", "status_at": NOW})
    assert "Status: identified: it times out" in shown(told)
    over = told.model_copy(update={"state": State.RESOLVED, "resolved_at": NOW, "resolved_by": "Olu"})
    assert "Status" not in shown(over)
    assert "Status" in shown(over.model_copy(update={"status": "resolved"}))


def test_what_monitors_send_rings_nobody_and_makes_no_links() -> None:
    evil = "<!channel> <@U0LEE> <https://evil.test|click> *x*"
    summary = OPEN.summary.model_copy(
        update={"text": evil, "numbers": evil, "names": (evil,), "runbook": "javascript:1"}
    )
    bad = OPEN.model_copy(update={"summary": summary, "service": "", "title": evil, "deployed": evil, "pods": evil})
    for message in (incident_card(bad, NOW), page([bad], NOW), digest([bad], {})):
        said = " ".join([message.text, *mrkdwn(message.blocks)])
        assert "<!channel>" not in said
        assert "<@U0LEE>" not in said
        assert "<https://evil" not in said
    assert "Runbook" not in shown(bad)


@pytest.mark.parametrize("text", ["x" * 500, "&" * 500])
def test_a_full_digest_fits_into_one_message(text: str) -> None:
    summary = Summary(text=text)
    many = [
        OPEN.model_copy(update={"id": 10**6 + n, "service": "", "title": text, "summary": summary}) for n in range(ROOM)
    ]
    links = {one.name: "https://acme.slack.test/archives/C0123456789/p1781510400000100" for one in many}
    message = digest(many, links)
    texts = [block["text"]["text"] for block in message.blocks]
    assert sum(map(len, texts)) < CHARACTERS
    assert all(one.name in "".join(texts) for one in many)


@pytest.mark.parametrize("text", ["x" * 500, "&" * 500])
def test_a_full_page_names_its_incidents_and_counts_the_others(text: str) -> None:
    summary = Summary(text=text, numbers=text)
    held = Holder(id="U0OLU", name=text)
    full = {"service": "", "title": text, "environment": text, "summary": summary, "holder": held}
    many = [OPEN.model_copy(update={"id": 10**6 + n, **full}) for n in range(30)]
    links = {one.name: "https://acme.slack.test/archives/C0123456789/p1781510400000100" for one in many}
    texts = mrkdwn(page(many, NOW, "U0OLU", links).blocks)
    assert max(map(len, texts)) <= SECTION
    assert sum(map(len, texts)) < CHARACTERS
    assert all(f"|{one.name}>" in "".join(texts) for one in many[:MOST_ON_A_PAGE])
    assert "… and 22 more: INC-1000008, " in texts[-1]
    assert texts[-1].endswith("INC-1000029")


def test_what_is_quiet_says_why() -> None:
    held = {"state": State.ACKNOWLEDGED, "holder": Holder(id="U0OLU", name="Olu"), "quiet": "maintenance: <!here>"}
    quiet = OPEN.model_copy(update=held)
    assert "🔕 It makes no noise: maintenance: <!here>" in shown(quiet)
    assert "maintenance: &lt;!here&gt;" in str(incident_card(quiet, NOW).blocks)
    over = quiet.model_copy(update={"state": State.RESOLVED, "resolved_at": NOW})
    assert "It makes no noise" not in shown(over)
