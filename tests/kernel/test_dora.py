"""The DORA figures, against a ledger of forty deploys that was counted by hand, and their definitions as properties."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.dora import DAY, Change, Figures, figures

HOUR, MINUTE = 3600.0, 60.0


def deploy(
    day: float, version: str, outcome: str = "succeeded", *, took: float = 10 * MINUTE, lead: float = HOUR,
    service: str = "checkout", action: str = "deploy", before: str = "", environment: str = "production",
) -> Change:  # fmt: skip
    """Ends ``took`` after its start on that day; its version was first asked for ``lead`` before its end."""
    at = day * DAY
    return Change(service, environment, action, before, version, at, at + took, outcome, at + took - lead)


# Forty deploys in 28 days, counted by hand:
#   checkout, days 0 to 19, one a day: 1.0 to 1.19, each one hour from first request to running well.
#     1.5 failed after 10 min; the next success, 1.6 on day 6, ends 24 h + 10 min after the failure's start.
#     1.9 was rolled back by itself after 20 min.
#     1.12 succeeded, and a person took it back: the rollback began 2 h after its end and took 5 min.
#   cart, days 0 to 18.5, one each half day from 9.5 on (19 of them), each 3 h; the last failed for good.
#   search, day 20: one deploy of 2.0, 100 h from first request.
CHECKOUT = [
    deploy(day, f"1.{day}", {5: "failed", 9: "rolled_back"}.get(day, "succeeded"), took=1200.0 if day == 9 else 600.0)
    for day in range(20)
]
TAKEN_BACK = Change(
    "checkout", "production", "rollback", "1.12", "1.11", 12 * DAY + 600 + 2 * HOUR, 12 * DAY + 900 + 2 * HOUR,
    "succeeded", 0.0,
)  # fmt: skip
CART = [
    deploy(9.5 + half / 2, f"7.{half}", "failed" if half == 18 else "succeeded", lead=3 * HOUR, service="cart")
    for half in range(19)
]
SEARCH = [deploy(20, "2.0", lead=100 * HOUR, service="search")]
LEDGER = [*CHECKOUT, TAKEN_BACK, *CART, *SEARCH]


def test_a_ledger_of_forty_deploys_gives_what_was_counted_by_hand() -> None:
    assert sum(one.action == "deploy" for one in LEDGER) == 40
    found = figures(LEDGER, 0, 28 * DAY)
    assert found == Figures(
        days=28, deploys=37, ended=40, lead=3 * HOUR, versions=37, failed=4, recovery=7500.0, recovered=3
    )
    assert found.per_week == 37 / 4
    assert found.rate == 0.1
    assert dict(found.rows()) == {
        "Deployment frequency": "9.2 a week (37)",
        "Lead time for changes": "3 h (median of 37)",
        "Change failure rate": "10 % (4 of 40)",
        "Failed deployment recovery time": "2 h 5 min (median of 3), 1 not recovered",
    }
    assert figures([one for one in LEDGER if one.service == "search"], 0, 28 * DAY) == Figures(
        days=28, deploys=1, ended=1, lead=100 * HOUR, versions=1
    )


def test_nothing_gives_no_figures_and_divides_by_nothing() -> None:
    empty = figures([], 0, 7 * DAY)
    assert (empty.rate, empty.lead, empty.recovery, empty.per_week) == (None, None, None, 0.0)
    assert [said for _, said in empty.rows()] == ["none", "–", "–", "–"]


def test_a_version_counts_for_the_lead_time_once_and_for_the_frequency_each_time() -> None:
    again = [deploy(1, "1.0", lead=HOUR), deploy(2, "1.0", lead=30 * HOUR)]
    found = figures(again, 0, 7 * DAY)
    assert (found.deploys, found.versions, found.lead) == (2, 1, HOUR)
    assert figures(again, 1.5 * DAY, 7 * DAY).versions == 0, "it ran there before this period already"


def test_a_rollback_says_that_a_deploy_failed_only_soon_and_of_what_runs() -> None:
    first, back = deploy(1, "1.1"), deploy(1.5, "1.0", action="rollback", before="1.1")
    assert figures([first, back], 0, 7 * DAY).failed == 1
    assert figures([first, replace(back, started_at=3 * DAY, ended_at=3.1 * DAY)], 0, 7 * DAY).failed == 0
    assert figures([first, replace(back, before="1.2")], 0, 7 * DAY).failed == 0
    assert figures([first, deploy(1.2, "1.2"), replace(back, before="1.2")], 0, 7 * DAY).failed == 1
    assert figures([first, replace(back, environment="staging")], 0, 7 * DAY).failed == 0


CHANGES = st.lists(
    st.builds(
        lambda day, version, outcome, took, lead, service, action, before: deploy(
            day, version, outcome, took=took, lead=lead, service=service, action=action, before=before
        ),
        st.floats(0, 60), st.sampled_from(["1.0", "1.1", "1.2"]),
        st.sampled_from(["succeeded", "failed", "rolled_back"]),
        st.floats(1, 7200), st.floats(0, 10 * DAY), st.sampled_from(["checkout", "cart"]),
        st.sampled_from(["deploy", "deploy", "rollback"]), st.sampled_from(["1.0", "1.1"]),
    ),
    max_size=25,
)  # fmt: skip


@given(CHANGES, st.floats(0, 30), st.floats(1, 30), st.randoms(use_true_random=False))
def test_the_definitions_hold_for_every_ledger(
    changes: list[Change], first: float, length: float, random: object
) -> None:
    since, until = first * DAY, (first + length) * DAY
    found = figures(changes, since, until)
    within = [one for one in changes if one.action == "deploy" and since <= one.ended_at < until]
    assert found.ended == len(within)
    assert found.deploys == sum(one.outcome == "succeeded" for one in within)
    assert 0 <= found.recovered <= found.failed <= found.ended
    assert found.versions <= found.deploys
    assert (found.lead is None) == (found.versions == 0)
    assert found.lead is None or found.lead >= 0
    assert found.recovery is None or found.recovery > 0
    assert found.rate is None or 0 <= found.rate <= 1
    shuffled = list(changes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert figures(shuffled, since, until).ended == found.ended


@given(CHANGES, st.floats(1, 59))
def test_two_periods_beside_each_other_count_what_both_count(changes: list[Change], middle: float) -> None:
    whole, early, late = (
        figures(changes, *span) for span in ((0, 61 * DAY), (0, middle * DAY), (middle * DAY, 61 * DAY))
    )
    for name in ("deploys", "ended", "failed", "versions", "recovered"):
        assert getattr(whole, name) == getattr(early, name) + getattr(late, name)
