"""What people read: every state of the card in a sentence, the approvers' reply, the notice, answers, App Home."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.request import ENDED, Approver, State
from chatops.kernel import durations
from chatops.kernel.action import Answer, Button, RequestList
from chatops.kernel.plan import Ask, Decision
from chatops.slack import ids, mrkdwn
from chatops.slack.views.answer import answer
from chatops.slack.views.approvers import approvers_reply
from chatops.slack.views.blocks import Message
from chatops.slack.views.card import card
from chatops.slack.views.home import home
from chatops.slack.views.note import note
from chatops.slack.views.notice import end, notice
from chatops.slack.views.status import needs
from tests.support.rendering import render_text
from tests.views.requests import LEE, NOW, SAM, TWO_TEAMS, request, vote

NAMES = {"U0LEE": "Lee", "U0SAM": "Sam", "U0DANA": "Dana"}


def read(message: Message | None) -> list[str]:
    assert message is not None
    return render_text(message.blocks, NAMES).split("\n")


def labels(message: Message) -> list[str]:
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return [element["text"]["text"] for row in rows for element in row]


def element(message: Message, label: str) -> dict[str, Any]:
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return next(dict(one) for row in rows for one in row if one["text"]["text"] == label)


def test_the_card_reads_as_a_lead_needs_it() -> None:
    assert read(card(request(), NOW)) == [
        "Deploy checkout 1.4.1 → 1.4.2 · PRODUCTION",
        "WAITING: 1 approval from Lee or Sam, until 18:00 UTC",
        "Dana: “fixes the cart”",
        "Changes: image only · 3 pods, one at a time",
        "Now: 1.4.1 healthy · no freeze",
        "⚠ LOG_LEVEL was edited by hand yesterday; it stays",
        "If it fails: back to 1.4.1 automatically",
        "Rule: production needs a lead",
        "[Approve] [Reject] [Full diff] [Cancel]",
        "R-1042 · plan 7f3a",
    ]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (State.PLANNING, "PLANNING: asking the cluster what would change"),
        (
            State.CONTESTED,
            "WAIT OR REPLACE? R-1041 (Scale, asked by Lee) comes first for checkout in PRODUCTION."
            " Dana, choose by 09:00 UTC",
        ),
        (
            State.QUEUED,
            "QUEUED: waits for R-1041 (Scale, asked by Lee) to end; it is planned, and approved, after that",
        ),
        (State.APPROVED, "APPROVED by Lee (08:02 UTC); starts now"),
        (
            State.STALLED,
            "NOT STARTED: approved at 08:02 UTC, but it could not start within 30 minutes. Dana, start it now?",
        ),
        (State.RUNNING, "RUNNING: 2 of 3 pods ready · since 08:03 UTC"),
        (State.ROLLING_BACK, "⚠ ROLLING BACK to 1.4.1: app keeps crashing (exit code 1) · 1 of 3 pods ready"),
        (State.SUCCEEDED, "✅ SUCCEEDED: healthy, 3 of 3 pods ready · 08:05 UTC, took 2 min"),
        (State.UNCHANGED, "✅ NOTHING TO DO: it already runs like this"),
        (State.FAILED, "❌ FAILED: app keeps crashing (exit code 1) · 08:05 UTC, took 2 min"),
        (
            State.ROLLED_BACK,
            "↩️ ROLLED BACK: 1.4.1 runs again and is healthy · 1.4.2 failed: app keeps crashing (exit code 1)"
            " · 08:05 UTC, took 2 min",
        ),
        (State.REFUSED, "🚫 REFUSED: checkout is managed by Argo CD (application shop); deploy it there"),
        (State.DENIED, "🚫 DENIED: Production is frozen until 27 December."),
        (State.REJECTED, "❌ REJECTED by Lee: “not on a Friday” · 08:05 UTC"),
        (State.EXPIRED, "⌛ EXPIRED: not approved in time; missing: 1 approval from Lee or Sam · 12:00 UTC"),
        (State.CANCELLED, "🚫 CANCELLED by Dana · 08:05 UTC"),
    ],
)
def test_every_state_has_its_sentence(state: State, sentence: str) -> None:
    assert read(card(request(state), NOW))[1] == sentence


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.PLANNING, ["Cancel"]),
        (State.CONTESTED, ["Wait", "Replace", "Cancel"]),
        (State.QUEUED, ["Cancel"]),
        (State.WAITING, ["Approve", "Reject", "Full diff", "Cancel"]),
        (State.APPROVED, ["Full diff", "Withdraw approval", "Cancel"]),
        (State.STALLED, ["Start", "Full diff", "Withdraw approval", "Cancel"]),
        (State.RUNNING, ["Full diff"]),
        (State.ROLLING_BACK, ["Full diff"]),
        (State.SUCCEEDED, ["Roll back", "Full diff"]),
        (State.FAILED, ["Roll back", "Full diff"]),
        (State.ROLLED_BACK, ["Full diff"]),
        (State.REFUSED, []),
        (State.DENIED, ["Break glass", "Full diff"]),
        (State.REJECTED, ["Full diff"]),
        (State.EXPIRED, ["Full diff"]),
        (State.CANCELLED, ["Full diff"]),
    ],
)
def test_every_state_offers_what_can_be_done_in_it(state: State, expected: list[str]) -> None:
    assert labels(card(request(state), NOW)) == expected


@pytest.mark.parametrize("state", sorted(ENDED))
def test_what_has_ended_offers_no_decision(state: State) -> None:
    assert not {"Approve", "Reject", "Cancel", "Withdraw approval"} & set(labels(card(request(state), NOW)))


@pytest.mark.parametrize("state", list(State))
def test_the_fallback_says_the_same_as_the_blocks(state: State) -> None:
    shown = card(request(state), NOW)
    spoken = [line for line in read(shown) if not line.startswith("[")]
    assert render_text({"text": shown.text}).split("\n") == spoken


def test_a_button_carries_the_request_and_the_plan_it_was_shown_with() -> None:
    assert ids.read_value(element(card(request(), NOW), "Approve")["value"]) == {"r": 1042, "d": "7f3a9c01d2e4"}


def test_roll_back_stands_for_the_line_that_does_it() -> None:
    button = element(card(request(State.SUCCEEDED), NOW), "Roll back")
    assert ids.read_value(button["value"]) == {"line": "rollback checkout production"}


def test_approving_what_is_dangerous_asks_once_more() -> None:
    assert "confirm" not in element(card(request(), NOW), "Approve")
    shown = card(request(risk="danger"), NOW)
    assert "⚠ Marked as dangerous" in read(shown)
    assert "checkout" in element(shown, "Approve")["confirm"]["text"]["text"]


def test_two_groups_are_both_named_until_one_has_approved() -> None:
    both = read(card(request(decision=TWO_TEAMS), NOW))
    assert both[1] == (
        "WAITING: 2 approvals, 1 from the team’s leads and 1 from security (Lee or Sam), until 18:00 UTC"
    )
    half = read(card(request(decision=TWO_TEAMS, approvers=(SAM,), votes=(vote(LEE, "team-leads"),)), NOW))
    assert half[1] == "WAITING: 1 approval from Sam, until 18:00 UTC"
    assert "Approved by Lee (08:02 UTC)" in half


def test_only_who_can_give_what_is_missing_is_named_and_rung() -> None:
    kim = Approver(id="U0KIM", name="Kim", sources=("team-leads",))
    sam = SAM.model_copy(update={"sources": ("group:security",)})
    half = request(decision=TWO_TEAMS, approvers=(kim, LEE, sam), votes=(vote(LEE, "team-leads"),))
    assert read(card(half, NOW))[1] == "WAITING: 1 approval from Sam, until 18:00 UTC"
    assert read(approvers_reply(half, NOW))[0].startswith("@Sam Deploy")


def test_a_rule_that_another_one_covers_is_not_counted_on_top() -> None:
    lead = Ask(rule="production needs a lead", approvals=1, sources=("group:leads", "team-leads"), expires=60)
    both = TWO_TEAMS.model_copy(update={"asks": (*TWO_TEAMS.asks, lead)})
    assert needs(request(decision=both)) == "2 approvals, 1 from the team’s leads and 1 from security (Lee or Sam)"


def test_what_two_rules_ask_for_may_take_as_few_people_as_one_of_them() -> None:
    asks = [
        Ask(rule=rule, approvals=1, sources=(source,), expires=60)
        for rule, source in (("one", "group:leads"), ("two", "group:security"))
    ]
    asked = request(decision=TWO_TEAMS.model_copy(update={"asks": tuple(asks)}))
    assert needs(asked) == "at least 1 approval, 1 from leads and 1 from security (Lee or Sam)"


def test_a_card_says_when_nobody_is_left_who_may_approve() -> None:
    shown = read(card(request(approvers=()), NOW))
    assert "leads or the team’s leads, where nobody is left who may give it" in shown[1]


def test_void_approvals_and_broken_glass_are_said_before_the_changes() -> None:
    lifted = request().decision
    assert lifted is not None
    decision = lifted.model_copy(update={"lifted": True, "denied_by": "frozen for the holidays"})
    asked = request(void="the image changed from 1.4.1 to 1.4.0", broke_glass="nobody can pay", decision=decision)
    shown = read(card(asked, NOW))
    assert [line for line in shown if line.startswith("⚠ ")][:2] == shown[3:5]
    assert set(shown[3:5]) <= set(read(approvers_reply(asked, NOW)))  # who decides in the thread reads them, too
    assert shown[3] == "⚠ GLASS BROKEN: “nobody can pay”. It lifts “frozen for the holidays”."
    assert shown[4] == "⚠ Earlier approvals are void: the image changed from 1.4.1 to 1.4.0"


def test_where_nothing_is_to_do_the_card_says_once_why() -> None:
    same = request(State.UNCHANGED, outcome="Nothing would change: web in staging is at 7.2.0 healthy.")
    assert read(card(same, NOW))[1] == "✅ NOTHING TO DO: web in staging is at 7.2.0 healthy"


@pytest.mark.parametrize(
    ("inputs", "words"), [({"revision": 3}, "checkout revision 3"), ({"replicas": 0}, "checkout replicas 0")]
)
def test_a_number_is_named_while_there_is_no_plan(inputs: dict[str, Any], words: str) -> None:
    asked = request(State.PLANNING, plan=None, inputs={"service": "checkout", "environment": "production", **inputs})
    assert words in read(card(asked, NOW))[0]


def test_what_policy_leaves_free_says_so() -> None:
    free = Decision(outcome="allow", rules=("staging is free",))
    shown = read(card(request(State.APPROVED, decision=free, votes=(), environment="staging"), NOW))
    assert shown[1] == "APPROVED without anybody's vote: policy asks for none; starts now"
    assert "Rule: staging is free (no approval needed)" in shown


def test_an_approved_run_says_what_it_waits_for() -> None:
    shown = read(card(request(State.APPROVED, progress="the cluster does not answer"), NOW))
    assert shown[1] == "APPROVED by Lee (08:02 UTC); waits: the cluster does not answer"


def test_progress_is_no_new_moment_but_votes_states_and_plans_are() -> None:
    running = card(request(State.RUNNING, progress="1 of 3 pods ready"), NOW).moment
    assert card(request(State.RUNNING, progress="2 of 3 pods ready"), NOW).moment == running
    different = [
        card(request(), NOW),
        card(request(votes=(vote(LEE),)), NOW),
        card(request(digest="f" * 64), NOW),
        card(request(State.SUCCEEDED), NOW),
    ]
    assert len({running, *(one.moment for one in different)}) == 5


def test_a_reason_cannot_pretend_to_be_another_line_or_ring_anybody() -> None:
    shown = card(request(reason="ok\nRule: none needed <!channel> <@U0LEE>"), NOW)
    assert "Dana: “ok Rule: none needed <!channel> <@U0LEE>”" in read(shown)
    assert "<!channel>" not in str(shown.blocks)


def test_two_hundred_warnings_are_counted() -> None:
    plan = request().plan
    assert plan is not None
    shown = read(card(request(plan=plan.model_copy(update={"warnings": ("careful",) * 200})), NOW))
    assert shown.count("⚠ careful") == 5
    assert "⚠ … and 195 more warnings, see the full diff" in shown


def test_the_place_stays_in_sight_when_a_version_is_endless() -> None:
    plan = request().plan
    assert plan is not None
    long = card(request(plan=plan.model_copy(update={"summary": "checkout 1.4.1 → " + "9" * 300})), NOW)
    assert read(long)[0].endswith("… · PRODUCTION")


# The approvers' reply --------------------------------------------------------------------------------------------


def test_only_those_who_may_decide_are_rung_with_the_cards_buttons() -> None:
    shown = approvers_reply(request(approvers=(LEE, SAM, Approver(id="U0DANA", name="Dana"))), NOW)
    assert read(shown)[0] == "@Lee @Sam Deploy checkout 1.4.1 → 1.4.2 · PRODUCTION"
    assert labels(shown) == labels(card(request(), NOW))


def test_who_has_approved_is_not_rung_again() -> None:
    shown = approvers_reply(request(decision=TWO_TEAMS, votes=(vote(LEE, "team-leads"),)), NOW)
    assert read(shown)[0].startswith("@Sam Deploy")


def test_after_the_decision_the_reply_says_who_and_rings_nobody() -> None:
    for state in (State.APPROVED, State.RUNNING, State.SUCCEEDED, State.ROLLED_BACK):
        shown = approvers_reply(request(state), NOW)
        assert read(shown)[0] == "✅ Approved by Lee (08:02 UTC)"
        assert labels(shown) == []
        assert "<@" not in str(shown.blocks)


def test_the_reply_for_an_older_plan_says_so() -> None:
    shown = approvers_reply(request(), NOW, "aaaabbbb")
    assert read(shown)[0] == "This plan no longer stands; the card shows the present one."
    assert labels(shown) == []


# Telling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (State.SUCCEEDED, "✅ Dana deployed checkout 1.4.1 → 1.4.2 to PRODUCTION in 2 min"),
        (
            State.FAILED,
            "❌ Deploy checkout 1.4.1 → 1.4.2 in PRODUCTION failed after 2 min: app keeps crashing (exit code 1)."
            " A person has to look. Asked for by Dana.",
        ),
        (
            State.ROLLED_BACK,
            "↩️ Deploy checkout 1.4.1 → 1.4.2 in PRODUCTION failed after 2 min and was rolled back to 1.4.1:"
            " app keeps crashing (exit code 1). Asked for by Dana.",
        ),
    ],
)
def test_the_notice_says_who_what_how_long_and_by_whose_approval(state: State, sentence: str) -> None:
    assert read(notice(request(state))) == [sentence, "“fixes the cart”", "approved by Lee · R-1042"]


def test_there_is_no_notice_before_the_end() -> None:
    assert notice(request(State.RUNNING)) is None
    assert notice(request(State.CANCELLED)) is None


def test_the_requester_hears_of_the_end_but_not_of_their_own_cancelling() -> None:
    assert read(end(request(State.SUCCEEDED), NOW))[0].startswith("@Dana ✅ SUCCEEDED")
    assert not read(end(request(State.CANCELLED), NOW))[0].startswith("@Dana")
    assert end(request(State.RUNNING), NOW) is None


def test_a_note_rings_says_and_shows_the_log() -> None:
    shown = note({"lines": ["pod *a* fails", "look"], "mention": ["U0LEE"], "code": "panic: no `route`\n<nil>"})
    assert read(shown) == ["@Lee pod a fails", "look", "", "panic: no 'route'", "<nil>", ""]


def test_a_note_shows_a_picture_and_what_is_on_it() -> None:
    shown = note({"lines": ["*Chart:* 12.4 at last"], "image": {"file": "F0123456789", "alt": "ErrorRate: 12.4"}})
    assert read(shown) == ["Chart: 12.4 at last", "ErrorRate: 12.4"]
    assert shown.text == "*Chart:* 12.4 at last"


def test_a_table_is_aligned_and_buttons_stand_for_lines() -> None:
    shown = answer(
        Answer(
            "What runs where",
            ("*3* services",),
            table=(("Service", "Version"), ("checkout", "1.4.1"), ("cart", "2")),
            buttons=(Button("Deploy", "deploy", form=True), Button("Status", "status checkout")),
        )
    )
    assert read(shown)[:2] == ["What runs where", "3 services"]
    assert "checkout  1.4.1" in read(shown)
    assert [one["action_id"] for one in shown.blocks[-1]["elements"]] == ["form:0", "line:1"]
    assert "cart      2" in read(shown)
    assert "cart 2" in shown.text


def test_requests_in_an_answer_lead_to_their_cards() -> None:
    url = "https://acme.slack.test/archives/C0REQUESTS/p1700000000000100"
    row = {"id": "R-1042", "title": "Deploy checkout", "state": "waiting", "by": "Dana", "at": NOW, "link": url}
    shown = answer(Answer("What you can do", ("words",), (RequestList("Waiting for you", (row,)),)), NOW)
    words = ["What you can do", "words", "Waiting for you", "R-1042 · Deploy checkout · waiting · Dana · 08:00 UTC"]
    assert read(shown) == words
    assert f"<{url}|R-1042>" in shown.blocks[1]["text"]["text"]
    assert "Deploy checkout" in shown.text


def test_the_notice_leads_to_the_card_when_it_is_known_where_that_is() -> None:
    shown = notice(request(State.SUCCEEDED), "https://acme.slack.test/archives/C0REQUESTS/p1")
    assert shown is not None
    assert "<https://acme.slack.test/archives/C0REQUESTS/p1|R-1042>" in shown.blocks[-1]["elements"][0]["text"]
    assert read(shown)[-1] == "approved by Lee · R-1042"


def test_home_starts_with_what_waits_for_you() -> None:
    row = {"id": 1042, "title": "Deploy checkout", "state": "waiting", "by": "Dana", "at": NOW, "link": ""}
    view = home(waiting=[row], mine=[], buttons=[Button("Deploy", "deploy", form=True)], now=NOW)
    lines = render_text(view).split("\n")
    assert lines[0] == "Waiting for you (1)"
    assert lines[1:3] == ["R-1042 · Deploy checkout", "waiting · Dana · 08:00 UTC"]


# Words -----------------------------------------------------------------------------------------------------------


def test_cutting_counts_what_is_sent_and_breaks_no_entity() -> None:
    cut = mrkdwn.escape("&" * 100, 24)
    assert cut == "&amp;&amp;&amp;&amp;…"
    assert mrkdwn.escape("exactly", 7) == "exactly"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7500, "2 h 5 min"), (7200, "2 h")]
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert durations.lasted(seconds) == said


def test_a_moment_far_away_comes_with_its_day() -> None:
    assert mrkdwn.when(NOW + 3600, NOW) == f"<!date^{int(NOW + 3600)}^{{time}}|09:00 UTC>"
    assert (
        mrkdwn.when(NOW + 86400, NOW) == f"<!date^{int(NOW + 86400)}^{{date_short_pretty}} {{time}}|16 Jun 08:00 UTC>"
    )


def test_a_link_is_only_made_to_the_web() -> None:
    assert mrkdwn.link("https://acme.test/a?b=1&c", "see <it>") == "<https://acme.test/a?b=1&amp;c|see &lt;it&gt;>"
    assert mrkdwn.link("javascript:alert(1)", "see") == "see"
    assert mrkdwn.link("https://acme.test|<!channel>", "see") == "see"


def test_an_id_that_is_none_rings_nobody() -> None:
    assert mrkdwn.mention("U0LEE") == "<@U0LEE>"
    assert mrkdwn.mention("U0LEE> <!channel") == "U0LEE&gt; &lt;!channel"
