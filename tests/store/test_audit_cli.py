from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatops.adapters.audit_cli import audit, export, verify_file
from chatops.adapters.databases import Opening, shown
from chatops.kernel.audit import canonical, verify
from chatops.kernel.errors import PlatformError
from tests.store.trails import add, fill, memory
from tests.support.thoroughness import examples

pytestmark = pytest.mark.usefixtures("copied")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(audit, [str(argument) for argument in arguments])


def exported(**options: Any) -> list[str]:
    with memory() as tx:
        fill(tx)
        return list(export(tx, **options))


def types(lines: list[str]) -> list[str]:
    return [json.loads(line)["type"] for line in lines]


async def test_the_trail_is_checked_and_exported_beside_a_running_assistant(
    database: Opening, name: str, tmp_path: Path
) -> None:
    await database.write(fill)
    good = run("verify", "--database", name)
    assert (good.exit_code, good.stderr) == (0, "")
    assert "8 rows in 3 chains and 2 seals are as they were written." in good.stdout
    noted = good.stdout.split()[-1]
    file = tmp_path / "trail.jsonl"
    assert run("export", "--database", name, "-o", file).exit_code == 0
    assert run("verify", file).stdout == good.stdout
    assert run("verify", file, "--noted", noted).exit_code == 0
    assert run("verify", file, "--noted", "beef").exit_code == 1


async def test_the_first_bad_row_is_named_on_stderr(database: Opening, name: str, tmp_path: Path) -> None:
    await database.write(fill)
    await database.write(lambda tx: tx.run("UPDATE audit SET who = 'gus@acme.test' WHERE chain = 'R-1001' AND seq = 2"))
    bad = run("verify", "--database", name)
    assert (bad.exit_code, bad.stdout) == (1, "")
    assert bad.stderr == f"{shown(name)}: R-1001 row 2: changed: its hash does not fit what it says\n"
    file = tmp_path / "trail.jsonl"
    run("export", "--database", name, "-o", file)
    assert run("verify", file).stderr == f"{file}: R-1001 row 2: changed: its hash does not fit what it says\n"


async def test_the_first_bad_row_of_an_export_that_somebody_edited_is_named(
    database: Opening, name: str, tmp_path: Path
) -> None:
    await database.write(fill)
    file = tmp_path / "trail.jsonl"
    run("export", "--database", name, "-o", file)
    lines = file.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace('"who":"', '"who":"not-')
    file.write_text("".join(lines))
    bad = run("verify", file)
    assert bad.exit_code == 1
    assert bad.stderr == f"{file}: R-1001 row 2: changed: its hash does not fit what it says\n"


async def test_an_export_of_a_chain_that_there_is_not_is_refused(database: Opening, name: str, tmp_path: Path) -> None:
    await database.write(fill)
    none = run("export", "--database", name, "--chain", "R-9999")
    assert (none.exit_code, none.stdout) == (1, "")
    assert "There is no chain R-9999" in none.stderr


def test_a_missing_or_foreign_database_is_told(tmp_path: Path) -> None:
    missing = run("verify", "--database", tmp_path / "no.db")
    assert (missing.exit_code, missing.stderr.split("\n")[0]) == (1, f"There is no database at {tmp_path / 'no.db'}.")
    (tmp_path / "text.db").write_text("hello, this is text" * 300)
    foreign = run("export", "--database", tmp_path / "text.db")
    assert foreign.exit_code == 1
    assert "the file is not a database" in foreign.stderr


@pytest.mark.parametrize(
    ("options", "chains", "seals"),
    [
        ({}, {"R-1001": 4, "R-1002": 3, "platform": 1}, [1, 2]),
        ({"chain": "R-1002"}, {"R-1002": 3}, [1]),
        ({"chain": "nothing"}, {}, []),
        ({"since": 1002.0}, {"R-1001": 2, "R-1002": 3, "platform": 1}, [1, 2]),
        ({"since": 1030.0}, {"R-1001": 1, "platform": 1}, [2]),
        ({"since": 1030.0, "chain": "R-1001"}, {"R-1001": 1}, []),
        ({"since": 9999.0}, {}, []),
    ],
)
def test_an_export_holds_what_was_asked_for_and_is_good(
    tmp_path: Path, options: dict[str, Any], chains: dict[str, int], seals: list[int]
) -> None:
    lines = exported(**options)
    entries = [json.loads(line) for line in lines]
    rows = [entry["chain"] for entry in entries if entry["type"] == "row"]
    assert {chain: rows.count(chain) for chain in rows} == chains
    assert [entry["seq"] for entry in entries if entry["type"] == "seal"] == seals
    file = tmp_path / "trail.jsonl"
    file.write_text("\n".join(lines) + "\n")
    verdict = verify_file(file)
    assert (verdict.rows, verdict.chains, verdict.seals, verdict.bad) == (len(rows), len(chains), len(seals), None)


def test_a_part_since_a_day_has_no_gap_when_the_clock_was_set_back(tmp_path: Path) -> None:
    file = tmp_path / "trail.jsonl"
    with memory() as tx:
        for at in (10.0, 30.0, 20.0, 40.0):
            add(tx, at=at)
        file.write_text("".join(f"{line}\n" for line in export(tx, since=25.0)))
    assert (verify_file(file).rows, verify_file(file).bad) == (3, None)


@given(st.sampled_from([{}, {"chain": "R-1002"}, {"since": 1002.0}]), st.data())
@settings(deadline=None, max_examples=examples(50), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_of_an_export_is_found(tmp_path: Path, options: dict[str, Any], data: st.DataObject) -> None:
    raw = bytearray("".join(f"{line}\n" for line in exported(**options)).encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    file = tmp_path / "trail.jsonl"
    file.write_bytes(raw)
    try:
        found = verify_file(file).bad
    except PlatformError as told:
        found = str(told)
        assert found.startswith(f"{file}:")
    assert found is not None


@given(st.data())
@settings(deadline=None, max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_export_whose_end_was_made_to_fit_is_found_by_its_hashes(tmp_path: Path, data: st.DataObject) -> None:
    """Somebody takes a line out, changes a cell, or puts a line in twice, and corrects the end line."""
    lines = exported()[:-1]
    index = data.draw(st.integers(1, len(lines) - 1))
    how = data.draw(st.sampled_from(["take out", "change", "double"]))
    if how == "take out":
        del lines[index]
    elif how == "double":
        lines.insert(index, lines[index])
    else:
        entry = json.loads(lines[index])
        column = data.draw(st.sampled_from([name for name in entry if name not in ("type", "sealed")]))
        entry[column] = entry[column] + 100 if isinstance(entry[column], int | float) else entry[column] + "x"
        lines[index] = canonical(entry)
    digest = sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    lines.append(canonical({"type": "end", "lines": len(lines), "sha256": digest}))
    file = tmp_path / "trail.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines))
    if how == "double":
        with pytest.raises(PlatformError, match="is there a second time"):
            verify_file(file)
    else:
        assert verify_file(file).bad is not None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: lines[:-1], "8: cut off: the line of type end is missing"),
        (lambda lines: [], "1: cut off: the line of type end is missing"),
        (lambda lines: lines[1:], "1: an export begins with one line of type export"),
        (lambda lines: [lines[0], lines[-1]], "2: cut off or added to: 7 lines were exported, 1 are here"),
        (lambda lines: [*lines, lines[1]], "9: something stands after the end"),
        (lambda lines: ["hello"], "1: is not JSON"),
        (lambda lines: ["[1]"], "1: is not a JSON object"),
        (lambda lines: [lines[0].replace('"version":1', '"version":2')], "1: is an export of version 2"),
        (
            lambda lines: [lines[0], lines[1].replace('"seq":1,', '"seq":1.0,')],
            "2: a row has chain, seq.*wrong here: seq",
        ),
        (
            lambda lines: [lines[0], lines[1].replace('"who":', '"who":"lee@acme.test","who":')],
            "2: is not spelled as it was",
        ),
    ],
)
def test_what_is_no_whole_export_is_told_with_its_line(tmp_path: Path, change: Any, says: str) -> None:
    file = tmp_path / "trail.jsonl"
    lines = exported(chain="R-1001")
    assert types(lines) == ["export", *["row"] * 4, "head", "seal", "end"]
    file.write_text("".join(f"{line}\n" for line in change(lines)))
    with pytest.raises(PlatformError, match=f"trail.jsonl:{says}"):
        verify_file(file)


def test_an_export_is_the_same_every_time() -> None:
    assert exported() == exported()
    with memory() as tx:
        assert types(list(export(tx))) == ["export", "end"]
        assert verify(tx).rows == 0
