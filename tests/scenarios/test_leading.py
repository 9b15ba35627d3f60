"""A replica that has to lead and cannot does not sit there as if it did."""

import asyncio
from pathlib import Path

import pytest

from chatops.adapters.postgres import Postgres
from chatops.kernel.errors import Unavailable
from tests.support.databases import name_of
from tests.support.house import acme_house

pytestmark = pytest.mark.group("postgresql")


async def test_one_that_cannot_begin_to_lead_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = name_of(tmp_path, "postgresql")
    leader = Postgres(url)
    await leader.open()
    async with acme_house(database=url) as house:
        replicas = house.assistant.replicas
        assert not replicas.leads.is_set()
        async with house.sandbox.session.get(f"{house.assistant.http.address}/metrics") as answer:
            assert "chatops_leads 0.0" in await answer.text()

        async def broken(*, valid: bool) -> None:
            raise RuntimeError("a defect")

        monkeypatch.setattr(type(house.assistant.reconfigured), "started", lambda self, *, valid: broken(valid=valid))
        await leader.close()
        await asyncio.wait_for(replicas.lost.wait(), 30)
        assert replicas.leads.is_set()


async def test_what_a_new_leader_begins_with_is_done_once_the_database_is_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, begun = name_of(tmp_path, "postgresql"), list[str]()
    leader = Postgres(url)
    await leader.open()
    async with acme_house(database=url) as house:
        for part in (house.assistant.evidence, house.assistant.rooms):

            async def start(self: object) -> None:
                begun.append(type(self).__name__)
                if begun.count(begun[-1]) == 1:
                    raise Unavailable("The database does not answer.")

            monkeypatch.setattr(type(part), "start", start)
        await leader.close()
        await house.until(lambda: len(begun) == 4)
    assert begun == ["Evidence", "Evidence", "Rooms", "Rooms"]
