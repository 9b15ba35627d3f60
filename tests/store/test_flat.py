"""What people open costs the same whatever is behind it: as many statements, each answered by an index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from bench.filling import PEOPLE, fill
from chatops.adapters import sqlite_file
from chatops.kernel.ports import Row
from tests.support.house import House, acme_house

Asked = list[tuple[str, dict[str, Any]]]
HOME, LIST = 100, 25  # statements at most: the twenty requests of a list are loaded one by one
# One row for each thing that people made by hand and that is not over, or for each team.
SMALL = ("settings", "schedules", "locks")
SORTED = ("FROM overrides", "votes.request_id = requests.id")  # of one rota in a day, of one request: a few


@contextmanager
def heard() -> Iterator[Asked]:
    """Every question that is asked of the database meanwhile."""
    asked: Asked = []
    every, single = sqlite_file.Reading.all, sqlite_file.Reading.one

    def of_all(tx: sqlite_file.Reading, sql: str, /, **values: Any) -> list[Row]:
        asked.append((sql, values))
        return every(tx, sql, **values)

    def of_one(tx: sqlite_file.Reading, sql: str, /, **values: Any) -> Row | None:
        asked.append((sql, values))
        return single(tx, sql, **values)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sqlite_file.Reading, "all", of_all)
        patched.setattr(sqlite_file.Reading, "one", of_one)
        yield asked


async def opened(house: House) -> Asked:
    """What the database is asked when a requester and an approver open their homes and their lists."""
    road = house.assistant.road
    with heard() as asked:
        for person in PEOPLE.values():
            await road.home(person=person)
            for whose in ("mine", "waiting", "recent"):
                await road.answer("requests", {"whose": whose}, person=person)
    return [one for one in asked if one[0].lstrip()[:6].upper() == "SELECT"]


async def undisturbed(house: House) -> Asked:
    """The same, once it was as much twice: a look for what is due may come in between and ask, too."""
    found = await opened(house)
    for _ in range(5):
        again = await opened(house)
        if len(again) == len(found):
            return again
        found = min(found, again, key=len)
    raise AssertionError("the database was never asked as much twice")


def plans(database: str, asked: Asked) -> dict[str, list[str]]:
    """How SQLite goes about each of them."""
    with closing(sqlite3.connect(database)) as db:
        return {
            sql: [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)] for sql, values in dict_of(asked)
        }


def dict_of(asked: Asked) -> list[tuple[str, dict[str, Any]]]:
    return list({sql: (sql, values) for sql, values in asked}.values())


def slow(sql: str, plan: list[str]) -> list[str]:
    """The steps that grow with the table: a look at all of it, or at all that fits in order to sort it."""
    newest = "WHERE" not in sql and "ORDER BY id DESC LIMIT" in sql  # stops after the first rows
    return [
        step
        for step in plan
        if (step.startswith("SCAN") and not newest and not any(f"SCAN {one}" in step for one in SMALL))
        or (step.startswith("USE TEMP B-TREE") and not any(few in sql for few in SORTED))
    ]


async def test_app_home_and_requests_ask_as_much_of_ten_thousand_requests_as_of_one_thousand() -> None:
    async with acme_house() as house:
        now, database = house.clock.now(), house.assistant.database
        await fill(database, 1_000, now)
        few = await undisturbed(house)
        await fill(database, 10_000, now, begin=1_001)
        many = await undisturbed(house)
        assert len(many) == len(few)
        assert len(many) <= 2 * (HOME + 3 * LIST)
        found = plans(house.settings.database, many)
        assert len(found) > 12
        assert {sql: bad for sql, plan in found.items() if (bad := slow(sql, plan))} == {}


async def test_the_figures_look_at_the_time_they_are_about_and_no_further() -> None:
    async with acme_house() as house:
        now = house.clock.now()
        await fill(house.assistant.database, 2_000, now)
        with heard() as asked:
            await house.assistant.planner.ledger.changes(now - 3600, now)
            await house.assistant.road.questions.asked_since(now - 3600)
        found = plans(house.settings.database, asked)
        assert len(found) == 2
        assert {sql: bad for sql, plan in found.items() if (bad := slow(sql, plan))} == {}
