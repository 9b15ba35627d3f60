"""Where in a line the name of the incident is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatops.adapters.sqlite import SQLite
from chatops.kernel.ports import Tx
from chatops.slack.implied import ROOM, place_of_incident
from commands.registry import BUILT_IN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("incident close", "incident close HERE"),
        ("incident.close", "incident.close HERE"),
        ("  Incident   Status mitigated because 5 of 7", "  Incident   Status HERE mitigated because 5 of 7"),
        ("silence 2h because the bank", "silence HERE 2h because the bank"),
        ("unsilence", "unsilence HERE"),
        ("incident lead @olu", "incident lead HERE @olu"),
        ("incident note because incidents=many", "incident note HERE because incidents=many"),
        ("incident close INC-318", None),
        ("incident close inc-318", None),
        ("incident close 318", None),
        ("silence 2h incident=INC-318", None),
        ("incident open checkout because x", None),  # it is about none yet
        ("incidents mine", None),
        ("incident", None),
        ("deploy checkout 1.4.2", None),
        ("", None),
    ],
)
def test_a_line_about_an_incident_is_completed_where_its_name_would_stand(text: str, expected: str | None) -> None:
    at = place_of_incident(text, {action.name: action for action in BUILT_IN})
    assert (f"{text[:at]} HERE{text[at:]}" if at >= 0 else None) == expected


async def test_whose_room_a_channel_is_costs_the_same_however_much_stands_in_it(tmp_path: Path) -> None:
    def plan(tx: Tx) -> list[str]:
        return [str(row["detail"]) for row in tx.all(f"EXPLAIN QUERY PLAN {ROOM}", channel="C1")]

    async with SQLite(tmp_path / "chatops.db") as database:
        assert await database.read(plan) == ["SEARCH posts USING INDEX posts_of_rooms (channel_id=?)"]
