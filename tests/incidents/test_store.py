"""Incidents, alerts and pages in a real database."""

import sqlite3
from dataclasses import replace

import psycopg
import pytest

from chatops.adapters.databases import Opening
from chatops.incidents import store
from chatops.incidents.incident import Holder, Incident, State
from chatops.kernel.alert import Alert
from chatops.kernel.errors import TooLate
from chatops.kernel.ports import Tx

NOW = 1_800_000_000.0


def incident(key: str = "production/checkout", **changes: object) -> Incident:
    given: dict[str, object] = {"opened_at": NOW, "updated_at": NOW, "team": "shop", **changes}
    return Incident(id=0, key=key, **given)


def alert(fingerprint: str = "a", status: str = "firing", name: str = "ErrorRate", **changes: object) -> Alert:
    return Alert("alertmanager", fingerprint, status, name, starts_at=NOW, **changes)  # type: ignore[arg-type]


async def test_an_incident_comes_back_as_it_was_stored(database: Opening) -> None:
    made = await database.write(store.insert, incident(holder=Holder(id="U0OLU", name="Olu"), severity="sev1"))
    assert made.name == "INC-101"
    assert await database.read(store.load, made.id) == made
    with pytest.raises(TooLate, match="INC-9 is not known here"):
        await database.read(store.load, 9)


async def test_one_open_incident_per_key_is_what_the_table_allows(database: Opening) -> None:
    first = await database.write(store.insert, incident())
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.UniqueViolation)):
        await database.write(store.insert, incident())
    await database.write(store.save, first.model_copy(update={"state": State.RESOLVED, "version": 1}))
    second = await database.write(store.insert, incident())
    newest = await database.read(store.newest_of, "production/checkout")
    assert newest is not None
    assert newest.id == second.id


async def test_of_two_who_change_the_same_version_one_is_too_late(database: Opening) -> None:
    made = await database.write(store.insert, incident())
    changed = made.model_copy(update={"version": 1})
    await database.write(store.save, changed)
    with pytest.raises(TooLate, match="has changed meanwhile"):
        await database.write(store.save, changed)


async def test_open_ones_are_listed_the_worst_first_for_all_for_somebody_and_for_a_team(database: Opening) -> None:
    held = Holder(id="U0OLU", name="Olu")
    for one in (
        incident("a", severity="sev3"), incident("b", severity="sev1", holder=held), incident("c", team="web"),
        incident("d", state=State.RESOLVED),
    ):  # fmt: skip
        await database.write(store.insert, one)
    assert [one.key for one in await database.read(store.open_ones)] == ["b", "c", "a"]
    assert [one.key for one in await database.read(store.open_ones, holder="U0OLU")] == ["b"]
    assert [one.key for one in await database.read(store.open_ones, team="web")] == ["c"]


@pytest.mark.parametrize("name", ["sqlite"], indirect=True)
async def test_what_is_due_is_found_by_its_index(database: Opening) -> None:
    await database.write(store.insert, incident("soon", due_at=NOW + 5))
    due = await database.write(store.insert, incident("due", due_at=NOW))
    await database.write(store.insert, incident("never"))
    assert await database.read(store.due, NOW) == [due.id]

    def plan(tx: Tx) -> str:
        return " ".join(str(row["detail"]) for row in tx.all(f"EXPLAIN QUERY PLAN {store.DUE}", now=NOW))

    assert "incidents_due" in await database.read(plan)


async def test_alerts_are_summarised_by_what_fires_the_worst_first(database: Opening) -> None:
    made = await database.write(store.insert, incident())

    def tell(tx: Tx, told: Alert, rank: int, at: float) -> None:
        store.put_alert(tx, told, made.id, rank, at)

    await database.write(tell, alert("a", summary="slow"), 2, NOW)
    await database.write(tell, alert("b", name="Crash", summary="down", runbook="https://runbooks.acme.test/x"), 0, NOW)
    await database.write(tell, alert("c", name="Old", status="resolved"), 0, NOW)
    summary = await database.read(store.summarise, made.id)
    assert (summary.firing, summary.total, summary.names) == (2, 3, ("Crash", "ErrorRate"))
    assert (summary.text, summary.runbook, summary.since) == ("down", "https://runbooks.acme.test/x", NOW)
    assert [one.fingerprint for one in await database.read(store.alerts_of, made.id)] == ["b", "a", "c"]


async def test_the_same_told_again_is_no_news_and_a_change_is(database: Opening) -> None:
    made = await database.write(store.insert, incident())
    await database.write(store.put_alert, alert(), made.id, 0, NOW)
    assert not await database.read(store.is_news, alert(), made.id)
    assert await database.read(store.is_news, alert(status="resolved"), made.id)
    assert await database.read(store.is_news, alert("other"), made.id)
    assert await database.read(store.known, alert(status="resolved")) == alert()


async def test_coming_and_going_is_counted_per_incident(database: Opening) -> None:
    first, second = [await database.write(store.insert, incident(key)) for key in ("a", "b")]
    for status in ("firing", "resolved", "firing", "firing", "resolved"):
        await database.write(store.put_alert, alert(status=status), first.id, 0, NOW)
    assert (await database.read(store.summarise, first.id)).changes == 3
    await database.write(store.put_alert, alert(), second.id, 0, NOW)
    assert (await database.read(store.summarise, second.id)).changes == 0
    assert (await database.read(store.summarise, first.id)).total == 0


async def test_everything_that_waits_for_a_person_goes_onto_one_page(database: Opening) -> None:
    first, second = [await database.write(store.insert, incident(key, round=1)) for key in ("a", "b")]
    for one in (first, second, first):  # the same step twice is one page
        await database.write(store.add_page, one, 0, "U0OLU", "Olu", NOW)
    await database.write(store.add_page, second, 0, "U0LEE", "Lee", NOW)
    assert sorted(await database.read(store.waiting_pages)) == [("U0LEE", 0.0), ("U0OLU", 0.0)]
    assert await database.write(store.take_pages, "U0OLU", "page/U0OLU/1", NOW) == [first.id, second.id]
    assert await database.read(store.waiting_pages) == [("U0LEE", 0.0)]
    assert await database.read(store.pages_of, second.id) == [("page/U0OLU/1", "U0OLU")]
    assert [one.key for one in await database.read(store.on_page, "page/U0OLU/1")] == ["a", "b"]
    await database.write(store.add_page, replace_round(first), 0, "U0OLU", "Olu", NOW + 5)
    assert ("U0OLU", NOW) in await database.read(store.waiting_pages)


async def test_pages_that_nobody_needs_any_more_are_dropped(database: Opening) -> None:
    made = await database.write(store.insert, incident(round=1))
    await database.write(store.add_page, made, 0, "U0OLU", "Olu", NOW)
    await database.write(store.drop_pages, made.id)
    assert await database.read(store.waiting_pages) == []
    assert await database.read(store.pages_of, made.id) == []


def replace_round(one: Incident) -> Incident:
    return one.model_copy(update={"round": 2})


def test_an_alert_survives_being_packed() -> None:
    told = replace(alert(), labels={"a": "ä"}, annotations={"x": "\n"}, silenced=True)
    assert store.alert_from(store.packed(told)) == told
