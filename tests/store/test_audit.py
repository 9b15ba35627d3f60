from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatops.adapters.databases import Opening
from chatops.kernel import audit
from chatops.kernel.ports import Row, Tx
from tests.store.trails import add, fill, memory
from tests.support.thoroughness import examples

TABLES = {"audit": audit.COLUMNS, "audit_heads": ("chain", "seq", "hash"), "audit_seals": audit.SEAL_COLUMNS}
texts = st.text(st.characters(codec="utf-8"), max_size=8)


def chain_of(contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with memory() as tx:
        for data in contents:
            add(tx, **data)
        return [dict(row) for row in audit.rows_of(tx)]


contents = st.dictionaries(st.sampled_from(["n", "x"]), texts | st.integers() | st.none())
chains = st.lists(contents, min_size=1, max_size=6).map(chain_of)
Rows = list[dict[str, Any]]


def flipped(value: Any, bit: int) -> Any:
    """The value with one bit turned over; of a number the last one, of an empty text one put in."""
    if isinstance(value, int | float):
        return value + 1
    if not value:
        return "x"
    raw = bytearray(value.encode())
    raw[(bit // 8) % len(raw)] ^= 1 << bit % 8
    text = raw.decode("utf-8", "replace")
    return text if text != value else value + "x"


@given(chains)
@settings(deadline=None, max_examples=examples(40))
def test_a_chain_as_it_was_written_is_good(rows: list[Row]) -> None:
    assert audit.verify_chain(rows, rows[-1]) is None


@given(chains, st.data())
@settings(deadline=None, max_examples=examples(100))
def test_any_flipped_bit_of_any_field_of_any_row_is_found_there(rows: Rows, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(audit.COLUMNS))
    bit = data.draw(st.integers(0, 2000))
    rows[index][column] = flipped(rows[index][column], bit)
    bad = audit.verify_chain(rows, {"seq": len(rows), "hash": rows[-1]["hash"]})
    assert bad is not None
    if column not in ("chain", "seq"):
        assert bad.seq == index + 1


@given(chains, st.data())
@settings(deadline=None, max_examples=examples(50))
def test_a_missing_row_is_found_also_the_last_one(rows: list[Row], data: st.DataObject) -> None:
    head = rows[-1]
    index = data.draw(st.integers(0, len(rows) - 1))
    del rows[index]
    bad = audit.verify_chain(rows, head)
    assert bad is not None
    assert bad.seq == index + 1
    assert ("cut off" if index == len(rows) else "missing") in bad.wrong


@given(chains.filter(lambda rows: len(rows) > 1), st.data())
@settings(deadline=None, max_examples=examples(50))
def test_rows_in_another_order_are_found(rows: list[Row], data: st.DataObject) -> None:
    one, other = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=2, unique=True))
    rows[one], rows[other] = rows[other], rows[one]
    bad = audit.verify_chain(rows, None)
    assert bad is not None
    if abs(one - other) == 1:
        assert "out of order" in bad.wrong


@given(chains, st.data())
@settings(deadline=None, max_examples=examples(50))
def test_a_row_that_was_put_in_is_found_even_with_a_hash_that_fits(rows: Rows, data: st.DataObject) -> None:
    head = rows[-1]
    index = data.draw(st.integers(0, len(rows)))
    before = rows[index - 1] if index else {"hash": ""}
    forged = {**rows[0], "seq": index + 1, "what": "approved twice", "previous": before["hash"]}
    forged["hash"] = audit.row_hash(forged)
    for row in rows[index:]:
        row["seq"] += 1
    rows.insert(index, forged)
    assert audit.verify_chain(rows, head) is not None


@given(chains.filter(lambda rows: len(rows) > 1), st.data())
@settings(deadline=None, max_examples=examples(50))
def test_a_changed_row_with_a_hash_made_anew_is_found_at_the_next_one(rows: Rows, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(rows) - 2))
    rows[index]["who"] = "gus@acme.test"
    rows[index]["hash"] = audit.row_hash(rows[index])
    bad = audit.verify_chain(rows, rows[-1])
    assert bad is not None
    assert (bad.seq, bad.wrong) == (index + 2, "does not follow from the row before it: one of them was replaced")


def test_a_whole_trail_is_good_and_tells_its_last_seal() -> None:
    with memory() as tx:
        fill(tx)
        verdict = audit.verify(tx)
        assert (verdict.rows, verdict.chains, verdict.seals, verdict.last_seal, verdict.bad) == (8, 3, 2, 2, None)
        assert audit.verify(tx, noted=verdict.last_hash).bad is None
        assert str(audit.verify(tx, noted="0" * 64).bad) == f"seals: none of them has the noted hash {'0' * 64}"


def test_an_empty_trail_is_good() -> None:
    with memory() as tx:
        assert audit.verify(tx) == audit.Verdict()
        assert audit.seal(tx, 1.0) == 0


@given(st.sampled_from([(table, column) for table, columns in TABLES.items() for column in columns]), st.data())
@settings(deadline=None, max_examples=examples(100))
def test_any_changed_cell_of_the_database_is_found(where: tuple[str, str], data: st.DataObject) -> None:
    table, column = where
    with memory() as tx:
        fill(tx)
        rows = tx.all(f"SELECT rowid AS number, * FROM {table}")
        row = data.draw(st.sampled_from(rows))
        value = flipped(row[column], data.draw(st.integers(0, 2000)))
        taken = tx.one(f"SELECT 1 AS n FROM {table} WHERE {column} = :v AND rowid <> :r", v=value, r=row["number"])
        if table != "audit" and column in ("chain", "seq") and taken:
            return  # the database itself refuses that one
        if table == "audit" and column == "seq" and taken:
            tx.run("DELETE FROM audit WHERE chain = :c AND seq = :s", c=row["chain"], s=value)
        tx.run(f"UPDATE {table} SET {column} = :v WHERE rowid = :r", v=value, r=row["number"])
        assert audit.verify(tx).bad is not None


@pytest.mark.parametrize("table", sorted(TABLES))
def test_any_row_taken_out_of_the_database_is_found(table: str) -> None:
    with memory() as tx:
        fill(tx)
        count = len(tx.all(f"SELECT * FROM {table}"))
    for index in range(count):
        with memory() as tx:
            fill(tx)
            tx.run(f"DELETE FROM {table} WHERE rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET :n)", n=index)
            assert audit.verify(tx).bad is not None, index


def forge(tx: Any, chain: str, keep: int) -> None:
    """Cuts a chain off and makes everything fit but the seals."""
    tx.run("DELETE FROM audit WHERE chain = :chain AND seq > :keep", chain=chain, keep=keep)
    last = tx.one("SELECT hash FROM audit WHERE chain = :chain AND seq = :keep", chain=chain, keep=keep)
    tx.run("DELETE FROM audit_heads WHERE chain = :chain", chain=chain)
    if last:
        tx.run("INSERT INTO audit_heads VALUES (:chain, :seq, :hash, 0)", chain=chain, seq=keep, hash=last["hash"])


@pytest.mark.parametrize("keep", [0, 2])
def test_a_sealed_chain_that_was_cut_off_with_its_head_is_found_by_the_seal(keep: int) -> None:
    with memory() as tx:
        fill(tx)
        forge(tx, "R-1002", keep)
        assert str(audit.verify(tx).bad) == "R-1002 row 3: missing: seal 1 holds it"


def test_a_sealed_chain_that_was_rewritten_with_all_its_hashes_is_found_by_the_seal() -> None:
    with memory() as tx:
        fill(tx)
        tx.run("DELETE FROM audit WHERE chain = 'R-1002'")
        tx.run("DELETE FROM audit_heads WHERE chain = 'R-1002'")
        for _ in range(3):
            add(tx, "R-1002", reason="nothing special")
        assert str(audit.verify(tx).bad) == "R-1002 row 3: replaced: seal 1 holds another hash of it"


def test_seals_that_were_cut_off_are_found_by_the_heads_they_sealed() -> None:
    with memory() as tx:
        fill(tx)
        tx.run("DELETE FROM audit_seals WHERE seq = 2")
        assert str(audit.verify(tx).bad) == "seals row 2: cut off: it sealed platform"


def test_a_trail_made_anew_from_its_start_is_found_by_the_seal_that_was_noted() -> None:
    with memory() as tx:
        fill(tx)
        noted = audit.verify(tx).last_hash
    with memory() as tx:
        add(tx, "R-1001")
        audit.seal(tx, 1.0)
        assert audit.verify(tx).bad is None
        assert audit.verify(tx, noted=noted).bad is not None


def test_a_seal_is_bounded_and_the_next_one_goes_on() -> None:
    with memory() as tx:
        for number in range(7):
            add(tx, f"R-{number}")
        assert [audit.seal(tx, 1.0, limit=3) for _ in range(4)] == [3, 3, 1, 0]
        add(tx, "R-5")
        assert audit.seal(tx, 2.0) == 1
        heads = [list(json.loads(row["heads"])) for row in audit.seals_of(tx)]
        assert heads == [["R-0", "R-1", "R-2"], ["R-3", "R-4", "R-5"], ["R-6"], ["R-5"]]
        assert audit.verify(tx).bad is None


def test_verifying_never_holds_more_than_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE", 4)
    largest = 0
    with memory() as tx:
        for number in range(50):
            add(tx, f"R-{number % 3}", n=number)
            audit.seal(tx, float(number))

        class Watched:
            def all(self, sql: str, /, **values: Any) -> list[Row]:
                nonlocal largest
                found = tx.all(sql, **values)
                largest = max(largest, len(found))
                return found

            one, run, after_commit = tx.one, tx.run, tx.after_commit

        verdict = audit.verify(Watched())
    assert (verdict.rows, verdict.seals, verdict.bad) == (50, 50, None)
    assert largest <= 20


async def test_writers_of_one_chain_follow_one_another_and_what_was_undone_leaves_no_gap(database: Opening) -> None:
    def act(tx: Any, number: int) -> None:
        add(tx, "R-1042", n=number)
        if number % 3 == 0:
            raise ValueError(number)

    await asyncio.gather(*(database.write(act, number) for number in range(30)), return_exceptions=True)
    verdict = await database.read(audit.verify)
    assert (verdict.rows, verdict.bad) == (20, None)


@pytest.mark.parametrize(
    ("data", "error"),
    [({"x": object()}, TypeError), ({"x": float("nan")}, ValueError), ({"x": "y" * audit.MAX_DATA}, ValueError)],
)
def test_what_is_no_json_or_too_large_is_refused_before_anything_is_written(data: Any, error: type[Exception]) -> None:
    with memory() as tx:
        with pytest.raises(error):
            add(tx, **data)
        assert audit.verify(tx) == audit.Verdict()


@pytest.mark.parametrize("at", [float("nan"), float("inf")])
def test_a_row_needs_a_time(at: float) -> None:
    with memory() as tx, pytest.raises(ValueError, match="needs a chain and a time"):
        add(tx, at=at)


ODD = ["half a pair \ud83d", "nul \x00", "line\u2028end", "\U0001f680", "e\u0301"]


@pytest.mark.parametrize("odd", ODD)
async def test_whatever_people_type_can_be_written_and_verified(database: Opening, odd: str) -> None:
    def write(tx: Tx) -> None:
        audit.append(tx, chain="R-1", who=odd, what="asked", data={"reason": odd, odd: 1}, at=-0.0)

    await database.write(write)
    verdict = await database.read(audit.verify)
    assert (verdict.rows, verdict.bad) == (1, None)
