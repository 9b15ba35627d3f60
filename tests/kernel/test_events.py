"""Warnings of a cluster, once each."""

from __future__ import annotations

from typing import Any

import pytest

from chatops.kernel.events import is_telling, told

REFUSED = 'Error creating: pods "checkout-6dd574556d-{}" is forbidden: exceeded quota: few'


def warning(message: str, reason: str = "FailedCreate", **more: Any) -> dict[str, Any]:
    return {"type": "Warning", "reason": reason, "message": message, **more}


def test_refusals_of_pods_that_differ_in_their_random_ends_are_one_warning_counted_together() -> None:
    combined = "(combined from similar events): " + REFUSED.format("b97sj")
    seen = [warning(combined, count=3), *(warning(REFUSED.format(end)) for end in ("s4sbz", "7qfj4", "59hgq"))]
    assert told(seen, 200) == [f"FailedCreate: {REFUSED.format('b97sj')} (6 times)"]


def test_warnings_that_differ_in_more_stand_side_by_side_in_their_order() -> None:
    seen = [warning("no space"), warning("no memory"), warning("no space", reason="Failed")]
    assert told(seen, 200) == ["FailedCreate: no space", "FailedCreate: no memory", "Failed: no space"]


def test_a_warning_is_masked_put_on_one_line_and_cut() -> None:
    said = "cannot  pull\nwith token xoxb-123456789012-abcdefghijkl " + "x" * 300
    [line] = told([warning(said, series={"count": 2})], 100)
    assert line.startswith("FailedCreate: cannot pull with token ")
    assert "xoxb-123456789012" not in line
    assert line.endswith("… (2 times)")
    assert len(line) == len("FailedCreate: ") + 100 + len(" (2 times)")


@pytest.mark.parametrize(
    ("event", "telling"),
    [
        (warning("Error: ImagePullBackOff"), False),
        (warning("Back-off restarting failed container app in pod web_shop(6a76-11)", reason="BackOff"), False),
        (warning("Error: image is not there"), True),
        ({"type": "Normal", "message": "Scaled up"}, False),
        ({"type": "Warning"}, True),
    ],
)
def test_what_the_pod_says_itself_is_not_said_again(event: dict[str, Any], telling: bool) -> None:
    assert is_telling(event) is telling
