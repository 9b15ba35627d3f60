"""How the platform is used, counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.usage import Asked, usage

STATES = ["succeeded", "failed", "rolled_back", "refused", "denied", "rejected", "cancelled", "expired", "waiting"]


def test_a_row_for_all_and_one_for_each_action_the_busiest_first() -> None:
    asked = [
        *(Asked("deploy", f"U{number % 3}", "succeeded", 60.0 * number) for number in range(1, 11)),
        Asked("scale", "U9", "failed"), Asked("deploy", "U1", "denied"), Asked("deploy", "U1", "expired"),
    ]  # fmt: skip
    everything, deploys, scales = usage(asked)
    assert (everything.action, everything.requests, everything.people) == ("all", 13, 4)
    assert (deploys.requests, deploys.turned_down, deploys.given_up, deploys.failed) == (12, 1, 1, 0)
    assert (deploys.median_wait, deploys.p90_wait) == (330.0, 546.0)
    assert (scales.failed, scales.median_wait, scales.p90_wait) == (1, None, None)
    assert usage([]) == ()


def test_of_equal_waits_none_is_longer_than_what_nine_in_ten_stayed_below() -> None:
    wait = 149797.41587366804
    everything, _ = usage([Asked("deploy", "U0DANA", "succeeded", wait)] * 4)
    assert everything.median_wait == everything.p90_wait == wait


@given(
    st.lists(
        st.builds(
            Asked,
            st.sampled_from(["a", "b"]),
            st.sampled_from(["U1", "U2"]),
            st.sampled_from(STATES),
            st.none() | st.floats(0, 1e6),
        )
    )
)
def test_the_rows_of_the_actions_add_up(asked: list[Asked]) -> None:
    if not asked:
        return
    everything, *each = usage(asked)
    for name in ("requests", "failed", "turned_down", "given_up"):
        assert getattr(everything, name) == sum(getattr(one, name) for one in each)
    assert everything.failed + everything.turned_down + everything.given_up <= everything.requests
    assert (
        everything.median_wait is None or everything.p90_wait is None or everything.median_wait <= everything.p90_wait
    )
