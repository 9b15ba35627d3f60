"""How long something takes, in words."""

from __future__ import annotations

import pytest

from chatops.kernel import durations


@pytest.mark.parametrize(
    ("seconds", "short", "spoken"),
    [
        (45, "45s", "45 s"), (90, "90s", "90 s"), (600, "10m", "10 min"), (14400, "4h", "4 h"), (5400, "90m", "90 min"),
        (86400, "1d", "1 day"), (2592000, "30d", "30 days"), (129600, "36h", "36 h"), (0, "0s", "0 s"),
        (0.5, "0.5s", "0.5 s"),
    ],
)  # fmt: skip
def test_what_is_configured_is_said_as_it_is_written(seconds: float, short: str, spoken: str) -> None:
    assert durations.short(seconds) == short
    assert durations.spoken(seconds) == spoken
