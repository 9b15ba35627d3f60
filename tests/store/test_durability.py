from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chatops.adapters import databases
from chatops.adapters.sqlite import reading
from tests.store.facts import names, note


def child(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.child", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.parametrize("at_once", [1, 32])
def test_what_was_acknowledged_is_there_after_kill_9(name: str, at_once: int) -> None:
    process = child("acknowledge", name, str(at_once))
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(400)]
    process.kill()
    told += process.stdout.readlines()  # what it had said before it died
    assert process.wait() == -signal.SIGKILL
    acknowledged = {line.strip() for line in told if line.endswith("\n")}
    assert len(acknowledged) >= 400
    with databases.reading(name) as tx:
        assert acknowledged <= set(names(tx))


@pytest.mark.parametrize(("point", "kept"), [("before_commit", ["first"]), ("after_commit", ["first", "second"])])
async def test_death_around_the_commit_keeps_all_or_nothing(name: str, point: str, kept: list[str]) -> None:
    process = child("die", name, point)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert told.split() == ["first"]
    async with databases.database(name) as database:  # the lock died with its process
        assert await database.read(names) == kept
        await database.write(note, "third")


def test_a_disk_that_takes_no_more_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    process = child("outgrow", str(tmp_path / "chatops.db"))
    told, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "Nothing was saved: the disk that holds the database" in said
    with reading(tmp_path / "chatops.db") as tx:
        assert names(tx) == sorted(told.split())
