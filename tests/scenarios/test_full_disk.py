"""The disk of the SQLite file is full, or may only be read: whoever does something is told, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest

from chatops.adapters import sqlite
from chatops.adapters.sqlite import SQLite
from chatops.kernel.errors import Unavailable
from chatops.kernel.ports import Tx
from tests.support.databases import name_of
from tests.support.house import REQUESTS, House, acme_house, straight_to_production

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"
ALERT = {"name": "ErrorRate", "status": "firing", "service": "checkout", "environment": "production", "key": "disk-1"}
SIZE = 24  # MiB


class Disk(Protocol):
    """Where the database is."""

    folder: Path

    def full(self) -> None:
        """It takes nothing more."""

    def roomy(self) -> None:
        """It has room again."""


class Mounted:
    """A small file system of its own, and a file that fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def full(self) -> None:
        with suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)

    def roomy(self) -> None:
        if self._ballast.exists():  # asked first, for the disk may only be read
            self._ballast.unlink()


class Limited:
    """Where nobody may mount: the system refuses files that are larger than the log in front of the database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, ((self.folder / "chatops.db-wal").stat().st_size, self._limits[1]))

    def roomy(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


def mount(*arguments: str) -> bool:
    """Whether it worked: it takes root, and a kernel that lets root."""
    command = shutil.which("mount")
    return command is not None and subprocess.run([command, *arguments], capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = mount("-t", "tmpfs", "-o", f"size={SIZE}m", "none", str(folder))
    found: Disk = Mounted(folder) if mounted else Limited(folder)
    try:
        yield found
    finally:
        found.roomy()
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
async def house(disk: Disk) -> AsyncIterator[House]:
    async with acme_house(platform=straight_to_production, database=name_of(disk.folder, "sqlite")) as house:
        yield house


async def used_up(house: House, disk: Disk) -> None:
    """The disk is full, and what SQLite's log has of it already is written to as well."""

    def fill(tx: Tx, number: int) -> None:
        insert = "INSERT INTO settings (name, value, updated_at) VALUES (:name, :value, 0)"
        tx.run(insert, name=f"ballast {number}", value="x" * 100_000)

    disk.full()
    for number in range(1000):
        try:
            await house.assistant.database.write(fill, number)
        except Unavailable:
            return
    raise AssertionError("it was not full")


async def ready(house: House) -> int:
    async with house.sandbox.session.get(f"{house.assistant.http.address}/readyz") as answer:
        return answer.status


async def whole(house: House) -> None:
    """One run; a trail that verifies; a file in which everything fits together."""
    await house.quiet()
    history = await house.history()
    assert [history.count(what) for what in ("requested", "satisfied", "begun", "written", "became_healthy")] == [1] * 5
    await house.stop()
    with closing(sqlite3.connect(house.settings.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_on_a_full_disk_everybody_is_told_that_nothing_was_saved_and_with_room_it_goes_on(
    house: House, disk: Disk
) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await house.quiet()
    await used_up(house, disk)
    await card.click("Approve")
    await house.lee.sees(REQUESTS, "Nothing was saved: the disk that holds the database")
    assert "WAITING" in card.text
    answer = await house.dana.types("/platform restart cart production because stuck")
    assert "Nothing was saved: the disk that holds the database" in answer.text
    await card.click("Reject")
    form = await house.lee.modal("Reason")
    await form.fill(Reason="not on a Friday")
    await form.submit()
    await form.becomes("Nothing was saved")
    assert await house.hook("alert", ALERT) == 503
    assert await ready(house) == 503
    async with house.sandbox.session.get(f"{house.assistant.http.address}/metrics") as metrics:
        assert metrics.status == 200
    disk.roomy()
    assert await ready(house) == 200
    assert await house.rows("SELECT state FROM requests") == [{"state": "waiting"}]
    await card.click("Approve")
    await card.becomes("SUCCEEDED")
    assert await house.hook("alert", ALERT) == 200
    await house.dana.sees("incidents", "checkout · PRODUCTION")
    await whole(house)


async def test_a_run_that_the_disk_fills_up_under_goes_on_where_it_was(house: House, disk: Disk) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await house.quiet()
    held = house.cluster.fault("hang", verb="patch", resource="deployments", dry_run=False)
    await card.click("Approve")
    await house.until(lambda: held.hits == 1)
    await used_up(house, disk)
    house.cluster.faults.clear()
    while (await house.deployment("checkout"))["metadata"]["generation"] == 1:
        await asyncio.sleep(0.02)
    assert "SUCCEEDED" not in card.text
    disk.roomy()
    await card.becomes("SUCCEEDED", within=30)
    await house.dana.sees("deploys", "1.4.1 → 1.4.2")
    await whole(house)


class Watched:
    """The writer's connection; ``sealed``: before the next transaction it is told that it may only read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.sealed = False

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "BEGIN IMMEDIATE":
            self._connection.execute(f"PRAGMA query_only = {'ON' if self.sealed else 'OFF'}")
        return self._connection.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def test_a_file_that_may_not_be_written_to_is_called_that_until_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Watched] = []
    real = sqlite.open_for_writing

    def open_watched(path: Path) -> Watched:
        opened.append(Watched(real(path)))
        return opened[-1]

    monkeypatch.setattr(sqlite, "open_for_writing", open_watched)
    async with acme_house(platform=straight_to_production, database=name_of(tmp_path, "sqlite")) as house:
        await house.dana.types(LINE)
        card = await house.lee.sees(REQUESTS, "WAITING")
        await house.quiet()
        opened[0].sealed = True
        await card.click("Approve")
        await house.lee.sees(REQUESTS, "Nothing was saved: the database file may not be written to")
        assert await ready(house) == 503
        opened[0].sealed = False
        assert await ready(house) == 200
        await card.click("Approve")
        await card.becomes("SUCCEEDED")
        await whole(house)


async def test_a_disk_that_may_only_be_read_is_said_at_the_start(disk: Disk) -> None:
    name = name_of(disk.folder, "sqlite")
    if not (isinstance(disk, Mounted) and mount("-o", "remount,ro", str(disk.folder))):
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere, and may not mount here: run it as somebody else")
        Path(name).chmod(0o400)
        disk.folder.chmod(0o500)
    with pytest.raises(Unavailable, match=r"cannot be used|cannot hold a database"):
        await SQLite(name).open()
